"""Every SQL statement on the directory. The caller owns the transaction.

Why the locks: mail looks its people up among the entities, and an entity that changed looks its
mail up among the messages. In two transactions at once neither would see the other's row, and the
link would be missing for ever. So a transaction that stores mail takes the tenant's lock *shared*
before it looks up, and one that changes the directory takes it *exclusive* before it writes:
whichever comes second begins its look after the first has committed, and finds it. Mail does not
wait for mail. Both must be taken before any row is locked, and in a statement of its own, since a
statement sees what was committed when it began.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from libs.common.addresses import fold_address
from libs.common.db import Connection
from libs.common.directory.model import Change, Entity, EntityRef

LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended('directory:' || $1::text, 0))"


async def lock_shared(conn: Connection, tenant_id: str) -> None:
    """Keep the tenant's directory as it is until the transaction ends; taking it twice is free."""
    await conn.execute(LOCK_SHARED, tenant_id)


LOCK_EXCLUSIVE = "SELECT pg_advisory_xact_lock(hashtextextended('directory:' || $1::text, 0))"


async def lock_exclusive(conn: Connection, tenant_id: str) -> None:
    """Let nobody but this transaction look people up in, or change, the tenant's directory.

    Never in a transaction that has it shared: two that both want more would wait for each other.
    """
    await conn.execute(LOCK_EXCLUSIVE, tenant_id)


UPSERT_ENTITIES = """
INSERT INTO entities AS e
       (tenant_id, entity_type, entity_id, version, name, phones, owner_user_id, updated_at)
SELECT $1, n.entity_type, n.entity_id, n.version, n.name, n.phones, n.owner_user_id, $3
  FROM jsonb_to_recordset($2::jsonb) AS n (entity_type text, entity_id text, version bigint,
                                           name text, phones text[], owner_user_id text)
 ORDER BY n.entity_type, n.entity_id
ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
   SET version = EXCLUDED.version, name = EXCLUDED.name, phones = EXCLUDED.phones,
       owner_user_id = EXCLUDED.owner_user_id, deleted_at = NULL, updated_at = EXCLUDED.updated_at
 WHERE e.version < EXCLUDED.version
RETURNING e.entity_type, e.entity_id
"""
DROP_ADDRESSES = """
DELETE FROM entity_addresses a
 USING jsonb_to_recordset($2::jsonb) AS n (entity_type text, entity_id text, emails text[])
 WHERE a.tenant_id = $1 AND a.entity_type = n.entity_type AND a.entity_id = n.entity_id
   AND a.address <> ALL (n.emails)
RETURNING a.entity_type, a.entity_id, a.address
"""
ADD_ADDRESSES = """
INSERT INTO entity_addresses (tenant_id, address, entity_type, entity_id)
SELECT $1, mine.address, n.entity_type, n.entity_id
  FROM jsonb_to_recordset($2::jsonb) AS n (entity_type text, entity_id text, emails text[])
 CROSS JOIN unnest(n.emails) AS mine (address)
ON CONFLICT DO NOTHING
RETURNING entity_type, entity_id, address
"""


async def upsert_entities(
    conn: Connection, tenant_id: str, entities: Sequence[Entity], now: datetime
) -> list[Change | None]:
    """Take in entities, in their order; return of each what changed.

    None: an older or equal version, or a tombstone that is not older. To be called under
    `lock_exclusive`.
    """
    changes: list[Change | None] = []
    for wave in _waves(entities):
        applied = await _upsert_wave(conn, tenant_id, wave, now)
        changes += [applied.get(one.ref) for one in wave]
    return changes


def _waves(entities: Sequence[Entity]) -> Iterator[list[Entity]]:
    """Yield the entities in order, in parts in which none occurs twice."""
    wave: dict[EntityRef, Entity] = {}
    for one in entities:
        if one.ref in wave:
            yield [*wave.values()]
            wave = {}
        wave[one.ref] = one
    if wave:
        yield [*wave.values()]


async def _upsert_wave(
    conn: Connection, tenant_id: str, wave: list[Entity], now: datetime
) -> dict[EntityRef, Change]:
    rows = await conn.fetch(UPSERT_ENTITIES, tenant_id, [_record(one) for one in wave], now)
    newer = {_ref(row) for row in rows}
    taken = [one for one in wave if one.ref in newer]
    added, removed = await _replace_addresses(conn, tenant_id, taken)
    return {
        one.ref: Change(
            ref=one.ref,
            version=one.version,
            added=frozenset(added.get(one.ref, ())),
            removed=frozenset(removed.get(one.ref, ())),
        )
        for one in taken
    }


