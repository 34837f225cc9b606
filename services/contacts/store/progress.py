"""SQL on how far it is to bring an address book into step, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.store import push_work

OPEN = """
SELECT count(*) FILTER (WHERE reason IS DISTINCT FROM $3) AS waiting,
       count(*) FILTER (WHERE reason IS NOT DISTINCT FROM $3) AS held
  FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND finished_at IS NULL
"""
UNREAD = """
SELECT count(*) FROM feeds
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = ANY($3::text[])
   AND state IN ('active', 'degraded') AND (last_sync_at IS NULL OR last_sync_at < $4)
   AND failures < $5
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """What still has to be done."""

    writes: int
    held: int
    """Deletions that a person has to decide on."""
    unread: int
    """Feeds that have not been read since."""
    is_looked_over: bool
    """No contact has to be looked at any more."""

    @property
    def is_over(self) -> bool:
        """Say whether nothing is left that will be done without a person."""
        return not self.writes and not self.unread and self.is_looked_over


async def find_progress(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    kinds: list[str],
    since: datetime,
    held: str,
    most_failures: int,
) -> Progress:
    """Return what is left to do.

    Args:
        kinds: of feeds that are to be read.
        since: read since then they are in step.
        held: the reason of writes that wait for a person.
        most_failures: a feed that failed so often in a row is waited for no longer.
    """
    (writes,) = await conn.fetch(OPEN, tenant_id, connection_id, held)
    unread = await conn.fetchval(UNREAD, tenant_id, connection_id, kinds, since, most_failures)
    looks = await push_work.has_work(conn, tenant_id, connection_id)
    return Progress(int(writes["waiting"]), int(writes["held"]), int(unread), not looks)


COUNT = """
SELECT direction, kind, action, status, count(*) AS lines
  FROM sync_logs
 WHERE tenant_id = $1 AND connection_id = $2 AND at >= $3
 GROUP BY direction, kind, action, status
"""


async def count_lines(
    conn: Conn, tenant_id: str, connection_id: UUID, *, since: datetime
) -> list[Any]:
    """Return how many lines the sync log has since then, by direction, kind, action and status."""
    return list(await conn.fetch(COUNT, tenant_id, connection_id, since))


ERRORS = """
SELECT direction, kind, action, item_id, resource, error
  FROM sync_logs
 WHERE tenant_id = $1 AND connection_id = $2 AND at >= $3 AND status = 'error'
 ORDER BY id
 LIMIT $4
"""


async def list_errors(
    conn: Conn, tenant_id: str, connection_id: UUID, *, since: datetime, limit: int
) -> list[Any]:
    """Return the first lines since then of what went wrong."""
    return list(await conn.fetch(ERRORS, tenant_id, connection_id, since, limit))
