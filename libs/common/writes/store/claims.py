"""SQL on who carries which writes, and until when nobody else may.

A row that is `sending` changes under its epoch only.
"""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Connection
from libs.common.feeds import Feed
from libs.common.writes.model import Write
from libs.common.writes.store.rows import write_of

NEXT_KIND = """
SELECT w.kind FROM writes w
 WHERE w.tenant_id = $1 AND w.connection_id = $2 AND w.finished_at IS NULL
   AND CASE w.state WHEN 'sending' THEN w.deadline <= $3
            ELSE w.due_at <= $3 AND NOT EXISTS (
                 SELECT FROM writes e
                  WHERE e.tenant_id = w.tenant_id AND e.connection_id = w.connection_id
                    AND e.item = w.item AND e.position < w.position
                    AND e.finished_at IS NULL) END
 ORDER BY w.position
 LIMIT 1
"""


async def next_kind(conn: Connection, feed: Feed, *, now: datetime) -> str | None:
    """Return the kind of the write that is to be carried or settled next; None: there is none."""
    kind: str | None = await conn.fetchval(NEXT_KIND, feed.tenant_id, feed.connection_id, now)
    return kind


CLAIM = """
WITH due AS (
    SELECT w.tenant_id, w.id FROM writes w
     WHERE w.tenant_id = $1 AND w.connection_id = $2 AND w.state = 'queued' AND w.due_at <= $5
       AND w.kind = $7
       AND NOT EXISTS (SELECT FROM writes e
                        WHERE e.tenant_id = w.tenant_id AND e.connection_id = w.connection_id
                          AND e.item = w.item AND e.position < w.position
                          AND e.finished_at IS NULL)
     ORDER BY w.position
     LIMIT $4
       FOR UPDATE
)
UPDATE writes w SET state = 'sending', epoch = $3, deadline = $6, attempts = attempts + 1
  FROM due WHERE w.tenant_id = due.tenant_id AND w.id = due.id
RETURNING w.tenant_id, w.id, w.group_id, w.connection_id, w.kind, w.item, w.base, w.desired,
          w.progress, w.answer, w.state, w.reason, w.attempts, w.due_at, w.epoch, w.deadline,
          w.created_at, w.finished_at, w.position
"""


async def claim(
    conn: Connection,
    feed: Feed,
    epoch: int,
    *,
    kind: str,
    limit: int,
    now: datetime,
    deadline: datetime,
) -> list[Write]:
    """Take up to `limit` due writes of a kind of the feed's connection, each the first of its item.

    Commit before asking Google; the caller's transaction has checked the lease (`lease.advance`).

    Args:
        deadline: until when Google may act on what is asked now.
    """
    rows = await conn.fetch(
        CLAIM, feed.tenant_id, feed.connection_id, epoch, limit, now, deadline, kind
    )
    return [write_of(row) for row in sorted(rows, key=lambda row: row["position"])]


TAKE_OVER = """
UPDATE writes SET epoch = $3, deadline = $6
 WHERE (tenant_id, id) IN (
       SELECT tenant_id, id FROM writes
        WHERE tenant_id = $1 AND connection_id = $2 AND state = 'sending' AND deadline <= $5
          AND kind = $7
        ORDER BY position
        LIMIT $4
          FOR UPDATE)
RETURNING tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
          state, reason, attempts, due_at, epoch, deadline, created_at, finished_at, position
"""


async def take_over(
    conn: Connection,
    feed: Feed,
    epoch: int,
    *,
    kind: str,
    limit: int,
    now: datetime,
    deadline: datetime,
) -> list[Write]:
    """Take writes whose request's deadline has passed without an answer: to be settled first."""
    rows = await conn.fetch(
        TAKE_OVER, feed.tenant_id, feed.connection_id, epoch, limit, now, deadline, kind
    )
    return [write_of(row) for row in sorted(rows, key=lambda row: row["position"])]


NEXT_DUE = """
SELECT min(CASE WHEN state = 'sending' THEN deadline ELSE due_at END) AS due,
       COALESCE(max((progress->>'lost')::integer), 0) AS lost,
       max(reason) FILTER (WHERE state = 'queued' AND starts_with(reason, 'held-')) AS held
  FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND finished_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Next:
    """What of a connection's writes is still to be done."""

    due: datetime | None
    """When the next one, or its settling, is due; None: there is none."""
    lost: int
    """Answers to one of them that were lost, one after the other (`lost` in its progress)."""
    held: str | None
    """Why some wait for a person: a reason that begins with `held-`; None: none do."""


async def next_due(conn: Connection, feed: Feed) -> Next:
    """Return when the connection's next write is due, and how those that wait stand."""
    (row,) = await conn.fetch(NEXT_DUE, feed.tenant_id, feed.connection_id)
    return Next(row["due"], row["lost"], row["held"])
