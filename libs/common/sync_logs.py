"""What every sync log is asked: how changes ended, by connection; and what it forgets.

Each service keeps a table `sync_logs` of its own, with the columns it needs; `tenant_id`, `id`,
`connection_id`, `status` and `at` are in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn

RATES = """
SELECT connection_id, count(*) FILTER (WHERE status = 'success') AS succeeded,
       count(*) FILTER (WHERE status = 'error') AS failed
  FROM sync_logs
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND at >= $3
 GROUP BY connection_id
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """How a connection's changes ended since some time."""

    succeeded: int
    failed: int


async def list_rates(
    conn: Conn, tenant_id: str, ids: Sequence[UUID], *, since: datetime
) -> dict[UUID, Rate]:
    """Return how what went either way ended, by connection; of none it has no entry."""
    return {
        row["connection_id"]: Rate(row["succeeded"], row["failed"])
        for row in await conn.fetch(RATES, tenant_id, list(ids), since)
    }


PURGE = """
DELETE FROM sync_logs
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM sync_logs WHERE at < $1
                            ORDER BY at LIMIT $2)
"""


async def purge_lines(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` lines from before then; return how many."""
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])
