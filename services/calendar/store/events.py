"""SQL on events, as one calendar has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.calendar.domain.event import Event
from services.calendar.domain.storing import body_of, event_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One row of `events`."""

    id: UUID
    connection_id: UUID
    calendar_id: UUID
    series_id: UUID
    occurrence: str
    event: Event
    starts_at: datetime
    ends_at: datetime | None
    """None: its series has no end."""
    changed_at: datetime
    """When it was written last."""
    deleted_at: datetime | None = None


NONE: Mapping[UUID, StoredEvent] = MappingProxyType({})

COLUMNS = """e.id, e.connection_id, e.calendar_id, e.google_id, e.series_id, e.occurrence, e.etag,
       e.google_updated, e.status, e.starts_at, NULLIF(e.ends_at, 'infinity') AS ends_at, e.body,
       e.changed_at, e.deleted_at"""


def stored_of(row: Any) -> StoredEvent:
    """Return a row of events."""
    return StoredEvent(
        id=row["id"],
        connection_id=row["connection_id"],
        calendar_id=row["calendar_id"],
        series_id=row["series_id"],
        occurrence=row["occurrence"],
        event=event_of(
            row["body"],
            google_id=row["google_id"],
            etag=row["etag"],
            updated=row["google_updated"],
            status=row["status"],
        ),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        changed_at=row["changed_at"],
        deleted_at=row["deleted_at"],
    )


LOCK = f"""
SELECT {COLUMNS}
  FROM events e
 WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.google_id = ANY($3::text[])
 ORDER BY e.google_id
   FOR UPDATE
"""  # noqa: S608 - constants


async def lock_events(
    conn: Conn, tenant_id: str, calendar_id: UUID, google_ids: Sequence[str]
) -> dict[str, StoredEvent]:
    """Return and lock what is held of these events, deleted ones included, by Google's id."""
    rows = await conn.fetch(LOCK, tenant_id, calendar_id, list(google_ids))
    return {row["google_id"]: stored_of(row) for row in rows}


LOCK_EXCEPTIONS = f"""
SELECT {COLUMNS}
  FROM events e
 WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.master_id = ANY($3::text[])
   AND e.deleted_at IS NULL
 ORDER BY e.google_id
   FOR UPDATE
"""  # noqa: S608 - constants


async def lock_exceptions(
    conn: Conn, tenant_id: str, calendar_id: UUID, master_ids: Sequence[str]
) -> list[StoredEvent]:
    """Return and lock the exceptions of series."""
    rows = await conn.fetch(LOCK_EXCEPTIONS, tenant_id, calendar_id, list(master_ids))
    return [stored_of(row) for row in rows]


PUT = """
INSERT INTO events AS e
       (tenant_id, id, connection_id, calendar_id, google_id, series_id, occurrence, master_id,
        etag, google_updated, status, starts_at, ends_at, people, body, created_at, changed_at)
SELECT $1, n.id, $2, $3, n.google_id, n.series_id, n.occurrence, n.master_id, n.etag, n.updated,
       n.status, n.starts_at, COALESCE(n.ends_at, 'infinity'),
       ARRAY(SELECT jsonb_array_elements_text(n.people)), n.body, $4, $4
  FROM jsonb_to_recordset($5) AS n (id uuid, google_id text, series_id uuid, occurrence text,
       master_id text, etag text, updated timestamptz, status text, starts_at timestamptz,
       ends_at timestamptz, people jsonb, body jsonb)
 ORDER BY n.google_id
ON CONFLICT (tenant_id, calendar_id, google_id) DO UPDATE
   SET series_id = EXCLUDED.series_id, occurrence = EXCLUDED.occurrence,
       master_id = EXCLUDED.master_id, etag = EXCLUDED.etag,
       google_updated = EXCLUDED.google_updated, status = EXCLUDED.status,
       starts_at = EXCLUDED.starts_at, ends_at = EXCLUDED.ends_at, people = EXCLUDED.people,
       body = EXCLUDED.body, changed_at = EXCLUDED.changed_at, deleted_at = NULL
"""


