"""SQL on contacts. The caller owns the transaction, and has the tenant's lock if it changes any."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.card import Card, card_of
from services.contacts.domain.contact import Contact

COLUMNS = """
tenant_id, id, owner_user_id, entity_id, version, sequence, crm_version, card, changed,
created_at, updated_at, deleted_at, merged_into
"""


def contact_of(row: Any) -> Contact:
    """Return a row of contacts."""
    return Contact(
        tenant_id=row["tenant_id"],
        id=row["id"],
        owner_user_id=row["owner_user_id"],
        entity_id=row["entity_id"],
        version=row["version"],
        sequence=row["sequence"],
        crm_version=row["crm_version"],
        card=card_of(row["card"]),
        changed={name: datetime.fromisoformat(at) for name, at in row["changed"].items()},
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
        merged_into=row["merged_into"],
    )


PUT = """
INSERT INTO contacts AS c
       (tenant_id, id, owner_user_id, entity_id, version, sequence, crm_version, card, changed,
        created_at, updated_at, deleted_at, merged_into, name, emails, phones, search)
SELECT $1, n.id, n.owner_user_id, n.entity_id, n.version, n.sequence, n.crm_version, n.card,
       n.changed, n.created_at, n.updated_at, n.deleted_at, n.merged_into, n.name, n.emails,
       n.phones, n.search
  FROM jsonb_to_recordset($2::jsonb)
       AS n (id uuid, owner_user_id text, entity_id text, version bigint, sequence bigint,
             crm_version bigint, card jsonb, changed jsonb, created_at timestamptz,
             updated_at timestamptz, deleted_at timestamptz, merged_into uuid, name text,
             emails text[], phones text[], search text)
 ORDER BY n.id
    ON CONFLICT (tenant_id, id) DO UPDATE
   SET owner_user_id = EXCLUDED.owner_user_id, entity_id = EXCLUDED.entity_id,
       version = EXCLUDED.version, sequence = EXCLUDED.sequence,
       crm_version = EXCLUDED.crm_version, card = EXCLUDED.card, changed = EXCLUDED.changed,
       updated_at = EXCLUDED.updated_at, deleted_at = EXCLUDED.deleted_at,
       merged_into = EXCLUDED.merged_into, name = EXCLUDED.name, emails = EXCLUDED.emails,
       phones = EXCLUDED.phones, search = EXCLUDED.search
"""


async def put_contacts(conn: Conn, tenant_id: str, contacts: Sequence[Contact]) -> None:
    """Add contacts, or replace them by what they are now."""
    if contacts:
        await conn.execute(PUT, tenant_id, [_record(one) for one in contacts])


def _record(one: Contact) -> Mapping[str, Any]:
    card: Card = one.card
    return {
        "id": str(one.id),
        "owner_user_id": one.owner_user_id,
        "entity_id": one.entity_id,
        "version": one.version,
        "sequence": one.sequence,
        "crm_version": one.crm_version,
        "card": card.stored,
        "changed": one.changed,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "deleted_at": one.deleted_at,
        "merged_into": str(one.merged_into) if one.merged_into else None,
        "name": card.shown_name,
        "emails": card.email_keys,
        "phones": card.phone_keys,
        "search": card.search_text,
    }


FIND = f"SELECT {COLUMNS} FROM contacts WHERE tenant_id = $1 AND id = ANY($2::uuid[])"  # noqa: S608


async def find_contacts(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, Contact]:
    """Return the tenant's contacts with these ids, deleted ones too."""
    rows = await conn.fetch(FIND, tenant_id, list(ids))
    return {row["id"]: contact_of(row) for row in rows}


async def find_contact(conn: Conn, tenant_id: str, contact_id: UUID) -> Contact | None:
    """Return the tenant's contact, deleted or not; None: it has no such one."""
    return (await find_contacts(conn, tenant_id, [contact_id])).get(contact_id)


FIND_BY_ENTITY = f"""
SELECT {COLUMNS} FROM contacts WHERE tenant_id = $1 AND entity_id = $2
"""  # noqa: S608 - constants


async def find_by_entity(conn: Conn, tenant_id: str, entity_id: str) -> Contact | None:
    """Return the contact that is the CRM's with that id, deleted or not."""
    row = await conn.fetchrow(FIND_BY_ENTITY, tenant_id, entity_id)
    return None if row is None else contact_of(row)


