"""SQL that compares a snapshot of a mailbox with what is held of it."""

from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.feeds import Feed
from services.mail.domain.message import Known
from services.mail.store.messages import known_of

LIST_MISSING = """
SELECT s.item, s.position
  FROM snapshot_items s
 WHERE s.tenant_id = $1 AND s.feed_id = $2 AND s.position > $4
   AND '+' = ANY (s.marks) AND NOT s.marks && '{SPAM,DRAFT}'
   AND NOT EXISTS (SELECT FROM messages m
                    WHERE m.tenant_id = $1 AND m.connection_id = $3 AND m.google_id = s.item)
   AND NOT EXISTS (SELECT FROM dead_items d
                     JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
                    WHERE d.tenant_id = $1 AND f.connection_id = $3 AND d.item = s.item)
 ORDER BY s.position
 LIMIT $5
"""


async def list_missing(conn: Conn, feed: Feed, *, after: int, limit: int) -> list[tuple[str, int]]:
    """Return ids that should be held and are not, with their places, in their order."""
    rows = await conn.fetch(LIST_MISSING, feed.tenant_id, feed.id, feed.connection_id, after, limit)
    return [(row["item"], row["position"]) for row in rows]


COUNT_MISSING = """
SELECT count(*)
  FROM snapshot_items s
 WHERE s.tenant_id = $1 AND s.feed_id = $2
   AND '+' = ANY (s.marks) AND NOT s.marks && '{SPAM,DRAFT}'
   AND NOT EXISTS (SELECT FROM messages m
                    WHERE m.tenant_id = $1 AND m.connection_id = $3 AND m.google_id = s.item)
"""


async def count_missing(conn: Conn, feed: Feed) -> int:
    """Return how many ids should be held and are not."""
    return int(await conn.fetchval(COUNT_MISSING, feed.tenant_id, feed.id, feed.connection_id))


LIST_CHANGED = """
SELECT m.id, m.google_id, m.thread_id, m.labels, m.label_history_id, m.sequence,
       m.internal_date, m.traced, m.activity_id, false AS deleted,
       array_remove(s.marks, '+') AS marks
  FROM messages m
  JOIN snapshot_items s ON s.tenant_id = $1 AND s.feed_id = $2 AND s.item = m.google_id
 WHERE m.tenant_id = $1 AND m.connection_id = $3 AND m.google_id > $4
   AND m.deleted_at IS NULL AND NOT m.traced
   AND NOT (m.labels @> array_remove(s.marks, '+') AND m.labels <@ array_remove(s.marks, '+'))
 ORDER BY m.google_id
 LIMIT $5
"""


async def list_changed(
    conn: Conn, feed: Feed, *, after: str, limit: int
) -> list[tuple[Known, frozenset[str]]]:
    """Return messages whose labels are not those of the snapshot, with the snapshot's."""
    rows = await conn.fetch(LIST_CHANGED, feed.tenant_id, feed.id, feed.connection_id, after, limit)
    return [(known_of(row), frozenset(row["marks"])) for row in rows]


LIST_ABSENT = """
SELECT m.google_id
  FROM messages m
 WHERE m.tenant_id = $1 AND m.connection_id = $3 AND m.google_id > $4
   AND m.deleted_at IS NULL AND m.internal_date >= $5
   AND m.stored_at < $6 AND m.label_history_id <= $7
   AND NOT EXISTS (SELECT FROM snapshot_items s
                    WHERE s.tenant_id = $1 AND s.feed_id = $2 AND s.item = m.google_id)
 ORDER BY m.google_id
 LIMIT $8
"""


async def list_absent(
    conn: Conn,
    feed: Feed,
    *,
    after: str,
    held_since: datetime,
    started_at: datetime,
    pin: int,
    limit: int,
) -> list[str]:
    """Return ids held in the window, not written since the snapshot began, and not in it."""
    rows = await conn.fetch(
        LIST_ABSENT,
        feed.tenant_id,
        feed.id,
        feed.connection_id,
        after,
        held_since,
        started_at,
        pin,
        limit,
    )
    return [row["google_id"] for row in rows]


COUNT_ABSENT = """
SELECT count(*) FILTER (WHERE m.stored_at < $5 AND m.label_history_id <= $6
                          AND NOT EXISTS (SELECT FROM snapshot_items s
                                           WHERE s.tenant_id = $1 AND s.feed_id = $2
                                             AND s.item = m.google_id)) AS absent,
       count(*) AS held
  FROM messages m
 WHERE m.tenant_id = $1 AND m.connection_id = $3 AND m.deleted_at IS NULL
   AND m.internal_date >= $4
"""


async def count_absent(
    conn: Conn, feed: Feed, *, held_since: datetime, started_at: datetime, pin: int
) -> tuple[int, int]:
    """Return how many `list_absent` would name in all, and how many are held in the window."""
    row = await conn.fetchrow(
        COUNT_ABSENT, feed.tenant_id, feed.id, feed.connection_id, held_since, started_at, pin
    )
    return (0, 0) if row is None else (row["absent"], row["held"])


OLDEST_HELD = """
SELECT min(internal_date) FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL
"""


async def oldest_held(conn: Conn, feed: Feed) -> datetime | None:
    """Return the date of the oldest message held of the feed's mailbox."""
    found: datetime | None = await conn.fetchval(OLDEST_HELD, feed.tenant_id, feed.connection_id)
    return found
