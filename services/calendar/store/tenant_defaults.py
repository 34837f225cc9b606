"""SQL on what holds for all connections of a tenant that do not say otherwise."""

from libs.common.db import Connection as Conn
from services.calendar.domain.preferences import (
    TENANT_DEFAULT,
    TenantDefaults,
    tenant_defaults_of,
)

FIND = "SELECT defaults FROM tenant_defaults WHERE tenant_id = $1"


async def find_defaults(conn: Conn, tenant_id: str) -> TenantDefaults:
    """Return the tenant's defaults; ours, where it has said nothing."""
    column = await conn.fetchval(FIND, tenant_id)
    return TENANT_DEFAULT if column is None else tenant_defaults_of(column)


PUT = """
INSERT INTO tenant_defaults AS d (tenant_id, defaults, version) VALUES ($1, $2, 1)
ON CONFLICT (tenant_id) DO UPDATE SET defaults = EXCLUDED.defaults, version = d.version + 1
"""


async def put_defaults(conn: Conn, tenant_id: str, defaults: TenantDefaults) -> None:
    """Keep the tenant's defaults."""
    await conn.execute(PUT, tenant_id, defaults.stored())
