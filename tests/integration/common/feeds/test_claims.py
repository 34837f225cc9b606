import asyncio
from datetime import timedelta

import pytest

from libs.common import clock, db
from libs.common.db import Pool
from libs.common.feeds import Feed, FeedState, Lease, LeaseLost, store
from tests.integration.common.feeds.conftest import listed, new_feed, opened, signal
from tests.support import eventually

LEASE = timedelta(seconds=60)


async def claimed(pool: Pool, *, after: timedelta = timedelta(0)) -> list[Lease]:
    now = clock.now() + after
    async with db.transaction(pool) as conn:
        rows = await store.claim(conn, limit=50, now=now, lease_until=now + LEASE)
    return [Lease(feed, epoch=epoch, generation=generation) for feed, epoch, generation in rows]


async def finished(pool: Pool, lease: Lease, **changes: object) -> None:
    now = clock.now()
    values: dict[str, object] = {
        "generation": lease.generation,
        "due_at": now + timedelta(minutes=15),
        "not_before": now,
        "state": FeedState.ACTIVE,
        "reason": None,
        "failures": 0,
        "synced_at": now,
        "now": now,
    }
    async with db.transaction(pool) as conn:
        # values of several types in one mapping: mypy cannot match them to the keywords
        await store.finish(conn, lease.feed, lease.epoch, **(values | changes))  # type: ignore[arg-type]


async def raised(pool: Pool, address: str) -> set[str]:
    async with pool.acquire() as conn:
        return await store.raise_signals(conn, [address], now=clock.now(), timeout_s=5)


async def test_a_new_feed_is_due_at_once(pool: Pool) -> None:
    feed = await opened(pool)

    (lease,) = await claimed(pool)

    assert lease.feed.id == feed.id


async def test_a_leased_feed_is_claimed_by_nobody_else(pool: Pool) -> None:
    await opened(pool)
    await claimed(pool)

    assert await claimed(pool) == []


async def test_a_lease_that_ran_out_is_claimed_again(pool: Pool) -> None:
    await opened(pool)
    (first,) = await claimed(pool)

    (second,) = await claimed(pool, after=LEASE)

    assert second.epoch > first.epoch


async def test_a_commit_under_an_old_lease_is_refused(pool: Pool) -> None:
    await opened(pool)
    (first,) = await claimed(pool)
    await claimed(pool, after=LEASE)

    with pytest.raises(LeaseLost):
        async with db.transaction(pool) as conn:
            await first.advance(conn, cursor="9")

    assert (await listed(pool, first.feed)).cursor is None


async def test_a_commit_moves_the_cursor(pool: Pool) -> None:
    feed = await opened(pool)
    (lease,) = await claimed(pool)

    async with db.transaction(pool) as conn:
        await lease.advance(conn, cursor="9", fingerprint="v1")

    row = await listed(pool, feed)
    assert (row.cursor, row.fingerprint) == ("9", "v1")


async def test_a_finished_feed_waits_for_its_next_poll(pool: Pool) -> None:
    await opened(pool)
    (lease,) = await claimed(pool)
    await finished(pool, lease)

    assert await claimed(pool) == []
    assert len(await claimed(pool, after=timedelta(minutes=16))) == 1


async def raised_later(pool: Pool, seconds: float) -> None:
    due_at = clock.now() + timedelta(seconds=seconds)
    async with pool.acquire() as conn:
        await store.raise_later(conn, ["ada@example.com"], due_at=due_at, timeout_s=5)


async def test_signals_raised_for_later_are_one_run_when_the_first_is_due(pool: Pool) -> None:
    await opened(pool)
    (lease,) = await claimed(pool)
    await finished(pool, lease)
    await raised_later(pool, 60)
    await raised_later(pool, 120)

    assert await claimed(pool) == []
    (again,) = await claimed(pool, after=timedelta(seconds=61))
    await finished(pool, again)
    assert await claimed(pool, after=timedelta(seconds=121)) == []


