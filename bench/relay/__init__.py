"""The relay: events a second from the outbox to the broker, and CPU per event.

Beside: aio-pika publishing the same bodies from memory (`bench/relay/floor.py`). Both have 256
publisher confirms outstanding, and publish persistent events of 900 bytes to the exchange that
feeds the log, a stream, and one quorum queue, which is emptied before each arm. Each arm is a
process of its own. The candidate, `libs.common.relay`, reads, publishes and deletes: its clock
runs from the commit of all events until the last one is gone from the outbox.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench.processes import told
from bench.relay.events import QUEUE, subscription
from bench.rows import Row, middle
from libs.common import bus, migrate
from tests import databases
from tests.servers import Servers

EVENTS = 20_000
VHOST = "bench-relay"
MICRO = 1e6

Found = dict[str, float]


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both arms in turn."""
    servers.rabbit.add_vhost(VHOST)
    amqp_url = servers.rabbit.url(VHOST)
    try:
        database_url = asyncio.run(_prepare(servers, amqp_url))
        arms: dict[str, list[str]] = {
            "drain": [database_url, amqp_url, str(EVENTS)],
            "floor": [amqp_url, str(EVENTS)],
        }
        found: dict[str, list[Found]] = {name: [] for name in arms}
        for number in range(rounds):
            for name in arms if number % 2 else reversed(arms):
                asyncio.run(_quiet(database_url, amqp_url))
                found[name].append(_one(servers, name, arms[name]))
    finally:
        servers.rabbit.delete_vhost(VHOST)
    row = partial(_row, drained=found["drain"], published=found["floor"])
    return [
        row("rate", "events", "events/s", bound=0.8, direction="at least"),
        row("cpu_us", "CPU of the process", "us/event"),
        row("postgres_us", "CPU of its PostgreSQL session", "us/event", alone=True),
    ]


def _row(
    key: str,
    label: str,
    unit: str,
    *,
    drained: Sequence[Found],
    published: Sequence[Found],
    alone: bool = False,
    **more: Any,
) -> Row:
    floor = None if alone else middle([one[key] for one in published])
    return Row("relay", label, middle([one[key] for one in drained]), unit, floor=floor, **more)


def _one(servers: Servers, name: str, arguments: list[str]) -> Found:
    answer = servers.directory / "relay.json"
    found: Found = told(
        [f"bench.relay.{name}", *arguments, str(answer)],
        log=servers.directory / f"relay-{name}.log",
        answer=answer,
    )
    return {
        "rate": EVENTS / found["seconds"],
        "cpu_us": found["cpu_s"] / EVENTS * MICRO,
        "postgres_us": found["postgres_cpu_s"] / EVENTS * MICRO,
    }


async def _prepare(servers: Servers, amqp_url: str) -> str:
    async with bus.connected(amqp_url, name="bench.prepare") as connection:
        await bus.declare_log(connection)
        await bus.declare_subscription(connection, subscription(), bus.RetryPolicy())
    async with databases.connected(servers.postgres.url()) as admin:
        name = await databases.create(admin, servers.postgres.url, (migrate.kernel("messaging"),))
    return servers.postgres.url(name)


async def _quiet(database_url: str, amqp_url: str) -> None:
    """Leave nothing behind that would slow the next arm."""
    async with bus.connected(amqp_url, name="bench.quiet") as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(QUEUE)
        await queue.purge()
    async with databases.connected(database_url) as conn:
        await conn.execute("VACUUM ANALYZE outbox")
        await conn.execute("CHECKPOINT")
