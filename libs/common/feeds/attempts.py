"""Attempts at items, counted before they are made.

An item that kills the process that works on it would be tried for ever: whoever takes over
finds that it had its attempts, and parks it.
"""

from collections.abc import Iterable

from libs.common.db import Connection
from libs.common.feeds.model import Feed

MOST_ATTEMPTS = 3

BEGIN_ATTEMPTS = """
INSERT INTO item_attempts AS a (tenant_id, feed_id, item)
SELECT $1, $2, item FROM unnest($3::text[]) AS new (item)
 WHERE set_config('synchronous_commit', 'off', true) = 'off'
 ORDER BY item
ON CONFLICT (tenant_id, feed_id, item) DO UPDATE SET attempts = a.attempts + 1
RETURNING item, attempts
"""


async def begin_attempts(
    conn: Connection, feed: Feed, items: Iterable[str], *, most: int = MOST_ATTEMPTS
) -> set[str]:
    """Count one more attempt at each of `items`; return those that had `most` already.

    Those are not to be tried again but parked. The count protects only once it is committed:
    use a transaction of its own, before the work. Its commit outlives our process, which is
    what counts; that it reaches the disk is not waited for.
    """
    rows = await conn.fetch(BEGIN_ATTEMPTS, feed.tenant_id, feed.id, sorted(set(items)))
    return {row["item"] for row in rows if row["attempts"] > most}


END_ATTEMPTS = """
DELETE FROM item_attempts
 WHERE (tenant_id, feed_id, item) IN (
       SELECT tenant_id, feed_id, item FROM item_attempts
        WHERE tenant_id = $1 AND feed_id = $2 AND item = ANY($3::text[])
          AND set_config('synchronous_commit', 'off', true) = 'off'
        ORDER BY item FOR UPDATE)
"""


async def end_attempts(conn: Connection, feed: Feed, items: Iterable[str]) -> None:
    """Forget the attempts at `items`, which ended: well, or by an error that is no fault of theirs.

    Use a transaction of its own: that it reaches the disk is not waited for, here either.
    """
    await conn.execute(END_ATTEMPTS, feed.tenant_id, feed.id, sorted(set(items)))