async def test_a_signal_raised_for_later_during_a_run_makes_the_feed_due_again(pool: Pool) -> None:
    await opened(pool)
    (lease,) = await claimed(pool)
    await raised_later(pool, 60)
    await finished(pool, lease)

    assert len(await claimed(pool)) == 1


async def test_a_signal_raised_for_later_leaves_a_feed_that_is_due_so(pool: Pool) -> None:
    await opened(pool)
    await raised_later(pool, 60)

    assert len(await claimed(pool)) == 1


async def test_a_signal_raised_during_a_run_makes_the_feed_due_again(pool: Pool) -> None:
    feed = await opened(pool)
    (lease,) = await claimed(pool)
    await raised(pool, "ada@example.com")
    assert await claimed(pool) == []

    await finished(pool, lease)

    assert [again.feed.id for again in await claimed(pool)] == [feed.id]


async def test_a_signal_raised_before_the_run_is_spent_by_it(pool: Pool) -> None:
    await opened(pool)
    await raised(pool, "ada@example.com")
    (lease,) = await claimed(pool)
    await finished(pool, lease)

    assert await claimed(pool) == []


async def test_a_push_reaches_every_feed_of_the_address_and_no_other(pool: Pool) -> None:
    mine = [await opened(pool, new_feed(tenant_id=tenant)) for tenant in ("acme", "globex")]
    other = await opened(pool, new_feed(address="bob@example.com"))

    assert await raised(pool, "ada@example.com") == {"ada@example.com"}

    assert [(await signal(pool, feed))["generation"] for feed in [*mine, other]] == [1, 1, 0]


async def test_a_push_for_nobody_is_told_apart(pool: Pool) -> None:
    assert await raised(pool, "nobody@example.com") == set()


async def test_a_push_does_not_hurry_a_feed_that_google_told_to_wait(pool: Pool) -> None:
    await opened(pool)
    (lease,) = await claimed(pool)
    until = clock.now() + timedelta(minutes=5)
    await finished(pool, lease, due_at=until, not_before=until)
    await raised(pool, "ada@example.com")

    assert await claimed(pool) == []
    assert len(await claimed(pool, after=timedelta(minutes=6))) == 1


async def test_a_push_does_not_wake_a_stopped_feed(pool: Pool) -> None:
    feed = await opened(pool)
    await stopped(pool, feed, FeedState.PAUSED)
    await raised(pool, "ada@example.com")

    assert await claimed(pool, after=timedelta(days=365)) == []


async def stopped(pool: Pool, feed: Feed, state: FeedState) -> None:
    async with db.transaction(pool) as conn:
        await store.stop_feeds(
            conn, feed.tenant_id, feed.connection_id, state=state, reason="asked"
        )


async def test_stopping_a_feed_fences_out_the_worker_that_runs_it(pool: Pool) -> None:
    feed = await opened(pool)
    (lease,) = await claimed(pool)
    await stopped(pool, feed, FeedState.CLOSED)

    with pytest.raises(LeaseLost):
        async with db.transaction(pool) as conn:
            await lease.advance(conn, cursor="9")


@pytest.mark.parametrize("again", [True, False])
async def test_a_worker_that_was_fenced_out_leaves_no_lease_behind(
    pool: Pool, *, again: bool
) -> None:
    new = new_feed()
    feed = await opened(pool, new)
    (lease,) = await claimed(pool)
    await (opened(pool, new) if again else stopped(pool, feed, FeedState.CLOSED))
    await finished(pool, lease)

    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT lease_until FROM feeds") is None


async def test_a_feed_opened_again_goes_on_from_its_cursor(pool: Pool) -> None:
    new = new_feed()
    feed = await opened(pool, new)
    (lease,) = await claimed(pool)
    async with db.transaction(pool) as conn:
        await lease.advance(conn, cursor="9")
    await stopped(pool, feed, FeedState.CLOSED)

    again = await opened(pool, new)

    assert (again.id, again.cursor, again.state) == (feed.id, "9", FeedState.ACTIVE)
    assert len(await claimed(pool)) == 1


