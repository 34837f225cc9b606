"""SQL on the calendars of people's lists, and which of them are read."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import NotFound
from libs.common.ids import new_id
from services.calendar.domain.calendars import AccessRole, CalendarEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One row of `calendars`."""

    tenant_id: str
    id: UUID
    connection_id: UUID
    google_id: str
    summary: str
    zone: str
    """UTC where Google names none."""
    access_role: AccessRole
    is_primary: bool
    has_meet: bool
    hidden: bool
    color: str | None
    chosen: bool | None
    """Whether somebody wants it read; None: nobody has said."""
    gone_at: datetime | None

    @property
    def is_read(self) -> bool:
        """Say whether it should be read: chosen, or the primary one if nobody has chosen."""
        if self.gone_at is not None or self.access_role is AccessRole.NONE:
            return False
        return self.is_primary if self.chosen is None else self.chosen

    @property
    def shows_details(self) -> bool:
        """Say whether more is seen than when somebody is busy."""
        return self.access_role is not AccessRole.FREE_BUSY_READER

    @property
    def is_writable(self) -> bool:
        """Say whether the person may write events."""
        return self.access_role in {AccessRole.WRITER, AccessRole.OWNER}


COLUMNS = tuple(one.name for one in fields(Calendar))


def calendar_of(row: Any) -> Calendar:
    """Return a row of calendars, which may have other columns as well."""
    return Calendar(
        **{
            **{name: row[name] for name in COLUMNS},
            "access_role": AccessRole(row["access_role"]),
            "zone": row["zone"] or "UTC",
        }
    )


LIST = """
SELECT tenant_id, id, connection_id, google_id, summary, zone, access_role, is_primary, has_meet,
       hidden, color, chosen, gone_at
  FROM calendars
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[])
 ORDER BY connection_id, NOT is_primary, lower(summary), id
"""


async def list_calendars(
    conn: Conn, tenant_id: str, connection_ids: Sequence[UUID], *, gone: bool = False
) -> list[Calendar]:
    """Return the calendars of connections, the primary one of each first; with `gone` all known."""
    found = [calendar_of(row) for row in await conn.fetch(LIST, tenant_id, list(connection_ids))]
    return [one for one in found if gone or one.gone_at is None]


FIND = """
SELECT tenant_id, id, connection_id, google_id, summary, zone, access_role, is_primary, has_meet,
       hidden, color, chosen, gone_at
  FROM calendars
 WHERE tenant_id = $1 AND id = $2
"""


async def find_calendar(conn: Conn, tenant_id: str, calendar_id: UUID) -> Calendar | None:
    """Return the tenant's calendar, None when it has no such one."""
    row = await conn.fetchrow(FIND, tenant_id, calendar_id)
    return None if row is None else calendar_of(row)


FIND_BY_GOOGLE = """
SELECT tenant_id, id, connection_id, google_id, summary, zone, access_role, is_primary, has_meet,
       hidden, color, chosen, gone_at
  FROM calendars
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = $3
"""


async def find_by_google(
    conn: Conn, tenant_id: str, connection_id: UUID, google_id: str
) -> Calendar | None:
    """Return a connection's calendar by Google's id, None when it has no such one."""
    row = await conn.fetchrow(FIND_BY_GOOGLE, tenant_id, connection_id, google_id)
    return None if row is None else calendar_of(row)


async def get_calendar(
    conn: Conn, tenant_id: str, calendar_id: UUID, connection_ids: Sequence[UUID] | None
) -> Calendar:
    """Return a calendar of one of these connections (None: of any).

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = await find_calendar(conn, tenant_id, calendar_id)
    if found is None or (connection_ids is not None and found.connection_id not in connection_ids):
        raise NotFound("There is no such calendar.")
    return found


PUT = """
INSERT INTO calendars AS c
       (tenant_id, id, connection_id, google_id, summary, zone, access_role, is_primary, has_meet,
        hidden, color, updated_at)
SELECT $1, n.id, $2, n.google_id, n.summary, n.zone, n.access_role, n.is_primary, n.has_meet,
       n.hidden, n.color, $3
  FROM jsonb_to_recordset($4) AS n (id uuid, google_id text, summary text, zone text,
       access_role text, is_primary boolean, has_meet boolean, hidden boolean, color text)
 ORDER BY n.google_id
ON CONFLICT (tenant_id, connection_id, google_id) DO UPDATE
   SET summary = EXCLUDED.summary, zone = EXCLUDED.zone, access_role = EXCLUDED.access_role,
       is_primary = EXCLUDED.is_primary, has_meet = EXCLUDED.has_meet, hidden = EXCLUDED.hidden,
       color = EXCLUDED.color, gone_at = NULL, updated_at = EXCLUDED.updated_at
"""
BURY = """
UPDATE calendars SET gone_at = $4
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = ANY($3::text[]) AND gone_at IS NULL
"""


async def put_calendars(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    entries: Sequence[CalendarEntry],
    *,
    now: datetime,
) -> None:
    """Keep what the person's list says of calendars; those that left it stay, as gone."""
    rows = [
        {
            "id": str(new_id()),
            "google_id": one.google_id,
            "summary": one.summary,
            "zone": one.zone,
            "access_role": one.access_role.value,
            "is_primary": one.primary,
            "has_meet": one.has_meet,
            "hidden": one.hidden,
            "color": one.background_color,
        }
        for one in entries
        if not one.deleted
    ]
    gone = [one.google_id for one in entries if one.deleted]
    await conn.execute(PUT, tenant_id, connection_id, now, rows)
    await conn.execute(BURY, tenant_id, connection_id, gone, now)


BURY_UNLISTED = """
UPDATE calendars SET gone_at = $3
 WHERE tenant_id = $1 AND connection_id = $2 AND updated_at < $4 AND gone_at IS NULL
"""


async def bury_unlisted(
    conn: Conn, tenant_id: str, connection_id: UUID, *, since: datetime, now: datetime
) -> None:
    """Let calendars be gone that a complete list, begun at `since`, did not have."""
    await conn.execute(BURY_UNLISTED, tenant_id, connection_id, now, since)


CHOOSE = """
UPDATE calendars SET chosen = id = ANY($3::uuid[])
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def choose(conn: Conn, tenant_id: str, connection_id: UUID, ids: Sequence[UUID]) -> None:
    """Let these calendars of a connection be read, and no others."""
    await conn.execute(CHOOSE, tenant_id, connection_id, list(ids))
