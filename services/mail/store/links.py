"""SQL on which message concerns which entity, and whom every message concerns, by hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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


ADD_ALL_LINKS = """
INSERT INTO message_links (tenant_id, entity_type, entity_id, message_id, occurred_at)
SELECT $1, n.entity_type, n.entity_id, n.message_id, n.occurred_at
  FROM unnest($2::text[], $3::text[], $4::uuid[], $5::timestamptz[])
       AS n (entity_type, entity_id, message_id, occurred_at)
ON CONFLICT DO NOTHING
"""


async def add_all_links(
    conn: Conn, tenant_id: str, links: Sequence[tuple[EntityRef, UUID, datetime]]
) -> None:
    """Link messages that are new: each to an entity, with the message's date."""
    if links:
        await conn.execute(
            ADD_ALL_LINKS,
            tenant_id,
            [ref.entity_type for ref, _, _ in links],
            [ref.entity_id for ref, _, _ in links],
            [message_id for _, message_id, _ in links],
            [occurred_at for _, _, occurred_at in links],
        )


ADD_LINKS = """
INSERT INTO message_links (tenant_id, entity_type, entity_id, message_id, occurred_at)
SELECT $1, n.entity_type, n.entity_id, $4, $5
  FROM unnest($2::text[], $3::text[]) AS n (entity_type, entity_id)
ON CONFLICT DO NOTHING
RETURNING true
"""


async def add_links(
    conn: Conn, tenant_id: str, refs: Sequence[EntityRef], message_id: UUID, occurred_at: datetime
) -> bool:
    """Link a message to entities; False when it was linked to all of them already."""
    types, ids = [one.entity_type for one in refs], [one.entity_id for one in refs]
    return bool(await conn.fetch(ADD_LINKS, tenant_id, types, ids, message_id, occurred_at))


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


NEXT_ACTIVITY = """
UPDATE messages SET activity_sequence = activity_sequence + 1
 WHERE tenant_id = $1 AND id = $2
RETURNING activity_sequence
"""


async def next_activity(conn: Conn, tenant_id: str, message_id: UUID) -> int:
    """Return the number of the next activity event of a message, which stays locked."""
    sequence: int = await conn.fetchval(NEXT_ACTIVITY, tenant_id, message_id)
    return sequence


def _facts(row: Any) -> Facts:
    return Facts(
        message_id=row["id"],
        google_id=row["google_id"],
        occurred_at=row["internal_date"],
        direction=Direction(row["direction"]),
        content=Content(
            sender=None if row["sender"] is None else person_of(row["sender"]),
            to=people_of(row["recipients"]["to"]),
            cc=people_of(row["recipients"]["cc"]),
            bcc=people_of(row["recipients"]["bcc"]),
            subject=row["subject"],
        ),
        snippet=row["snippet"],
    )


FIND_FACTS = """
SELECT id, google_id, internal_date, direction, sender, recipients, subject, snippet
  FROM messages
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND NOT traced
   FOR UPDATE
"""


async def find_facts(conn: Conn, tenant_id: str, message_id: UUID) -> Facts | None:
    """Return and lock what is told of a message; None of one that is gone or only traced."""
    row = await conn.fetchrow(FIND_FACTS, tenant_id, message_id)
    return None if row is None else _facts(row)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRow:
    """A message that concerns an entity."""

    facts: Facts
    connection_id: UUID
    thread_id: str
    user_id: str
    refs: tuple[EntityRef, ...]


LIST_ACTIVITIES = """
SELECT m.id, m.google_id, m.internal_date, m.direction, m.sender, m.recipients, m.subject,
       m.snippet, m.connection_id, m.thread_id, c.user_id,
       (SELECT jsonb_agg(jsonb_build_array(o.entity_type, o.entity_id)
                         ORDER BY o.entity_type, o.entity_id)
          FROM message_links o
         WHERE o.tenant_id = l.tenant_id AND o.message_id = l.message_id) AS refs
  FROM message_links l
  JOIN messages m ON m.tenant_id = l.tenant_id AND m.id = l.message_id
  JOIN connections c ON c.tenant_id = m.tenant_id AND c.connection_id = m.connection_id
 WHERE l.tenant_id = $1 AND l.entity_type = $2 AND l.entity_id = $3
   AND m.deleted_at IS NULL AND NOT m.traced
   AND c.purge = 'none' AND ($4::text IS NULL OR c.user_id = $4)
   AND ($5::timestamptz IS NULL OR (l.occurred_at, l.message_id) < ($5, $6::uuid))
 ORDER BY l.occurred_at DESC, l.message_id DESC
 LIMIT $7
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedActivities:
    """Of which entity, as whose mailboxes show them (None: the tenant's)."""

    tenant_id: str
    ref: EntityRef
    user_id: str | None
    before: tuple[datetime, UUID] | None = None
    limit: int


async def list_activities(conn: Conn, wanted: WantedActivities) -> list[ActivityRow]:
    """Return up to `limit` activities of an entity, newest first."""
    rows = await conn.fetch(
        LIST_ACTIVITIES,
        wanted.tenant_id,
        wanted.ref.entity_type,
        wanted.ref.entity_id,
        wanted.user_id,
        *(wanted.before or (None, None)),
        wanted.limit,
    )
    return [
        ActivityRow(
            facts=_facts(row),
            connection_id=row["connection_id"],
            thread_id=row["thread_id"],
            user_id=row["user_id"],
            refs=tuple(EntityRef(*one) for one in row["refs"]),
        )
        for row in rows
    ]