async def put_events(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    calendar_id: UUID,
    events: Sequence[tuple[StoredEvent, Sequence[str]]],
    *,
    now: datetime,
) -> None:
    """Add events or replace them, each with the folded addresses of who takes part."""
    rows = [_row(stored, people) for stored, people in events]
    await conn.execute(PUT, tenant_id, connection_id, calendar_id, now, rows)


def _row(stored: StoredEvent, people: Sequence[str]) -> dict[str, Any]:
    event = stored.event
    return {
        "id": str(stored.id),
        "google_id": event.google_id,
        "series_id": str(stored.series_id),
        "occurrence": stored.occurrence,
        "master_id": event.master_id,
        "etag": event.etag,
        "updated": event.updated,
        "status": event.status,
        "starts_at": stored.starts_at,
        "ends_at": stored.ends_at,
        "people": people,
        "body": body_of(event),
    }


BURY = """
UPDATE events
   SET deleted_at = $3, changed_at = $3, status = 'cancelled', people = '{}',
       body = body || '{"details": {}, "marks": {}}'
 WHERE tenant_id = $1 AND id = ANY($2::uuid[])
"""


async def bury_events(conn: Conn, tenant_id: str, ids: Sequence[UUID], *, now: datetime) -> None:
    """Leave of events that are gone their ids and times only."""
    await conn.execute(BURY, tenant_id, list(ids), now)


# OFFSET 0 has every meeting looked up by its key. Of tables whose sizes it does not know yet, the
# planner would rather join all that a tenant has.
LIST_COPIES = """
SELECT e.*, c.user_id, k.is_primary, c.state <> 'disconnected' AS is_followed
  FROM unnest($2::uuid[], $3::text[]) AS n (series_id, occurrence)
 CROSS JOIN LATERAL (
       SELECT id, connection_id, calendar_id, google_id, series_id, occurrence, etag,
              google_updated, status, starts_at, NULLIF(ends_at, 'infinity') AS ends_at,
              CASE WHEN id = ANY($4::uuid[]) THEN NULL ELSE body END AS body, changed_at,
              deleted_at, created_at
         FROM events
        WHERE tenant_id = $1 AND series_id = n.series_id AND occurrence = n.occurrence
          AND deleted_at IS NULL
       OFFSET 0) AS e
 CROSS JOIN LATERAL (
       SELECT user_id, state FROM connections
        WHERE tenant_id = $1 AND connection_id = e.connection_id
       OFFSET 0) AS c
 CROSS JOIN LATERAL (
       SELECT is_primary FROM calendars WHERE tenant_id = $1 AND id = e.calendar_id
       OFFSET 0) AS k
 ORDER BY e.created_at, e.id
"""


@dataclass(frozen=True, slots=True)
class OwnedEvent:
    """An event, and whose it is."""

    stored: StoredEvent
    user_id: str
    is_primary: bool
    is_followed: bool = True
    """Its connection has not ended: of one that has, nothing more is heard."""


async def list_copies(
    conn: Conn,
    tenant_id: str,
    meetings: Sequence[tuple[UUID, str]],
    *,
    written: Mapping[UUID, StoredEvent] = NONE,
) -> dict[tuple[UUID, str], list[OwnedEvent]]:
    """Return the copies of meetings (series and occurrence), in the order they came.

    What this transaction has just written (`written`, by id) is not read again.
    """
    rows = await conn.fetch(
        LIST_COPIES,
        tenant_id,
        [one for one, _ in meetings],
        [key for _, key in meetings],
        [*written],
    )
    found: dict[tuple[UUID, str], list[OwnedEvent]] = {one: [] for one in meetings}
    for row in rows:
        stored = written.get(row["id"]) or stored_of(row)
        owned = OwnedEvent(stored, row["user_id"], row["is_primary"], row["is_followed"])
        found[row["series_id"], row["occurrence"]].append(owned)
    return found