FIND_BY_KEYS = f"""
SELECT {COLUMNS} FROM contacts
 WHERE tenant_id = $1 AND deleted_at IS NULL AND (emails && $2::text[] OR phones && $3::text[])
 ORDER BY id
"""  # noqa: S608 - constants


async def find_by_keys(
    conn: Conn, tenant_id: str, *, emails: Sequence[str], phones: Sequence[str]
) -> list[Contact]:
    """Return the contacts that have any of these addresses (folded) or numbers (E.164)."""
    rows = await conn.fetch(FIND_BY_KEYS, tenant_id, list(emails), list(phones))
    return [contact_of(row) for row in rows]


LIST_CONTACTS = f"""
SELECT {COLUMNS} FROM contacts c
 WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR id > $2)
   AND ($3::text IS NULL OR owner_user_id IS NULL OR owner_user_id = $3 OR entity_id IS NOT NULL)
   AND search LIKE ALL ($4::text[])
   AND ($5::uuid IS NULL OR EXISTS (
       SELECT FROM group_members m
        WHERE m.tenant_id = c.tenant_id AND m.group_id = $5 AND m.contact_id = c.id))
 ORDER BY id
 LIMIT $6
"""  # noqa: S608 - constants


async def list_contacts(
    conn: Conn,
    tenant_id: str,
    *,
    user_id: str | None,
    words: Sequence[str] = (),
    group_id: UUID | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Contact]:
    """Return the next contacts in the order in which they were made.

    Args:
        conn: a connection.
        tenant_id: whose.
        user_id: who may see them; None: a service, which sees all.
        words: case-folded; all of them have to be in what it is found by.
        group_id: only its members.
        after: the last one before these.
        limit: most of them.
    """
    patterns = [f"%{_literal(one)}%" for one in words]
    rows = await conn.fetch(LIST_CONTACTS, tenant_id, after, user_id, patterns, group_id, limit)
    return [contact_of(row) for row in rows]


def _literal(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\%_" else char for char in text)


RELEASE_ENTITY = "UPDATE contacts SET entity_id = NULL WHERE tenant_id = $1 AND id = $2"


async def release_entity(conn: Conn, tenant_id: str, contact_id: UUID) -> None:
    """Let another contact have the id that the CRM has for this one."""
    await conn.execute(RELEASE_ENTITY, tenant_id, contact_id)


BELONGINGS = tuple(
    f"DELETE FROM {table} WHERE tenant_id = $1 AND contact_id = ANY($2::uuid[])"  # noqa: S608
    for table in ("group_members", "nicknames")
)


async def forget_belongings(conn: Conn, tenant_id: str, contact_ids: Sequence[UUID]) -> None:
    """Remove what only contacts that are there have: memberships and nicknames."""
    if contact_ids:
        for statement in BELONGINGS:
            await conn.execute(statement, tenant_id, list(contact_ids))


MOVE_NICKNAMES = """
UPDATE nicknames n SET contact_id = $3, updated_at = $4,
       is_default = n.is_default AND NOT EXISTS (
           SELECT FROM nicknames o
            WHERE o.tenant_id = $1 AND o.contact_id = $3 AND o.tone = n.tone AND o.is_default)
 WHERE n.tenant_id = $1 AND n.contact_id = $2
"""


async def move_nicknames(
    conn: Conn, tenant_id: str, contact_id: UUID, *, to: UUID, now: datetime
) -> None:
    """Let a contact's nicknames be another's, whose own defaults stay."""
    await conn.execute(MOVE_NICKNAMES, tenant_id, contact_id, to, now)


LIST_CUSTOM = """
SELECT DISTINCT jsonb_object_keys(card -> 'custom') AS name FROM contacts
 WHERE tenant_id = $1 AND deleted_at IS NULL AND card ? 'custom'
   AND ($2::text IS NULL OR owner_user_id IS NULL OR owner_user_id = $2 OR entity_id IS NOT NULL)
 ORDER BY 1
 LIMIT $3
"""


async def list_custom_names(
    conn: Conn, tenant_id: str, *, user_id: str | None, limit: int
) -> list[str]:
    """Return the tenant's own fields that any contact has which a user may see; None: any has."""
    rows = await conn.fetch(LIST_CUSTOM, tenant_id, user_id, limit)
    return [row["name"] for row in rows]
