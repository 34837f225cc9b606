"""SQL on people: what address books at Google have, and which contact each is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.card import card_of
from services.contacts.domain.person import Known, Link

COLUMNS = """
tenant_id, connection_id, resource, account_id, contact_id, etag, google_updated, base, person,
groups, made_by_us, gone_at, erased_at
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
        erased_at=row["erased_at"],
    )


PUT = """
INSERT INTO people AS p
       (tenant_id, connection_id, resource, account_id, contact_id, etag, google_updated, base,
        person, emails, phones, groups, made_by_us, seen_at, gone_at, erased_at)
SELECT $1, n.connection_id, n.resource, n.account_id, n.contact_id, n.etag, n.google_updated,
       n.base, n.person, n.emails, n.phones, n.groups, n.made_by_us, $3, n.gone_at,
       n.erased_at
  FROM jsonb_to_recordset($2::jsonb)
       AS n (connection_id uuid, resource text, account_id uuid, contact_id uuid, etag text,
             google_updated timestamptz, base jsonb, person jsonb, emails text[], phones text[],
             groups text[], made_by_us boolean, gone_at timestamptz, erased_at timestamptz)
 ORDER BY n.connection_id, n.resource
    ON CONFLICT (tenant_id, connection_id, resource) DO UPDATE
   SET account_id = EXCLUDED.account_id, contact_id = EXCLUDED.contact_id, etag = EXCLUDED.etag,
       google_updated = EXCLUDED.google_updated, base = EXCLUDED.base, person = EXCLUDED.person,
       emails = EXCLUDED.emails, phones = EXCLUDED.phones, groups = EXCLUDED.groups,
       made_by_us = EXCLUDED.made_by_us, seen_at = EXCLUDED.seen_at, gone_at = EXCLUDED.gone_at,
       erased_at = COALESCE(p.erased_at, EXCLUDED.erased_at)
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
        "google_updated": one.google_updated,
        "base": one.base.stored,
        "person": one.items,
        "emails": one.base.email_keys,
        "phones": one.base.phone_keys,
        "groups": one.groups,
        "made_by_us": one.made_by_us,
        "gone_at": one.gone_at,
        "erased_at": one.erased_at,
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


FIND_SOURCES = """
SELECT person #>> '{metadata,sources,0,id}' AS source, resource FROM people
 WHERE tenant_id = $1 AND connection_id = $2 AND gone_at IS NULL
   AND person #>> '{metadata,sources,0,id}' = ANY($3::text[])
"""


async def find_by_sources(
    conn: Conn, tenant_id: str, connection_id: UUID, sources: Sequence[str]
) -> dict[str, str]:
    """Return the names under which contacts of an address book are known, by their ids."""
    rows = await conn.fetch(FIND_SOURCES, tenant_id, connection_id, list(sources))
    return {row["source"]: row["resource"] for row in rows}


LIST_LINKS = """
SELECT contact_id, connection_id, resource FROM people p
 WHERE tenant_id = $1 AND contact_id = ANY($2::uuid[]) AND gone_at IS NULL
   AND ($3::text IS NULL
        OR EXISTS (SELECT FROM connections c
                    WHERE c.tenant_id = $1 AND c.connection_id = p.connection_id
                      AND c.user_id = $3))
 ORDER BY connection_id, resource
"""


async def list_links(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID], *, user_id: str | None = None
) -> dict[UUID, list[Link]]:
    """Return where each contact is at Google; with `user_id` in that user's address books."""
    found: dict[UUID, list[Link]] = {one: [] for one in contact_ids}
    for row in await conn.fetch(LIST_LINKS, tenant_id, list(contact_ids), user_id):
        found[row["contact_id"]].append(Link(row["connection_id"], row["resource"]))
    return found


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


LIST_UNLINKED = f"""
SELECT {COLUMNS} FROM people
 WHERE tenant_id = $1 AND connection_id = $2 AND contact_id IS NULL AND gone_at IS NULL
   AND erased_at IS NULL AND resource > $3
 ORDER BY resource LIMIT $4
"""  # noqa: S608 - constants


async def list_unlinked(
    conn: Conn, tenant_id: str, connection_id: UUID, *, after: str, limit: int
) -> list[Known]:
    """Return some people of an address book who are no contact, by resource name."""
    rows = await conn.fetch(LIST_UNLINKED, tenant_id, connection_id, after, limit)
    return [known_of(row) for row in rows]


FIND_UNLINKED = f"""
SELECT {COLUMNS} FROM people
 WHERE tenant_id = $1 AND connection_id = $2 AND contact_id IS NULL AND gone_at IS NULL
   AND (emails && $3::text[] OR phones && $4::text[])
 ORDER BY resource
"""  # noqa: S608 - constants


async def find_unlinked(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    emails: Sequence[str],
    phones: Sequence[str],
) -> list[Known]:
    """Return people of an address book who are no contact and have any of these keys."""
    rows = await conn.fetch(FIND_UNLINKED, tenant_id, connection_id, list(emails), list(phones))
    return [known_of(row) for row in rows]


COUNT = """
SELECT count(*) FROM people WHERE tenant_id = $1 AND connection_id = $2 AND gone_at IS NULL
"""


async def count_people(conn: Conn, tenant_id: str, connection_id: UUID) -> int:
    """Return how many people an address book has, as far as is known."""
    return int(await conn.fetchval(COUNT, tenant_id, connection_id))


