"""SQL on how connections stand: counts for their status, and for what is measured of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn

COUNT = """
SELECT c.connection_id,
       (SELECT count(*) FROM events e
         WHERE e.tenant_id = $1 AND e.connection_id = c.connection_id AND e.deleted_at IS NULL)
       AS events,
       (SELECT count(*) FROM dead_items d
          JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
         WHERE f.tenant_id = $1 AND f.connection_id = c.connection_id) AS dead_items,
       (SELECT count(*) FROM conflicts k
         WHERE k.tenant_id = $1 AND k.connection_id = c.connection_id AND k.state = 'open')
       AS conflicts
  FROM unnest($2::uuid[]) AS c (connection_id)
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is held of a connection."""

    events: int = 0
    dead_items: int = 0
    conflicts: int = 0
    """That wait for somebody."""


async def count_held(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """Return what is held of each of these connections."""
    return {
        row["connection_id"]: Counts(row["events"], row["dead_items"], row["conflicts"])
        for row in await conn.fetch(COUNT, tenant_id, list(ids))
    }


MEASURE = """
SELECT (SELECT count(*) FROM connections WHERE state IN ('active', 'degraded')
           AND COALESCE((preferences->>'enabled')::boolean, true)) AS active,
       (SELECT max(last_sync_at) FROM feeds WHERE kind = 'calendar.events') AS last_sync_at,
       count(*) FILTER (WHERE status = 'success') AS succeeded,
       count(*) FILTER (WHERE status = 'error') AS failed
  FROM sync_logs WHERE at >= $1
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """All tenants together."""

    active: int
    """Connections that are read or written."""
    last_sync_at: datetime | None
    succeeded: int
    failed: int


async def measure(conn: Conn, *, since: datetime) -> Measured:
    """Return how all stands, and how what went either way since then ended."""
    row = await conn.fetchrow(MEASURE, since)
    assert row is not None  # noqa: S101 - an aggregate has a row
    return Measured(row["active"], row["last_sync_at"], row["succeeded"], row["failed"])
