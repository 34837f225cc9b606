"""What people make of appointments in Google, told to the CRM."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.events import calendar as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from services.calendar.domain.appointment import AppointmentChange, appointment_changes
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event, Status
from services.calendar.domain.fields import fields_of
from services.calendar.store import appointments as store
from services.calendar.store.appointments import StoredAppointment
from services.calendar.store.calendars import Calendar
from services.calendar.store.outgoing import was_being_deleted
from services.calendar.sync.inward.echoes import Echoed
from services.calendar.sync.outward.mirroring import look_within


class Back:
    """Tells the CRM of edits, once each: what it wished itself is none."""

    async def tell(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        seen: Sequence[tuple[Event | None, Event]],
        *,
        echoed: Echoed,
        now: datetime,
    ) -> None:
        """Tell of those of `seen` (as known before, as found now) that mirror appointments.

        What an event says is held against what it said before, and what the CRM wrote since: when
        that has not changed, nothing was edited that concerns the appointment.
        """
        edited = {
            found.google_id: (known, found)
            for known, found in seen
            if found.google_id not in echoed.ours
            and (known is not None or found.google_id in echoed.wished)
        }
        if not edited:
            return
        for stored in await store.lock_by_events(
            conn, connection.tenant_id, calendar.id, sorted(edited)
        ):
            known, found = edited[stored.google_id or ""]
            before = {
                **({} if known is None else fields_of(known)),
                **echoed.wished.get(found.google_id, {}),
            }
            zone = connection.preferences.timezone or "UTC"
            change = _change(stored, before, found, zone=zone)
            if change is None:
                continue
            if change.cancelled and await was_being_deleted(
                conn, connection.tenant_id, connection.id, calendar.google_id, found.google_id
            ):
                await self._mirror_again(conn, connection, stored, now=now)
                continue
            kept = await self._keep(conn, stored, found, change, now=now)
            await outbox.append(conn, _told(kept, connection, found, change, now=now))

    async def _mirror_again(
        self, conn: Conn, connection: Connection, stored: StoredAppointment, *, now: datetime
    ) -> None:
        """Let an appointment have another event: a connection that is over took this one along."""
        await store.put_appointment(
            conn,
            replace(
                stored,
                google_id=None,
                calendar_id=None,
                wished=None,
                generation=stored.generation + 1,
                updated_at=now,
            ),
        )
        start = stored.appointment.start
        end = start + timedelta(minutes=stored.appointment.duration)
        await look_within(conn, connection, start=start, end=end, forced=False, now=now)

    async def _keep(
        self,
        conn: Conn,
        stored: StoredAppointment,
        found: Event,
        change: AppointmentChange,
        *,
        now: datetime,
    ) -> StoredAppointment:
        """Number what is told; an event that is gone mirrors nothing before the CRM says so."""
        numbered = replace(stored, sequence=stored.sequence + 1, updated_at=now)
        if change.cancelled:
            numbered = replace(
                numbered,
                google_id=None,
                calendar_id=None,
                generation=stored.generation + 1,
                reason="cancelled-in-google",
            )
        await store.put_appointment(conn, numbered)
        return replace(numbered, google_id=found.google_id)


def _change(
    stored: StoredAppointment, before: Mapping[str, Any], found: Event, *, zone: str
) -> AppointmentChange | None:
    if found.status is Status.CANCELLED:
        return appointment_changes({}, None, stored.appointment, zone=zone)
    wished = stored.wished or {}
    base = {name: before.get(name, wished[name]) for name in wished}
    return appointment_changes(base, fields_of(found), stored.appointment, zone=zone)


def _told(
    stored: StoredAppointment,
    connection: Connection,
    found: Event,
    change: AppointmentChange,
    *,
    now: datetime,
) -> Envelope:
    changes: dict[str, Any] = dict(change.texts)
    if change.start is not None:
        changes["start"] = change.start.isoformat()
    if change.duration is not None:
        changes["duration"] = change.duration
    if change.all_day:
        changes["all_day"] = True
    event = published.AppointmentChanged(
        origin=Origin.LIVE,
        appointment_id=stored.appointment.appointment_id,
        version=stored.appointment.version,
        connection_id=connection.id,
        user_id=connection.user_id,
        google_event_id=found.google_id,
        cancelled=change.cancelled,
        changes=changes,
    )
    return Envelope.of(
        event,
        tenant_id=connection.tenant_id,
        aggregate_id=stored.appointment.appointment_id,
        sequence=stored.sequence,
        time=now,
    )
