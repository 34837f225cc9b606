"""How long a restart of everything takes to catch up with 1,000 mailboxes.

The mailboxes are connected as people do it: 1,000 people at the emulator go through auth's API,
Google's consent page and the confirmation. When all are watched and in step, every process of the
product is stopped and one mail arrives in each mailbox; their pushes find nobody. Then all of them
are started again. Measured are the seconds from there until every live cursor stands at or behind
its mailbox's newest change and the outbox is empty. The bound is absolute: a minute.

Pub/Sub's redelivery is part of it: how long it pauses grows with how long nobody answered.
"""

import asyncio
import time

import aiohttp

from bench.house.product import house
from bench.house.stack import TIMEOUT, Stack
from bench.rows import Row, middle
from libs.common.db import Pool
from tests.servers import Servers
from tests.support import eventually

MAILBOXES = 1_000
MOST_S = 60.0
LONGEST_S = 600

IN_STEP = """
SELECT count(*) FROM feeds f JOIN watches w USING (account_id)
 WHERE f.kind = 'mail.live' AND f.last_sync_at IS NOT NULL AND w.expires_at > now()
"""
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= now())
     + (SELECT count(*) FROM outbox)
"""
CURSORS = """
SELECT c.email, f.cursor::bigint AS cursor, (SELECT count(*) FROM outbox) AS waiting
  FROM feeds f JOIN connections c USING (tenant_id, connection_id)
 WHERE f.kind = 'mail.live'
"""


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure; connecting takes most of the time, a restart is repeated once at most."""
    people = [f"person{number}@example.com" for number in range(MAILBOXES)]
    with house(servers) as place:
        stack = Stack(
            place, CAUSEWAY_MAIL_BACKFILL_DAYS="0", CAUSEWAY_MAIL_AUDIT_INTERVAL=str(30 * 86_400)
        )
        stack.start()
        asyncio.run(_connect(stack, people))
        took = [_restart(stack, people) for _ in range(min(rounds, 2))]
    return [
        Row(
            bench="restart",
            name=f"all processes, {MAILBOXES} mailboxes with new mail",
            value=middle(took),
            unit="s",
            bound=MOST_S,
            note="until every cursor is up to date and the outbox is empty",
        )
    ]


def _restart(stack: Stack, people: list[str]) -> float:
    stack.stop()
    asyncio.run(stack.deliver(people))
    newest = asyncio.run(_newest(stack, people))
    started = time.monotonic()
    stack.start()
    asyncio.run(_caught_up(stack, newest))
    return time.monotonic() - started


async def _connect(stack: Stack, people: list[str]) -> None:
    """Connect everybody, and return when everything has come to rest."""
    await stack.connect(people)
    async with stack.pool() as pool:

        async def is_at_rest() -> bool:
            return await pool.fetchval(IN_STEP) == len(people) and not await pool.fetchval(BUSY)

        await eventually(is_at_rest, timeout_s=LONGEST_S)


async def _newest(stack: Stack, people: list[str]) -> dict[str, int]:
    """Return the number of every mailbox's newest change."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        answers = [
            await stack.control(session, "GET", f"people/{email}/mailbox") for email in people
        ]
    return {email: int(answer["historyId"]) for email, answer in zip(people, answers, strict=True)}


async def _caught_up(stack: Stack, newest: dict[str, int]) -> None:
    async with stack.pool() as pool:
        await eventually(lambda: _is_caught_up(pool, newest), timeout_s=LONGEST_S)


async def _is_caught_up(pool: Pool, newest: dict[str, int]) -> bool:
    rows = await pool.fetch(CURSORS)
    return len(rows) == len(newest) and all(
        row["waiting"] == 0 and row["cursor"] >= newest[row["email"]] for row in rows
    )
