"""What a run may ask for, and what is told of how it ended."""

import asyncio
from datetime import datetime, timedelta

import pytest

from libs.common import clock, db
from libs.common.db import Connection, Pool
from libs.common.errors import AccessRevoked, Transient
from libs.common.feeds import Feed, FeedState, Lease, store
from tests.integration.common.feeds.conftest import (
    ADDRESS,
    Started,
    listed,
    new_feed,
    opened,
    signal,
)
from tests.support import eventually

NEVER = datetime.max  # noqa: DTZ901 - what asyncpg makes of infinity has no zone

Told = list[tuple[str, str | None, str, int]]


async def due_in(pool: Pool, feed: Feed) -> timedelta | None:
    """Return how long it waits; None while it runs."""
    row = await signal(pool, feed)
    due = row["due_at"]
    assert isinstance(due, datetime)
    return None if row["running"] else due - clock.now()


async def test_a_run_may_ask_to_be_polled_sooner_but_not_later(
    pool: Pool, running: Started
) -> None:
    sooner, later = await opened(pool), await opened(pool)

    async def run(lease: Lease) -> None:
        lease.poll_within(60 if lease.feed.id == sooner.id else 9000)

    async def waits(feed: Feed, seconds: float) -> bool:
        wait = await due_in(pool, feed)
        return wait is not None and seconds - 30 < wait.total_seconds() <= seconds

    async with running(run):
        await eventually(lambda: waits(sooner, 60))
        await eventually(lambda: waits(later, 900))


async def test_a_feed_with_more_to_do_lets_others_have_their_turn(
    pool: Pool, running: Started
) -> None:
    long, short = await opened(pool), await opened(pool)
    runs: list[str] = []

    async def run(lease: Lease) -> None:
        runs.append("long" if lease.feed.id == long.id else "short")
        if lease.feed.id == long.id and len(runs) < 4:
            lease.again()

    async with running(run, concurrency=1, idle_s=60.0):
        await eventually(lambda: len(runs) == 4)
        await eventually(lambda: in_step(pool, long))
    assert runs == ["long", "short", "long", "long"]
    assert (await listed(pool, short)).last_sync_at is not None


async def in_step(pool: Pool, feed: Feed) -> bool:
    return (await listed(pool, feed)).last_sync_at is not None


async def test_a_closed_feed_is_woken_by_no_push(pool: Pool, running: Started) -> None:
    feed = await opened(pool)

    async def run(lease: Lease) -> None:
        async with db.transaction(pool) as conn:  # even one that comes while it runs
            await raise_all(conn, feed)
        lease.close()

    async with running(run):
        await eventually(lambda: in_state(pool, feed, FeedState.CLOSED))
    async with db.transaction(pool) as conn:
        await raise_all(conn, feed)
    row = await signal(pool, feed)
    assert (row["due_at"], row["running"], row["generation"]) == (NEVER, False, 4)


async def raise_all(conn: Connection, feed: Feed) -> None:
    assert await store.raise_signals(conn, [ADDRESS], now=clock.now(), timeout_s=5) == {ADDRESS}
    await store.raise_signal(conn, feed.tenant_id, feed.id, now=clock.now())


async def in_state(pool: Pool, feed: Feed, state: FeedState) -> bool:
    return (await listed(pool, feed)).state is state


async def test_a_closed_feed_runs_again_once_it_is_opened(pool: Pool, running: Started) -> None:
    new = new_feed(cursor="1")
    feed = await opened(pool, new)
    cursors: list[str | None] = []

    async def run(lease: Lease) -> None:
        cursors.append(lease.cursor)
        lease.close()

    async with running(run):
        await eventually(lambda: in_state(pool, feed, FeedState.CLOSED))
        await opened(pool, new_feed(connection_id=new.connection_id, account_id=new.account_id))
        await eventually(lambda: cursors == ["1", "1"])
        await eventually(lambda: in_state(pool, feed, FeedState.CLOSED))
        again = new_feed(connection_id=new.connection_id, account_id=new.account_id, cursor="2")
        await opened(pool, again)
        await eventually(lambda: cursors == ["1", "1", "2"])


async def test_a_feed_that_is_open_keeps_its_cursor_when_opened(pool: Pool) -> None:
    new = new_feed(cursor="1")
    await opened(pool, new)
    same = {"connection_id": new.connection_id, "cursor": "2"}
    assert (await opened(pool, new_feed(account_id=new.account_id, **same))).cursor == "1"
    assert (await opened(pool, new_feed(**same))).cursor == "2"  # the old one was another's


