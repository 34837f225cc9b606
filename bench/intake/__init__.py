"""Taking pushes in: requests a second, their p99, and CPU per push, over 64 connections.

Beside: bare aiohttp, PyJWT with the key at hand and one UPDATE and commit per push
(`bench/intake/floor.py`), a process of its own like the candidate, `services.mail --roles web`
with the settings it has by default. Both run on one PostgreSQL with stock durability and answer
only after their commit; one load generator (`bench/intake/load.py`) sends both the same finished
requests, to as many known mailboxes as there are pushes. In the first half of the rows every push
brings a token nobody has seen; in the second all bring the same one, as Pub/Sub's do for up to an
hour: the candidate may remember it, the floor verifies it each time. Before each arm the
mailboxes lie quiet again and a checkpoint is done, so that every push has its whole work to do.
CPU is the kernel's account of the server process, and of all of its PostgreSQL sessions.
"""

import asyncio
import http.server
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.intake import pushes
from bench.intake.pushes import ACCOUNT, AUDIENCE, Pushes
from bench.processes import BACKENDS, Server, cpu_s, environment, free_port, serving, told
from bench.rows import Row, middle
from services.mail.app import migrations
from tests import databases
from tests.servers import Servers

MAILBOXES = 20_000
FRESH, REUSED = 8_000, 16_000
"""Pushes per arm and round; all that fresh tokens cost the bench is their signing."""
WARM_UP = 1_000
MICRO = 1e6

MAKE_FLOOR = """
CREATE TABLE mailboxes (
    address text PRIMARY KEY, generation bigint NOT NULL DEFAULT 0, touched_at timestamptz
) WITH (fillfactor = 70)
"""
FILL_FLOOR = "INSERT INTO mailboxes (address) SELECT unnest($1::text[])"
FILL_FEEDS = """
INSERT INTO feeds (tenant_id, id, connection_id, account_id, kind, resource, created_at)
SELECT 'acme', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'mail.live', address, now()
  FROM unnest($1::text[]) AS address
"""
FILL_SIGNALS = """
INSERT INTO signals (tenant_id, feed_id, address, due_at)
SELECT tenant_id, id, resource, now() + interval '15 minutes' FROM feeds
"""
CALM = ("UPDATE signals SET due_at = now() + interval '15 minutes'", "VACUUM ANALYZE signals")
CALM_FLOOR = ("VACUUM ANALYZE mailboxes",)