LIST_WINDOW = f"""
SELECT {COLUMNS}, c.user_id, k.is_primary
  FROM events e
  JOIN connections c ON c.tenant_id = e.tenant_id AND c.connection_id = e.connection_id
  JOIN calendars k ON k.tenant_id = e.tenant_id AND k.id = e.calendar_id
 WHERE e.tenant_id = $1 AND e.connection_id = ANY($2::uuid[]) AND e.deleted_at IS NULL
   AND e.ends_at > $3 AND e.starts_at < $4
   AND ($5::uuid IS NULL OR e.calendar_id = $5)
   AND ($6::uuid[] IS NULL OR e.series_id = ANY($6))
   AND e.master_id IS NULL
 ORDER BY e.created_at, e.id
"""  # noqa: S608 - constants
LIST_EXCEPTIONS = f"""
SELECT {COLUMNS}, c.user_id, k.is_primary
  FROM events e
  JOIN connections c ON c.tenant_id = e.tenant_id AND c.connection_id = e.connection_id
  JOIN calendars k ON k.tenant_id = e.tenant_id AND k.id = e.calendar_id
 WHERE e.tenant_id = $1 AND e.connection_id = ANY($2::uuid[]) AND e.deleted_at IS NULL
   AND e.master_id IS NOT NULL
   AND ($5::uuid IS NULL OR e.calendar_id = $5)
   AND ((e.ends_at > $3 AND e.starts_at < $4)
        OR (e.calendar_id, e.master_id) IN (SELECT * FROM unnest($6::uuid[], $7::text[])))
 ORDER BY e.created_at, e.id
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is looked for."""

    tenant_id: str
    connection_ids: Sequence[UUID]
    start: datetime
    end: datetime
    calendar_id: UUID | None = None
    series: Sequence[UUID] | None = None
    """Only of these series; None: of any."""


async def list_window(conn: Conn, wanted: Window) -> tuple[list[OwnedEvent], list[OwnedEvent]]:
    """Return single events and masters that may touch a window, and exceptions.

    The exceptions are all of those masters', wherever they are, and others that are in it.
    """
    span = (wanted.tenant_id, list(wanted.connection_ids), wanted.start, wanted.end)
    series = None if wanted.series is None else list(wanted.series)
    rows = await conn.fetch(LIST_WINDOW, *span, wanted.calendar_id, series)
    masters = [_owned(row) for row in rows]
    recurring = [one.stored for one in masters if one.stored.event.is_master]
    rows = await conn.fetch(
        LIST_EXCEPTIONS,
        *span,
        wanted.calendar_id,
        [one.calendar_id for one in recurring],
        [one.event.google_id for one in recurring],
    )
    exceptions = [_owned(row) for row in rows]
    if wanted.series is not None:
        exceptions = [one for one in exceptions if one.stored.series_id in wanted.series]
    return masters, exceptions


def _owned(row: Any) -> OwnedEvent:
    return OwnedEvent(stored_of(row), row["user_id"], row["is_primary"])


FIND_SERIES = f"""
SELECT {COLUMNS}, c.user_id, k.is_primary
  FROM events e
  JOIN connections c ON c.tenant_id = e.tenant_id AND c.connection_id = e.connection_id
  JOIN calendars k ON k.tenant_id = e.tenant_id AND k.id = e.calendar_id
 WHERE e.tenant_id = $1 AND e.connection_id = ANY($2::uuid[]) AND e.series_id = $3
   AND e.deleted_at IS NULL
 ORDER BY e.created_at, e.id
"""  # noqa: S608 - constants


async def find_series(
    conn: Conn, tenant_id: str, connection_ids: Sequence[UUID], series_id: UUID
) -> list[OwnedEvent]:
    """Return all that some connections have of a series: masters, single ones, exceptions."""
    rows = await conn.fetch(FIND_SERIES, tenant_id, list(connection_ids), series_id)
    return [_owned(row) for row in rows]


LIST_HELD = """
SELECT google_id FROM events
 WHERE tenant_id = $1 AND calendar_id = $2 AND deleted_at IS NULL AND ends_at > $3
   AND changed_at < $4 AND google_id > $7
   AND NOT EXISTS (SELECT FROM snapshot_items s
                    WHERE s.tenant_id = $1 AND s.feed_id = $5 AND s.item = events.google_id)
 ORDER BY google_id
 LIMIT $6
"""
COUNT_HELD = """
SELECT count(*) AS held,
       count(*) FILTER (WHERE changed_at < $4 AND NOT EXISTS (
             SELECT FROM snapshot_items s
              WHERE s.tenant_id = $1 AND s.feed_id = $5 AND s.item = e.google_id)) AS absent
  FROM events e
 WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.deleted_at IS NULL AND e.ends_at > $3
"""


