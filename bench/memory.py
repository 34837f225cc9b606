"""Resident memory of each role, in MiB: at rest, and after a mailbox of 20,000 messages.

The whole product runs, a process for each role, on real servers; a stub plays Gmail, so that the
backfill is quick (`bench.backfill`). RSS is read from /proc: of the process and its children. At
rest means: ready for five seconds. Afterwards the worker has taken in 20,000 letters of 6 kB and
the relay has published what was told of them. The bounds are absolute: a web role keeps 100 MiB, a
worker 160; relay and consumer are shown.
"""

import asyncio
import time

from bench.backfill import stub
from bench.backfill.candidate import prepare, take_in
from bench.house.product import House, house, rss_mib
from bench.house.stack import Stack
from bench.rows import Row
from tests.servers import Servers
from tests.support import eventually

MESSAGES = 20_000
SHOWN = (
    ("auth", "web"),
    ("mail", "web"),
    ("mail", "worker"),
    ("mail", "relay"),
    ("mail", "consumer"),
)
BOUNDS = {"web": 100.0, "worker": 160.0}
REST_S = 5.0
LONGEST_S = 300

Sizes = dict[tuple[str, str], float]


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure once, however many rounds are asked for; takes about a minute."""
    del rounds
    with house(servers) as place, stub(place) as origin:
        before, after = _measure(place, origin)
    return [
        Row(
            bench="memory",
            name=f"{service} {role}, {when}",
            value=sizes[service, role],
            unit="MiB",
            bound=BOUNDS.get(role),
        )
        for when, sizes in (("idle", before), (f"after {MESSAGES} messages", after))
        for service, role in SHOWN
    ]


def _measure(place: House, origin: str) -> tuple[Sizes, Sizes]:
    stack = Stack(place, google=origin, auth=origin)
    stack.start()
    asyncio.run(prepare(stack.databases["mail"]))
    time.sleep(REST_S)
    before = _sizes(stack)
    asyncio.run(take_in(stack.databases["mail"], 1, MESSAGES))
    asyncio.run(_published(stack))
    return before, _sizes(stack)


def _sizes(stack: Stack) -> Sizes:
    return {role: rss_mib(stack.programs[role]) for role in SHOWN}


async def _published(stack: Stack) -> None:
    async with stack.pool() as pool:

        async def is_empty() -> bool:
            return not await pool.fetchval("SELECT count(*) FROM outbox")

        await eventually(is_empty, timeout_s=LONGEST_S)
