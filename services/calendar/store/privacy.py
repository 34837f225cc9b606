"""SQL that finds, and takes out, people in whatever the calendar service holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy import Person
from libs.common.privacy.tables import NamedIn
from libs.common.scrubbing import needles
from services.calendar.domain.appointment import Appointment, appointment_of
from services.calendar.domain.event import Event
from services.calendar.domain.storing import body_of
from services.calendar.store.events import COLUMNS, StoredEvent, stored_of

NO_CALENDAR = UUID(int=0)

LIST_NAMES = """
SELECT DISTINCT n.name
  FROM (SELECT a.guest ->> 'name' AS name, a.guest ->> 'email' AS email
          FROM events e
         CROSS JOIN LATERAL jsonb_array_elements(e.body -> 'details' -> 'attendees') AS a (guest)
         WHERE e.tenant_id = $1 AND e.people && $2::text[]
         UNION ALL
        SELECT e.body -> 'details' ->> 'organizer_name', e.body -> 'details' ->> 'organizer_email'
          FROM events e WHERE e.tenant_id = $1 AND e.people && $2::text[]
         UNION ALL
        SELECT unnest(ARRAY[p.body -> 'client' ->> 'name', p.body -> 'client' ->> 'phone']),
               p.body -> 'client' ->> 'email'
          FROM appointments p
         WHERE p.tenant_id = $1 AND lower(p.body -> 'client' ->> 'email') = ANY($2::text[])) n
 WHERE lower(n.email) = ANY($2::text[]) AND n.name <> ''
 LIMIT $3
"""


async def list_names(
    conn: Conn, tenant_id: str, addresses: Sequence[str], *, limit: int
) -> list[str]:
    """Return what guests, organisers and clients with one of these addresses are called.

    Telephone numbers of clients are among it. `addresses` are folded.
    """
    rows = await conn.fetch(LIST_NAMES, tenant_id, list(addresses), limit)
    return [row["name"] for row in rows]


LOOK_THROUGH = """
SELECT o.calendar_id, o.google_id,
       o.people && $6::text[]
       OR EXISTS (SELECT FROM unnest($5::text[]) AS n (needle)
                   WHERE strpos(lower(o.body::text), n.needle) > 0)
       OR EXISTS (SELECT FROM appointments a
                   WHERE a.tenant_id = $1 AND a.calendar_id = o.calendar_id
                     AND a.google_id = o.google_id
                     AND lower(a.body -> 'client' ->> 'email') = ANY($6::text[])) AS concerned
  FROM (SELECT calendar_id, google_id, people, body FROM events
         WHERE tenant_id = $1 AND (calendar_id, google_id) > ($2, $3)
         ORDER BY calendar_id, google_id LIMIT $4) o
 ORDER BY o.calendar_id, o.google_id
"""
LOCK_SOME = f"""
SELECT {COLUMNS}, e.people
  FROM events e
 WHERE e.tenant_id = $1 AND e.calendar_id = $2 AND e.google_id = ANY($3::text[])
 ORDER BY e.google_id
   FOR UPDATE
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Concerned:
    """Some events of one calendar that may name somebody, and where the next ones begin."""

    events: Sequence[tuple[StoredEvent, Sequence[str]]]
    """Locked, each with the folded addresses of who takes part."""
    last: tuple[UUID, str] | None
    """None: those were all."""


async def lock_concerned(
    conn: Conn,
    tenant_id: str,
    *,
    after: tuple[UUID, str],
    limit: int,
    needles: Sequence[str],
    addresses: Sequence[str],
) -> Concerned:
    """Look through the next events; return and lock those of one calendar with a needle."""
    rows = await conn.fetch(LOOK_THROUGH, tenant_id, *after, limit, list(needles), list(addresses))
    if not rows:
        return Concerned((), None)
    calendar_id = rows[0]["calendar_id"]
    mine = [row for row in rows if row["calendar_id"] == calendar_id]
    last = None if len(mine) == len(rows) < limit else (calendar_id, mine[-1]["google_id"])
    wanted = [row["google_id"] for row in mine if row["concerned"]]
    if not wanted:
        return Concerned((), last)
    found = await conn.fetch(LOCK_SOME, tenant_id, calendar_id, wanted)
    return Concerned([(stored_of(row), row["people"]) for row in found], last)


REWRITE = """
UPDATE events SET body = $3, people = $4
 WHERE tenant_id = $1 AND id = $2
"""


async def rewrite_event(
    conn: Conn, tenant_id: str, event_id: UUID, event: Event, people: Sequence[str]
) -> None:
    """Keep of an event only so much; it still counts as the version of Google's that it was."""
    await conn.execute(REWRITE, tenant_id, event_id, body_of(event), list(people))