async def list_absent(
    conn: Conn,
    tenant_id: str,
    calendar_id: UUID,
    feed_id: UUID,
    *,
    since: datetime,
    started_at: datetime,
    after: str,
    limit: int,
) -> list[str]:
    """Return events that a complete list, begun at `started_at`, should have and does not."""
    rows = await conn.fetch(
        LIST_HELD, tenant_id, calendar_id, since, started_at, feed_id, limit, after
    )
    return [row["google_id"] for row in rows]


async def count_absent(
    conn: Conn,
    tenant_id: str,
    calendar_id: UUID,
    feed_id: UUID,
    *,
    since: datetime,
    started_at: datetime,
) -> tuple[int, int]:
    """Return how many events `list_absent` has in all, and how many are held from `since` on."""
    row = await conn.fetchrow(COUNT_HELD, tenant_id, calendar_id, since, started_at, feed_id)
    assert row is not None  # noqa: S101 - an aggregate has a row
    return row["absent"], row["held"]


LIST_SOME = """
SELECT e.google_id, e.calendar_id FROM events e
 WHERE e.tenant_id = $1 AND e.connection_id = $2 AND e.deleted_at IS NULL
   AND ($3::uuid IS NULL OR e.calendar_id = $3)
 ORDER BY e.calendar_id, e.google_id
 LIMIT $4
"""


async def list_some(
    conn: Conn, tenant_id: str, connection_id: UUID, *, calendar_id: UUID | None, limit: int
) -> list[tuple[UUID, str]]:
    """Return some events of a connection that are held: calendar and Google's id."""
    rows = await conn.fetch(LIST_SOME, tenant_id, connection_id, calendar_id, limit)
    return [(row["calendar_id"], row["google_id"]) for row in rows]


DELETE_ALL = "DELETE FROM events WHERE tenant_id = $1 AND connection_id = $2"


async def delete_all(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove what is left of a connection's events."""
    await conn.execute(DELETE_ALL, tenant_id, connection_id)


COUNT = """
SELECT connection_id, count(*) AS events FROM events
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND deleted_at IS NULL
 GROUP BY connection_id
"""


async def count_events(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many events are held of each connection; of none it has no entry."""
    return {
        row["connection_id"]: row["events"] for row in await conn.fetch(COUNT, tenant_id, list(ids))
    }


LIST_WITH_PEOPLE = """
SELECT DISTINCT series_id, occurrence FROM events
 WHERE tenant_id = $1 AND connection_id = $2 AND people && $3::text[] AND deleted_at IS NULL
 ORDER BY series_id, occurrence
"""


async def list_meetings_with(
    conn: Conn, tenant_id: str, connection_id: UUID, addresses: Sequence[str]
) -> list[tuple[UUID, str]]:
    """Return the meetings of a connection in which one of these addresses takes part."""
    rows = await conn.fetch(LIST_WITH_PEOPLE, tenant_id, connection_id, list(addresses))
    return [(row["series_id"], row["occurrence"]) for row in rows]


PURGE = """
DELETE FROM events
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM events WHERE deleted_at < $1
                            ORDER BY deleted_at LIMIT $2)
"""


async def purge_tombstones(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` events deleted before then; return how many."""
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])


FIND_FOR_REMINDER = f"""
SELECT {COLUMNS}
  FROM events e
 WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.deleted_at IS NULL
   AND (e.google_id = $3 OR (e.master_id = $3 AND e.occurrence = $4))
 ORDER BY e.master_id IS NULL
 LIMIT 1
"""  # noqa: S608 - constants


async def find_for_reminder(
    conn: Conn, tenant_id: str, calendar_id: UUID, google_id: str, occurrence: str
) -> StoredEvent | None:
    """Return the exception that stands at an occurrence, else the series or single event."""
    row = await conn.fetchrow(FIND_FOR_REMINDER, tenant_id, calendar_id, google_id, occurrence)
    return None if row is None else stored_of(row)
