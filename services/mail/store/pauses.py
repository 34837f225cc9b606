"""SQL on what people and tenants paused."""

from datetime import datetime

from libs.common.db import Connection as Conn
from services.mail.domain.connection import Connection

SET_PAUSED = """
UPDATE connections SET paused_at = $3, paused_by = $4
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_paused(conn: Conn, changed: Connection) -> None:
    """Keep since when, and by whom, a connection is paused."""
    await conn.execute(
        SET_PAUSED, changed.tenant_id, changed.id, changed.paused_at, changed.paused_by
    )


PAUSE_TENANT = """
INSERT INTO paused_tenants (tenant_id, paused_at, paused_by) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING true
"""
RESUME_TENANT = "DELETE FROM paused_tenants WHERE tenant_id = $1 RETURNING true"


async def pause_tenant(conn: Conn, tenant_id: str, *, at: datetime, by: str) -> bool:
    """Note that the connections a tenant will have are paused; False: they are already."""
    return bool(await conn.fetchval(PAUSE_TENANT, tenant_id, at, by))


async def resume_tenant(conn: Conn, tenant_id: str) -> bool:
    """Undo that; False: they are not paused."""
    return bool(await conn.fetchval(RESUME_TENANT, tenant_id))


MARK_ALL = "UPDATE connections SET tenant_paused_at = $2 WHERE tenant_id = $1"


async def mark_all(conn: Conn, tenant_id: str, *, at: datetime | None) -> None:
    """Note the same of all connections that the tenant has."""
    await conn.execute(MARK_ALL, tenant_id, at)


FIND_TENANT_PAUSE = "SELECT paused_at FROM paused_tenants WHERE tenant_id = $1"


async def find_tenant_pause(conn: Conn, tenant_id: str) -> datetime | None:
    """Return since when the tenant is paused, None when it is not."""
    found: datetime | None = await conn.fetchval(FIND_TENANT_PAUSE, tenant_id)
    return found
