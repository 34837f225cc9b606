"""SQL on which message concerns which entity, and whom every message concerns, by hash."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from services.mail.domain.links import Facts, OwnAddresses, own_addresses
from services.mail.domain.message import Content, Direction
from services.mail.store.reading import people_of, person_of

LIST_OWN = """
SELECT DISTINCT email, preferences -> 'own_domains' AS domains,
       preferences -> 'own_aliases' AS aliases
  FROM connections
 WHERE tenant_id = $1 AND state <> 'disconnected' AND email <> ''
"""


async def find_own(conn: Conn, tenant_id: str) -> OwnAddresses:
    """Return what is the tenant's own: connected mailboxes, and what their settings name."""
    rows = await conn.fetch(LIST_OWN, tenant_id)
    return own_addresses(
        [row["email"] for row in rows],
        domains=[one for row in rows for one in row["domains"] or ()],
        aliases=[one for row in rows for one in row["aliases"] or ()],
    )


ADD_HASHES = """
INSERT INTO message_addresses (tenant_id, hash, message_id, connection_id)
SELECT $1, unnest($2::bytea[]), $3, $4
ON CONFLICT DO NOTHING
"""


async def add_hashes(
    conn: Conn, tenant_id: str, connection_id: UUID, message_id: UUID, hashes: Sequence[bytes]
) -> None:
    """Keep whom a message concerns; it must be there."""
    await conn.execute(ADD_HASHES, tenant_id, list(hashes), message_id, connection_id)


ADD_ALL_HASHES = """
INSERT INTO message_addresses (tenant_id, hash, message_id, connection_id)
SELECT $1, n.hash, n.message_id, $2
  FROM unnest($3::bytea[], $4::uuid[]) AS n (hash, message_id)
ON CONFLICT DO NOTHING
"""


async def add_all_hashes(
    conn: Conn, tenant_id: str, connection_id: UUID, hashes: Sequence[tuple[bytes, UUID]]
) -> None:
    """Keep whom messages concern, as hash and message; they must be there."""
    if hashes:
        columns = zip(*hashes, strict=True)
        await conn.execute(ADD_ALL_HASHES, tenant_id, connection_id, *columns)


REMOVE_LINK = """
DELETE FROM message_links
 WHERE tenant_id = $1 AND entity_type = $2 AND entity_id = $3 AND message_id = $4
"""


async def remove_link(conn: Conn, tenant_id: str, ref: EntityRef, message_id: UUID) -> None:
    """Undo a link."""
    await conn.execute(REMOVE_LINK, tenant_id, ref.entity_type, ref.entity_id, message_id)


LIST_LINKS = """
SELECT entity_type, entity_id FROM message_links
 WHERE tenant_id = $1 AND message_id = $2 ORDER BY entity_type, entity_id
"""


async def list_links(conn: Conn, tenant_id: str, message_id: UUID) -> list[EntityRef]:
    """Return the entities a message is linked to."""
    rows = await conn.fetch(LIST_LINKS, tenant_id, message_id)
    return [EntityRef(row["entity_type"], row["entity_id"]) for row in rows]


REMOVE_LINKS = "DELETE FROM message_links WHERE tenant_id = $1 AND message_id = $2"


async def remove_links(conn: Conn, tenant_id: str, message_id: UUID) -> None:
    """Undo all links of a message: it is gone."""
    await conn.execute(REMOVE_LINKS, tenant_id, message_id)


SET_ACTIVITY = "UPDATE messages SET activity_id = $3 WHERE tenant_id = $1 AND id = $2"


async def set_activity(
    conn: Conn, tenant_id: str, message_id: UUID, activity_id: UUID | None
) -> None:
    """Note of which activity a message is a copy; None: it concerns nobody any more."""
    await conn.execute(SET_ACTIVITY, tenant_id, message_id, activity_id)


def facts_of(row: Any) -> Facts:
    """Return a row of what is told of a message."""
    return Facts(
        message_id=row["id"],
        google_id=row["google_id"],
        thread_id=row["thread_id"],
        occurred_at=row["internal_date"],
        direction=Direction(row["direction"]),
        content=Content(
            sender=None if row["sender"] is None else person_of(row["sender"]),
            to=people_of(row["recipients"]["to"]),
            cc=people_of(row["recipients"]["cc"]),
            bcc=people_of(row["recipients"]["bcc"]),
            subject=row["subject"],
            rfc822_message_id=row["rfc822_message_id"],
            date=row["sent_at"],
        ),
        snippet=row["snippet"],
        activity_id=row["activity_id"],
    )


FIND_FACTS = """
SELECT id, google_id, thread_id, internal_date, direction, sender, recipients, subject,
       snippet, rfc822_message_id, sent_at, activity_id
  FROM messages
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND NOT traced
   FOR UPDATE
"""


async def find_facts(conn: Conn, tenant_id: str, message_id: UUID) -> Facts | None:
    """Return and lock what is told of a message; None of one that is gone or only traced."""
    row = await conn.fetchrow(FIND_FACTS, tenant_id, message_id)
    return None if row is None else facts_of(row)


MARK_EXPLICIT = """
UPDATE message_links SET explicit = true
 WHERE tenant_id = $1 AND message_id = $2
   AND (entity_type, entity_id) IN (SELECT * FROM unnest($3::text[], $4::text[]))
"""


async def mark_explicit(
    conn: Conn, tenant_id: str, message_id: UUID, refs: Sequence[EntityRef]
) -> None:
    """Keep links whatever the addresses of their entities are."""
    types, ids = [one.entity_type for one in refs], [one.entity_id for one in refs]
    await conn.execute(MARK_EXPLICIT, tenant_id, message_id, types, ids)
