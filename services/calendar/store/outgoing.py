"""SQL on what is on its way to Google."""

from uuid import UUID

from libs.common.db import Connection as Conn

COUNT_OPEN = """
SELECT count(*) FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND finished_at IS NULL
"""


async def count_open(conn: Conn, tenant_id: str, connection_id: UUID) -> int:
    """Return how many changes of a connection have not ended yet."""
    return int(await conn.fetchval(COUNT_OPEN, tenant_id, connection_id))


WAS_BEING_DELETED = """
SELECT EXISTS (
       SELECT FROM calendars k
         JOIN writes w ON w.tenant_id = k.tenant_id AND w.connection_id = k.connection_id
                      AND w.item = k.id || ':' || $4
        WHERE k.tenant_id = $1 AND k.google_id = $3 AND k.connection_id <> $2
          AND w.desired->>'op' = 'delete' AND w.state IN ('sending', 'unknown'))
"""


async def was_being_deleted(
    conn: Conn, tenant_id: str, connection_id: UUID, google_calendar: str, google_id: str
) -> bool:
    """Say whether another connection, perhaps over, has asked Google to delete an event.

    And nobody has heard what became of that.
    """
    given = tenant_id, connection_id, google_calendar, google_id
    return bool(await conn.fetchval(WAS_BEING_DELETED, *given))
