"""SQL on snapshots: a complete enumeration at Google, kept while it is being taken and compared."""

from collections.abc import Sequence

from libs.common.db import Connection
from libs.common.feeds.model import Feed

WANTED = ("+",)
"""Marks of an item that should be held; no label of Google's is called so."""

ADD_ITEMS = """
INSERT INTO snapshot_items (tenant_id, feed_id, item, marks)
SELECT $1, $2, item, $4::text[]
  FROM unnest($3::text[]) WITH ORDINALITY AS new (item, place)
 ORDER BY place
    ON CONFLICT DO NOTHING
"""


async def add_items(
    conn: Connection, feed: Feed, items: Sequence[str], *, marks: Sequence[str] = ()
) -> None:
    """Add a page of the enumeration, in its order; an item that is there already stays as it is."""
    await conn.execute(ADD_ITEMS, feed.tenant_id, feed.id, list(dict.fromkeys(items)), list(marks))


MARK_ITEMS = """
UPDATE snapshot_items SET marks = marks || $4::text
 WHERE tenant_id = $1 AND feed_id = $2 AND item = ANY($3::text[]) AND NOT $4 = ANY (marks)
"""


async def mark_items(conn: Connection, feed: Feed, items: Sequence[str], mark: str) -> None:
    """Note `mark` of those items that are in the snapshot."""
    await conn.execute(MARK_ITEMS, feed.tenant_id, feed.id, list(items), mark)


COUNT_ITEMS = "SELECT count(*) FROM snapshot_items WHERE tenant_id = $1 AND feed_id = $2"


async def count_items(conn: Connection, feed: Feed) -> int:
    """Return how many items the snapshot has."""
    return int(await conn.fetchval(COUNT_ITEMS, feed.tenant_id, feed.id))


NEXT_ITEMS = """
SELECT item FROM snapshot_items WHERE tenant_id = $1 AND feed_id = $2 ORDER BY position LIMIT $3
"""


async def next_items(conn: Connection, feed: Feed, *, limit: int) -> list[str]:
    """Return some items of the snapshot, in the order they were added."""
    return [row["item"] for row in await conn.fetch(NEXT_ITEMS, feed.tenant_id, feed.id, limit)]


DROP_ITEMS = """
DELETE FROM snapshot_items WHERE tenant_id = $1 AND feed_id = $2 AND item = ANY($3::text[])
"""


async def drop_items(conn: Connection, feed: Feed, items: Sequence[str]) -> None:
    """Take items out of the snapshot."""
    await conn.execute(DROP_ITEMS, feed.tenant_id, feed.id, list(items))


CLEAR_ITEMS = "DELETE FROM snapshot_items WHERE tenant_id = $1 AND feed_id = $2"


async def clear_items(conn: Connection, feed: Feed) -> None:
    """Forget the snapshot."""
    await conn.execute(CLEAR_ITEMS, feed.tenant_id, feed.id)
