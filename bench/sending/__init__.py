"""What sending costs: Google's units and our CPU, each beside what it must be.

Four people of the emulator each send 50 short messages through the API; the whole product runs, a
process for each role. It is over when every message is sent, has come back through its mailbox's
history, and what is told of it has left.

The least that a message must cost is a draft, its sending, and reading it as Gmail keeps it (its
final Message-ID is Gmail's), with a page of history.list: 10 + 100 + 20 + 2 units. A plain
`messages.send` would cost 100 in place of 110, and could not be settled.

The floor of CPU is a script that makes the same two requests by hand with a token it was given and
remembers nothing: `python -m bench.sending.floor`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from bench.house.product import house
from bench.house.stack import TIMEOUT, Stack
from bench.processes import cpu_s, told
from bench.rows import Row, middle
from services.mail.domain.units import units
from tests.servers import Servers
from tests.support import eventually

PEOPLE = [f"alice{number}@example.com" for number in range(4)]
EACH = 50
MESSAGES = len(PEOPLE) * EACH
MOST_UNITS = 1.1
LONGEST_S = 180
METHODS = ("drafts.create", "drafts.send", "messages.get", "history.list")

OPEN = "SELECT count(*) FROM outgoing WHERE ended_at IS NULL"
UNTOLD = """
SELECT (SELECT count(*) FROM outgoing o
         WHERE NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = o.tenant_id AND m.id = o.id))
     + (SELECT count(*) FROM outbox)
"""
MISSED = "SELECT count(*) FROM outgoing WHERE state <> 'sent'"
WRITABLE = "SELECT user_id, connection_id::text FROM connections"
IN_STEP = "SELECT count(*) FROM feeds WHERE kind = 'mail.live' AND last_sync_at IS NOT NULL"


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure; takes about half a minute a round."""
    with house(servers) as place:
        stack = Stack(place, CAUSEWAY_MAIL_BACKFILL_DAYS="0")
        stack.start()
        asyncio.run(_prepare(stack))
        found = [asyncio.run(_round(stack, place.directory)) for _ in range(rounds)]
    least = sum(units(f"gmail.users.{name}") for name in METHODS)
    return [
        Row(
            bench="sending",
            name="Google's units a message",
            value=middle([one["units"] for one in found]),
            unit="units",
            floor=float(least),
            bound=MOST_UNITS,
            note="draft, sending, one get and a history page",
        ),
        Row(
            bench="sending",
            name="CPU a message, all of mail's processes",
            value=middle([one["cpu"] for one in found]) * 1000,
            unit="ms",
            floor=middle([one["floor"] for one in found]) * 1000,
            note="floor: the two requests by hand",
        ),
        Row(
            bench="sending",
            name="messages a second, four mailboxes",
            value=middle([one["rate"] for one in found]),
            unit="1/s",
        ),
    ]


async def _prepare(stack: Stack) -> None:
    await stack.connect(PEOPLE, access="write")
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, stack.pool() as pool:
        await stack.control(session, "PUT", "settings", {"enforce_quota": False})

        async def are_in_step() -> bool:
            return int(await pool.fetchval(IN_STEP)) == len(PEOPLE)

        await eventually(are_in_step, timeout_s=LONGEST_S)
        await _send(stack, session, pool, each=1)  # whom they may send as is asked once
        await _until(lambda: pool.fetchval(UNTOLD))


async def _round(stack: Stack, directory: Path) -> dict[str, float]:
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, stack.pool() as pool:
        pids = [
            one.process.pid
            for role, one in stack.programs.items()
            if role[0] == "mail" and one.process
        ]
        await stack.control(session, "DELETE", "usage")
        before, started = cpu_s(*pids), time.monotonic()
        await _send(stack, session, pool, each=EACH)
        await _until(lambda: pool.fetchval(OPEN))
        seconds = time.monotonic() - started
        await _until(lambda: pool.fetchval(UNTOLD))
        cpu = cpu_s(*pids) - before
        usage = (await stack.control(session, "GET", "usage"))["people"]
        assert not await pool.fetchval(MISSED)  # noqa: S101 - nothing is measured otherwise
        spent = sum(int(usage[one]["units"]) for one in PEOPLE)
        scopes = {"scopes": ["https://www.googleapis.com/auth/gmail.modify"]}
        token = await stack.control(session, "POST", f"people/{PEOPLE[0]}/tokens", scopes)
    arguments = ["bench.sending.floor", stack.google, token["access_token"], str(EACH)]
    answer = directory / "floor.json"
    floor = told([*arguments, str(answer)], log=directory / "floor.log", answer=answer)
    return {
        "units": spent / MESSAGES,
        "cpu": cpu / MESSAGES,
        "floor": float(floor["cpu_s"]) / EACH,
        "rate": MESSAGES / seconds,
    }


async def _send(stack: Stack, session: aiohttp.ClientSession, pool: Any, *, each: int) -> None:
    """Let everybody send so many messages, one after the other."""
    rows = await pool.fetch(WRITABLE)

    async def some(user: str, connection_id: str) -> None:
        for _ in range(each):
            await stack.send(session, user, connection_id, key=uuid4().hex)

    await asyncio.gather(*(some(row["user_id"], row["connection_id"]) for row in rows))


async def _until(count: Callable[[], Awaitable[int]]) -> None:
    async def is_none() -> bool:
        return not await count()

    await eventually(is_none, timeout_s=LONGEST_S)
