from libs.common.db import Pool, transaction
from libs.common.feeds import Feed
from libs.common.feeds.attempts import begin_attempts, end_attempts
from tests.integration.common.feeds.conftest import opened


async def begin(pool: Pool, feed: Feed, *items: str) -> set[str]:
    async with transaction(pool) as conn:
        return await begin_attempts(conn, feed, items)


async def test_an_item_that_had_three_attempts_is_to_be_parked(pool: Pool) -> None:
    feed = await opened(pool)
    for _ in range(3):
        assert await begin(pool, feed, "a", "b", "a") == set()
        async with transaction(pool) as conn:
            await end_attempts(conn, feed, ["b"])
    assert await begin(pool, feed, "a", "b", "c") == {"a"}


async def test_attempts_that_ended_are_forgotten(pool: Pool) -> None:
    feed = await opened(pool)
    for _ in range(5):
        assert await begin(pool, feed, "a") == set()
        async with transaction(pool) as conn:
            await end_attempts(conn, feed, ["a", "unknown"])


async def test_attempts_of_one_feed_are_none_of_anothers(pool: Pool) -> None:
    first, second = await opened(pool), await opened(pool)
    for _ in range(4):
        await begin(pool, first, "a")
    assert await begin(pool, second, "a") == set()