COUNT_GOING = """
SELECT count(*)
  FROM people p JOIN contacts c ON c.tenant_id = p.tenant_id AND c.id = p.contact_id
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND c.deleted_at IS NOT NULL
   AND (p.made_by_us OR $3)
   AND p.erased_at IS NULL
   AND (p.gone_at IS NULL OR (p.gone_at > $4 AND p.gone_at > c.deleted_at))
"""


async def count_going(
    conn: Conn, tenant_id: str, connection_id: UUID, *, whoever_made_them: bool, since: datetime
) -> int:
    """Return how many people are to go from an address book, since their contact is deleted.

    Those that went for that since then are among them.

    Args:
        whoever_made_them: also those that we did not write there.
        since: whoever went before is another matter.
    """
    found = await conn.fetchval(COUNT_GOING, tenant_id, connection_id, whoever_made_them, since)
    return int(found)


FORGET = """
DELETE FROM people WHERE tenant_id = $1 AND connection_id = $2 AND resource = ANY($3::text[])
"""


async def forget_people(
    conn: Conn, tenant_id: str, connection_id: UUID, resources: Sequence[str]
) -> None:
    """Remove rows of an address book, of people who have another name there now."""
    await conn.execute(FORGET, tenant_id, connection_id, list(resources))


LIST_IN = """
SELECT contact_id FROM people
 WHERE tenant_id = $1 AND connection_id = $2 AND groups @> ARRAY[$3::text] AND gone_at IS NULL
   AND contact_id IS NOT NULL
 ORDER BY contact_id
"""


async def contacts_with_label(
    conn: Conn, tenant_id: str, connection_id: UUID, label: str
) -> list[UUID]:
    """Return which contacts have a label in an address book, as far as is known."""
    return [row["contact_id"] for row in await conn.fetch(LIST_IN, tenant_id, connection_id, label)]


COUNT_ABSENT = """
SELECT count(*) FILTER (WHERE s.item IS NULL AND p.contact_id IS NOT NULL
                          AND p.seen_at < $4) AS absent,
       count(*) FILTER (WHERE p.contact_id IS NOT NULL) AS held
  FROM people p
  LEFT JOIN snapshot_items s ON s.tenant_id = $1 AND s.feed_id = $3 AND s.item = p.resource
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND p.gone_at IS NULL
"""


async def count_absent(
    conn: Conn, tenant_id: str, connection_id: UUID, feed_id: UUID, *, started_at: datetime
) -> tuple[int, int]:
    """Return how many contacts of an address book were not listed, and how many it has.

    Those written since the listing began do not count: lists lag behind.
    """
    (row,) = await conn.fetch(COUNT_ABSENT, tenant_id, connection_id, feed_id, started_at)
    return int(row["absent"]), int(row["held"])


LIST_ABSENT = """
SELECT p.resource
  FROM people p
  LEFT JOIN snapshot_items s ON s.tenant_id = $1 AND s.feed_id = $3 AND s.item = p.resource
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND p.gone_at IS NULL AND s.item IS NULL
   AND p.seen_at < $4 AND p.resource > $5
 ORDER BY p.resource LIMIT $6
"""


async def list_absent(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    feed_id: UUID,
    *,
    started_at: datetime,
    after: str,
    limit: int,
) -> list[str]:
    """Return some people of an address book who were not listed."""
    rows = await conn.fetch(
        LIST_ABSENT, tenant_id, connection_id, feed_id, started_at, after, limit
    )
    return [row["resource"] for row in rows]


COUNT_NOTED = """
SELECT count(*) FILTER (WHERE s.item IS NOT NULL) AS noted,
       count(*) FILTER (WHERE s.item IS NOT NULL OR p.gone_at IS NULL) AS held
  FROM people p
  LEFT JOIN snapshot_items s ON s.tenant_id = $1 AND s.feed_id = $3 AND s.item = p.resource
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND p.contact_id IS NOT NULL
"""


async def count_noted(
    conn: Conn, tenant_id: str, connection_id: UUID, feed_id: UUID
) -> tuple[int, int]:
    """Return how many contacts of an address book a feed has noted as gone, and of how many."""
    (row,) = await conn.fetch(COUNT_NOTED, tenant_id, connection_id, feed_id)
    return int(row["noted"]), int(row["held"])


BURY_NOTED = """
UPDATE people p SET gone_at = $4
  FROM snapshot_items s
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND p.gone_at IS NULL
   AND s.tenant_id = $1 AND s.feed_id = $3 AND s.item = p.resource
"""


async def bury_noted(
    conn: Conn, tenant_id: str, connection_id: UUID, feed_id: UUID, *, now: datetime
) -> None:
    """Note of people whom a feed has noted as gone that they are; what contacts they are stays."""
    await conn.execute(BURY_NOTED, tenant_id, connection_id, feed_id, now)


LIST_SOME = f"""
SELECT {COLUMNS} FROM people
 WHERE tenant_id = $1 AND connection_id = $2 ORDER BY resource LIMIT $3
"""  # noqa: S608 - constants


async def list_some(conn: Conn, tenant_id: str, connection_id: UUID, *, limit: int) -> list[Known]:
    """Return some people of an address book, gone or not."""
    return [known_of(row) for row in await conn.fetch(LIST_SOME, tenant_id, connection_id, limit)]
