from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from libs.common import clock
from libs.common.db import Pool, transaction
from libs.common.errors import NotFound
from libs.common.feeds import Feed
from libs.common.feeds.dead_items import (
    DeadItem,
    add_dead_item,
    fail_replay,
    find_dead_item,
    list_dead_items,
    list_replays,
    remove_dead_item,
    request_replay,
)
from tests.integration.common.feeds.conftest import opened


async def die(pool: Pool, feed: Feed | None, item: str, cause: str = "odd") -> UUID:
    async with transaction(pool) as conn:
        return await add_dead_item(
            conn, kind="test.item", item=item, cause=cause, now=clock.now(), feed=feed
        )


async def found(pool: Pool, dead_id: UUID) -> DeadItem:
    async with pool.acquire() as conn:
        dead = await find_dead_item(conn, "acme", dead_id)
    assert dead is not None
    return dead


async def ask(pool: Pool, dead_id: UUID, tenant_id: str = "acme") -> None:
    async with transaction(pool) as conn:
        await request_replay(conn, tenant_id, dead_id, now=clock.now())


async def replays(pool: Pool, feed: Feed) -> list[DeadItem]:
    async with pool.acquire() as conn:
        return await list_replays(conn, feed, limit=10)


async def test_an_item_that_dies_twice_is_one_row_with_the_newest_cause(pool: Pool) -> None:
    feed = await opened(pool)
    first = await die(pool, feed, "a", "odd")
    assert await die(pool, feed, "a", "too-large") == first
    dead = await found(pool, first)
    assert (dead.cause, dead.attempts) == ("too-large", 2)
    assert await die(pool, await opened(pool), "a") != first


async def test_what_belongs_to_no_feed_is_kept_each_time(pool: Pool) -> None:
    assert await die(pool, None, "a") != await die(pool, None, "a")


async def test_dead_items_come_in_pages_of_the_connections_asked_for(pool: Pool) -> None:
    feed, other = await opened(pool), await opened(pool)
    ids = [await die(pool, feed, name) for name in "abc"]
    await die(pool, other, "d")
    async with pool.acquire() as conn:
        mine = [feed.connection_id]
        page = await list_dead_items(conn, "acme", mine, before=None, limit=2)
        rest = await list_dead_items(conn, "acme", mine, before=page[-1].id, limit=2)
        assert [one.id for one in [*page, *rest]] == ids[::-1]
        assert len(await list_dead_items(conn, "acme", None, before=None, limit=9)) == 4
        assert await list_dead_items(conn, "umbrella", None, before=None, limit=9) == []


async def test_a_replay_is_listed_until_the_item_was_taken_in(pool: Pool) -> None:
    feed = await opened(pool)
    dead_id = await die(pool, feed, "a")
    assert await replays(pool, feed) == []
    await ask(pool, dead_id)
    assert [one.id for one in await replays(pool, feed)] == [dead_id]
    async with transaction(pool) as conn:
        await remove_dead_item(conn, feed, kind="test.item", item="a")
        assert await find_dead_item(conn, "acme", dead_id) is None


async def test_a_replay_that_fails_waits_to_be_asked_for_again(pool: Pool) -> None:
    feed = await opened(pool)
    dead_id = await die(pool, feed, "a")
    await ask(pool, dead_id)
    (listed,) = await replays(pool, feed)
    async with transaction(pool) as conn:
        await fail_replay(conn, listed, cause="still-odd")
    assert await replays(pool, feed) == []
    dead = await found(pool, dead_id)
    assert (dead.cause, dead.attempts, dead.replay_at) == ("still-odd", 2, None)


async def test_a_replay_asked_for_while_one_fails_is_not_swallowed(pool: Pool) -> None:
    feed = await opened(pool)
    dead_id = await die(pool, feed, "a")
    await ask(pool, dead_id)
    (listed,) = await replays(pool, feed)
    async with transaction(pool) as conn:
        later = clock.now() + timedelta(seconds=1)
        await request_replay(conn, "acme", dead_id, now=later)
        await fail_replay(conn, listed, cause="still-odd")
    assert [one.replay_at for one in await replays(pool, feed)] == [later]


async def test_an_item_of_another_tenant_cannot_be_replayed(pool: Pool) -> None:
    dead_id = await die(pool, await opened(pool), "a")
    with pytest.raises(NotFound):
        await ask(pool, dead_id, tenant_id="umbrella")
    with pytest.raises(NotFound):
        await ask(pool, uuid4())
