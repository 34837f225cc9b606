import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common import db
from libs.common.db import Pool
from libs.common.errors import RateLimited, Transient
from libs.common.migrate import kernel
from libs.common.quota import Budgets, Lane, Ledger, Left, purge
from tests.databases import NewDatabase
from tests.logs import Recorder

ADA, BOB = uuid4(), uuid4()
BUDGETS = Budgets(
    account_per_minute=100, project_per_minute=1000, project_per_day=10_000, backfill_per_day=120
)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
async def quota_url(new_database: NewDatabase) -> str:
    return await new_database(kernel("quota"))


@pytest.fixture
async def pool(quota_url: str) -> AsyncIterator[Pool]:
    pool = await db.open_pool(quota_url, size=4)
    yield pool
    await db.close_pool(pool)


@pytest.fixture
async def other_pool(quota_url: str) -> AsyncIterator[Pool]:
    pool = await db.open_pool(quota_url, size=4)
    yield pool
    await db.close_pool(pool)


async def refusal(ledger: Ledger, account: UUID, lane: Lane, units: int) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await ledger.spend(account, lane, units)
    assert caught.value.slug == "quota-exhausted"
    return caught.value


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_replicas_spending_at_once_never_exceed_a_budget_and_do_not_deadlock(
    pool: Pool, other_pool: Pool, now: Clock
) -> None:
    budgets = Budgets(account_per_minute=400, project_per_minute=1000)
    replicas = [Ledger(one, budgets, now=now) for one in (pool, other_pool)]
    accounts = [uuid4() for _ in range(5)]
    lanes = [*Lane]
    spent: dict[UUID, int] = dict.fromkeys(accounts, 0)

    async def spend(number: int) -> None:
        account, units, lane = accounts[number % 5], (5, 10, 40)[number % 3], lanes[number % 7 % 3]
        try:
            await replicas[number // 5 % 2].spend(account, lane, units)
        except RateLimited:
            return
        spent[account] += units

    async with asyncio.timeout(60):
        await asyncio.gather(*(spend(number) for number in range(200)))

    assert max(spent.values()) <= 400
    assert 500 <= sum(spent.values()) <= 1000
    rows = await pool.fetch("SELECT scope, sum(used) FROM quota_usage GROUP BY scope")
    booked = {row["scope"]: row["sum"] for row in rows}
    assert booked["project:minute"] <= 1000
    assert all(booked[f"account:{one}"] <= 400 for one in accounts)


async def test_a_slice_is_spent_without_touching_the_database(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await ledger.spend(ADA, Lane.SEND, 2)
    await ledger.spend(ADA, Lane.SEND, 2)  # the second slice is twice the first
    await pool.close()

    await ledger.spend(ADA, Lane.SEND, 2)

    with pytest.raises(Transient):
        await ledger.spend(ADA, Lane.SEND, 2)


async def test_a_slice_outlives_the_forgetting_of_idle_accounts(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    for _ in range(2):
        await ledger.spend(ADA, Lane.SEND, 2)
    for _ in range(10_001):
        await ledger.spend(uuid4(), Lane.LIVE, 0)
    await pool.close()

    await ledger.spend(ADA, Lane.SEND, 2)


async def test_what_is_left_of_an_old_slice_is_lost(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    for _ in range(2):
        await ledger.spend(ADA, Lane.SEND, 2)  # of slices of 2 and of 4
    now.pass_(5)

    await ledger.spend(ADA, Lane.SEND, 2)

    assert await pool.fetchval("SELECT sum(used) FROM quota_usage WHERE scope LIKE 'a%'") == 10


async def test_an_exhausted_account_is_told_when_enough_may_be_free(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await ledger.spend(ADA, Lane.SEND, 60)
    now.pass_(20)
    await ledger.spend(ADA, Lane.SEND, 40)

    assert (await refusal(ledger, ADA, Lane.SEND, 70)).retry_after_s == 70
    assert (await refusal(ledger, ADA, Lane.SEND, 10)).retry_after_s == 50
    assert (await refusal(ledger, ADA, Lane.LIVE, 1)).data == {"scope": "account_minute"}
    await ledger.spend(BOB, Lane.SEND, 10)
    now.pass_(50)
    await ledger.spend(ADA, Lane.SEND, 10)


async def test_a_refusal_is_remembered_without_asking_the_database(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await ledger.spend(ADA, Lane.SEND, 100)
    await refusal(ledger, ADA, Lane.SEND, 5)
    await pool.close()

    await refusal(ledger, ADA, Lane.SEND, 5)


async def test_a_backfill_waits_a_little_longer_than_it_must(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await ledger.spend(ADA, Lane.BACKFILL, 70)

    waits = {(await refusal(ledger, ADA, Lane.BACKFILL, 5)).retry_after_s for _ in range(5)}

    assert len(waits) == 5
    assert all(70 <= wait_s <= 84 for wait_s in waits)


async def test_a_backfill_at_its_daily_cap_is_refused_while_live_goes_on(
    pool: Pool, now: Clock
) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    for _ in range(2):
        await ledger.spend(ADA, Lane.BACKFILL, 60)
        now.pass_(70)

    refused = await refusal(ledger, ADA, Lane.BACKFILL, 1)
    assert refused.data == {"scope": "backfill_day"}
    assert refused.retry_after_s >= 20 * 3600 - 140  # midnight in California
    await ledger.spend(ADA, Lane.LIVE, 10)
    await ledger.spend(BOB, Lane.BACKFILL, 10)
    now.pass_(20 * 3600)
    await ledger.spend(ADA, Lane.BACKFILL, 1)


async def test_a_refusal_by_google_stops_every_replica(
    pool: Pool, other_pool: Pool, now: Clock
) -> None:
    one, other = (Ledger(each, BUDGETS, now=now) for each in (pool, other_pool))
    await one.spend(ADA, Lane.SEND, 1)
    before = counted("causeway_quota_refused_total", lane="send", scope="google")

    await one.refused(ADA, 30)
    await one.refused(ADA, 10)  # says less, and changes nothing

    assert (await refusal(one, ADA, Lane.SEND, 1)).retry_after_s == 30
    assert (await refusal(other, ADA, Lane.SEND, 1)).retry_after_s == 30
    assert counted("causeway_quota_refused_total", lane="send", scope="google") == before + 2
    await other.spend(BOB, Lane.SEND, 1)
    now.pass_(30)
    await one.spend(ADA, Lane.SEND, 1)
    await other.spend(ADA, Lane.SEND, 1)


async def test_a_refusal_by_google_is_heeded_here_even_if_it_cannot_be_noted(
    pool: Pool, now: Clock, logs: Recorder
) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await pool.close()

    await ledger.refused(ADA, 30)

    await refusal(ledger, ADA, Lane.LIVE, 1)
    assert any("quota_pause_not_noted" in line for line in logs.lines)


async def test_spending_while_the_database_is_away_is_a_transient_error(now: Clock) -> None:
    pool = await db.open_pool("postgresql://nobody:x@127.0.0.1:1/none")

    with pytest.raises(Transient) as caught:
        await Ledger(pool, BUDGETS, now=now).spend(ADA, Lane.LIVE, 1)

    assert not isinstance(caught.value, RateLimited)


@pytest.mark.parametrize("units", [-1, 101])
async def test_units_that_no_budget_could_give_are_a_mistake(
    pool: Pool, now: Clock, units: int
) -> None:
    with pytest.raises(ValueError, match="units"):
        await Ledger(pool, BUDGETS, now=now).spend(ADA, Lane.SEND, units)


async def test_units_spent_are_counted_by_lane(pool: Pool, now: Clock) -> None:
    before = counted("causeway_quota_units_total", lane="live")

    await Ledger(pool, BUDGETS, now=now).spend(ADA, Lane.LIVE, 7)

    assert counted("causeway_quota_units_total", lane="live") == before + 7


async def test_what_is_left_is_shown_for_each_account(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await ledger.spend(ADA, Lane.BACKFILL, 30)
    await ledger.refused(ADA, 30)

    async with db.transaction(pool) as conn:
        left = await ledger.left(conn, [ADA, BOB])

    assert left == {
        ADA: Left(minute=70, today=90, paused_until=now() + timedelta(seconds=30)),
        BOB: Left(minute=100, today=120),
    }


async def test_expired_slots_are_purged(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    await ledger.spend(ADA, Lane.BACKFILL, 30)
    await ledger.refused(ADA, 30)
    now.pass_(4 * 86_400)
    await ledger.spend(BOB, Lane.LIVE, 5)

    async with db.transaction(pool) as conn:
        before = now() - timedelta(days=2)
        counts = [await purge(conn, before=before, limit=1) for _ in range(3)]

    assert counts == [2, 1, 0]
    scopes = {row["scope"] for row in await pool.fetch("SELECT scope FROM quota_usage")}
    assert scopes == {f"account:{BOB}", "project:minute", "project:day"}


async def test_a_busy_scope_never_has_many_rows(pool: Pool, now: Clock) -> None:
    ledger = Ledger(pool, BUDGETS, now=now)
    for _ in range(30):
        await ledger.spend(ADA, Lane.LIVE, 1)
        now.pass_(5)

    [(rows,)] = await pool.fetch("SELECT count(*) FROM quota_usage WHERE scope LIKE 'account:%'")
    assert rows == 14


async def test_units_of_another_kind_are_counted_apart_and_paused_alike(
    pool: Pool, now: Clock
) -> None:
    budgets = Budgets(account_per_minute=10, project_per_minute=10)
    reads = Ledger(pool, budgets, now=now)
    writes = Ledger(pool, replace(budgets, counts="writes"), now=now)
    await reads.spend(ADA, Lane.SEND, 10)
    await writes.spend(ADA, Lane.SEND, 10)
    await refusal(writes, ADA, Lane.SEND, 1)

    await reads.refused(BOB, 30)
    await refusal(writes, BOB, Lane.SEND, 1)
    async with pool.acquire() as conn:
        left = await writes.left(conn, [ADA, BOB])
    assert left[ADA].minute == 0
    assert left[BOB].paused_until == now() + timedelta(seconds=30)
