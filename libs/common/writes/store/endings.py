"""SQL that ends or doubts all that is open: a connection is over, or a backup was restored."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection

CANCEL_ALL = """
WITH gone AS (
    SELECT tenant_id, id, state FROM writes
     WHERE tenant_id = $1 AND connection_id = $2 AND finished_at IS NULL
     ORDER BY position FOR UPDATE
)
UPDATE writes w
   SET state = CASE gone.state WHEN 'sending' THEN 'unknown' ELSE 'cancelled' END,
       reason = $3, finished_at = $4, epoch = NULL, deadline = NULL
  FROM gone WHERE w.tenant_id = gone.tenant_id AND w.id = gone.id
RETURNING w.id, w.state = 'unknown' AS uncertain
"""


async def cancel_all(
    conn: Connection, tenant_id: str, connection_id: UUID, *, reason: str, now: datetime
) -> list[UUID]:
    """End all writes of a connection that is over; return the ids of those of unknown fate."""
    rows = await conn.fetch(CANCEL_ALL, tenant_id, connection_id, reason, now)
    return [row["id"] for row in rows if row["uncertain"]]


DOUBT_ALL = """
UPDATE writes SET state = 'sending', epoch = 0, deadline = $1,
       progress = progress || '{"doubted": true}'
 WHERE finished_at IS NULL AND due_at <= $1
"""


async def doubt_all(conn: Connection, *, now: datetime) -> int:
    """Treat every write that is due as if its answer had been lost; return how many.

    For a database that was restored from a backup: what waited then may have gone out since, and
    `doubted` in its progress says that nothing of what was noted is the last word.
    """
    done: str = await conn.execute(DOUBT_ALL, now)
    return int(done.rpartition(" ")[2])
