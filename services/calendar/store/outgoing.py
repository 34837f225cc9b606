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
