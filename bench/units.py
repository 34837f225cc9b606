"""What new mail costs in Google's quota units, beside what it must cost.

Bursts of 1, 2, 5, 10, 25 and 50 mails arrive at once in one mailbox of the emulator, which counts
units by Google's table of 2026 (`/_emulator/usage`). The whole product runs, a process for each
role, and is told by push. Between bursts everything comes to rest.

The minimum of a burst of n mails is one page of history.list and a messages.get for each mail:
2 + 20 n units; nothing else has to be asked. The bound is on the sum of all bursts.
"""

import asyncio
from typing import Any

import aiohttp

from bench.house.product import house
from bench.house.stack import TIMEOUT, Stack
from bench.rows import Row, middle
from services.mail.domain.units import units
from tests.servers import Servers
from tests.support import eventually

BURSTS = (1, 2, 5, 10, 25, 50)
WHO = "alice@example.com"
MOST = 1.1
CALM_S = 2.5
"""More than the second Gmail lets pass between two notifications."""
LONGEST_S = 60
POLL_S = 0.1

HELD = "SELECT count(*) FROM messages"
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= now())
     + (SELECT count(*) FROM outbox)
"""
IN_STEP = "SELECT count(*) FROM feeds WHERE kind = 'mail.live' AND last_sync_at IS NOT NULL"


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure; takes about a minute and a half a round, and one round says it all."""
    with house(servers) as place:
        stack = Stack(place, CAUSEWAY_MAIL_BACKFILL_DAYS="0")
        stack.start()
        spent = asyncio.run(_spend(stack, min(rounds, 2)))
    least = [minimum(burst) for burst in BURSTS]
    return [
        Row(
            bench="units",
            name=f"{sum(BURSTS)} mails in bursts of {', '.join(map(str, BURSTS))}",
            value=middle([float(sum(one)) for one in spent]),
            unit="units",
            floor=float(sum(least)),
            bound=MOST,
            note="one history.list a burst and one messages.get a mail",
        )
    ]


def minimum(burst: int) -> int:
    """Return the units that a burst must cost."""
    return units("gmail.users.history.list") + burst * units("gmail.users.messages.get")


async def _spend(stack: Stack, rounds: int) -> list[list[int]]:
    """Return, by round, the units of every burst."""
    await stack.connect([WHO])
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, stack.pool() as pool:
        await eventually(lambda: pool.fetchval(IN_STEP), timeout_s=LONGEST_S)
        spent: list[list[int]] = []
        for _ in range(rounds):
            spent.append([])
            for burst in BURSTS:
                await _rest(pool)
                before, held = await _used(stack, session), await pool.fetchval(HELD)
                await stack.deliver([WHO], count=burst)
                wanted = held + burst
                await eventually(lambda: _holds(pool, wanted), timeout_s=LONGEST_S)  # noqa: B023 - awaited at once
                await _rest(pool)
                spent[-1].append(await _used(stack, session) - before)
        return spent


async def _used(stack: Stack, session: aiohttp.ClientSession) -> int:
    usage = await stack.control(session, "GET", "usage")
    return int(usage["people"][WHO]["units"])


async def _holds(pool: Any, count: int) -> bool:
    return int(await pool.fetchval(HELD)) >= count


async def _rest(pool: Any) -> None:
    """Return when nothing has been due or waiting for a while."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    while loop.time() - since < CALM_S:
        if await pool.fetchval(BUSY):
            since = loop.time()
        await asyncio.sleep(POLL_S)
