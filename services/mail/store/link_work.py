"""SQL on entities that changed: whose mail, in which mailbox, is to be found or let go."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef

FIRST = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One entity in one mailbox."""

    ref: EntityRef
    version: int
    after: UUID
    """The last message that was looked at."""
    state: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that concerns an entity and is not linked to it yet."""

    message_id: UUID
    google_id: str
    traced: bool
    deleted: bool


QUEUE_WORK = """
INSERT INTO link_work AS w
       (tenant_id, connection_id, entity_type, entity_id, version, created_at)
SELECT DISTINCT $1::text, c.connection_id, n.entity_type, n.entity_id, n.version, $6::timestamptz
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bytea[])
       AS n (entity_type, entity_id, version, hash)
  JOIN connections c ON c.tenant_id = $1 AND c.state <> 'disconnected' AND c.purge = 'none'
 WHERE EXISTS (SELECT FROM message_addresses a
                WHERE a.tenant_id = $1 AND a.connection_id = c.connection_id AND a.hash = n.hash)
 ORDER BY c.connection_id, n.entity_type, n.entity_id
ON CONFLICT (tenant_id, connection_id, entity_type, entity_id) DO UPDATE
   SET version = EXCLUDED.version, state = 'due', created_at = EXCLUDED.created_at,
       after = '00000000-0000-0000-0000-000000000000'
RETURNING connection_id
"""


async def queue_work(
    conn: Conn, tenant_id: str, hits: Iterable[tuple[EntityRef, int, bytes]], now: datetime
) -> set[UUID]:
    """Queue entities (with version and the hash of an address) wherever mail has that address.

    Returns the mailboxes that have something to do now. Under the directory's exclusive lock
    all mail that does not see the change itself is visible here.
    """
    rows = list(hits)
    if not rows:
        return set()
    queued = await conn.fetch(
        QUEUE_WORK,
        tenant_id,
        [ref.entity_type for ref, _, _ in rows],
        [ref.entity_id for ref, _, _ in rows],
        [version for _, version, _ in rows],
        [hashed for _, _, hashed in rows],
        now,
    )
    return {row["connection_id"] for row in queued}


QUEUE_UNLINKED = """
INSERT INTO link_work AS w
       (tenant_id, connection_id, entity_type, entity_id, version, created_at)
SELECT DISTINCT $1::text, $2::uuid, n.entity_type, n.entity_id, n.version, $7::timestamptz
  FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bytea[])
       AS n (entity_type, entity_id, version, hash)
 WHERE EXISTS (SELECT FROM message_addresses a
                 JOIN messages m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
                WHERE a.tenant_id = $1 AND a.connection_id = $2 AND a.hash = n.hash
                  AND m.deleted_at IS NULL
                  AND NOT EXISTS (SELECT FROM message_links l
                                   WHERE l.tenant_id = $1 AND l.entity_type = n.entity_type
                                     AND l.entity_id = n.entity_id
                                     AND l.message_id = a.message_id))
 ORDER BY n.entity_type, n.entity_id
ON CONFLICT (tenant_id, connection_id, entity_type, entity_id) DO UPDATE
   SET created_at = EXCLUDED.created_at, after = '00000000-0000-0000-0000-000000000000'
"""


async def queue_unlinked(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    hits: Sequence[tuple[EntityRef, int, bytes]],
    now: datetime,
) -> None:
    """Queue those entities for one mailbox that concern mail of it which is not linked to them.

    What is held stays so.
    """
    if not hits:
        return
    await conn.execute(
        QUEUE_UNLINKED,
        tenant_id,
        connection_id,
        [ref.entity_type for ref, _, _ in hits],
        [ref.entity_id for ref, _, _ in hits],
        [version for _, version, _ in hits],
        [hashed for _, _, hashed in hits],
        now,
    )


QUEUE_ONE = """
INSERT INTO link_work AS w
       (tenant_id, connection_id, entity_type, entity_id, version, created_at)
