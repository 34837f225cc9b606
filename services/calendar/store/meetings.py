"""SQL on meetings: what was told of each last, and whom each concerns.

A transaction locks all meetings it tells of at once, in the order of their keys, and after all
events it locks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef

Key = tuple[UUID, str]
"""Series and occurrence."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a meeting."""

    sequence: int
    digest: bytes | None
    activity_sequence: int
    activity_digest: bytes | None

    def of_event(self, digest: bytes | None) -> "Told":
        """Return what was told once this is told of it, as its next event."""
        return Told(self.sequence + 1, digest, self.activity_sequence, self.activity_digest)

    def of_activity(self, digest: bytes | None) -> "Told":
        """Return what was told once this is told of its activity."""
        return Told(self.sequence, self.digest, self.activity_sequence + 1, digest)


LOCK = """
INSERT INTO meetings AS m (tenant_id, series_id, occurrence)
SELECT $1, n.series_id, n.occurrence
  FROM unnest($2::uuid[], $3::text[]) AS n (series_id, occurrence)
 ORDER BY n.series_id, n.occurrence
ON CONFLICT (tenant_id, series_id, occurrence) DO UPDATE SET sequence = m.sequence
RETURNING series_id, occurrence, sequence, digest, activity_sequence, activity_digest
"""


async def lock_meetings(conn: Conn, tenant_id: str, keys: Sequence[Key]) -> dict[Key, Told]:
    """Lock meetings, new ones included, and return what was told of them."""
    rows = await conn.fetch(LOCK, tenant_id, [one for one, _ in keys], [key for _, key in keys])
    return {
        (row["series_id"], row["occurrence"]): Told(
            row["sequence"], row["digest"], row["activity_sequence"], row["activity_digest"]
        )
        for row in rows
    }


KEEP = """
UPDATE meetings m
   SET sequence = n.sequence, digest = n.digest, activity_sequence = n.activity_sequence,
       activity_digest = n.activity_digest
  FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bytea[])
       AS n (series_id, occurrence, sequence, digest, activity_sequence, activity_digest)
 WHERE m.tenant_id = $1 AND m.series_id = n.series_id AND m.occurrence = n.occurrence
"""


async def keep_told(conn: Conn, tenant_id: str, told: Mapping[Key, Told]) -> None:
    """Keep what was told of locked meetings."""
    values = list(told.values())
    await conn.execute(
        KEEP,
        tenant_id,
        [one for one, _ in told],
        [key for _, key in told],
        [one.sequence for one in values],
        [one.digest for one in values],
        [one.activity_sequence for one in values],
        [one.activity_digest for one in values],
    )


LIST_LINKS = """
SELECT series_id, occurrence, entity_type, entity_id, named
  FROM meeting_links
 WHERE tenant_id = $1
   AND (series_id, occurrence) IN (SELECT * FROM unnest($2::uuid[], $3::text[]))
"""


async def list_links(
    conn: Conn, tenant_id: str, keys: Sequence[Key]
) -> dict[Key, dict[EntityRef, bool]]:
    """Return whom meetings concern, and whether the CRM named it itself."""
    rows = await conn.fetch(
        LIST_LINKS, tenant_id, [one for one, _ in keys], [key for _, key in keys]
    )
    found: dict[Key, dict[EntityRef, bool]] = {}
    for row in rows:
        refs = found.setdefault((row["series_id"], row["occurrence"]), {})
        refs[EntityRef(row["entity_type"], row["entity_id"])] = row["named"]
    return found


LIST_CONCERNED = """
SELECT series_id, occurrence, NULL AS address, entity_type, entity_id, named
  FROM meeting_links
 WHERE tenant_id = $1
   AND (series_id, occurrence) IN (SELECT * FROM unnest($2::uuid[], $3::text[]))
 UNION ALL
SELECT NULL, NULL, a.address, a.entity_type, a.entity_id, NULL
  FROM entity_addresses a
 WHERE a.tenant_id = $1 AND a.address = ANY($4::text[])
   AND NOT EXISTS (SELECT FROM connections c
                    WHERE c.tenant_id = $1 AND c.state <> 'disconnected'
                      AND lower(c.email) = a.address)
"""


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom meetings concern by what is kept of them, and by who takes part."""

    links: Mapping[Key, Mapping[EntityRef, bool]]
    """By meeting, and whether the CRM named it itself."""
    clients: Mapping[str, Sequence[EntityRef]]
    """By address; the tenant's connected people are colleagues, not clients."""


