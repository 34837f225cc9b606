import asyncio
from uuid import UUID, uuid4

import pytest

from libs.common import clock
from libs.common.db import Pool, transaction
from libs.common.errors import Conflict, NotFound
from libs.common.feeds import Feed
from libs.common.feeds.holds import Hold, HoldState, decide_hold, list_holds, newest_hold, open_hold
from tests.integration.common.feeds.conftest import opened


async def hold(pool: Pool, feed: Feed, *, subject: str = "", affected: int = 60) -> Hold:
    async with transaction(pool) as conn:
        return await open_hold(
            conn,
            feed,
            kind="deletions",
            subject=subject,
            affected=affected,
            total=100,
            now=clock.now(),
        )


async def decide(pool: Pool, hold_id: UUID, *, approve: bool, tenant_id: str = "acme") -> Hold:
    async with transaction(pool) as conn:
        return await decide_hold(
            conn, tenant_id, hold_id, approve=approve, by="user:ada", now=clock.now()
        )


async def test_one_hold_is_open_for_a_subject_and_stays_as_it_was(pool: Pool) -> None:
    feed = await opened(pool)
    first = await hold(pool, feed)
    assert await hold(pool, feed, affected=99) == first
    assert (await hold(pool, feed, subject="other")).id != first.id
    async with pool.acquire() as conn:
        assert await newest_hold(conn, feed, kind="deletions", subject="") == first
        assert await newest_hold(conn, feed, kind="else", subject="") is None


@pytest.mark.parametrize("approve", [True, False])
async def test_the_first_answer_stays(pool: Pool, approve: bool) -> None:  # noqa: FBT001 - a case
    held = await hold(pool, await opened(pool))
    decided = await decide(pool, held.id, approve=approve)
    assert decided.state is (HoldState.APPROVED if approve else HoldState.REJECTED)
    assert decided.decided_by == "user:ada"
    assert await decide(pool, held.id, approve=approve) == decided
    with pytest.raises(Conflict):
        await decide(pool, held.id, approve=not approve)


async def test_of_two_answers_at_once_one_counts(pool: Pool) -> None:
    held = await hold(pool, await opened(pool))
    answers = [decide(pool, held.id, approve=number % 2 == 0) for number in range(6)]
    results = await asyncio.gather(*answers, return_exceptions=True)
    states = {one.state for one in results if isinstance(one, Hold)}
    assert len(states) == 1
    assert sum(isinstance(one, Conflict) for one in results) == 3


async def test_after_a_decision_a_new_hold_may_open(pool: Pool) -> None:
    feed = await opened(pool)
    first = await hold(pool, feed)
    await decide(pool, first.id, approve=True)
    second = await hold(pool, feed)
    assert second.id != first.id
    async with pool.acquire() as conn:
        newest = await newest_hold(conn, feed, kind="deletions", subject="")
        mine = [feed.connection_id]
        page = await list_holds(conn, "acme", mine, state=None, before=None, limit=1)
        rest = await list_holds(conn, "acme", mine, state=None, before=page[-1].id, limit=9)
        open_ones = await list_holds(conn, "acme", None, state=HoldState.OPEN, before=None, limit=9)
    assert newest == second
    assert [one.id for one in [*page, *rest]] == [second.id, first.id]
    assert open_ones == [second]


async def test_a_hold_of_another_tenant_is_not_there(pool: Pool) -> None:
    held = await hold(pool, await opened(pool))
    with pytest.raises(NotFound):
        await decide(pool, held.id, approve=True, tenant_id="umbrella")
    with pytest.raises(NotFound):
        await decide(pool, uuid4(), approve=True)
