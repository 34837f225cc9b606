"""SQL on what holds for all connections of a tenant."""

from libs.common.db import Connection as Conn
from services.contacts.domain.preferences import (
    TENANT_DEFAULT,
    TenantDefaults,
    tenant_defaults_of,
)

FIND = "SELECT defaults FROM tenant_defaults WHERE tenant_id = $1"


async def find_defaults(conn: Conn, tenant_id: str) -> TenantDefaults:
    """Return a tenant's defaults; the product's where it has set none."""
    stored = await conn.fetchval(FIND, tenant_id)
    return TENANT_DEFAULT if stored is None else tenant_defaults_of(stored)


PUT = """
INSERT INTO tenant_defaults AS t (tenant_id, defaults, version) VALUES ($1, $2, 1)
    ON CONFLICT (tenant_id) DO UPDATE SET defaults = EXCLUDED.defaults, version = t.version + 1
"""


async def put_defaults(conn: Conn, tenant_id: str, wanted: TenantDefaults) -> None:
    """Keep a tenant's defaults."""
    await conn.execute(PUT, tenant_id, wanted.stored())