LOCK_APPOINTMENTS = """
SELECT appointment_id, body, wished
  FROM appointments a
 WHERE a.tenant_id = $1 AND a.appointment_id > $2
   AND EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                WHERE strpos(lower(concat_ws(E'\\n', a.body::text, a.wished::text)), n.needle) > 0)
 ORDER BY a.appointment_id LIMIT $3
   FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class HeldAppointment:
    """An appointment that may name somebody."""

    appointment: Appointment
    wished: Mapping[str, Any] | None


async def lock_appointments(
    conn: Conn, tenant_id: str, *, after: str, limit: int, needles: Sequence[str]
) -> list[HeldAppointment]:
    """Return and lock the next appointments with a needle."""
    rows = await conn.fetch(LOCK_APPOINTMENTS, tenant_id, after, limit, list(needles))
    return [HeldAppointment(appointment_of(row["body"]), row["wished"]) for row in rows]


REWRITE_APPOINTMENT = """
UPDATE appointments SET body = $3, wished = $4 WHERE tenant_id = $1 AND appointment_id = $2
"""


async def rewrite_appointment(conn: Conn, tenant_id: str, left: HeldAppointment) -> None:
    """Keep of an appointment only so much; its version stays, so that nothing older comes back."""
    one = left.appointment
    wished = None if left.wished is None else dict(left.wished)
    await conn.execute(REWRITE_APPOINTMENT, tenant_id, one.appointment_id, one.stored(), wished)


LOCK_WRITES = """
SELECT id, state = 'sending' AS under_way, base, desired, progress, answer
  FROM writes w
 WHERE w.tenant_id = $1 AND w.id > $2
   AND (EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                 WHERE strpos(lower(concat_ws(E'\\n', w.base::text, w.desired::text,
                                              w.progress::text, w.answer::text)), n.needle) > 0)
        OR EXISTS (SELECT FROM appointments a
                    WHERE a.tenant_id = $1
                      AND a.appointment_id = w.desired ->> 'appointment_id'
                      AND lower(a.body -> 'client' ->> 'email') = ANY($5::text[])))
 ORDER BY w.id LIMIT $3
   FOR UPDATE
"""

Row = Any


async def lock_writes(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    person: Person,
) -> list[Row]:
    """Return and lock the next changes with a needle, or for a client with such an address."""
    of = needles(person.addresses), list(person.addresses)
    return list(await conn.fetch(LOCK_WRITES, tenant_id, after, limit, *of))


LOCK_CONFLICTS = """
SELECT id, base, ours, theirs, choice
  FROM conflicts k
 WHERE k.tenant_id = $1 AND k.id > $2
   AND (EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                 WHERE strpos(lower(concat_ws(E'\\n', k.base::text, k.ours::text, k.theirs::text,
                                              k.choice::text)), n.needle) > 0)
        OR EXISTS (SELECT FROM appointments a
                    WHERE a.tenant_id = $1 AND a.appointment_id = k.appointment_id
                      AND lower(a.body -> 'client' ->> 'email') = ANY($5::text[])))
 ORDER BY k.id LIMIT $3
   FOR UPDATE
"""


async def lock_conflicts(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    person: Person,
) -> list[Row]:
    """Return and lock the next conflicts with a needle, or on a client with such an address."""
    of = needles(person.addresses), list(person.addresses)
    return list(await conn.fetch(LOCK_CONFLICTS, tenant_id, after, limit, *of))


COUNT_SOUGHT = """
SELECT count(*) FROM link_work WHERE tenant_id = $1 AND addresses && $2::text[]
"""
SEEK_NO_MORE = """
UPDATE link_work
   SET addresses = ARRAY(SELECT one FROM unnest(addresses) AS one WHERE one <> ALL($2::text[]))
 WHERE tenant_id = $1 AND addresses && $2::text[]
"""


async def forget_sought(
    conn: Conn, tenant_id: str, addresses: Sequence[str], *, erase: bool
) -> int:
    """Look for meetings under these addresses no more; return for how many entities one did."""
    found: int = await conn.fetchval(COUNT_SOUGHT, tenant_id, list(addresses))
    if erase:
        await conn.execute(SEEK_NO_MORE, tenant_id, list(addresses))
    return found


LIST_SETTINGS = """
SELECT NULL::uuid AS connection_id, defaults AS settings FROM tenant_defaults WHERE tenant_id = $1
UNION ALL
SELECT connection_id, preferences FROM connections WHERE tenant_id = $1 AND preferences <> '{}'
"""
REWRITE_DEFAULTS = "UPDATE tenant_defaults SET defaults = $2 WHERE tenant_id = $1"
REWRITE_PREFERENCES = """
UPDATE connections SET preferences = $3 WHERE tenant_id = $1 AND connection_id = $2
"""
LIST_CALENDARS = """
SELECT id, summary, lower(google_id) = ANY($2::text[]) AS is_theirs FROM calendars
 WHERE tenant_id = $1
   AND (lower(google_id) = ANY($2::text[])
        OR EXISTS (SELECT FROM unnest($3::text[]) AS n (needle)
                    WHERE strpos(lower(summary), n.needle) > 0))
 ORDER BY id
