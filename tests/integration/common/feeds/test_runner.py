import asyncio
from typing import Any

import asyncpg
import pytest

from libs.common import clock, db
from libs.common.db import Pool
from libs.common.errors import AccessRevoked, AppError, RateLimited, Transient, UpstreamError
from libs.common.feeds import Door, FeedState, Lease, store
from tests.integration.common.feeds.conftest import Started, listed, new_feed, opened, signal
from tests.support import eventually


async def knock(pool: Pool) -> None:
    door = Door(pool, now=clock.now)
    task = asyncio.create_task(door.run())
    await door.knock("ada@example.com")
    task.cancel()


async def test_a_push_runs_the_feed_within_a_moment(pool: Pool, running: Started) -> None:
    feed = await opened(pool)
    runs: list[int] = []

    async def run(lease: Lease) -> None:
        runs.append(lease.generation)

    async with running(run, idle_s=60.0):
        await eventually(lambda: runs == [0])
        await eventually(lambda: idle(pool, feed.tenant_id))
        await knock(pool)
        await eventually(lambda: runs == [0, 1])


async def idle(pool: Pool, tenant_id: str) -> bool:
    async with pool.acquire() as conn:
        sql = "SELECT NOT bool_or(running) FROM signals WHERE tenant_id = $1"
        return bool(await conn.fetchval(sql, tenant_id))


async def test_a_push_during_a_run_is_not_swallowed(pool: Pool, running: Started) -> None:
    await opened(pool)
    runs: list[int] = []
    go_on = asyncio.Event()

    async def run(lease: Lease) -> None:
        runs.append(lease.generation)
        await go_on.wait()

    async with running(run, idle_s=60.0):  # nobody looks by itself
        await eventually(lambda: len(runs) == 1)
        for _ in range(5):
            await knock(pool)
        go_on.set()
        await eventually(lambda: runs == [0, 5])


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (Transient("away"), FeedState.DEGRADED, "unavailable"),
        (asyncpg.DiskFullError("full"), FeedState.DEGRADED, "unavailable"),
        (UpstreamError("no"), FeedState.DEGRADED, "upstream"),
        (ZeroDivisionError(), FeedState.DEGRADED, "internal"),
        (AccessRevoked("gone"), FeedState.PAUSED, "reauthorization_required"),
    ],
)
async def test_a_failed_run_shows_in_the_feeds_state(
    pool: Pool, running: Started, error: Exception, state: FeedState, reason: str
) -> None:
    feed = await opened(pool)

    async def run(_: Lease) -> None:
        raise error

    async with running(run):
        await eventually(lambda: in_state(pool, feed.id, state))
    row = await listed(pool, feed)
    assert row.reason == reason


async def in_state(pool: Pool, feed_id: object, state: FeedState) -> bool:
    async with pool.acquire() as conn:
        sql = "SELECT state FROM feeds WHERE id = $1"
        return bool(await conn.fetchval(sql, feed_id) == state.value)


async def test_a_feed_recovers_from_a_passing_failure(pool: Pool, running: Started) -> None:
    feed = await opened(pool)
    outcomes: list[AppError | None] = [Transient("away"), None]

    async def run(_: Lease) -> None:
        if (error := outcomes.pop(0)) is not None:
            raise error

    async with running(run):
        await eventually(lambda: not outcomes)
        await eventually(lambda: in_state(pool, feed.id, FeedState.ACTIVE))
    assert (await listed(pool, feed)).failures == 0


async def test_a_quota_refusal_is_obeyed_and_is_no_failure(pool: Pool, running: Started) -> None:
    feed = await opened(pool)

    async def run(_: Lease) -> None:
        raise RateLimited("slow down", retry_after_s=300)

    async with running(run):
        await eventually(lambda: idle_and_waiting(pool))
    row = await listed(pool, feed)
    assert (row.state, row.failures) == (FeedState.ACTIVE, 0)


async def idle_and_waiting(pool: Pool) -> bool:
    async with pool.acquire() as conn:
        sql = "SELECT NOT running AND not_before > now() + interval '4 minutes' FROM signals"
        return bool(await conn.fetchval(sql))


