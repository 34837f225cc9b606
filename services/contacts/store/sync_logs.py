"""SQL on the sync log: what went which way, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.ids import new_text_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of it."""

    connection_id: UUID
    kind: str = "contact"
    """`contact` or `group`."""
    direction: str
    """`from_google` or `to_google`."""
    action: str
    """`create`, `update` or `delete`."""
    status: str = "success"
    """`success`, `error` or `skipped`."""
    item_id: UUID | None = None
    """The contact's or the group's; None: it is none of ours."""
    resource: str | None = None
    """Its name at Google."""
    error: str | None = None
    """A short constant."""


ADD = """
INSERT INTO sync_logs (tenant_id, id, connection_id, kind, direction, action, status, item_id,
                       resource, error, at)
SELECT $1, n.id, n.connection_id, n.kind, n.direction, n.action, n.status, n.item_id, n.resource,
       n.error, $2
  FROM jsonb_to_recordset($3)
       AS n (id uuid, connection_id uuid, kind text, direction text, action text, status text,
             item_id uuid, resource text, error text)
"""


async def add_lines(conn: Conn, tenant_id: str, lines: Sequence[Line], *, now: datetime) -> None:
    """Add lines, of now."""
    if lines:
        await conn.execute(ADD, tenant_id, now, [_row(one) for one in lines])


def _row(line: Line) -> dict[str, str | None]:
    return {
        "id": new_text_id(),
        "connection_id": str(line.connection_id),
        "kind": line.kind,
        "direction": line.direction,
        "action": line.action,
        "status": line.status,
        "item_id": None if line.item_id is None else str(line.item_id),
        "resource": line.resource,
        "error": line.error,
    }


LIST = """
SELECT id, connection_id, kind, direction, action, status, item_id, resource, error, at
  FROM sync_logs
 WHERE tenant_id = $1 AND ($2::uuid[] IS NULL OR connection_id = ANY($2))
   AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR direction = $4)
   AND ($5::text IS NULL OR action = $5) AND ($6::text IS NULL OR status = $6)
   AND ($7::uuid IS NULL OR item_id = $7) AND ($8::timestamptz IS NULL OR at >= $8)
   AND ($9::uuid IS NULL OR id < $9)
 ORDER BY id DESC
 LIMIT $10
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLines:
    """Which lines to list; None: whichever."""

    tenant_id: str
    connection_ids: Sequence[UUID] | None
    kind: str | None = None
    direction: str | None = None
    action: str | None = None
    status: str | None = None
    item_id: UUID | None = None
    since: datetime | None = None
    before: UUID | None = None
    limit: int


async def list_lines(conn: Conn, wanted: WantedLines) -> list[Any]:
    """Return lines, newest first."""
    ids = wanted.connection_ids
    return list(
        await conn.fetch(
            LIST,
            wanted.tenant_id,
            None if ids is None else list(ids),
            wanted.kind,
            wanted.direction,
            wanted.action,
            wanted.status,
            wanted.item_id,
            wanted.since,
            wanted.before,
            wanted.limit,
        )
    )