async def test_a_feed_may_be_opened_for_later_and_woken_before(
    pool: Pool, running: Started
) -> None:
    runs: list[int] = []

    async def run(lease: Lease) -> None:
        runs.append(lease.generation)

    async with db.transaction(pool) as conn:
        later = clock.now() + timedelta(hours=1)
        feed = await store.open_feed(conn, new_feed(), now=clock.now(), due_at=later)
    assert (await signal(pool, feed))["due_at"] == later
    async with running(run):
        other = await opened(pool)
        await eventually(lambda: in_step(pool, other))
        assert len(runs) == 1
        async with db.transaction(pool) as conn:
            await store.raise_signal(conn, feed.tenant_id, feed.id, now=clock.now())
        await eventually(lambda: in_step(pool, feed))


async def test_a_feed_opened_while_it_ran_can_be_woken(pool: Pool, running: Started) -> None:
    new = new_feed()
    feed = await opened(pool, new)
    runs: list[Lease] = []

    async def run(lease: Lease) -> None:
        runs.append(lease)
        await asyncio.Event().wait()

    async with running(run):
        await eventually(lambda: len(runs) == 1)
        async with db.transaction(pool) as conn:
            later = clock.now() + timedelta(hours=1)
            await store.open_feed(conn, new, now=clock.now(), due_at=later)
            await store.raise_signal(conn, feed.tenant_id, feed.id, now=clock.now())
        await eventually(lambda: len(runs) == 2)


async def test_a_change_of_state_is_told_once_with_its_number(pool: Pool, running: Started) -> None:
    feed = await opened(pool)
    told: Told = []
    steps: list[Exception | str | None] = [
        None,
        Transient("away"),
        "dead-items",
        "dead-items",
        None,
        AccessRevoked("gone"),
    ]

    async def run(lease: Lease) -> None:
        step = steps.pop(0)
        if isinstance(step, Exception):
            raise step
        if step is not None:
            lease.leave_behind(step)
        lease.again()

    async def tell(conn: Connection, now: Feed, lease: Lease) -> None:
        assert conn.is_in_transaction()
        told.append((now.state.value, now.reason, lease.feed.state.value, now.sequence))

    async with running(run, on_change=tell):
        await eventually(lambda: in_state(pool, feed, FeedState.PAUSED))
    assert told == [
        ("degraded", "unavailable", "active", 1),
        ("degraded", "dead-items", "degraded", 2),
        ("active", None, "degraded", 3),
        ("paused", "reauthorization_required", "active", 4),
    ]
    async with db.transaction(pool) as conn:
        assert await store.next_sequence(conn, feed) == 5


async def test_a_change_that_cannot_be_told_does_not_happen(pool: Pool, running: Started) -> None:
    feed = await opened(pool)
    told: Told = []
    failures = [ZeroDivisionError()]

    async def run(lease: Lease) -> None:
        lease.leave_behind("dead-items")

    async def tell(_: Connection, now: Feed, lease: Lease) -> None:
        if failures:
            raise failures.pop()
        told.append((now.state.value, now.reason, lease.feed.state.value, now.sequence))

    async with running(run, on_change=tell, lease_s=0.3, idle_s=0.05):
        await eventually(lambda: in_state(pool, feed, FeedState.DEGRADED))
    assert told == [("degraded", "dead-items", "active", 1)]


@pytest.mark.parametrize("reason", [None, "dead-items"])
async def test_a_runner_that_is_stopped_changes_no_state(
    pool: Pool, running: Started, reason: str | None
) -> None:
    feed = await opened(pool)
    started, told = asyncio.Event(), list[object]()

    async def leave(lease: Lease) -> None:
        if reason is not None:
            lease.leave_behind(reason)

    async with running(leave):
        await eventually(lambda: in_step(pool, feed))
    before = await listed(pool, feed)

    async def run(_: Lease) -> None:
        started.set()
        await asyncio.Event().wait()

    async def tell(_: Connection, now: Feed, __: Lease) -> None:
        told.append(now)

    async with running(run, on_change=tell):
        async with db.transaction(pool) as conn:
            await store.raise_signal(conn, feed.tenant_id, feed.id, now=clock.now())
        await eventually(started.is_set)
    after = await listed(pool, feed)
    assert (after.state, after.reason) == (before.state, before.reason)
    assert told == []