@pytest.mark.parametrize("change", ["account_id", "fingerprint"])
async def test_a_cursor_of_another_account_or_query_is_dropped(pool: Pool, change: str) -> None:
    new = new_feed()
    await opened(pool, new)
    (lease,) = await claimed(pool)
    async with db.transaction(pool) as conn:
        await lease.advance(conn, cursor="9")
    values = {"account_id": new_feed().account_id, "fingerprint": "other"}
    same = {"tenant_id": new.tenant_id, "connection_id": new.connection_id}
    kept = {"account_id": new.account_id} if change == "fingerprint" else {}

    again = await opened(pool, new_feed(**same, **kept, **{change: values[change]}))

    assert again.cursor is None


async def test_a_renewed_lease_outlives_its_first_end(pool: Pool) -> None:
    await opened(pool)
    (lease,) = await claimed(pool)
    async with db.transaction(pool) as conn:
        held = await store.renew(conn, lease.feed, lease.epoch, lease_until=clock.now() + 3 * LEASE)

    assert held
    assert await claimed(pool, after=2 * LEASE) == []


async def test_a_lost_lease_is_not_renewed(pool: Pool) -> None:
    await opened(pool)
    (lease,) = await claimed(pool)
    await claimed(pool, after=LEASE)

    async with db.transaction(pool) as conn:
        assert not await store.renew(conn, lease.feed, lease.epoch, lease_until=clock.now())


async def test_a_claim_that_a_crash_of_the_database_forgot_may_commit_nothing(pool: Pool) -> None:
    await opened(pool)
    epoch = await pool.fetchval("SELECT lease_epoch FROM feeds")
    (lost,) = await claimed(pool)
    await pool.execute("UPDATE feeds SET lease_epoch = $1", epoch)

    (lease,) = await claimed(pool, after=LEASE)

    async with db.transaction(pool) as conn:
        with pytest.raises(LeaseLost):
            await lost.advance(conn, cursor="1")
        await lease.advance(conn, cursor="2")


async def test_the_claim_walks_the_ordered_index_whatever_is_due(pool: Pool) -> None:
    for number in range(300):
        await opened(pool, new_feed(address=f"{number}@example.com"))
    async with db.transaction(pool) as conn:
        await conn.execute("ANALYZE signals")
        pinned = "SELECT unnest(proconfig) FROM pg_proc WHERE proname = 'claim_feeds'"
        for row in await conn.fetch(pinned):
            await conn.execute("SELECT set_config($1, $2, true)", *row[0].split("="))
        plan = await conn.fetch(
            "EXPLAIN SELECT feed_id FROM signals WHERE due_at <= now()"
            " ORDER BY due_at LIMIT 50 FOR UPDATE SKIP LOCKED"
        )

    assert any("Index Scan using signals_due" in row[0] for row in plan)


async def blocked(pool: Pool) -> bool:
    async with pool.acquire() as conn:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(await conn.fetchval(sql))


async def test_a_finish_that_waited_for_a_stop_does_not_undo_it(pool: Pool) -> None:
    feed = await opened(pool)
    (lease,) = await claimed(pool)
    async with db.transaction(pool) as conn:
        await store.stop_feeds(
            conn, feed.tenant_id, feed.connection_id, state=FeedState.CLOSED, reason="asked"
        )
        late = asyncio.create_task(finished(pool, lease))
        await eventually(lambda: blocked(pool))
    await late

    assert (await listed(pool, feed)).state is FeedState.CLOSED
    assert await claimed(pool, after=timedelta(days=365)) == []


async def test_a_renewal_that_waited_for_a_reopening_does_not_put_it_off(pool: Pool) -> None:
    new = new_feed()
    await opened(pool, new)
    (lease,) = await claimed(pool)
    async with db.transaction(pool) as conn:
        await store.open_feed(conn, new, now=clock.now())
        late = asyncio.create_task(renewed(pool, lease))
        await eventually(lambda: blocked(pool))
    assert not await late

    assert len(await claimed(pool)) == 1


async def renewed(pool: Pool, lease: Lease) -> bool:
    async with db.transaction(pool) as conn:
        until = clock.now() + LEASE
        return await store.renew(conn, lease.feed, lease.epoch, lease_until=until)