@dataclass
class Arm:
    """One of the two servers, and what was measured of it."""

    server: Server
    database_url: str
    calm: tuple[str, ...]
    found: list[dict[str, float]] = field(default_factory=list)

    def middle(self, name: str) -> float:
        """Return the median of the rounds."""
        return middle([one[name] for one in self.found])


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both kinds of traffic."""
    made = Pushes()
    with ExitStack() as stack:
        candidate = stack.enter_context(_candidate(servers, made))
        floor = stack.enter_context(_floor(servers, made))
        rows = []
        for name, count, least, most in (("fresh", FRESH, 1.5, 1.0), ("reused", REUSED, 2.5, 0.5)):
            for arm in (candidate, floor):
                arm.found.clear()
            _measure(servers.directory, (candidate, floor), made, name=name, rounds=rounds)
            rows += _rows(name, count, candidate, floor, least=least, most=most)
    return rows


def _measure(
    directory: Path, arms: tuple[Arm, Arm], made: Pushes, *, name: str, rounds: int
) -> None:
    path = directory / "requests"
    one = made.token()
    for number in range(-1, rounds):
        count = WARM_UP if number < 0 else FRESH if name == "fresh" else REUSED
        tokens = made.tokens(count) if name == "fresh" else [one] * count
        pushes.write(path, (pushes.request(token, at) for at, token in enumerate(tokens)))
        for arm in arms if number % 2 else arms[::-1]:
            found = asyncio.run(_one(directory, arm, path, count))
            if number >= 0:
                arm.found.append(found)


async def _one(directory: Path, arm: Arm, requests: Path, count: int) -> dict[str, float]:
    async with databases.connected(arm.database_url) as conn:
        for statement in (*arm.calm, "CHECKPOINT"):
            await conn.execute(statement)
        answer = directory / "load.json"
        arguments = ["bench.intake.load", str(arm.server.port), str(requests), str(answer)]
        sessions = [row["pid"] for row in await conn.fetch(BACKENDS)]
        before = cpu_s(arm.server.pid), cpu_s(*sessions)
        load: dict[str, Any] = await asyncio.to_thread(
            told, arguments, log=directory / "load.log", answer=answer
        )
        sessions = [row["pid"] for row in await conn.fetch(BACKENDS)]
        after = cpu_s(arm.server.pid), cpu_s(*sessions)
    if load["statuses"] != {"204": count}:
        raise RuntimeError(f"not every push was taken in: {load['statuses']}")
    return {
        "rate": count / load["seconds"],
        "p50_ms": load["p50_ms"],
        "p99_ms": load["p99_ms"],
        "server_us": (after[0] - before[0]) / count * MICRO,
        "postgres_us": (after[1] - before[1]) / count * MICRO,
    }


def _rows(
    name: str, count: int, candidate: Arm, floor: Arm, *, least: float, most: float
) -> list[Row]:
    what = f"{name} tokens" if name == "fresh" else "one token"
    row = partial(_row, what=what, candidate=candidate, floor=floor)
    return [
        row("rate", "pushes", "req/s", bound=least, direction="at least", note=f"{count} a round"),
        row("p99_ms", "p99", "ms", bound=most),
        row("p50_ms", "p50", "ms"),
        row("server_us", "CPU of the server", "us/push"),
        row("postgres_us", "CPU of PostgreSQL", "us/push"),
    ]


def _row(
    key: str, label: str, unit: str, *, what: str, candidate: Arm, floor: Arm, **more: Any
) -> Row:
    return Row(
        "intake",
        f"{label}, {what}",
        candidate.middle(key),
        unit,
        floor=floor.middle(key),
        **more,
    )


@contextmanager
def _candidate(servers: Servers, made: Pushes) -> Iterator[Arm]:
    url = asyncio.run(_mail_database(servers))
    port = free_port()
    with _published(made.certificates()) as google:
        env = environment(
            CAUSEWAY_HOST="127.0.0.1",
            CAUSEWAY_MAIL_PORT=str(port),
            CAUSEWAY_PUBLIC_URL=f"http://127.0.0.1:{port}",
            CAUSEWAY_MAIL_DATABASE_URL=url,
            CAUSEWAY_AMQP_URL="amqp://nobody:nothing@127.0.0.1:1/",
            CAUSEWAY_AUTH_URL="http://127.0.0.1:1",
            CAUSEWAY_SERVICE_KEY=secrets.token_urlsafe(32),
            CAUSEWAY_CALLER_KEY=secrets.token_urlsafe(32),
            CAUSEWAY_CALLER_ISSUER="https://crm.example",
            CAUSEWAY_CALLER_AUDIENCE="causeway",
            CAUSEWAY_GOOGLE_ORIGIN=google,
            CAUSEWAY_PUSH_AUDIENCE=AUDIENCE,
            CAUSEWAY_PUSH_SERVICE_ACCOUNT=ACCOUNT,
            CAUSEWAY_GMAIL_TOPIC="projects/bench/topics/gmail",
            CAUSEWAY_LOG_FORMAT="json",
        )
        arguments = ["services.mail", "--roles", "web"]
        log = servers.directory / "mail-web.log"
        with serving(arguments, env, log=log, port=port) as server:
            yield Arm(server, url, CALM)


@contextmanager
def _floor(servers: Servers, made: Pushes) -> Iterator[Arm]:
    url = asyncio.run(_floor_database(servers))
    port = free_port()
    key = servers.directory / "push-key.pem"
    key.write_bytes(made.public_pem())
    arguments = ["bench.intake.floor", str(port), url, str(key)]
    log = servers.directory / "floor.log"
    with serving(arguments, environment(), log=log, port=port) as server:
        yield Arm(server, url, CALM_FLOOR)


async def _mail_database(servers: Servers) -> str:
    async with databases.connected(servers.postgres.url()) as admin:
        url = servers.postgres.url(
            await databases.create(admin, servers.postgres.url, migrations())
        )
    async with databases.connected(url) as conn:
        await conn.execute(FILL_FEEDS, _addresses())
        await conn.execute(FILL_SIGNALS)
        await conn.execute("VACUUM ANALYZE")
    return url


async def _floor_database(servers: Servers) -> str:
    async with databases.connected(servers.postgres.url()) as admin:
        url = servers.postgres.url(await databases.create(admin, servers.postgres.url, ()))
    async with databases.connected(url) as conn:
        await conn.execute(MAKE_FLOOR)
        await conn.execute(FILL_FLOOR, _addresses())
        await conn.execute("VACUUM ANALYZE")
    return url


def _addresses() -> list[str]:
    return [pushes.address(number) for number in range(MAILBOXES)]


@contextmanager
def _published(certificates: bytes) -> Iterator[str]:
    """Serve one document at every path; yield the origin."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Cache-Control", "max-age=3600")
            self.send_header("Content-Length", str(len(certificates)))
            self.end_headers()
            self.wfile.write(certificates)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
