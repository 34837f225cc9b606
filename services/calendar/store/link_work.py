"""SQL on entities whose meetings are to be looked for, connection by connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef

QUEUE = """
INSERT INTO link_work AS w (tenant_id, connection_id, entity_type, entity_id, addresses)
SELECT $1, c.connection_id, $2, $3, $4
  FROM connections c
 WHERE c.tenant_id = $1 AND c.purge = 'none'
 ORDER BY c.connection_id
ON CONFLICT (tenant_id, connection_id, entity_type, entity_id) DO UPDATE
   SET addresses = ARRAY(SELECT DISTINCT unnest(w.addresses || EXCLUDED.addresses) ORDER BY 1)
RETURNING connection_id
"""


async def queue_work(
    conn: Conn, tenant_id: str, ref: EntityRef, addresses: Sequence[str]
) -> list[UUID]:
    """Let all connections look for meetings with these addresses; return which those are."""
    rows = await conn.fetch(QUEUE, tenant_id, ref.entity_type, ref.entity_id, list(addresses))
    return [row["connection_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class LinkWork:
    """An entity whose meetings are looked for in one connection."""

    ref: EntityRef
    addresses: tuple[str, ...]


NEXT = """
SELECT entity_type, entity_id, addresses FROM link_work
 WHERE tenant_id = $1 AND connection_id = $2
 ORDER BY entity_type, entity_id
 LIMIT 1
   FOR UPDATE
"""


async def next_work(conn: Conn, tenant_id: str, connection_id: UUID) -> LinkWork | None:
    """Return and lock what is next; None: nothing is left."""
    row = await conn.fetchrow(NEXT, tenant_id, connection_id)
    if row is None:
        return None
    return LinkWork(EntityRef(row["entity_type"], row["entity_id"]), tuple(row["addresses"]))


END = """
DELETE FROM link_work
 WHERE tenant_id = $1 AND connection_id = $2 AND entity_type = $3 AND entity_id = $4
"""


async def end_work(conn: Conn, tenant_id: str, connection_id: UUID, ref: EntityRef) -> None:
    """Note that an entity's meetings were found."""
    await conn.execute(END, tenant_id, connection_id, ref.entity_type, ref.entity_id)
