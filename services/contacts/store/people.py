"""SQL on people: what address books at Google have, and which contact each is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.card import card_of
from services.contacts.domain.person import Known

COLUMNS = """
tenant_id, connection_id, resource, account_id, contact_id, etag, google_updated, base, person,
groups, made_by_us, gone_at
"""


def known_of(row: Any) -> Known:
    """Return a row of people."""
    return Known(
        tenant_id=row["tenant_id"],
        connection_id=row["connection_id"],
        resource=row["resource"],
        account_id=row["account_id"],
        contact_id=row["contact_id"],
        etag=row["etag"],
        google_updated=row["google_updated"],
        base=card_of(row["base"]),
        items=row["person"],
        groups=tuple(row["groups"]),
        made_by_us=row["made_by_us"],
        gone_at=row["gone_at"],
    )


PUT = """
INSERT INTO people AS p
       (tenant_id, connection_id, resource, account_id, contact_id, etag, google_updated, base,
        person, emails, phones, groups, made_by_us, seen_at, gone_at)
SELECT $1, n.connection_id, n.resource, n.account_id, n.contact_id, n.etag, n.google_updated,
       n.base, n.person, n.emails, n.phones, n.groups, n.made_by_us, $3, n.gone_at
  FROM jsonb_to_recordset($2::jsonb)
       AS n (connection_id uuid, resource text, account_id uuid, contact_id uuid, etag text,
             google_updated timestamptz, base jsonb, person jsonb, emails text[], phones text[],
             groups text[], made_by_us boolean, gone_at timestamptz)
 ORDER BY n.connection_id, n.resource
    ON CONFLICT (tenant_id, connection_id, resource) DO UPDATE
   SET account_id = EXCLUDED.account_id, contact_id = EXCLUDED.contact_id, etag = EXCLUDED.etag,
       google_updated = EXCLUDED.google_updated, base = EXCLUDED.base, person = EXCLUDED.person,
       emails = EXCLUDED.emails, phones = EXCLUDED.phones, groups = EXCLUDED.groups,
       made_by_us = EXCLUDED.made_by_us, seen_at = EXCLUDED.seen_at, gone_at = EXCLUDED.gone_at
"""


async def put_people(conn: Conn, tenant_id: str, people: Sequence[Known], *, now: datetime) -> None:
    """Add people, or replace them by what they are now."""
    if people:
        await conn.execute(PUT, tenant_id, [_record(one) for one in people], now)


def _record(one: Known) -> Mapping[str, Any]:
    return {
        "connection_id": str(one.connection_id),
        "resource": one.resource,
        "account_id": str(one.account_id),
        "contact_id": str(one.contact_id) if one.contact_id else None,
        "etag": one.etag,
        "google_updated": one.google_updated.isoformat() if one.google_updated else None,
        "base": one.base.stored(),
        "person": one.items,
        "emails": list(one.base.email_keys),
        "phones": list(one.base.phone_keys),
        "groups": list(one.groups),
        "made_by_us": one.made_by_us,
        "gone_at": one.gone_at.isoformat() if one.gone_at else None,
    }


FIND = f"""
SELECT {COLUMNS} FROM people
 WHERE tenant_id = $1 AND connection_id = $2 AND resource = ANY($3::text[])
"""  # noqa: S608 - constants


async def find_people(
    conn: Conn, tenant_id: str, connection_id: UUID, resources: Sequence[str]
) -> dict[str, Known]:
    """Return what is known of these people of an address book, by resource name."""
    rows = await conn.fetch(FIND, tenant_id, connection_id, list(resources))
    return {row["resource"]: known_of(row) for row in rows}


LIST_OF = f"""
SELECT {COLUMNS} FROM people
 WHERE tenant_id = $1 AND contact_id = ANY($2::uuid[])
 ORDER BY connection_id, gone_at DESC NULLS FIRST, resource
"""  # noqa: S608 - constants


async def list_of_contacts(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID]
) -> dict[UUID, list[Known]]:
    """Return which people each contact is, in every address book; of each the live one first."""
    found: dict[UUID, list[Known]] = {one: [] for one in contact_ids}
    for row in await conn.fetch(LIST_OF, tenant_id, list(contact_ids)):
        found[row["contact_id"]].append(known_of(row))
    return found
