"""SQL on reminders of our own: laid out ahead, and told once each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.ids import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One reminder that should be told."""

    calendar_id: UUID
    google_id: str
    occurrence: str
    minutes: int
    starts_at: datetime
    due_at: datetime


REPLACE = """
WITH planned AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::integer[],
                         $8::timestamptz[], $9::timestamptz[])
           AS n (id, calendar_id, google_id, occurrence, minutes, starts_at, due_at)
), dropped AS (
    DELETE FROM reminders r
     WHERE r.tenant_id = $1 AND r.connection_id = $2 AND r.told_at IS NULL AND r.due_at > $10
       AND NOT EXISTS (
           SELECT FROM planned n
            WHERE n.calendar_id = r.calendar_id AND n.google_id = r.google_id
              AND n.occurrence = r.occurrence AND n.minutes = r.minutes)
)
INSERT INTO reminders AS r
       (tenant_id, id, connection_id, calendar_id, google_id, occurrence, minutes, starts_at,
        due_at)
SELECT $1, n.id, $2, n.calendar_id, n.google_id, n.occurrence, n.minutes, n.starts_at, n.due_at
  FROM planned n
 ORDER BY n.calendar_id, n.google_id, n.occurrence, n.minutes
ON CONFLICT (tenant_id, calendar_id, google_id, occurrence, minutes) DO UPDATE
   SET starts_at = EXCLUDED.starts_at, due_at = EXCLUDED.due_at,
       told_at = CASE WHEN r.starts_at = EXCLUDED.starts_at THEN r.told_at END
 WHERE r.starts_at <> EXCLUDED.starts_at OR r.due_at <> EXCLUDED.due_at
"""


async def replace_planned(
    conn: Conn, tenant_id: str, connection_id: UUID, planned: Sequence[Planned], *, now: datetime
) -> None:
    """Let exactly these be told after `now`; one that was moved is told anew.

    What is here and was due before is left alone: whoever tells it looks at the event once more.
    """
    await conn.execute(
        REPLACE,
        tenant_id,
        connection_id,
        [new_id() for _ in planned],
        [one.calendar_id for one in planned],
        [one.google_id for one in planned],
        [one.occurrence for one in planned],
        [one.minutes for one in planned],
        [one.starts_at for one in planned],
        [one.due_at for one in planned],
        now,
    )


TAKE_DUE = """
UPDATE reminders r SET told_at = $1
  FROM (SELECT tenant_id, id FROM reminders
         WHERE told_at IS NULL AND due_at <= $1
         ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
 WHERE r.tenant_id = due.tenant_id AND r.id = due.id
RETURNING r.tenant_id, r.id, r.connection_id, r.calendar_id, r.google_id, r.occurrence, r.minutes,
          r.starts_at
"""


async def take_due(conn: Conn, *, now: datetime, limit: int) -> list[Any]:
    """Mark up to `limit` reminders that are due as told, and return them: once in all."""
    return list(await conn.fetch(TAKE_DUE, now, limit))


NEXT_DUE = "SELECT min(due_at) FROM reminders WHERE told_at IS NULL"


async def next_due(conn: Conn) -> datetime | None:
    """Return when the next reminder of any tenant is due."""
    found: datetime | None = await conn.fetchval(NEXT_DUE)
    return found


PURGE = """
DELETE FROM reminders
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM reminders
                            WHERE told_at < $1 OR starts_at < $1 LIMIT $2)
"""


async def purge_told(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` reminders told, or missed, before then; return how many."""
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])
