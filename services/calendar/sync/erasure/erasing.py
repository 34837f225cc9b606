"""Erasing a correspondent from events, appointments and whatever was made of them.

Every event of the tenant is looked at, since what mentions an address is in no index. The place is
in the request's row: a step that breaks off is done again, and finds what is left.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.addresses import fold_address
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.privacy import Person, Request, Step
from libs.common.privacy.parts import AT_ONCE, FIRST
from libs.common.privacy.records import counted
from libs.common.scrubbing import Scrubber, needles
from services.calendar.domain.erasing import (
    names_of_client,
    without,
    without_client,
    without_person,
)
from services.calendar.store import privacy as store
from services.calendar.store.privacy import HeldAppointment
from services.calendar.sync.inward.intake import people_of
from services.calendar.sync.inward.meetings import Meetings

LOOKED_THROUGH = 200
MOST_NAMES = 50
AT_GOOGLE = "events-stay-in-google"
THEIR_CALENDAR = "their-calendar-is-read:"


class ErasedEvents:
    """The part that goes through events; what is left of a meeting is told."""

    name = "events"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next events of one calendar, and take the person out."""
        if not person.addresses:
            return Step()
        of, now = person.tenant_id, self._now()
        place = request.place or await begin(conn, person)
        await directory.lock_shared(conn, of)  # before any row is locked
        some = await store.lock_concerned(
            conn,
            of,
            after=(UUID(place["calendar"]), place["after"]),
            limit=LOOKED_THROUGH,
            needles=needles(person.addresses),
            addresses=person.addresses,
        )
        scrubber = Scrubber(person.addresses, place["names"])
        meetings, found = Meetings(conn, of, now=now), 0
        for stored, people in some.events:
            left = without(stored.event, scrubber)
            if left == stored.event and not scrubber.addresses & {*map(fold_address, people)}:
                continue
            found += 1
            if request.erases:
                await store.rewrite_event(conn, of, stored.id, left, people_of(left))
                meetings.touch(stored.series_id, stored.occurrence, Origin.REPAIR)
        await meetings.tell()
        return Step(
            found=counted("events", found),
            notes=[AT_GOOGLE] if found else [],
            place=None
            if some.last is None
            else {**place, "calendar": str(some.last[0]), "after": some.last[1]},
        )


async def begin(conn: Conn, person: Person) -> Mapping[str, Any]:
    """Return where a request begins: at the first row, with the names the person has here."""
    names = await store.list_names(conn, person.tenant_id, person.addresses, limit=MOST_NAMES)
    return {"calendar": str(store.NO_CALENDAR), "after": "", "id": str(FIRST), "names": names}


class ErasedAppointments:
    """Appointments: of a client's own no name and no notes stay. They are the CRM's to correct."""

    name = "appointments"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next appointments."""
        if not person.addresses:
            return Step()
        of = person.tenant_id
        after = request.place["after"] if request.place else ""
        rows = await store.lock_appointments(
            conn, of, after=after, limit=AT_ONCE, needles=needles(person.addresses)
        )
        found = 0
        for held in rows:
            left = _without_client(held, person)
            if left == held:
                continue
            found += 1
            if request.erases:
                await store.rewrite_appointment(conn, of, left)
        last = rows[-1].appointment.appointment_id if len(rows) == AT_ONCE else None
        return Step(
            found=counted("appointments", found),
            place=None if last is None else {"after": last},
        )


def _without_client(held: HeldAppointment, person: Person) -> HeldAppointment:
    names = names_of_client(held.appointment, frozenset(person.addresses))
    scrubber = Scrubber(person.addresses, names)
    return HeldAppointment(
        without_client(held.appointment, scrubber),
        None if held.wished is None else without_person(held.wished, scrubber),
    )


class ErasedSettings:
    """Texts of settings, names of calendars, and whose meetings are still to be looked for."""

    name = "settings"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Take the person out of all of them: there are few."""
        if not person.addresses:
            return Step()
        of, scrubber = person.tenant_id, Scrubber(person.addresses)
        sought = await store.forget_sought(conn, of, person.addresses, erase=request.erases)
        found = {
            "settings": await _of_settings(conn, request, of, scrubber),
            "entities looked for": sought,
        }
        named, notes = 0, []
        for calendar_id, summary, is_theirs in await store.list_calendars_naming(
            conn, of, person.addresses, needles(person.addresses)
        ):
            if is_theirs:
                notes.append(f"{THEIR_CALENDAR}{calendar_id}")
            if (left := scrubber.text(summary)) != summary:
                named += 1
                if request.erases:
                    await store.rename_calendar(conn, of, calendar_id, left)
        found["names of calendars"] = named
        return Step(found={kind: count for kind, count in found.items() if count}, notes=notes)


async def _of_settings(conn: Conn, request: Request, tenant_id: str, scrubber: Scrubber) -> int:
    found = 0
    for connection_id, settings in await store.list_settings(conn, tenant_id):
        left = scrubber.value(settings)
        if left == settings:
            continue
        found += 1
        if request.erases:
            await store.rewrite_settings(conn, tenant_id, connection_id, left)
    return found
