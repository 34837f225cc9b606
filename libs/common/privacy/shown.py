"""What an export shows of the tables that every service with connections has.

Each row is a place in an order, and a record. Whole rows are shown, so that a column which is
added is not forgotten; what only the machine understands is taken out by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import privacy as directory_privacy
from libs.common.privacy.model import Extract, Page, Person, Record
from libs.common.privacy.parts import FIRST, Reading, names_somebody
from libs.common.privacy.tables import list_dead_items
from libs.common.scrubbing import Scrubber, needles

AT_ONCE = 100
NOTHING = Page((), None)

CONNECTIONS = """
SELECT c.connection_id::text COLLATE "C" AS position,
       to_jsonb(c) - '{tenant_id,event_sequence}'::text[] AS record
  FROM connections c
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND c.connection_id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
FEEDS = """
SELECT f.id::text COLLATE "C" AS position,
       to_jsonb(f) - '{tenant_id,lease_epoch,lease_until,fingerprint}'::text[]
       || jsonb_build_object('woken_by', s.address, 'due_at', s.due_at) AS record
  FROM feeds f
  JOIN connections c ON c.tenant_id = f.tenant_id AND c.connection_id = f.connection_id
  LEFT JOIN signals s ON s.tenant_id = f.tenant_id AND s.feed_id = f.id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND f.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
CHANGES = """
SELECT w.id::text COLLATE "C" AS position,
       to_jsonb(w) - '{tenant_id,position,epoch,deadline}'::text[] AS record
  FROM writes w
  JOIN connections c ON c.tenant_id = w.tenant_id AND c.connection_id = w.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND w.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
JOBS = """
SELECT j.id::text COLLATE "C" AS position, to_jsonb(j) - '{tenant_id}'::text[] AS record
  FROM jobs j
  JOIN connections c ON c.tenant_id = j.tenant_id AND c.connection_id = j.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND j.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
HOLDS = """
SELECT h.id::text COLLATE "C" AS position, to_jsonb(h) - '{tenant_id}'::text[] AS record
  FROM holds h
  LEFT JOIN connections c ON c.tenant_id = h.tenant_id AND c.connection_id = h.connection_id
 WHERE h.tenant_id = $1 AND (c.user_id = $2 OR h.decided_by = 'user:' || $2)
   AND h.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
DEAD_ITEMS = """
SELECT d.id::text COLLATE "C" AS position,
       to_jsonb(d) - '{tenant_id,payload}'::text[]
       || jsonb_build_object('payload_base64', encode(d.payload, 'base64')) AS record
  FROM dead_items d
  JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
  JOIN connections c ON c.tenant_id = f.tenant_id AND c.connection_id = f.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND d.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
CONFLICTS = """
SELECT k.id::text COLLATE "C" AS position, to_jsonb(k) - '{tenant_id}'::text[] AS record
  FROM conflicts k
  LEFT JOIN connections c ON c.tenant_id = k.tenant_id AND c.connection_id = k.connection_id
 WHERE k.tenant_id = $1 AND (c.user_id = $2 OR k.resolved_by IN ($2, 'user:' || $2))
   AND k.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
LOG_LINES = """
SELECT s.id::text COLLATE "C" AS position, to_jsonb(s) - '{tenant_id}'::text[] AS record
  FROM sync_logs s
  JOIN connections c ON c.tenant_id = s.tenant_id AND c.connection_id = s.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND s.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
OWNED = """
SELECT (e.entity_type || '/' || e.entity_id) COLLATE "C" AS position,
       jsonb_build_object('type', e.entity_type, 'id', e.entity_id) AS record
  FROM entities e
 WHERE e.tenant_id = $1 AND e.owner_user_id = $2
   AND (e.entity_type || '/' || e.entity_id) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
OF_A_USER: Final = {
    "feed": FEEDS,
    "change": CHANGES,
    "job": JOBS,
    "hold": HOLDS,
    "dead item": DEAD_ITEMS,
}
"""What every service shows of a user, by kind."""
OWNED_IN_DIRECTORY: Final = {"entity owned": OWNED}