async def _replace_addresses(
    conn: Connection, tenant_id: str, entities: Sequence[Entity]
) -> tuple[dict[EntityRef, list[str]], dict[EntityRef, list[str]]]:
    records = [_record(one) for one in entities]
    gone = await conn.fetch(DROP_ADDRESSES, tenant_id, records)
    new = await conn.fetch(ADD_ADDRESSES, tenant_id, records)
    return _by_ref(new), _by_ref(gone)


async def replace_addresses(
    conn: Connection, tenant_id: str, entity: Entity
) -> tuple[frozenset[str], frozenset[str]]:
    """Let an entity that is there have its addresses and no others; return which came and went."""
    added, removed = await _replace_addresses(conn, tenant_id, [entity])
    return frozenset(added.get(entity.ref, ())), frozenset(removed.get(entity.ref, ()))


def _record(one: Entity) -> dict[str, Any]:
    return {
        "entity_type": one.entity_type,
        "entity_id": one.entity_id,
        "version": one.version,
        "name": one.name,
        "phones": list(one.phones),
        "owner_user_id": one.owner_user_id,
        "emails": list(one.emails),
    }


def _ref(row: Any) -> EntityRef:
    return EntityRef(row["entity_type"], row["entity_id"])


def _by_ref(rows: Sequence[Any]) -> dict[EntityRef, list[str]]:
    found: dict[EntityRef, list[str]] = {}
    for row in rows:
        found.setdefault(_ref(row), []).append(row["address"])
    return found


async def upsert_entity(
    conn: Connection, tenant_id: str, entity: Entity, now: datetime
) -> Change | None:
    """Take in one entity; see `upsert_entities`."""
    return (await upsert_entities(conn, tenant_id, [entity], now))[0]


BURY_ENTITY = """
INSERT INTO entities AS e
       (tenant_id, entity_type, entity_id, version, deleted_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $5)
ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
   SET version = EXCLUDED.version, name = '', phones = '{}', owner_user_id = NULL,
       deleted_at = EXCLUDED.deleted_at, updated_at = EXCLUDED.updated_at
 WHERE e.version < EXCLUDED.version OR (e.version = EXCLUDED.version AND e.deleted_at IS NULL)
RETURNING true
"""
DROP_ALL_ADDRESSES = """
DELETE FROM entity_addresses WHERE tenant_id = $1 AND entity_type = $2 AND entity_id = $3
RETURNING address
"""


async def delete_entity(
    conn: Connection, tenant_id: str, ref: EntityRef, version: int, now: datetime
) -> Change | None:
    """Leave a tombstone, which only a higher version beats, also where nothing was.

    At the same version deleting wins, so that the order in which both come does not matter.
    None: what is there is newer, or deleted already. To be called under `lock_exclusive`.
    """
    key = (tenant_id, ref.entity_type, ref.entity_id)
    if not await conn.fetchval(BURY_ENTITY, *key, version, now):
        return None
    removed = await drop_all_addresses(conn, tenant_id, ref)
    return Change(ref=ref, version=version, removed=removed)


async def drop_all_addresses(conn: Connection, tenant_id: str, ref: EntityRef) -> frozenset[str]:
    """Leave an entity no address; return those it had."""
    rows = await conn.fetch(DROP_ALL_ADDRESSES, tenant_id, ref.entity_type, ref.entity_id)
    return frozenset(row["address"] for row in rows)


FIND_BY_ADDRESSES = """
SELECT address, entity_type, entity_id FROM entity_addresses
 WHERE tenant_id = $1 AND address = ANY($2::text[])
 ORDER BY address, entity_type, entity_id
"""


async def find_by_addresses(
    conn: Connection, tenant_id: str, addresses: Sequence[str]
) -> dict[str, tuple[EntityRef, ...]]:
    """Return whose addresses these are, by folded address; unknown ones are left out."""
    wanted = sorted({fold_address(one) for one in addresses})
    found: dict[str, tuple[EntityRef, ...]] = {}
    for row in await conn.fetch(FIND_BY_ADDRESSES, tenant_id, wanted) if wanted else ():
        found[row["address"]] = (*found.get(row["address"], ()), _ref(row))
    return found


