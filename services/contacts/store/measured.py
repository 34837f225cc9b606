"""SQL on how all connections stand together, for what is measured."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.db import Connection as Conn

MEASURE = """
SELECT (SELECT count(*) FROM connections WHERE state IN ('active', 'degraded')
           AND COALESCE((preferences->>'enabled')::boolean, true)) AS active,
       (SELECT max(last_sync_at) FROM feeds WHERE kind = 'contacts.people') AS last_sync_at,
       (SELECT count(*) FROM conflicts WHERE state = 'open') AS conflicts,
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
    conflicts: int
    """That wait for somebody."""
    succeeded: int
    failed: int


async def measure(conn: Conn, *, since: datetime) -> Measured:
    """Return how all stands, and how what went either way since then ended."""
    row = await conn.fetchrow(MEASURE, since)
    assert row is not None  # noqa: S101 - an aggregate has a row
    return Measured(**row)
