"""SQL on what people and tenants paused."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn

SET_PAUSED = """
UPDATE connections SET paused_at = $3, paused_by = $4
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_paused(
    conn: Conn, tenant_id: str, connection_id: UUID, *, at: datetime | None, by: str | None
) -> None:
    """Note that somebody paused a connection; None: that it goes on."""
    await conn.execute(SET_PAUSED, tenant_id, connection_id, at, by)


PAUSE_TENANT = """
INSERT INTO paused_tenants (tenant_id, paused_at, paused_by) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING true
"""
RESUME_TENANT = "DELETE FROM paused_tenants WHERE tenant_id = $1 RETURNING true"
MARK_ALL = "UPDATE connections SET tenant_paused_at = $2 WHERE tenant_id = $1"


async def pause_tenant(conn: Conn, tenant_id: str, *, at: datetime, by: str) -> bool:
    """Pause all connections of a tenant, those to come included; False: they are already."""
    news = bool(await conn.fetchval(PAUSE_TENANT, tenant_id, at, by))
    if news:
        await conn.execute(MARK_ALL, tenant_id, at)
    return news


async def resume_tenant(conn: Conn, tenant_id: str) -> bool:
    """Undo that; False: they are not paused."""
    news = bool(await conn.fetchval(RESUME_TENANT, tenant_id))
    if news:
        await conn.execute(MARK_ALL, tenant_id, None)
    return news


FIND_TENANT_PAUSE = "SELECT paused_at FROM paused_tenants WHERE tenant_id = $1"


async def find_tenant_pause(conn: Conn, tenant_id: str) -> datetime | None:
    """Return since when the tenant is paused, None when it is not."""
    found: datetime | None = await conn.fetchval(FIND_TENANT_PAUSE, tenant_id)
    return found
