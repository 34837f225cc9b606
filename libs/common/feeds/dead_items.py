"""Items that could not be taken in: kept for a person to look at, and to try again.

A replay is asked for by `request_replay` and worked on by whoever runs the feed: it lists
what is asked for, then removes each or says why it failed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.errors import NotFound
from libs.common.feeds.model import Feed
from libs.common.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadItem:
    """One item of a feed."""

    tenant_id: str
    id: UUID
    connection_id: UUID
    feed_id: UUID
    kind: str
    """What sort of item: `gmail.message`."""
    item: str
    """Its id at Google."""
    cause: str
    """A short constant: why it failed the last time."""
    attempts: int
    """How often it was given up."""
    created_at: datetime
    replay_at: datetime | None
    """When a person asked for another try that has not ended yet."""


def _dead_item(row: Any) -> DeadItem:
    return DeadItem(
        tenant_id=row["tenant_id"],
        id=row["id"],
        connection_id=row["connection_id"],
        feed_id=row["feed_id"],
        kind=row["kind"],
        item=row["item"],
        cause=row["cause"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        replay_at=row["replay_at"],
    )


ADD_DEAD_ITEM = """
INSERT INTO dead_items AS d (id, tenant_id, feed_id, kind, item, cause, payload, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_id, feed_id, kind, item) WHERE feed_id IS NOT NULL DO UPDATE
   SET cause = EXCLUDED.cause, payload = EXCLUDED.payload, attempts = d.attempts + 1,
       replay_at = NULL
RETURNING id
"""


async def add_dead_item(
    conn: Connection,
    *,
    kind: str,
    item: str,
    cause: str,
    now: datetime,
    feed: Feed | None = None,
    payload: bytes | None = None,
) -> UUID:
    """Keep an item that could not be taken in; return its id.

    The same item of the same feed stays one row: with the newest cause and one more attempt.

    Args:
        kind: what sort of item: `gmail.message`, `gmail.push`.
        item: its id at Google, or a hash of it when it has none.
        cause: a short constant, never content.
        payload: what came, when it cannot be fetched again.
    """
    tenant_id, feed_id = (feed.tenant_id, feed.id) if feed else (None, None)
    args = (new_id(), tenant_id, feed_id, kind, item, cause, payload, now)
    dead_id: UUID = await conn.fetchval(ADD_DEAD_ITEM, *args)
    return dead_id


LIST_DEAD_ITEMS = """
SELECT d.tenant_id, d.id, f.connection_id, d.feed_id, d.kind, d.item, d.cause, d.attempts,
       d.created_at, d.replay_at
  FROM dead_items d JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
 WHERE d.tenant_id = $1 AND ($2::uuid[] IS NULL OR f.connection_id = ANY($2))
   AND ($3::uuid IS NULL OR d.id < $3)
 ORDER BY d.id DESC
 LIMIT $4
"""


async def list_dead_items(
    conn: Connection,
    tenant_id: str,
    connection_ids: Sequence[UUID] | None,
    *,
    before: UUID | None,
    limit: int,
) -> list[DeadItem]:
    """Return up to `limit` items of those connections (None: the tenant's), newest first.

    Args:
        before: only those that follow this one in the list.
    """
    ids = None if connection_ids is None else list(connection_ids)
    rows = await conn.fetch(LIST_DEAD_ITEMS, tenant_id, ids, before, limit)
    return [_dead_item(row) for row in rows]


FIND_DEAD_ITEM = """
SELECT d.tenant_id, d.id, f.connection_id, d.feed_id, d.kind, d.item, d.cause, d.attempts,
       d.created_at, d.replay_at
  FROM dead_items d JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
 WHERE d.tenant_id = $1 AND d.id = $2
"""


async def find_dead_item(conn: Connection, tenant_id: str, dead_id: UUID) -> DeadItem | None:
    """Return the tenant's item; None when it has no such one (any more)."""
    row = await conn.fetchrow(FIND_DEAD_ITEM, tenant_id, dead_id)
    return None if row is None else _dead_item(row)


REQUEST_REPLAY = """
UPDATE dead_items d SET replay_at = $3
  FROM feeds f
 WHERE d.tenant_id = $1 AND d.id = $2 AND f.tenant_id = d.tenant_id AND f.id = d.feed_id
RETURNING d.tenant_id, d.id, f.connection_id, d.feed_id, d.kind, d.item, d.cause, d.attempts,
          d.created_at, d.replay_at
"""


async def request_replay(
    conn: Connection, tenant_id: str, dead_id: UUID, *, now: datetime
) -> DeadItem:
    """Ask for another try of an item; the caller has raised the signal of who works on it.

    Raises:
        NotFound: the tenant has no such item (any more).
    """
    row = await conn.fetchrow(REQUEST_REPLAY, tenant_id, dead_id, now)
    if row is None:
        raise NotFound("There is no such dead item.")
    return _dead_item(row)


LIST_REPLAYS = """
SELECT d.tenant_id, d.id, f.connection_id, d.feed_id, d.kind, d.item, d.cause, d.attempts,
       d.created_at, d.replay_at
  FROM dead_items d JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
 WHERE d.tenant_id = $1 AND f.connection_id = $2 AND d.replay_at IS NOT NULL
 ORDER BY d.replay_at, d.id
 LIMIT $3
"""


async def list_replays(conn: Connection, feed: Feed, *, limit: int) -> list[DeadItem]:
    """Return up to `limit` items to try again of the feed's connection, longest asked first."""
    rows = await conn.fetch(LIST_REPLAYS, feed.tenant_id, feed.connection_id, limit)
    return [_dead_item(row) for row in rows]


REMOVE_DEAD_ITEM = """
DELETE FROM dead_items d USING feeds f
 WHERE d.tenant_id = $1 AND f.tenant_id = d.tenant_id AND f.id = d.feed_id
   AND f.connection_id = $2 AND d.kind = $3 AND d.item = $4
"""


async def remove_dead_item(conn: Connection, feed: Feed, *, kind: str, item: str) -> None:
    """Forget an item of the feed's connection: it was taken in, or is gone at Google."""
    await conn.execute(REMOVE_DEAD_ITEM, feed.tenant_id, feed.connection_id, kind, item)


FAIL_REPLAY = """
UPDATE dead_items
   SET cause = $3, attempts = attempts + 1,
       replay_at = CASE WHEN replay_at > $4 THEN replay_at END
 WHERE tenant_id = $1 AND id = $2
"""


async def fail_replay(conn: Connection, dead: DeadItem, *, cause: str) -> None:
    """End the replay that `dead` was listed for; one asked for meanwhile is still to come."""
    await conn.execute(FAIL_REPLAY, dead.tenant_id, dead.id, cause, dead.replay_at)
