"""SQL on conflicts: fields that both sides changed, until a person has chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One row of `conflicts`."""

    tenant_id: str
    id: UUID
    connection_id: UUID
    calendar_id: UUID
    google_id: str
    appointment_id: str | None
    base: Mapping[str, Any]
    """The fields in question, as both sides last agreed on them."""
    ours: Mapping[str, Any]
    """As the CRM wants them."""
    theirs: Mapping[str, Any]
    """As Google has them."""
    state: str
    choice: Mapping[str, Any] | None
    sequence: int
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


COLUMNS = """tenant_id, id, connection_id, calendar_id, google_id, appointment_id, base, ours,
       theirs, state, choice, sequence, created_at, resolved_at, resolved_by"""


def _conflict(row: Any) -> Conflict:
    return Conflict(**dict(row.items()))


OPEN = f"""
INSERT INTO conflicts AS c
       (tenant_id, id, connection_id, calendar_id, google_id, appointment_id, base, ours, theirs,
        created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant_id, calendar_id, google_id) WHERE state = 'open' DO UPDATE
   SET base = EXCLUDED.base, ours = EXCLUDED.ours, theirs = EXCLUDED.theirs,
       appointment_id = EXCLUDED.appointment_id, sequence = c.sequence + 1
RETURNING {COLUMNS}
"""  # noqa: S608 - constants


async def open_conflict(conn: Conn, new: Conflict) -> Conflict:
    """Keep a conflict; one that is open of the same event becomes this one, under its id."""
    row = await conn.fetchrow(
        OPEN,
        new.tenant_id,
        new.id,
        new.connection_id,
        new.calendar_id,
        new.google_id,
        new.appointment_id,
        dict(new.base),
        dict(new.ours),
        dict(new.theirs),
        new.created_at,
    )
    return _conflict(row)


FIND = f"SELECT {COLUMNS} FROM conflicts WHERE tenant_id = $1 AND id = $2"  # noqa: S608
LOCK = f"{FIND} FOR UPDATE"


async def find_conflict(
    conn: Conn, tenant_id: str, conflict_id: UUID, *, lock: bool = False
) -> Conflict | None:
    """Return the tenant's conflict, None when it has no such one."""
    row = await conn.fetchrow(LOCK if lock else FIND, tenant_id, conflict_id)
    return None if row is None else _conflict(row)


LIST = f"""
SELECT {COLUMNS}
  FROM conflicts
 WHERE tenant_id = $1 AND ($2::uuid[] IS NULL OR connection_id = ANY($2))
   AND ($3::text IS NULL OR state = $3) AND ($4::uuid IS NULL OR id < $4)
 ORDER BY id DESC
 LIMIT $5
"""  # noqa: S608 - constants


async def list_conflicts(
    conn: Conn,
    tenant_id: str,
    connection_ids: Sequence[UUID] | None,
    *,
    state: str | None,
    before: UUID | None,
    limit: int,
) -> list[Conflict]:
    """Return conflicts of those connections (None: the tenant's), newest first."""
    ids = None if connection_ids is None else list(connection_ids)
    rows = await conn.fetch(LIST, tenant_id, ids, state, before, limit)
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
    by: str,
    now: datetime,
) -> Conflict | None:
    """End a conflict; None: it had ended already."""
    row = await conn.fetchrow(RESOLVE, tenant_id, conflict_id, dict(choice), now, by)
    return None if row is None else _conflict(row)


FIND_OPEN = f"""
SELECT {COLUMNS}
  FROM conflicts
 WHERE tenant_id = $1 AND calendar_id = $2 AND google_id = $3 AND state = 'open'
   FOR UPDATE
"""  # noqa: S608 - constants


async def find_open(
    conn: Conn, tenant_id: str, calendar_id: UUID, google_id: str
) -> Conflict | None:
    """Return and lock the open conflict of an event."""
    row = await conn.fetchrow(FIND_OPEN, tenant_id, calendar_id, google_id)
    return None if row is None else _conflict(row)


PURGE = """
DELETE FROM conflicts
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM conflicts WHERE resolved_at < $1 LIMIT $2)
"""


async def purge_resolved(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` conflicts resolved before then; return how many."""
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])