async def test_something_left_behind_shows_as_degraded(pool: Pool, running: Started) -> None:
    feed = await opened(pool)

    async def run(lease: Lease) -> None:
        lease.leave_behind("dead-items")

    async with running(run):
        await eventually(lambda: in_state(pool, feed.id, FeedState.DEGRADED))
    assert (await listed(pool, feed)).reason == "dead-items"


async def test_a_long_run_keeps_its_lease(pool: Pool, running: Started) -> None:
    await opened(pool)
    runs: list[int] = []
    go_on = asyncio.Event()

    async def run(lease: Lease) -> None:
        runs.append(lease.epoch)
        await go_on.wait()

    # Who waits for the lease looks often enough to find that it ended.
    async with running(run, lease_s=0.6, idle_s=0.1), running(run, lease_s=0.6, idle_s=0.1):
        await eventually(lambda: len(runs) == 1)
        first_end = clock.now().timestamp() + 0.6
        await eventually(lambda: clock.now().timestamp() > first_end + 0.6)
        assert len(runs) == 1
        go_on.set()


async def test_a_worker_that_lost_its_lease_is_stopped(pool: Pool, running: Started) -> None:
    feed = await opened(pool)
    started, stopped = asyncio.Event(), asyncio.Event()

    async def run(_: Lease) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with running(run, lease_s=0.3):
        await eventually(started.is_set)
        async with db.transaction(pool) as conn:
            await store.stop_feeds(
                conn, feed.tenant_id, feed.connection_id, state=FeedState.CLOSED, reason="asked"
            )
        await eventually(stopped.is_set)
    assert (await listed(pool, feed)).state is FeedState.CLOSED


async def test_a_stopped_runner_gives_its_leases_back(pool: Pool, running: Started) -> None:
    feed = await opened(pool)
    started = asyncio.Event()

    async def run(_: Lease) -> None:
        started.set()
        await asyncio.Event().wait()

    async with running(run):
        await eventually(started.is_set)
    row = await signal(pool, feed)
    assert row["running"] is False


async def test_a_runner_that_is_stopped_while_it_claims_gives_that_back(
    pool: Pool, running: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = await opened(pool)
    claim, has_claimed, go_on = store.claim, asyncio.Event(), asyncio.Event()

    async def late(*args: Any, **given: Any) -> Any:
        found = await claim(*args, **given)
        has_claimed.set()
        await go_on.wait()
        return found

    async def run(_: Lease) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(store, "claim", late)
    async with running(run):
        await eventually(has_claimed.is_set)
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    row = await signal(pool, feed)
    assert row["running"] is False


async def test_feeds_run_side_by_side_up_to_the_limit(pool: Pool, running: Started) -> None:
    for number in range(6):
        await opened(pool, new_feed(address=f"{number}@example.com"))
    at_once: list[int] = []
    active: set[object] = set()
    go_on = asyncio.Event()

    async def run(lease: Lease) -> None:
        active.add(lease.feed.id)
        at_once.append(len(active))
        await go_on.wait()
        active.discard(lease.feed.id)

    async with running(run, concurrency=4):
        await eventually(lambda: len(active) == 4)
        go_on.set()
        await eventually(lambda: len(at_once) == 6)
    assert max(at_once) == 4


async def test_a_lease_is_given_back_only_after_the_work_has_ended(
    pool: Pool, running: Started
) -> None:
    feed = await opened(pool)
    started = asyncio.Event()
    seen: list[object] = []

    async def run(_: Lease) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append((await signal(pool, feed))["running"])

    async with running(run):
        await eventually(started.is_set)
    assert seen == [True]


async def test_a_feed_of_an_unknown_kind_keeps_no_other_waiting(
    pool: Pool, running: Started
) -> None:
    await opened(pool, new_feed(kind="test.newer"))
    feed = await opened(pool, new_feed(address="bob@example.com"))
    runs: list[object] = []

    async def run(lease: Lease) -> None:
        runs.append(lease.feed.id)

    async with running(run):
        await eventually(lambda: runs == [feed.id])
