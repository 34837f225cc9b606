"""SQL on connections whose contacts are looked over for what has to be written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.contact import Contact
from services.contacts.store.contacts import contact_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PushWork:
    """What is to be looked over."""

    place: UUID | None
    """The last contact that is done; None: none is."""
    forced: bool
    """Ask Google for each how it is, also where nothing seems to differ."""
    group_id: UUID | None
    """Only members of this group; None: all contacts."""
    dry: bool
    """Only count what would be written."""
    counts: Mapping[str, Any]
    """What was counted so far."""


PUT = """
INSERT INTO push_work AS w (tenant_id, connection_id, forced, group_id, dry)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, connection_id, dry) DO UPDATE
   SET forced = w.forced OR EXCLUDED.forced, place = NULL, counts = '{}',
       group_id = CASE WHEN w.group_id = EXCLUDED.group_id THEN w.group_id END
"""


async def put_work(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    forced: bool,
    group_id: UUID | None,
    dry: bool,
) -> None:
    """Let contacts be looked over, from the first one on; what was to be done is done with it."""
    await conn.execute(PUT, tenant_id, connection_id, forced, group_id, dry)


LOCK = """
SELECT place, forced, group_id, dry, counts FROM push_work
 WHERE tenant_id = $1 AND connection_id = $2
 ORDER BY dry DESC
 LIMIT 1
   FOR UPDATE
"""


async def lock_work(conn: Conn, tenant_id: str, connection_id: UUID) -> PushWork | None:
    """Return and lock what is to be done next; None: nothing is."""
    row = await conn.fetchrow(LOCK, tenant_id, connection_id)
    return None if row is None else PushWork(**dict(row.items()))


HAS = (
    "SELECT EXISTS (SELECT FROM push_work WHERE tenant_id = $1 AND connection_id = $2 AND NOT dry)"
)


async def has_work(conn: Conn, tenant_id: str, connection_id: UUID) -> bool:
    """Say whether contacts still have to be looked over for what is written."""
    return bool(await conn.fetchval(HAS, tenant_id, connection_id))


MOVE = """
UPDATE push_work SET place = $4, counts = $5
 WHERE tenant_id = $1 AND connection_id = $2 AND dry = $3
"""
END = "DELETE FROM push_work WHERE tenant_id = $1 AND connection_id = $2 AND dry = $3"


async def move_work(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    dry: bool,
    place: UUID | None,
    counts: Mapping[str, Any],
) -> None:
    """Note how far it is done, and what was counted; a place of None: all of it is done."""
    if place is None:
        await conn.execute(END, tenant_id, connection_id, dry)
    else:
        await conn.execute(MOVE, tenant_id, connection_id, dry, place, dict(counts))


CHUNK = """
SELECT c.tenant_id, c.id, c.owner_user_id, c.entity_id, c.version, c.sequence, c.crm_version,
       c.card, c.changed, c.created_at, c.updated_at, c.deleted_at, c.merged_into
  FROM contacts c
 WHERE c.tenant_id = $1 AND ($3::uuid IS NULL OR c.id > $3)
   AND (c.deleted_at IS NULL
        OR EXISTS (SELECT FROM people p
                    WHERE p.tenant_id = $1 AND p.contact_id = c.id AND p.connection_id = $2
                      AND p.gone_at IS NULL))
   AND ($4::uuid IS NULL
        OR EXISTS (SELECT FROM group_members m
                    WHERE m.tenant_id = $1 AND m.group_id = $4 AND m.contact_id = c.id))
 ORDER BY c.id
 LIMIT $5
"""


async def list_chunk(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    after: UUID | None,
    group_id: UUID | None,
    limit: int,
) -> list[Contact]:
    """Return the next contacts that may concern an address book, deleted ones among them."""
    rows = await conn.fetch(CHUNK, tenant_id, connection_id, after, group_id, limit)
    return [contact_of(row) for row in rows]