FIND_ENTITY = """
SELECT e.entity_type, e.entity_id, e.version, e.name, e.phones, e.owner_user_id,
       ARRAY(SELECT a.address FROM entity_addresses a
              WHERE a.tenant_id = e.tenant_id AND a.entity_type = e.entity_type
                AND a.entity_id = e.entity_id ORDER BY a.address) AS emails
  FROM entities e
 WHERE e.tenant_id = $1 AND e.entity_type = $2 AND e.entity_id = $3 AND e.deleted_at IS NULL
"""


async def find_entity(conn: Connection, tenant_id: str, ref: EntityRef) -> Entity | None:
    """Return the tenant's entity, None when it is unknown or deleted."""
    row = await conn.fetchrow(FIND_ENTITY, tenant_id, ref.entity_type, ref.entity_id)
    return None if row is None else _entity(row)


def _entity(row: Any) -> Entity:
    return Entity(
        entity_type=row["entity_type"],
        entity_id=row["entity_id"],
        version=row["version"],
        name=row["name"],
        emails=tuple(row["emails"]),
        phones=tuple(row["phones"]),
        owner_user_id=row["owner_user_id"],
    )


LIST_ENTITIES = """
SELECT e.entity_type, e.entity_id, e.version, e.name, e.phones, e.owner_user_id,
       ARRAY(SELECT a.address FROM entity_addresses a
              WHERE a.tenant_id = e.tenant_id AND a.entity_type = e.entity_type
                AND a.entity_id = e.entity_id ORDER BY a.address) AS emails
  FROM entities e
 WHERE e.tenant_id = $1 AND (e.entity_type, e.entity_id) > ($2, $3) AND e.deleted_at IS NULL
 ORDER BY e.entity_type, e.entity_id
 LIMIT $4
"""


async def list_entities(
    conn: Connection, tenant_id: str, *, after: EntityRef | None, limit: int
) -> list[Entity]:
    """Return the tenant's next entities, in the order of type and id."""
    place = ("", "") if after is None else (after.entity_type, after.entity_id)
    return [_entity(row) for row in await conn.fetch(LIST_ENTITIES, tenant_id, *place, limit)]


LIST_IN_DOMAINS = """
SELECT e.entity_type, e.entity_id, e.version, e.name, e.phones, e.owner_user_id,
       ARRAY(SELECT a.address FROM entity_addresses a
              WHERE a.tenant_id = e.tenant_id AND a.entity_type = e.entity_type
                AND a.entity_id = e.entity_id ORDER BY a.address) AS emails
  FROM entities e
 WHERE e.tenant_id = $1 AND e.deleted_at IS NULL
   AND (e.entity_type, e.entity_id) IN (
       SELECT m.entity_type, m.entity_id FROM entity_addresses m
        WHERE m.tenant_id = $1
          AND (m.address = ANY($2::text[]) OR split_part(m.address, '@', 2) = ANY($3::text[])))
 ORDER BY e.entity_type, e.entity_id
"""


async def list_entities_at(
    conn: Connection, tenant_id: str, *, addresses: Iterable[str], domains: Iterable[str]
) -> list[Entity]:
    """Return the tenant's entities that have one of the addresses, or one in the domains."""
    rows = await conn.fetch(LIST_IN_DOMAINS, tenant_id, list(addresses), list(domains))
    return [_entity(row) for row in rows]


FIND_VERSION = """
SELECT version FROM entities WHERE tenant_id = $1 AND entity_type = $2 AND entity_id = $3
"""


async def find_version(conn: Connection, tenant_id: str, ref: EntityRef) -> int | None:
    """Return the newest version taken in, a tombstone's included."""
    version: int | None = await conn.fetchval(
        FIND_VERSION, tenant_id, ref.entity_type, ref.entity_id
    )
    return version


PURGE_TOMBSTONES = """
DELETE FROM entities
 WHERE (tenant_id, entity_type, entity_id) IN (
       SELECT tenant_id, entity_type, entity_id FROM entities
        WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


async def purge_tombstones(conn: Connection, *, before: datetime, limit: int = 1_000) -> int:
    """Forget up to `limit` entities deleted before then; return how many.

    That must be longer ago than a change can be late: the age of the log stream.
    """
    tag: str = await conn.execute(PURGE_TOMBSTONES, before, limit)
    return int(tag.rpartition(" ")[2])