"""
RENAME_CALENDAR = "UPDATE calendars SET summary = $3 WHERE tenant_id = $1 AND id = $2"


async def list_settings(conn: Conn, tenant_id: str) -> list[tuple[UUID | None, dict[str, Any]]]:
    """Return the tenant's settings (under None) and those of its connections."""
    rows = await conn.fetch(LIST_SETTINGS, tenant_id)
    return [(row["connection_id"], row["settings"]) for row in rows]


async def rewrite_settings(
    conn: Conn, tenant_id: str, connection_id: UUID | None, settings: Mapping[str, Any]
) -> None:
    """Keep other settings; `connection_id`: as in `list_settings`."""
    if connection_id is None:
        await conn.execute(REWRITE_DEFAULTS, tenant_id, dict(settings))
    else:
        await conn.execute(REWRITE_PREFERENCES, tenant_id, connection_id, dict(settings))


async def list_calendars_naming(
    conn: Conn, tenant_id: str, addresses: Sequence[str], needles: Sequence[str]
) -> list[tuple[UUID, str, bool]]:
    """Return calendars that are somebody's or called so: id, name, whether they are theirs."""
    rows = await conn.fetch(LIST_CALENDARS, tenant_id, list(addresses), list(needles))
    return [(row["id"], row["summary"], row["is_theirs"]) for row in rows]


async def rename_calendar(conn: Conn, tenant_id: str, calendar_id: UUID, summary: str) -> None:
    """Call a calendar otherwise, until the person's list of calendars changes."""
    await conn.execute(RENAME_CALENDAR, tenant_id, calendar_id, summary)


COUNT_CONTENT = """
SELECT count(*) FROM events
 WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL
"""


async def count_content(conn: Conn, tenant_id: str, connection_id: UUID) -> int:
    """Return how many events of a connection are held."""
    found: int = await conn.fetchval(COUNT_CONTENT, tenant_id, connection_id)
    return found


END_OF_ACCOUNT = """
SELECT account_id FROM connections c
 WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.purge = 'done'
   AND NOT EXISTS (SELECT FROM connections o
                    WHERE o.account_id = c.account_id AND o.purge = 'none'
                      AND (o.tenant_id, o.connection_id) <> (c.tenant_id, c.connection_id))
"""
FORGET_WATCHES = "DELETE FROM watches WHERE account_id = $1"
FORGET_CHANNELS = "DELETE FROM channels WHERE account_id = $1"
FORGET_USER = """
UPDATE connections
   SET user_id = '', email = '', account_id = '00000000-0000-0000-0000-000000000000',
       reauthorize_url = NULL, preferences = '{}', complete_since = NULL, leave = NULL,
       erased_at = $3
 WHERE tenant_id = $1 AND connection_id = $2 AND purge = 'done'
"""


async def forget_user(conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime) -> None:
    """Leave nothing of a connection that was purged but that it is none any more.

    With the last connection of an account its channels are forgotten: notices that still come
    find nothing to tell, like those of channels that ended.
    """
    account_id = await conn.fetchval(END_OF_ACCOUNT, tenant_id, connection_id)
    if account_id is not None:
        await conn.execute(FORGET_WATCHES, account_id)
        await conn.execute(FORGET_CHANNELS, account_id)
    await conn.execute(FORGET_USER, tenant_id, connection_id, now)


COUNT_DECIDED = """
SELECT count(*) FROM conflicts
 WHERE tenant_id = $1 AND resolved_by IN ($2::text, 'user:' || $2::text)
"""
FORGET_DECIDED = """
UPDATE conflicts SET resolved_by = 'user:erased'
 WHERE tenant_id = $1 AND resolved_by IN ($2::text, 'user:' || $2::text)
"""
COUNT_KEPT = "SELECT count(*) FROM appointments WHERE tenant_id = $1 AND user_id = $2"
FORGET_KEPT = """
UPDATE appointments
   SET user_id = 'erased',
       body = body || '{"professional": {"user_id": "erased", "name": ""}}'
 WHERE tenant_id = $1 AND user_id = $2
"""
NAMED_IN = (
    NamedIn("decisions", COUNT_DECIDED, FORGET_DECIDED),
    NamedIn("appointments of theirs", COUNT_KEPT, FORGET_KEPT),
)
"""Where users are named outside of their own calendars. An appointment is the CRM's."""
