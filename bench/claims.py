"""Claiming due feeds: how much longer it takes among a million feeds than among ten thousand.

Beside: the same claim in a database with 10,000 feeds. Nothing, 50 or 5,000 feeds are due, in an
order that has nothing to do with where their rows lie, and `libs.common.feeds.store.claim` takes
up to 50 of them, as the runner does: over one connection of the service's own kind of pool. What
is timed is the call, one statement; it stands in a transaction, which is then rolled back, so that
every claim finds the same, and what that leaves behind is vacuumed away before each round. Each
figure is the median of the rounds' medians. The bound on an empty claim is absolute: it is what an
idle worker costs. For the reader there is also the empty claim with its transaction around it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from statistics import median

import asyncpg
import uvloop

from bench.rows import Row, middle
from libs.common import clock, db, migrate
from libs.common.feeds import store
from tests import databases
from tests.servers import Servers

FEW, MANY = 10_000, 1_000_000
DUE = (0, 50, 5_000)
LIMIT = 50
CLAIMS, EMPTY_CLAIMS = 20, 200
"""In each round: few, since later ones would walk past what earlier ones left behind."""
WARM_UP = 3
LEASE = timedelta(minutes=1)
MILLI = 1e3

FILL_FEEDS = """
INSERT INTO feeds (tenant_id, id, connection_id, account_id, kind, resource, cursor, created_at)
SELECT 'tenant-' || n % 500, md5(n::text)::uuid, md5('c' || n)::uuid, md5('a' || n)::uuid,
       'mail.live', 'mailbox', '9876543210', now()
  FROM generate_series(1, $1::int) AS n
"""
FILL_SIGNALS = """
INSERT INTO signals (tenant_id, feed_id, address, due_at)
SELECT 'tenant-' || n % 500, md5(n::text)::uuid, 'person.' || n || '@customer.example',
       now() + interval '1 day' + n * interval '1 ms'
  FROM generate_series(1, $1::int) AS n
"""
NOTHING_DUE = """
UPDATE signals SET due_at = now() + interval '1 day' WHERE due_at < now() + interval '1 hour'
"""
SOME_DUE = """
UPDATE signals s SET due_at = now() - random() * interval '5 s'
  FROM generate_series(1, $1::int) AS n
 WHERE s.tenant_id = 'tenant-' || (n * $2::int) % 500 AND s.feed_id = md5((n * $2::int)::text)::uuid
"""

Url = str


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure every number of due feeds in both databases."""
    return uvloop.run(_run(servers, rounds))


async def _run(servers: Servers, rounds: int) -> list[Row]:
    few, many = [await _filled(servers, feeds) for feeds in (FEW, MANY)]
    rows = []
    for due in DUE:
        for url, feeds in ((few, FEW), (many, MANY)):
            await _make_due(url, feeds, due)
        times: dict[str, list[float]] = {few: [], many: []}
        whole: list[float] = []
        async with AsyncExitStack() as stack:
            conns = {url: await stack.enter_async_context(_connected(url)) for url in times}
            for number in range(rounds):
                for url in times if number % 2 else reversed(times):
                    await _clean(url)
                    claims, around = await _claim_often(conns[url], due)
                    times[url].append(claims)
                    whole += [around] if url == many else []
        rows += _rows(due, many=middle(times[many]), few=middle(times[few]), whole=middle(whole))
    return rows


def _rows(due: int, *, many: float, few: float, whole: float) -> list[Row]:
    what = f"a claim, {due:,} of 1,000,000 due"
    rows = [Row("claims", what, many, "ms", floor=few, bound=1.5, note="floor: of 10,000")]
    if due == 0:
        rows.append(Row("claims", "an empty claim of 1,000,000", many, "ms", bound=0.3))
        rows.append(Row("claims", "the same with its transaction", whole, "ms"))
    return rows


async def _claim_often(conn: db.Connection, due: int) -> tuple[float, float]:
    """Return the median time of a claim, and of one with its transaction, in milliseconds."""
    claims, whole = [], []
    for _ in range(WARM_UP + (CLAIMS if due else EMPTY_CLAIMS)):
        started = time.perf_counter()
        transaction = conn.transaction()
        await transaction.start()
        now = clock.now()
        before = time.perf_counter()
        taken = await store.claim(conn, limit=LIMIT, now=now, lease_until=now + LEASE)
        claims.append(time.perf_counter() - before)
        await transaction.rollback()
        whole.append(time.perf_counter() - started)
        if len(taken) != min(due, LIMIT):
            raise RuntimeError(f"{len(taken)} feeds were claimed of {due} that are due")
    return median(claims[WARM_UP:]) * MILLI, median(whole[WARM_UP:]) * MILLI


@asynccontextmanager
async def _connected(url: Url) -> AsyncIterator[db.Connection]:
    pool = await db.open_pool(url, size=1)
    try:
        async with pool.acquire() as conn:
            yield conn
    finally:
        await db.close_pool(pool)


async def _filled(servers: Servers, feeds: int) -> Url:
    async with databases.connected(servers.postgres.url()) as admin:
        sets = (migrate.kernel("feeds"),)
        url = servers.postgres.url(await databases.create(admin, servers.postgres.url, sets))
    async with _patient(url) as conn:
        # The rows fit together: a million look-ups of their keys would only take time.
        await conn.execute("SET session_replication_role = replica")
        await conn.execute(FILL_FEEDS, feeds)
        await conn.execute(FILL_SIGNALS, feeds)
        await conn.execute("VACUUM (FREEZE, ANALYZE)")
    return url


async def _make_due(url: Url, feeds: int, due: int) -> None:
    async with _patient(url) as conn:
        await conn.execute(NOTHING_DUE)
        if due:
            await conn.execute(SOME_DUE, due, feeds // due)
        await conn.execute("ANALYZE feeds, signals")


async def _clean(url: Url) -> None:
    async with _patient(url) as conn:
        await conn.execute("VACUUM (INDEX_CLEANUP ON) feeds, signals")


@asynccontextmanager
async def _patient(url: Url) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Yield a connection for what takes minutes."""
    conn = await asyncpg.connect(url)
    try:
        yield conn
    finally:
        await conn.close()