CONFLICTS_NAMING = """
SELECT k.id::text COLLATE "C" AS position, k.record
  FROM (SELECT p.id, to_jsonb(p) - '{tenant_id}'::text[] AS record
          FROM conflicts p WHERE p.tenant_id = $1 AND p.id::text COLLATE "C" > $3) k
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(k.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""
CHANGES_NAMING = """
SELECT w.id::text COLLATE "C" AS position, w.record
  FROM (SELECT p.id, to_jsonb(p) - '{tenant_id,position,epoch,deadline}'::text[] AS record
          FROM writes p WHERE p.tenant_id = $1 AND p.id::text COLLATE "C" > $3) w
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(w.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""
OF_A_CORRESPONDENT: Final = {"change": CHANGES_NAMING}
"""What every service shows of a correspondent by whether it holds a needle, by kind."""


@dataclass(frozen=True, slots=True)
class OfUser:
    """One kind of record about a user.

    `statement` takes a tenant ($1), a user's id ($2), the place that comes before ($3) and how
    many at most ($4).
    """

    kind: str
    statement: str

    async def __call__(self, conn: Conn, person: Person, after: str, /) -> Page:
        """Return the next ones."""
        if person.user_id is None:
            return NOTHING
        of, user_id = person.tenant_id, person.user_id
        return _page(self.kind, await conn.fetch(self.statement, of, user_id, after, AT_ONCE))


@dataclass(frozen=True, slots=True)
class OfCorrespondent:
    """One kind of record about a correspondent; `statement`: as in `OfUser`, but needles ($2)."""

    kind: str
    statement: str

    async def __call__(self, conn: Conn, person: Person, after: str, /) -> Page:
        """Return the next ones."""
        if not person.addresses:
            return NOTHING
        of, wanted = person.tenant_id, needles(person.addresses)
        return _page(self.kind, await conn.fetch(self.statement, of, wanted, after, AT_ONCE))


def _page(kind: str, rows: list[Any]) -> Page:
    after = rows[-1]["position"] if len(rows) == AT_ONCE else None
    return Page([Record(kind, row["record"]) for row in rows], after)


@dataclass(frozen=True, slots=True)
class DeadItemsNaming:
    """What could not be taken in and names a correspondent; `hidden`: see `ErasedDeadItems`."""

    hidden: Reading | None = None

    async def __call__(self, conn: Conn, person: Person, after: str, /) -> Page:
        """Look through the next ones."""
        if not person.addresses:
            return NOTHING
        begin = UUID(after) if after else FIRST
        rows = await list_dead_items(conn, person.tenant_id, after=begin, limit=AT_ONCE)
        scrubber = Scrubber(person.addresses)
        records = [
            Record("dead item", {"id": str(one.id), "item": one.words, "payload": text})
            for one in rows
            if one.is_tenants and names_somebody(one, scrubber, self.hidden)
            for text in [(one.payload or b"").decode(errors="replace")]
        ]
        return Page(records, str(rows[-1].id) if len(rows) == AT_ONCE else None)


async def entities_naming(conn: Conn, person: Person, after: str, /) -> Page:
    """Return the next entities that have an address of the person, or are called so."""
    if not person.addresses:
        return NOTHING
    found = await directory_privacy.list_named(
        conn,
        person.tenant_id,
        person.addresses,
        after=EntityRef.from_subject(after) if after else None,
        limit=AT_ONCE,
    )
    records = [
        Record(
            "entity",
            {
                "type": one.ref.entity_type,
                "id": one.ref.entity_id,
                "name": one.name,
                "emails": one.emails,
                "phones": one.phones,
                "owner_user_id": one.owner_user_id,
                "version": one.version,
            },
        )
        for one in found
    ]
    return Page(records, str(found[-1].ref) if len(found) == AT_ONCE else None)


def extracts(
    of_user: Mapping[str, str],
    of_correspondent: Mapping[str, str],
    more: Mapping[str, Extract],
    *,
    hidden: Reading | None = None,
    directory: bool = True,
) -> dict[str, Extract]:
    """Return all that a service shows, in the order of an export.

    Args:
        of_user: its own statements on a user, by kind.
        of_correspondent: its own on a correspondent, by kind.
        more: what no single statement shows.
        hidden: see `ErasedDeadItems`.
        directory: whether it keeps a directory of entities.
    """
    user = {**of_user, **OF_A_USER, **(OWNED_IN_DIRECTORY if directory else {})}
    others = {**of_correspondent, **OF_A_CORRESPONDENT}
    return {
        **{f"user: {kind}": OfUser(kind, sql) for kind, sql in user.items()},
        **{f"person: {kind}": OfCorrespondent(kind, sql) for kind, sql in others.items()},
        **more,
        "person: dead item": DeadItemsNaming(hidden),
        **({"person: entity": entities_naming} if directory else {}),
    }
