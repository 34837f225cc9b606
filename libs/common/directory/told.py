"""SQL on entities that the contacts service tells of. The caller owns the transaction.

The CRM tells of its contacts under versions of its own (`store`); the contacts service tells of the
same ones, and of others that only it knows, under the sequence of each contact's events. Neither
number says anything of the other: what came last is how the entity is. Among the contacts service's
events an older one changes nothing: of one contact by its sequence, of two that had the same id of
the CRM's one after the other by when it happened.

To be called under `store.lock_exclusive`.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection
from libs.common.directory.model import Change, Entity, EntityRef
from libs.common.directory.store import drop_all_addresses, replace_addresses

UNTOLD = 0
"""The version of an entity of which the CRM has told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one event of the contacts service means for the directory."""

    contact_id: UUID
    sequence: int
    """1 or more; rises with the events of the contact."""
    at: datetime
    """When it happened."""
    entity: Entity | None = None
    """How it is from now on; None: nothing is to be known of it."""
    gone: tuple[EntityRef, ...] = ()
    """What is no entity any more."""


async def take_in(conn: Connection, tenant_id: str, news: News, now: datetime) -> list[Change]:
    """Take in what was told of a contact; return what that changed."""
    changes = [await _bury(conn, tenant_id, ref, news, now) for ref in news.gone]
    if news.entity is not None:
        changes.append(await _upsert(conn, tenant_id, news.entity, news, now))
    return [one for one in changes if one is not None]


UPSERT = """
INSERT INTO entities AS e
       (tenant_id, entity_type, entity_id, version, name, phones, owner_user_id, updated_at,
        told_by, told_sequence, told_at)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
   SET name = EXCLUDED.name, phones = EXCLUDED.phones,
       owner_user_id = COALESCE(EXCLUDED.owner_user_id, e.owner_user_id),
       deleted_at = NULL, updated_at = EXCLUDED.updated_at,
       told_by = EXCLUDED.told_by, told_sequence = EXCLUDED.told_sequence,
       told_at = EXCLUDED.told_at
 WHERE CASE WHEN e.told_by = EXCLUDED.told_by THEN e.told_sequence < EXCLUDED.told_sequence
            ELSE e.told_at <= EXCLUDED.told_at END
RETURNING version
"""


async def _upsert(
    conn: Connection, tenant_id: str, entity: Entity, news: News, now: datetime
) -> Change | None:
    version = await conn.fetchval(
        UPSERT,
        tenant_id,
        entity.entity_type,
        entity.entity_id,
        entity.name,
        list(entity.phones),
        entity.owner_user_id,
        now,
        news.contact_id,
        news.sequence,
        news.at,
    )
    if version is None:
        return None
    added, removed = await replace_addresses(conn, tenant_id, entity)
    return Change(ref=entity.ref, version=version, added=added, removed=removed)


BURY = """
INSERT INTO entities AS e
       (tenant_id, entity_type, entity_id, version, deleted_at, updated_at,
        told_by, told_sequence, told_at)
VALUES ($1, $2, $3, 0, $4, $4, $5, $6, $7)
ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
   SET name = '', phones = '{}', owner_user_id = NULL,
       deleted_at = EXCLUDED.deleted_at, updated_at = EXCLUDED.updated_at,
       told_by = EXCLUDED.told_by, told_sequence = EXCLUDED.told_sequence,
       told_at = EXCLUDED.told_at
 WHERE CASE WHEN e.told_by = EXCLUDED.told_by THEN e.told_sequence < EXCLUDED.told_sequence
            ELSE e.told_at < EXCLUDED.told_at END
RETURNING version
"""


async def _bury(
    conn: Connection, tenant_id: str, ref: EntityRef, news: News, now: datetime
) -> Change | None:
    """Leave a tombstone, also where nothing was: an older event may come later.

    What happened in one turn happened at one time: who has the id then has it, not who gave it up.
    """
    key = (tenant_id, ref.entity_type, ref.entity_id)
    version = await conn.fetchval(BURY, *key, now, news.contact_id, news.sequence, news.at)
    if version is None:
        return None
    removed = await drop_all_addresses(conn, tenant_id, ref)
    return Change(ref=ref, version=version, removed=removed)
