"""Feeds as such: opened, paused, closed, listed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.feeds.model import Feed, FeedState, NewFeed
from libs.common.feeds.store.signals import CHANNEL
from libs.common.ids import new_id

NOTIFY = f"NOTIFY {CHANNEL}"  # an identifier cannot be a parameter


def feed_of(row: Any) -> Feed:
    """Return the feed in a row that has its columns."""
    return Feed(
        tenant_id=row["tenant_id"],
        id=row["id"],
        connection_id=row["connection_id"],
        account_id=row["account_id"],
        kind=row["kind"],
        resource=row["resource"],
        fingerprint=row["fingerprint"],
        cursor=row["cursor"],
        state=FeedState(row["state"]),
        reason=row["reason"],
        failures=row["failures"],
        last_sync_at=row["last_sync_at"],
        sequence=row["sequence"],
    )


REOPEN_SIGNAL = """
UPDATE signals s
   SET address = $5, generation = generation + 1, due_at = $6, not_before = '-infinity',
       running = false, background = $7
  FROM feeds f
 WHERE f.tenant_id = $1 AND f.connection_id = $2 AND f.kind = $3 AND f.resource = $4
   AND s.tenant_id = f.tenant_id AND s.feed_id = f.id
"""
UPSERT_FEED = """
INSERT INTO feeds
       (tenant_id, id, connection_id, account_id, kind, resource, fingerprint, created_at, cursor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, connection_id, kind, resource) DO UPDATE
   SET state = 'active', reason = NULL, failures = 0,
       account_id = EXCLUDED.account_id,
       cursor = CASE WHEN $10::boolean THEN EXCLUDED.cursor
                     WHEN feeds.account_id <> EXCLUDED.account_id
                       OR feeds.fingerprint <> EXCLUDED.fingerprint THEN EXCLUDED.cursor
                     WHEN feeds.state = 'closed' THEN COALESCE(EXCLUDED.cursor, feeds.cursor)
                     ELSE feeds.cursor END,
       fingerprint = EXCLUDED.fingerprint,
       lease_epoch = feeds.lease_epoch + 1, lease_until = NULL
RETURNING tenant_id, id, connection_id, account_id, kind, resource, fingerprint, cursor,
          state, reason, failures, last_sync_at, sequence
"""
INSERT_SIGNAL = """
INSERT INTO signals (tenant_id, feed_id, address, due_at, background)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, feed_id) DO NOTHING
"""


async def open_feed(
    conn: Connection, new: NewFeed, *, now: datetime, due_at: datetime | None = None
) -> Feed:
    """Return the feed of `new`, created or opened again, due at once or at `due_at`.

    One that was paused or closed keeps its cursor, unless it now belongs to another account or
    its fingerprint changed: then the cursor is void and dropped. In its place, and in place of
    a closed one's, comes `new.cursor`. A worker still running it is fenced out.
    """
    due_at = now if due_at is None else due_at
    identity = (new.tenant_id, new.connection_id, new.kind, new.resource)
    await conn.execute(REOPEN_SIGNAL, *identity, new.address, due_at, new.background)
    row = await conn.fetchrow(
        UPSERT_FEED,
        new.tenant_id,
        new_id(),
        new.connection_id,
        new.account_id,
        new.kind,
        new.resource,
        new.fingerprint,
        now,
        new.cursor,
        new.restart,
    )
    feed = feed_of(row)
    await conn.execute(INSERT_SIGNAL, feed.tenant_id, feed.id, new.address, due_at, new.background)
    await conn.execute(NOTIFY)
    return feed


STOP_SIGNALS = """
UPDATE signals s SET due_at = 'infinity', running = false
  FROM (SELECT s2.tenant_id, s2.feed_id
          FROM signals s2 JOIN feeds f ON f.tenant_id = s2.tenant_id AND f.id = s2.feed_id
         WHERE f.tenant_id = $1 AND f.connection_id = $2
         ORDER BY s2.tenant_id, s2.feed_id FOR UPDATE OF s2) mine
 WHERE s.tenant_id = mine.tenant_id AND s.feed_id = mine.feed_id
"""
STOP_FEEDS = """
UPDATE feeds SET state = $3, reason = $4, lease_epoch = lease_epoch + 1, lease_until = NULL
 WHERE tenant_id = $1 AND connection_id = $2 AND state <> 'closed'
RETURNING id
"""


async def stop_feeds(
    conn: Connection, tenant_id: str, connection_id: UUID, *, state: FeedState, reason: str
) -> list[UUID]:
    """Pause or close all feeds of a connection; return their ids.

    Nothing is removed. A worker that is running one of them cannot commit any more.
    """
    await conn.execute(STOP_SIGNALS, tenant_id, connection_id)
    rows = await conn.fetch(STOP_FEEDS, tenant_id, connection_id, state.value, reason)
    return [row["id"] for row in rows]


STOP_SIGNAL = """
UPDATE signals SET due_at = 'infinity', running = false WHERE tenant_id = $1 AND feed_id = $2
"""
STOP_FEED = """
UPDATE feeds
   SET lease_epoch = lease_epoch + 1, lease_until = NULL, state = $3, reason = $4
 WHERE tenant_id = $1 AND id = $2 AND state <> 'closed'
"""


async def stop_feed(conn: Connection, feed: Feed, *, state: FeedState, reason: str) -> None:
    """Pause or close one feed, as `stop_feeds` does all of a connection."""
    await conn.execute(STOP_SIGNAL, feed.tenant_id, feed.id)
    await conn.execute(STOP_FEED, feed.tenant_id, feed.id, state.value, reason)


LIST_FEEDS = """
SELECT f.tenant_id, f.id, f.connection_id, f.account_id, f.kind, f.resource, f.fingerprint,
       f.cursor, f.state, f.reason, f.failures, f.last_sync_at, f.sequence
  FROM feeds f WHERE f.tenant_id = $1 AND f.connection_id = ANY($2::uuid[])
 ORDER BY f.connection_id, f.kind, f.resource
"""


async def list_feeds(
    conn: Connection, tenant_id: str, connection_ids: Sequence[UUID]
) -> list[Feed]:
    """Return the feeds of those connections within the tenant."""
    return [feed_of(row) for row in await conn.fetch(LIST_FEEDS, tenant_id, list(connection_ids))]


NEXT_SEQUENCE = """
UPDATE feeds SET sequence = sequence + 1 WHERE tenant_id = $1 AND id = $2 RETURNING sequence
"""


async def next_sequence(conn: Connection, feed: Feed) -> int:
    """Return the number of the feed's next event; the row is locked until the caller commits."""
    sequence: int = await conn.fetchval(NEXT_SEQUENCE, feed.tenant_id, feed.id)
    return sequence
