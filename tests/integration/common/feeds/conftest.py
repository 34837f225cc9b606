"""A database with the feeds schema, and one feed in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from libs.common import clock, db
from libs.common.bell import Bell
from libs.common.db import Pool
from libs.common.feeds import Feed, FeedKind, Lease, NewFeed, Runner, store
from libs.common.feeds.runner import OnChange
from libs.common.migrate import kernel
from tests.databases import NewDatabase

ADDRESS = "ada@example.com"

Run = Callable[[Lease], Awaitable[None]]


@pytest.fixture
async def feeds_url(new_database: NewDatabase) -> str:
    return await new_database(kernel("feeds"))


@pytest.fixture
async def pool(feeds_url: str) -> AsyncIterator[Pool]:
    pool = await db.open_pool(feeds_url)
    yield pool
    await db.close_pool(pool)


def new_feed(**changes: object) -> NewFeed:
    values: dict[str, object] = {
        "tenant_id": "acme",
        "connection_id": uuid4(),
        "account_id": uuid4(),
        "kind": "test.live",
        "resource": "mailbox",
        "address": ADDRESS,
    }
    return NewFeed(**(values | changes))  # type: ignore[arg-type] # fields of any type


async def opened(pool: Pool, new: NewFeed | None = None) -> Feed:
    async with db.transaction(pool) as conn:
        return await store.open_feed(conn, new or new_feed(), now=clock.now())


async def signal(pool: Pool, feed: Feed) -> dict[str, object]:
    async with pool.acquire() as conn:
        row = await conn.fetchrow("SELECT * FROM signals WHERE feed_id = $1", feed.id)
    assert row is not None
    return dict(row)


async def listed(pool: Pool, feed: Feed) -> Feed:
    async with pool.acquire() as conn:
        (row,) = await store.list_feeds(conn, feed.tenant_id, [feed.connection_id])
    return row


class Started:
    """Starts runners on one database; a runner ends with the test."""

    def __init__(self, pool: Pool, url: str) -> None:
        self.pool, self.url = pool, url

    @asynccontextmanager
    async def __call__(
        self, run: Run, *, on_change: OnChange | None = None, **options: float
    ) -> AsyncIterator[None]:
        runner = Runner(
            self.pool,
            {"test.live": FeedKind(run, 900, on_change)},
            bell=Bell(self.url, store.CHANNEL),
            now=clock.now,
            **options,  # type: ignore[arg-type] # numbers by name
        )
        task = asyncio.create_task(runner.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def running(pool: Pool, feeds_url: str) -> Started:
    return Started(pool, feeds_url)