SELECT e.tenant_id, $2, e.entity_type, e.entity_id, e.version, $5
  FROM unnest($3::text[], $4::text[]) AS n (entity_type, entity_id)
  JOIN entities e ON e.tenant_id = $1 AND e.entity_type = n.entity_type
                 AND e.entity_id = n.entity_id
 ORDER BY e.entity_type, e.entity_id
ON CONFLICT (tenant_id, connection_id, entity_type, entity_id) DO UPDATE
   SET created_at = EXCLUDED.created_at, after = '00000000-0000-0000-0000-000000000000'
"""


async def queue_entities(
    conn: Conn, tenant_id: str, connection_id: UUID, refs: Sequence[EntityRef], now: datetime
) -> None:
    """Queue entities for one mailbox; what is held stays so."""
    types, ids = [one.entity_type for one in refs], [one.entity_id for one in refs]
    await conn.execute(QUEUE_ONE, tenant_id, connection_id, types, ids, now)


OLDEST_WORK = """
SELECT entity_type, entity_id, version, after, state, created_at FROM link_work
 WHERE tenant_id = $1 AND connection_id = $2 AND state <> 'held'
 ORDER BY created_at LIMIT 1
"""


async def oldest_work(conn: Conn, tenant_id: str, connection_id: UUID) -> Work | None:
    """Return what waits longest in a mailbox, None when nothing does."""
    row = await conn.fetchrow(OLDEST_WORK, tenant_id, connection_id)
    return None if row is None else _work(row)


def _work(row: Any) -> Work:
    return Work(
        ref=EntityRef(row["entity_type"], row["entity_id"]),
        version=row["version"],
        after=row["after"],
        state=row["state"],
        created_at=row["created_at"],
    )


LOCK_WORK = """
SELECT true FROM link_work
 WHERE tenant_id = $1 AND connection_id = $2 AND entity_type = $3 AND entity_id = $4
   AND version = $5 AND after = $6 AND state = $7 AND created_at = $8
   FOR UPDATE
"""


async def lock_work(conn: Conn, tenant_id: str, connection_id: UUID, work: Work) -> bool:
    """Lock the work; False when it is not as it was, or gone."""
    key = (tenant_id, connection_id, work.ref.entity_type, work.ref.entity_id)
    return bool(
        await conn.fetchval(LOCK_WORK, *key, work.version, work.after, work.state, work.created_at)
    )


MOVE_WORK = """
UPDATE link_work SET after = $5
 WHERE tenant_id = $1 AND connection_id = $2 AND entity_type = $3 AND entity_id = $4
"""


async def move_work(
    conn: Conn, tenant_id: str, connection_id: UUID, ref: EntityRef, after: UUID
) -> None:
    """Note that all messages up to `after` were looked at."""
    await conn.execute(MOVE_WORK, tenant_id, connection_id, ref.entity_type, ref.entity_id, after)


END_WORK = """
DELETE FROM link_work
 WHERE tenant_id = $1 AND connection_id = $2 AND entity_type = $3 AND entity_id = $4
"""


async def end_work(conn: Conn, tenant_id: str, connection_id: UUID, ref: EntityRef) -> None:
    """Remove work that is done, or will not be done."""
    await conn.execute(END_WORK, tenant_id, connection_id, ref.entity_type, ref.entity_id)


SET_WORK_STATE = """
UPDATE link_work SET state = $5
 WHERE tenant_id = $1 AND connection_id = $2 AND entity_type = $3 AND entity_id = $4
RETURNING true
"""


async def set_work_state(
    conn: Conn, tenant_id: str, connection_id: UUID, ref: EntityRef, state: str
) -> bool:
    """Hold or approve; False when there is no such work (any more)."""
    key = (tenant_id, connection_id, ref.entity_type, ref.entity_id)
    return bool(await conn.fetchval(SET_WORK_STATE, *key, state))


REMOVE_WORK = "DELETE FROM link_work WHERE tenant_id = $1 AND connection_id = $2"


async def remove_work(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove all work of a mailbox that ended."""
    await conn.execute(REMOVE_WORK, tenant_id, connection_id)


