"""SQL on connections that somebody ends."""

from uuid import UUID

from libs.common.db import Connection as Conn
from services.calendar.domain.leaving import Leave

SET = "UPDATE connections SET leave = $3 WHERE tenant_id = $1 AND connection_id = $2"


async def set_leave(conn: Conn, tenant_id: str, connection_id: UUID, leave: Leave | None) -> None:
    """Note that a connection is being ended; None: it has ended, or goes on."""
    await conn.execute(SET, tenant_id, connection_id, None if leave is None else leave.stored())


LIST = """
SELECT tenant_id, connection_id FROM connections
 WHERE leave IS NOT NULL AND NOT COALESCE((leave->>'ended')::boolean, false)
 ORDER BY tenant_id, connection_id
"""


async def list_leaving(conn: Conn) -> list[tuple[str, UUID]]:
    """Return the connections, of all tenants, that are being ended."""
    return [(row["tenant_id"], row["connection_id"]) for row in await conn.fetch(LIST)]
