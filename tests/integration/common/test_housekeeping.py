import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common import clock, db, inbox
from libs.common.db import Connection, Pool
from libs.common.housekeeping import (
    LOCK_KEY,
    Chore,
    clean_house,
    idempotency_chore,
    inbox_chore,
    keep_house,
    quota_chore,
)
from libs.common.migrate import kernel
from tests.databases import NewDatabase
from tests.logs import Recorder
from tests.support import eventually

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY_S = 86_400.0


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[Pool]:
    pool = await db.open_pool(
        await new_database(kernel("messaging"), kernel("http"), kernel("quota"))
    )
    yield pool
    await db.close_pool(pool)


def noon() -> datetime:
    return NOON


class Dust:
    """A chore with so many rows to remove, two at a time."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.sweeps = 0

    async def sweep(self, _conn: Connection) -> int:
        self.sweeps += 1
        removed = min(2, self.rows)
        self.rows -= removed
        return removed


async def broken(_conn: Connection) -> int:
    raise ZeroDivisionError


def deleted(chore: str) -> float:
    labels = {"chore": chore}
    return REGISTRY.get_sample_value("causeway_housekeeping_deleted_total", labels) or 0.0


def last() -> float | None:
    return REGISTRY.get_sample_value("causeway_housekeeping_last_run_timestamp")


async def test_a_chore_is_repeated_until_nothing_is_left(pool: Pool) -> None:
    dust, before = Dust(5), deleted("dust")

    assert await clean_house(pool, [Chore("dust", dust.sweep)], now=noon)

    assert (dust.rows, dust.sweeps) == (0, 4)
    assert deleted("dust") == before + 5
    assert last() == NOON.timestamp()


async def test_a_failing_chore_does_not_stop_the_others(pool: Pool, logs: Recorder) -> None:
    dust, last_run = Dust(5), last()

    done = await clean_house(
        pool, [Chore("broken", broken), Chore("dust", dust.sweep)], now=clock.now
    )

    assert (done, dust.rows) == (False, 0)
    assert any("chore_failed" in line and "ZeroDivisionError" in line for line in logs.lines)
    assert last() == last_run


async def test_a_failed_batch_is_rolled_back(pool: Pool) -> None:
    async def half(conn: Connection) -> int:
        await conn.execute("DELETE FROM inbox")
        raise ZeroDivisionError

    async with db.transaction(pool) as conn:
        await inbox.first_time(conn, "test", uuid4())

    await clean_house(pool, [Chore("half", half)], now=noon)

    assert await pool.fetchval("SELECT count(*) FROM inbox") == 1


async def test_chores_are_left_to_the_replica_that_is_at_them(pool: Pool) -> None:
    dust = Dust(5)
    chores = [Chore("dust", dust.sweep)]

    async with db.transaction(pool) as other:
        await other.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        assert await clean_house(pool, chores, now=noon)
        assert dust.rows == 5

    await clean_house(pool, chores, now=noon)
    assert dust.rows == 0


async def test_the_house_is_kept_again_and_again(pool: Pool) -> None:
    dust = Dust(5)
    loop = asyncio.create_task(
        keep_house(pool, [Chore("dust", dust.sweep)], every_s=0.01, now=noon)
    )
    await eventually(lambda: dust.rows == 0)
    dust.rows = 3

    await eventually(lambda: dust.rows == 0)
    loop.cancel()


async def test_a_database_that_is_away_is_waited_for(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database())
    dust, away = Dust(5), asyncio.Event()

    async def cut_off(conn: Connection) -> int:
        if not away.is_set():
            away.set()
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return await dust.sweep(conn)

    loop = asyncio.create_task(
        keep_house(pool, [Chore("dust", cut_off)], every_s=DAY_S, now=noon, retry_s=0.01)
    )

    await eventually(lambda: dust.rows == 0)
    assert away.is_set()
    loop.cancel()
    await db.close_pool(pool)


ADD_SEEN = """
INSERT INTO inbox (consumer, event_id, seen_at)
SELECT 'test', gen_random_uuid(), now() - make_interval(days => n) FROM generate_series(1, 40) n
"""
ADD_KEYS = """
INSERT INTO idempotency_keys (tenant_id, scope, request_hash, created_at)
SELECT 'acme', int4send(n), '', $1::timestamptz - make_interval(hours => n)
  FROM generate_series(1, 2000) n
"""


async def test_what_the_inbox_and_idempotency_keys_need_no_more_is_removed(pool: Pool) -> None:
    await pool.execute(ADD_SEEN)
    await pool.execute(ADD_KEYS, NOON)

    chores = [inbox_chore(29.5 * DAY_S), idempotency_chore(7 * DAY_S, now=noon)]
    assert await clean_house(pool, chores, now=noon)

    assert await pool.fetchval("SELECT count(*) FROM inbox") == 29
    assert await pool.fetchval("SELECT count(*) FROM idempotency_keys") == 7 * 24


ADD_UNITS = """
INSERT INTO quota_usage (scope, slot, used)
SELECT 'project:day', extract(epoch FROM $1::timestamptz - make_interval(hours => n)), 1
  FROM generate_series(1, 100) n
"""


async def test_what_the_quota_still_counts_is_kept(pool: Pool) -> None:
    await pool.execute(ADD_UNITS, NOON)

    assert await clean_house(pool, [quota_chore(now=noon)], now=noon)

    assert await pool.fetchval("SELECT count(*) FROM quota_usage") == 48
