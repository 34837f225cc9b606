"""SQL on appointments of the CRM, and where each is mirrored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.calendar.domain.appointment import Appointment, appointment_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAppointment:
    """One row of `appointments`."""

    tenant_id: str
    appointment: Appointment
    connection_id: UUID | None = None
    calendar_id: UUID | None = None
    google_id: str | None = None
    """Of the event that mirrors it, if there is or will be one."""
    generation: int = 0
    """How many events were made for it before this one."""
    wished: Mapping[str, Any] | None = None
    """Fields of the event as the CRM last wanted them."""
    sequence: int = 0
    """Of the newest event that told of an edit in Google."""
    reason: str | None = None
    """Why it is not mirrored."""
    updated_at: datetime


def stored_of(row: Any) -> StoredAppointment:
    """Return a row of appointments."""
    return StoredAppointment(
        tenant_id=row["tenant_id"],
        appointment=appointment_of(row["body"]),
        connection_id=row["connection_id"],
        calendar_id=row["calendar_id"],
        google_id=row["google_id"],
        generation=row["generation"],
        wished=row["wished"],
        sequence=row["sequence"],
        reason=row["reason"],
        updated_at=row["updated_at"],
    )


LOCK_KEY = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 7))"
FIND = """
SELECT tenant_id, body, connection_id, calendar_id, google_id, generation, wished, sequence, reason,
       updated_at
  FROM appointments WHERE tenant_id = $1 AND appointment_id = $2
"""
LOCK = FIND + " FOR UPDATE"


async def find_appointment(
    conn: Conn, tenant_id: str, appointment_id: str, *, lock: bool = False
) -> StoredAppointment | None:
    """Return the tenant's appointment, None when it has no such one.

    With `lock` nobody else changes it before the transaction ends, even if it is not there yet.
    """
    if lock:
        await conn.execute(LOCK_KEY, tenant_id, appointment_id)
    row = await conn.fetchrow(LOCK if lock else FIND, tenant_id, appointment_id)
    return None if row is None else stored_of(row)


LIST_BY_EVENT = """
SELECT tenant_id, body, connection_id, calendar_id, google_id, generation, wished, sequence, reason,
       updated_at
  FROM appointments
 WHERE tenant_id = $1 AND calendar_id = $2 AND google_id = ANY($3::text[])
 ORDER BY appointment_id
   FOR UPDATE
"""


async def lock_by_events(
    conn: Conn, tenant_id: str, calendar_id: UUID, google_ids: Sequence[str]
) -> list[StoredAppointment]:
    """Return and lock the appointments that these events mirror."""
    rows = await conn.fetch(LIST_BY_EVENT, tenant_id, calendar_id, list(google_ids))
    return [stored_of(row) for row in rows]


PUT = """
INSERT INTO appointments
       (tenant_id, appointment_id, version, user_id, body, status, starts_at, ends_at,
        connection_id, calendar_id, google_id, generation, wished, sequence, reason, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (tenant_id, appointment_id) DO UPDATE
   SET version = EXCLUDED.version, user_id = EXCLUDED.user_id, body = EXCLUDED.body,
       status = EXCLUDED.status, starts_at = EXCLUDED.starts_at, ends_at = EXCLUDED.ends_at,
       connection_id = EXCLUDED.connection_id, calendar_id = EXCLUDED.calendar_id,
       google_id = EXCLUDED.google_id, generation = EXCLUDED.generation, wished = EXCLUDED.wished,
       sequence = EXCLUDED.sequence, reason = EXCLUDED.reason, updated_at = EXCLUDED.updated_at
"""


async def put_appointment(conn: Conn, stored: StoredAppointment) -> None:
    """Add or replace an appointment; it is locked."""
    one = stored.appointment
    await conn.execute(
        PUT,
        stored.tenant_id,
        one.appointment_id,
        one.version,
        one.professional.user_id,
        one.stored(),
        one.status,
        one.start,
        one.start + timedelta(minutes=one.duration),
        stored.connection_id,
        stored.calendar_id,
        stored.google_id,
        stored.generation,
        None if stored.wished is None else dict(stored.wished),
        stored.sequence,
        stored.reason,
        stored.updated_at,
    )


LIST_IN_WINDOW = """
SELECT tenant_id, body, connection_id, calendar_id, google_id, generation, wished, sequence, reason,
       updated_at
  FROM appointments
 WHERE tenant_id = $1 AND user_id = $2 AND ends_at > $3 AND starts_at < $4
   AND ($5::text IS NULL OR appointment_id > $5)
 ORDER BY appointment_id
 LIMIT $6
"""


async def list_in_window(
    conn: Conn,
    tenant_id: str,
    user_id: str,
    *,
    start: datetime,
    end: datetime,
    after: str | None,
    limit: int,
) -> list[StoredAppointment]:
    """Return the appointments of a professional within a window, by id."""
    rows = await conn.fetch(LIST_IN_WINDOW, tenant_id, user_id, start, end, after, limit)
    return [stored_of(row) for row in rows]


COUNT_MIRRORED = """
SELECT count(*) FROM appointments
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id IS NOT NULL
   AND ($3::timestamptz IS NULL OR ends_at > $3)
"""


async def count_mirrored(
    conn: Conn, tenant_id: str, connection_id: UUID, *, since: datetime | None
) -> int:
    """Return how many appointments a connection mirrors, of those that end after `since`."""
    return int(await conn.fetchval(COUNT_MIRRORED, tenant_id, connection_id, since))


LOCK_MIRRORED = """
SELECT tenant_id, body, connection_id, calendar_id, google_id, generation, wished, sequence, reason,
       updated_at
  FROM appointments
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id IS NOT NULL
   AND ($3::timestamptz IS NULL OR ends_at > $3)
 ORDER BY appointment_id LIMIT $4
   FOR UPDATE SKIP LOCKED
"""


async def lock_mirrored(
    conn: Conn, tenant_id: str, connection_id: UUID, *, since: datetime | None, limit: int
) -> list[StoredAppointment]:
    """Return and lock some of those, but for what somebody else is changing just now."""
    rows = await conn.fetch(LOCK_MIRRORED, tenant_id, connection_id, since, limit)
    return [stored_of(row) for row in rows]


UNMIRROR = """
UPDATE appointments
   SET connection_id = NULL, calendar_id = NULL, google_id = NULL, wished = NULL, reason = $3
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def unmirror(conn: Conn, tenant_id: str, connection_id: UUID, *, reason: str) -> None:
    """Note of all that a connection mirrors that it does so no more.

    Their events stay in Google, under ids of this generation: who connects again finds them.
    """
    await conn.execute(UNMIRROR, tenant_id, connection_id, reason)


RENAME = """
UPDATE appointments SET google_id = $4, generation = $5
 WHERE tenant_id = $1 AND appointment_id = $2 AND google_id = $3
"""


async def rename_event(
    conn: Conn,
    tenant_id: str,
    appointment_id: str,
    *,
    was: str,
    google_id: str,
    generation: int,
) -> None:
    """Note under which id an appointment's event was made: the one that was chosen is used up."""
    await conn.execute(RENAME, tenant_id, appointment_id, was, google_id, generation)


PURGE = """
DELETE FROM appointments
 WHERE (tenant_id, appointment_id) IN (
       SELECT tenant_id, appointment_id FROM appointments
        WHERE ends_at < $1 AND updated_at < $1 LIMIT $2)
"""


async def purge_past(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` appointments that ended, and were touched last, before then.

    Their events stay in Google. One that comes back by the same id finds the ids that are used up.
    """
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])
