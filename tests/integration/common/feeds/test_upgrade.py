"""What a database of the release before brings along."""

from importlib.resources import files
from pathlib import Path
from uuid import uuid4

from libs.common import db
from libs.common.migrate import MigrationSet, kernel, migrate
from tests.databases import NewDatabase

ADD = """
INSERT INTO dead_items (id, tenant_id, feed_id, kind, item, cause, created_at)
VALUES (gen_random_uuid(), $1, $2, 'test.item', 'a', $3, now() + $4 * interval '1 second')
"""


async def test_items_that_died_several_times_become_one(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    first = "0001_pre_feeds.sql"
    source = files("libs.common") / "migrations" / "feeds" / first
    (tmp_path / first).write_text(source.read_text(encoding="utf-8"))
    url = await new_database(MigrationSet("feeds", tmp_path))
    pool = await db.open_pool(url)
    async with db.transaction(pool) as conn:
        feed_id = uuid4()
        for number, cause in enumerate(("odd", "newest", "older")):
            await conn.execute(ADD, "acme", feed_id, cause, number % 2)
        for _ in range(2):
            await conn.execute(ADD, None, None, "unusable-body", 0)
    await migrate(url, kernel("feeds"))
    async with pool.acquire() as conn:
        rows = await conn.fetch("SELECT feed_id, cause FROM dead_items ORDER BY cause")
    assert [(row["feed_id"], row["cause"]) for row in rows] == [
        (feed_id, "newest"),
        (None, "unusable-body"),
        (None, "unusable-body"),
    ]
    await db.close_pool(pool)