async def list_concerned(
    conn: Conn, tenant_id: str, keys: Sequence[Key], addresses: Iterable[str]
) -> Concerned:
    """Return whom meetings concern, and whose these folded addresses are, in one statement."""
    rows = await conn.fetch(
        LIST_CONCERNED,
        tenant_id,
        [one for one, _ in keys],
        [key for _, key in keys],
        list(addresses),
    )
    links: dict[Key, dict[EntityRef, bool]] = {}
    clients: dict[str, list[EntityRef]] = {}
    for row in rows:
        ref = EntityRef(row["entity_type"], row["entity_id"])
        if row["address"] is None:
            links.setdefault((row["series_id"], row["occurrence"]), {})[ref] = row["named"]
        else:
            clients.setdefault(row["address"], []).append(ref)
    return Concerned(links, clients)


ADD_LINKS = """
INSERT INTO meeting_links AS l
       (tenant_id, entity_type, entity_id, series_id, occurrence, starts_at, named)
SELECT $1, n.entity_type, n.entity_id, n.series_id, n.occurrence, n.starts_at, $7
  FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::timestamptz[])
       AS n (entity_type, entity_id, series_id, occurrence, starts_at)
ON CONFLICT (tenant_id, entity_type, entity_id, series_id, occurrence) DO UPDATE
   SET starts_at = EXCLUDED.starts_at, named = l.named OR EXCLUDED.named
"""
REMOVE_LINKS = """
DELETE FROM meeting_links l
 USING unnest($2::text[], $3::text[], $4::uuid[], $5::text[])
       AS n (entity_type, entity_id, series_id, occurrence)
 WHERE l.tenant_id = $1 AND l.entity_type = n.entity_type AND l.entity_id = n.entity_id
   AND l.series_id = n.series_id AND l.occurrence = n.occurrence
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A meeting that concerns an entity."""

    ref: EntityRef
    key: Key
    starts_at: datetime


async def add_links(
    conn: Conn, tenant_id: str, links: Sequence[Link], *, named: bool = False
) -> None:
    """Let meetings concern entities; `named`: the CRM said so."""
    if links:
        await conn.execute(
            ADD_LINKS, tenant_id, *_columns(links), [one.starts_at for one in links], named
        )


async def remove_links(conn: Conn, tenant_id: str, links: Sequence[Link]) -> None:
    """Let meetings concern entities no more."""
    if links:
        await conn.execute(REMOVE_LINKS, tenant_id, *_columns(links))


def _columns(links: Sequence[Link]) -> tuple[list[str], list[str], list[UUID], list[str]]:
    return (
        [one.ref.entity_type for one in links],
        [one.ref.entity_id for one in links],
        [one.key[0] for one in links],
        [one.key[1] for one in links],
    )


LIST_OF_ENTITY = """
SELECT series_id, occurrence FROM meeting_links
 WHERE tenant_id = $1 AND entity_type = $2 AND entity_id = $3
"""


async def list_of_entity(conn: Conn, tenant_id: str, ref: EntityRef) -> list[Key]:
    """Return the meetings that concern an entity."""
    rows = await conn.fetch(LIST_OF_ENTITY, tenant_id, ref.entity_type, ref.entity_id)
    return [(row["series_id"], row["occurrence"]) for row in rows]


LIST_NEWEST = """
SELECT l.series_id, l.occurrence, l.starts_at
  FROM meeting_links l
 WHERE l.tenant_id = $1 AND l.entity_type = $2 AND l.entity_id = $3
   AND ($5::timestamptz IS NULL OR (l.starts_at, l.series_id, l.occurrence) < ($5, $6, $7))
   AND EXISTS (SELECT FROM events e
                WHERE e.tenant_id = $1 AND e.series_id = l.series_id
                  AND e.occurrence = l.occurrence AND e.connection_id = ANY($4::uuid[])
                  AND e.deleted_at IS NULL AND e.status <> 'cancelled')
 ORDER BY l.starts_at DESC, l.series_id DESC, l.occurrence DESC
 LIMIT $8
"""


async def list_newest_of(
    conn: Conn,
    tenant_id: str,
    ref: EntityRef,
    connection_ids: Sequence[UUID],
    *,
    before: tuple[datetime, UUID, str] | None,
    limit: int,
) -> list[Link]:
    """Return the meetings that concern an entity and are in one of these connections' calendars.

    The one that begins last comes first.

    Args:
        conn: a connection.
        tenant_id: whose.
        ref: the entity.
        connection_ids: of those who may be seen.
        before: only what follows this one in the list.
        limit: most that are returned.
    """
    place = before or (None, None, None)
    rows = await conn.fetch(
        LIST_NEWEST,
        tenant_id,
        ref.entity_type,
        ref.entity_id,
        list(connection_ids),
        *place,
        limit,
    )
    return [Link(ref, (row["series_id"], row["occurrence"]), row["starts_at"]) for row in rows]