COUNT_HITS = """
SELECT (SELECT count(*) FROM (
           SELECT DISTINCT a.message_id FROM message_addresses a
             JOIN messages m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
            WHERE a.tenant_id = $1 AND a.connection_id = $2 AND a.hash = ANY($3::bytea[])
              AND m.deleted_at IS NULL
              AND NOT EXISTS (SELECT FROM message_links l
                               WHERE l.tenant_id = $1 AND l.entity_type = $4 AND l.entity_id = $5
                                 AND l.message_id = a.message_id)) hits) AS hits,
       (SELECT count(*) FROM messages m
         WHERE m.tenant_id = $1 AND m.connection_id = $2 AND m.deleted_at IS NULL) AS total
"""


async def count_hits(
    conn: Conn, tenant_id: str, connection_id: UUID, hashes: Sequence[bytes], ref: EntityRef
) -> tuple[int, int]:
    """Return how many messages would be linked now, and how many the mailbox has."""
    row = await conn.fetchrow(
        COUNT_HITS, tenant_id, connection_id, list(hashes), ref.entity_type, ref.entity_id
    )
    return (0, 0) if row is None else (row["hits"], row["total"])


NEXT_HITS = """
SELECT h.message_id, m.google_id, m.traced, m.deleted_at IS NOT NULL AS deleted
  FROM (SELECT DISTINCT a.message_id FROM message_addresses a
         WHERE a.tenant_id = $1 AND a.connection_id = $2 AND a.hash = ANY($3::bytea[])
           AND a.message_id > $6
           AND NOT EXISTS (SELECT FROM message_links l
                            WHERE l.tenant_id = $1 AND l.entity_type = $4 AND l.entity_id = $5
                              AND l.message_id = a.message_id)
         ORDER BY a.message_id LIMIT $7) h
  JOIN messages m ON m.tenant_id = $1 AND m.id = h.message_id
 ORDER BY h.message_id
"""


async def next_hits(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    work: Work,
    hashes: Sequence[bytes],
    limit: int,
) -> list[Hit]:
    """Return the next messages that concern the entity, in the order of their ids."""
    rows = await conn.fetch(
        NEXT_HITS,
        tenant_id,
        connection_id,
        list(hashes),
        work.ref.entity_type,
        work.ref.entity_id,
        work.after,
        limit,
    )
    return [Hit(row["message_id"], row["google_id"], row["traced"], row["deleted"]) for row in rows]


STALE_LINKS = """
SELECT l.message_id
  FROM message_links l
  JOIN messages m ON m.tenant_id = l.tenant_id AND m.id = l.message_id
 WHERE l.tenant_id = $1 AND l.entity_type = $2 AND l.entity_id = $3 AND m.connection_id = $4
   AND NOT EXISTS (SELECT FROM message_addresses a
                    WHERE a.tenant_id = l.tenant_id AND a.message_id = l.message_id
                      AND a.hash = ANY($5::bytea[]))
   AND NOT (l.explicit AND EXISTS (SELECT FROM entities e
                    WHERE e.tenant_id = l.tenant_id AND e.entity_type = l.entity_type
                      AND e.entity_id = l.entity_id AND e.deleted_at IS NULL))
 ORDER BY m.google_id
 LIMIT $6
"""


async def stale_links(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    ref: EntityRef,
    hashes: Sequence[bytes],
    limit: int,
) -> list[UUID]:
    """Return linked messages that concern the entity no more, in the order rows are locked.

    A link that somebody asked for stays as long as its entity does.
    """
    rows = await conn.fetch(
        STALE_LINKS,
        tenant_id,
        ref.entity_type,
        ref.entity_id,
        connection_id,
        list(hashes),
        limit,
    )
    return [row["message_id"] for row in rows]
