"""SQL on conflicts: what a person has to choose, until somebody has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn


class ConflictKind(StrEnum):
    """What has to be chosen."""

    FIELDS = "fields"
    """Both sides changed the same value."""
    MATCH = "match"
    """A person may be more than one contact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One row of `conflicts`."""

    tenant_id: str
    id: UUID
    kind: str
    connection_id: UUID
    resource: str
    """The person at Google."""
    contact_id: UUID | None = None
    """Of fields: whose. Of a match: nobody's."""
    candidates: Sequence[UUID] = ()
    """Of a match: who it could be."""
    base: Mapping[str, Any] = field(default_factory=dict)
    """The values in question by key (see `flat`), as both sides last agreed on them."""
    ours: Mapping[str, Any] = field(default_factory=dict)
    """As the CRM wants them."""
    theirs: Mapping[str, Any] = field(default_factory=dict)
    """As Google has them; of a match: all that Google has of the person."""
    state: str = "open"
    choice: Mapping[str, Any] | None = None
    sequence: int = 1
    created_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str | None = None


COLUMNS = """tenant_id, id, kind, connection_id, resource, contact_id, candidates, base, ours,
       theirs, state, choice, sequence, created_at, resolved_at, resolved_by"""


def _conflict(row: Any) -> Conflict:
    return Conflict(**{**dict(row.items()), "candidates": tuple(row["candidates"])})


OPEN = f"""
INSERT INTO conflicts AS c
       (tenant_id, id, kind, connection_id, resource, contact_id, candidates, base, ours, theirs,
        created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (tenant_id, connection_id, resource, kind) WHERE state = 'open' DO UPDATE
   SET contact_id = EXCLUDED.contact_id, candidates = EXCLUDED.candidates, base = EXCLUDED.base,
       ours = EXCLUDED.ours, theirs = EXCLUDED.theirs, sequence = c.sequence + 1
RETURNING {COLUMNS}
"""  # noqa: S608 - constants


async def open_conflict(conn: Conn, new: Conflict) -> Conflict:
    """Keep a conflict; an open one of the same person and kind becomes this one, under its id."""
    row = await conn.fetchrow(
        OPEN,
        new.tenant_id,
        new.id,
        new.kind,
        new.connection_id,
        new.resource,
        new.contact_id,
        list(new.candidates),
        dict(new.base),
        dict(new.ours),
        dict(new.theirs),
        new.created_at,
    )
    return _conflict(row)


FIND = f"SELECT {COLUMNS} FROM conflicts WHERE tenant_id = $1 AND id = $2"  # noqa: S608


async def find_conflict(conn: Conn, tenant_id: str, conflict_id: UUID) -> Conflict | None:
    """Return the tenant's conflict, None when it has no such one."""
    row = await conn.fetchrow(FIND, tenant_id, conflict_id)
    return None if row is None else _conflict(row)


NEWEST = f"""
SELECT {COLUMNS}
  FROM conflicts
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND resource = $4
 ORDER BY id DESC
 LIMIT 1
"""  # noqa: S608 - constants


async def find_newest(
    conn: Conn, tenant_id: str, connection_id: UUID, *, kind: str, resource: str
) -> Conflict | None:
    """Return the last conflict of that kind over a person, open or not; None: there was none."""
    row = await conn.fetchrow(NEWEST, tenant_id, connection_id, kind, resource)
    return None if row is None else _conflict(row)


LIST = f"""
SELECT {COLUMNS}
  FROM conflicts
 WHERE tenant_id = $1 AND ($2::uuid[] IS NULL OR connection_id = ANY($2))
   AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR kind = $4)
   AND ($5::uuid IS NULL OR id < $5)
 ORDER BY id DESC
 LIMIT $6
"""  # noqa: S608 - constants


async def list_conflicts(
    conn: Conn,
    tenant_id: str,
    connection_ids: Sequence[UUID] | None,
    *,
    state: str | None,
    kind: str | None,
    before: UUID | None,
    limit: int,
) -> list[Conflict]:
    """Return conflicts of those connections (None: the tenant's), newest first."""
    ids = None if connection_ids is None else list(connection_ids)
    rows = await conn.fetch(LIST, tenant_id, ids, state, kind, before, limit)
    return [_conflict(row) for row in rows]


RESOLVE = f"""
UPDATE conflicts
   SET state = 'resolved', choice = $3, resolved_at = $4, resolved_by = $5, sequence = sequence + 1
 WHERE tenant_id = $1 AND id = $2 AND state = 'open'
RETURNING {COLUMNS}
"""  # noqa: S608 - constants


async def resolve_conflict(
    conn: Conn,
    tenant_id: str,
    conflict_id: UUID,
    *,
    choice: Mapping[str, Any],
    by: str | None,
    now: datetime,
) -> Conflict | None:
    """End a conflict; None: it had ended already."""
    row = await conn.fetchrow(RESOLVE, tenant_id, conflict_id, dict(choice), now, by)
    return None if row is None else _conflict(row)


LIST_OF = f"""
SELECT {COLUMNS}
  FROM conflicts
 WHERE tenant_id = $1 AND contact_id = ANY($2::uuid[]) AND state = 'open'
 ORDER BY id
"""  # noqa: S608 - constants


async def list_of_contacts(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID]
) -> list[Conflict]:
    """Return the open conflicts over values of these contacts."""
    rows = await conn.fetch(LIST_OF, tenant_id, list(contact_ids))
    return [_conflict(row) for row in rows]


COUNT = """
SELECT connection_id, count(*) AS open FROM conflicts
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND state = 'open'
 GROUP BY connection_id
"""


async def count_open(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many conflicts are open, by connection; of none it has no entry."""
    rows = await conn.fetch(COUNT, tenant_id, list(ids))
    return {row["connection_id"]: row["open"] for row in rows}


PURGE = """
DELETE FROM conflicts
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM conflicts WHERE resolved_at < $1 LIMIT $2)
"""


async def purge_resolved(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` conflicts resolved before then; return how many."""
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])
