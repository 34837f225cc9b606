"""The write ledger: who sends what, in which order, and that nobody else finishes it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.common import clock, db
from libs.common.db import Pool, transaction
from libs.common.feeds import Feed
from libs.common.migrate import kernel
from libs.common.writes import NewWrite, TooManyWrites, Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from tests.databases import NewDatabase
from tests.integration.common.feeds.conftest import opened

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[Pool]:
    pool = await db.open_pool(await new_database(kernel("feeds"), kernel("writes")))
    yield pool
    await db.close_pool(pool)


def wish(feed: Feed, item: str = "one", *, due_at: datetime | None = None) -> NewWrite:
    return NewWrite(
        tenant_id=feed.tenant_id,
        connection_id=feed.connection_id,
        kind="test",
        item=item,
        desired={"item": item},
        due_at=due_at or clock.now(),
    )


async def queued(pool: Pool, *new: NewWrite) -> list[UUID]:
    async with transaction(pool) as conn:
        await ledger.queue(conn, new, now=clock.now())
    return [one.id for one in new]


async def claimed(pool: Pool, feed: Feed, epoch: int = 1, *, limit: int = 10) -> list[Write]:
    now = clock.now()
    async with transaction(pool) as conn:
        return await ledger.claim(
            conn, feed, epoch, kind="test", limit=limit, now=now, deadline=now + MINUTE
        )


async def taken_over(pool: Pool, feed: Feed, epoch: int, *, at: datetime) -> list[Write]:
    async with transaction(pool) as conn:
        return await ledger.take_over(
            conn, feed, epoch, kind="test", limit=10, now=at, deadline=at + MINUTE
        )


async def found(pool: Pool, feed: Feed, write_id: UUID) -> Write:
    async with pool.acquire() as conn:
        one = await ledger.find(conn, feed.tenant_id, write_id)
    assert one is not None
    return one


async def finish(pool: Pool, write: Write, state: WriteState = WriteState.DONE) -> None:
    async with transaction(pool) as conn:
        await ledger.finish(conn, write, state, now=clock.now(), answer={"ok": True})


async def test_writes_of_one_item_go_out_one_after_the_other(pool: Pool) -> None:
    feed = await opened(pool)
    first, second, other = await queued(pool, wish(feed), wish(feed), wish(feed, "two"))
    got = await claimed(pool, feed)
    assert [one.id for one in got] == [first, other]
    assert await claimed(pool, feed) == []
    await finish(pool, got[0])
    assert [one.id for one in await claimed(pool, feed)] == [second]


async def test_a_write_that_is_being_sent_is_nobody_elses_before_its_deadline(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed))
    (write,) = await claimed(pool, feed)
    assert write.deadline is not None
    assert await claimed(pool, feed, 2) == []
    assert await taken_over(pool, feed, 2, at=write.deadline - timedelta(seconds=1)) == []
    (taken,) = await taken_over(pool, feed, 2, at=write.deadline)
    assert (taken.id, taken.epoch, taken.state) == (write.id, 2, WriteState.SENDING)


async def test_whoever_lost_a_write_can_neither_note_nor_finish_it(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed))
    (mine,) = await claimed(pool, feed)
    assert mine.deadline is not None
    (theirs,) = await taken_over(pool, feed, 2, at=mine.deadline)
    for attempt in (
        lambda conn: ledger.note(conn, mine, {"a": 1}, deadline=clock.now()),
        lambda conn: ledger.postpone(conn, mine, due_at=clock.now(), reason="x"),
        lambda conn: ledger.finish(conn, mine, WriteState.DONE, now=clock.now()),
    ):
        with pytest.raises(WriteLost):
            async with transaction(pool) as conn:
                await attempt(conn)
    await finish(pool, theirs)
    assert (await found(pool, feed, mine.id)).state is WriteState.DONE


async def test_progress_is_added_to_what_was_noted(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed))
    (write,) = await claimed(pool, feed)
    async with transaction(pool) as conn:
        write = await ledger.note(conn, write, {"mark": 1}, deadline=clock.now() + MINUTE)
        write = await ledger.note(conn, write, {"draft": "d"}, deadline=clock.now() + MINUTE)
    assert write.progress == {"mark": 1, "draft": "d"}


async def test_a_postponed_write_is_due_again_at_its_time(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed))
    (write,) = await claimed(pool, feed)
    later = clock.now() + MINUTE
    async with transaction(pool) as conn:
        await ledger.postpone(conn, write, due_at=later, reason="rate-limited")
    assert await claimed(pool, feed) == []
    async with pool.acquire() as conn:
        due = (await ledger.next_due(conn, feed)).due
    assert due == later
    assert (await found(pool, feed, write.id)).reason == "rate-limited"


async def test_only_what_is_not_under_way_can_be_cancelled(pool: Pool) -> None:
    feed = await opened(pool)
    first, second = await queued(pool, wish(feed), wish(feed, "two"))
    (write, _) = await claimed(pool, feed)
    async with transaction(pool) as conn:
        assert not await ledger.cancel(conn, feed.tenant_id, first, now=clock.now())
    async with transaction(pool) as conn:
        await ledger.postpone(conn, write, due_at=clock.now(), reason="x")
        assert await ledger.cancel(conn, feed.tenant_id, first, now=clock.now())
        assert not await ledger.cancel(conn, "umbrella", second, now=clock.now())


async def test_an_effect_that_was_seen_settles_what_anybody_has(pool: Pool) -> None:
    feed = await opened(pool)
    (write_id,) = await queued(pool, wish(feed))
    (write,) = await claimed(pool, feed)
    async with transaction(pool) as conn:
        assert await ledger.settle(conn, feed.tenant_id, write_id, {"id": 1}, now=clock.now())
        assert not await ledger.settle(conn, feed.tenant_id, write_id, {"id": 2}, now=clock.now())
    with pytest.raises(WriteLost):
        await finish(pool, write, WriteState.UNKNOWN)
    assert (await found(pool, feed, write_id)).answer == {"id": 1}


async def test_an_unknown_fate_may_still_turn_out(pool: Pool) -> None:
    feed = await opened(pool)
    (write_id,) = await queued(pool, wish(feed))
    (write,) = await claimed(pool, feed)
    await finish(pool, write, WriteState.UNKNOWN)
    async with transaction(pool) as conn:
        assert await ledger.settle(conn, feed.tenant_id, write_id, {"id": 1}, now=clock.now())
    assert (await found(pool, feed, write_id)).state is WriteState.DONE


async def test_the_end_of_a_connection_cancels_what_waits_and_leaves_the_rest_unknown(
    pool: Pool,
) -> None:
    feed = await opened(pool)
    sending, waiting = await queued(pool, wish(feed), wish(feed, "two"))
    await claimed(pool, feed, limit=1)
    async with transaction(pool) as conn:
        uncertain = await ledger.cancel_all(
            conn, feed.tenant_id, feed.connection_id, reason="disconnected", now=clock.now()
        )
    assert uncertain == [sending]
    assert (await found(pool, feed, sending)).state is WriteState.UNKNOWN
    assert (await found(pool, feed, waiting)).state is WriteState.CANCELLED


async def test_an_item_that_is_written_again_and_again_is_stopped(pool: Pool) -> None:
    feed = await opened(pool)
    for _ in range(3):
        await queued(pool, wish(feed))
    with pytest.raises(TooManyWrites):
        async with transaction(pool) as conn:
            await ledger.queue(conn, [wish(feed)], now=clock.now(), most_per_item=3)
    async with transaction(pool) as conn:
        await ledger.queue(conn, [wish(feed, "two")], now=clock.now(), most_per_item=3)


async def test_an_answered_write_waits_for_its_echo_once(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed))
    (write,) = await claimed(pool, feed)
    await finish(pool, write)
    place = (feed.tenant_id, feed.connection_id)
    async with transaction(pool) as conn:
        (echoable,) = await ledger.list_echoable(conn, *place, kind="test", items=["one"])
        await ledger.acknowledge(conn, echoable, echo=17)
        assert await ledger.list_echoable(conn, *place, kind="test", items=["one"]) == []
    assert (await found(pool, feed, write.id)).answer == {"ok": True, "echo": 17}


async def test_ended_writes_go_after_a_while_and_open_ones_stay(pool: Pool) -> None:
    feed = await opened(pool)
    _, waiting = await queued(pool, wish(feed), wish(feed))
    (write,) = await claimed(pool, feed)
    await finish(pool, write)
    async with transaction(pool) as conn:
        assert await ledger.purge(conn, before=clock.now() + MINUTE) == 1
    assert (await found(pool, feed, waiting)).state is WriteState.QUEUED


async def test_tenants_do_not_see_each_others_writes(pool: Pool) -> None:
    feed = await opened(pool)
    (write_id,) = await queued(pool, wish(feed))
    async with pool.acquire() as conn:
        assert await ledger.find(conn, "umbrella", write_id) is None
        assert await ledger.list_group(conn, "umbrella", write_id) == []
        assert await ledger.find(conn, feed.tenant_id, uuid4()) is None


async def test_of_writes_that_end_together_those_of_others_stay_theirs(pool: Pool) -> None:
    feed = await opened(pool)
    first, second = await queued(pool, wish(feed), wish(feed, "two"))
    mine, other = await claimed(pool, feed)
    assert other.deadline is not None
    await taken_over(pool, feed, 2, at=other.deadline)
    async with transaction(pool) as conn:
        (again,) = await ledger.take_over(
            conn,
            feed,
            3,
            kind="test",
            limit=1,
            now=clock.now() + 3 * MINUTE,
            deadline=clock.now() + 4 * MINUTE,
        )
    assert again.id == first
    endings = [
        ledger.Ending(again, WriteState.DONE, answer={"ok": True}),
        ledger.Ending(other, WriteState.FAILED, "refused"),
    ]
    async with transaction(pool) as conn:
        gone = await ledger.finish_all(conn, feed.tenant_id, endings, now=clock.now())
    assert gone == {first}
    ended = await found(pool, feed, mine.id)
    assert (ended.state, ended.answer) == (WriteState.DONE, {"ok": True})
    assert (await found(pool, feed, second)).state is WriteState.SENDING


async def test_writes_that_wait_for_a_person_go_on_when_there_is_a_word(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed), wish(feed, "two"))
    held, other = await claimed(pool, feed)
    tomorrow = clock.now() + timedelta(days=1)
    async with transaction(pool) as conn:
        await ledger.postpone(conn, held, due_at=tomorrow, reason="held-writes")
        await ledger.postpone(conn, other, due_at=tomorrow, reason="rate-limited")
        assert (await ledger.next_due(conn, feed)).held == "held-writes"
        where = feed.tenant_id, feed.connection_id
        now = clock.now()
        assert await ledger.hasten(conn, *where, reason="held-writes", items=[], now=now) == 0
        assert await ledger.hasten(conn, *where, reason="held-writes", now=now) == 1
    assert [one.id for one in await claimed(pool, feed)] == [held.id]


async def test_what_is_of_unknown_fate_is_known_to_be(pool: Pool) -> None:
    feed = await opened(pool)
    await queued(pool, wish(feed), wish(feed, "two"))
    lost, _ = await claimed(pool, feed)
    await finish(pool, lost, WriteState.UNKNOWN)
    async with pool.acquire() as conn:
        doubted = await ledger.list_unknown(
            conn, feed.tenant_id, [feed.connection_id], kind="test", items=["one", "two"]
        )
    assert doubted == {"one": lost.created_at}
