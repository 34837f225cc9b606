"""Appointments of the CRM, mirrored into the calendar of whoever keeps them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import AppError, Conflict, Forbidden, InvalidInput, NotFound
from libs.common.writes.store.ledger import MOST_PER_ITEM
from services.calendar.domain.appointment import Appointment, desired_fields
from services.calendar.domain.connection import Connection
from services.calendar.domain.fields import changed
from services.calendar.domain.identity import google_event_id
from services.calendar.domain.preferences import TenantDefaults, style_of
from services.calendar.domain.writing import Op, Wish
from services.calendar.store import appointments as store
from services.calendar.store import calendars, connections, sync_logs, tenant_defaults
from services.calendar.store.appointments import StoredAppointment
from services.calendar.sync.feeds import wake, write_address
from services.calendar.sync.outward.targets import Target, of_user, target_of
from services.calendar.sync.outward.wishing import Queued, queue_wishes

NOT_MIRRORED: tuple[type[AppError], ...] = (Conflict, Forbidden, InvalidInput, NotFound)
AT_ONCE = 100


class Appointments:
    """Keeps appointments, and queues what their mirrors in Google need."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def put(
        self, conn: Conn, tenant_id: str, wanted: Appointment
    ) -> tuple[StoredAppointment, bool]:
        """Take in an appointment as it is now; return it, and whether that was news.

        Raises:
            Conflict: `stale-version`: a newer version is here, or another of the same number.
        """
        before = await store.find_appointment(conn, tenant_id, wanted.appointment_id, lock=True)
        if before is not None and before.appointment.version >= wanted.version:
            if before.appointment == wanted:
                return before, False
            raise Conflict(
                "A newer version of the appointment is here.",
                slug="stale-version",
                version=before.appointment.version,
            )
        now = self._now()
        current = before or StoredAppointment(
            tenant_id=tenant_id, appointment=wanted, updated_at=now
        )
        after = await self._mirror(conn, replace(current, appointment=wanted, updated_at=now))
        await store.put_appointment(conn, after)
        return after, True

    async def delete(
        self, conn: Conn, tenant_id: str, appointment_id: str, *, version: int | None
    ) -> StoredAppointment | None:
        """Take in that an appointment is cancelled; None: it is not known.

        Raises:
            Conflict: `stale-version`: a newer version is here.
        """
        before = await store.find_appointment(conn, tenant_id, appointment_id, lock=True)
        if before is None:
            return None
        known = before.appointment.version
        if version is not None and version < known:
            raise Conflict(
                "A newer version of the appointment is here.", slug="stale-version", version=known
            )
        if before.appointment.is_cancelled:
            return before
        over = replace(before.appointment, status="cancelled", version=max(known, version or known))
        after = await self._mirror(conn, replace(before, appointment=over, updated_at=self._now()))
        await store.put_appointment(conn, after)
        return after

    async def sync(self, conn: Conn, tenant_id: str, appointment_id: str) -> StoredAppointment:
        """Mirror an appointment as it is now, whatever became of its event before.

        Raises:
            NotFound: there is no such appointment.
        """
        before = await store.find_appointment(conn, tenant_id, appointment_id, lock=True)
        if before is None:
            raise NotFound("There is no such appointment.")
        after = await self._mirror(conn, replace(before, updated_at=self._now()), forced=True)
        await store.put_appointment(conn, after)
        return after

    async def sync_window(
        self,
        conn: Conn,
        connection: Connection,
        *,
        start: datetime,
        end: datetime,
        after: str | None,
        forced: bool,
    ) -> str | None:
        """Mirror some appointments of a connection's user; return the last one, None at the end.

        Args:
            conn: inside a transaction.
            connection: whose.
            start: of the window.
            end: of the window.
            after: the last one before these.
            forced: write them anew, also where nothing seems to have changed.
        """
        found = await store.list_in_window(
            conn,
            connection.tenant_id,
            connection.user_id,
            start=start,
            end=end,
            after=after,
            limit=AT_ONCE,
        )
        for one in found:
            held = await store.find_appointment(
                conn, one.tenant_id, one.appointment.appointment_id, lock=True
            )
            if held is not None:
                mirrored = await self._mirror(conn, held, forced=forced)
                if mirrored != held:
                    await store.put_appointment(conn, mirrored)
        return found[-1].appointment.appointment_id if len(found) == AT_ONCE else None

    async def withdraw(self, conn: Conn, connection: Connection, *, since: datetime | None) -> int:
        """Let some mirrors of a connection that ends be removed; return how many.

        They go where else their professional is connected.

        Args:
            conn: inside a transaction that has locked no appointment.
            connection: which.
            since: of appointments that end later; None: of all.
        """
        # Its signal first: who holds it may wait for one of the appointments.
        await wake(conn, write_address(connection.id), now=self._now())
        found = await store.lock_mirrored(
            conn, connection.tenant_id, connection.id, since=since, limit=AT_ONCE
        )
        for one in found:
            gone = await self._removed(conn, one, reason="connection-ending", for_good=True)
            after = await self._mirror(conn, gone)
            if after.google_id is None:
                # Perhaps it is not gone when the connection is: who comes again looks for it first.
                after = replace(after, connection_id=connection.id, generation=one.generation)
            await store.put_appointment(conn, after)
        return len(found)

    async def _mirror(
        self, conn: Conn, stored: StoredAppointment, *, forced: bool = False
    ) -> StoredAppointment:
        """Queue what the mirror needs; return the appointment as it is then."""
        one = stored.appointment
        if one.is_cancelled:
            return await self._removed(conn, stored, reason="cancelled")
        try:
            target = await self._target(conn, stored)
        except NOT_MIRRORED as exc:
            return await self._skipped(conn, stored, exc.slug)
        style = style_of(
            target.connection.preferences, await self._defaults(conn, stored.tenant_id)
        )
        fields = desired_fields(one, style)
        moved = stored.google_id is not None and (
            stored.connection_id != target.connection.id or stored.calendar_id != target.calendar.id
        )
        if moved:
            stored = await self._removed(conn, stored, reason="moved")
        if stored.google_id is None:
            return await self._inserted(conn, stored, target, fields)
        return await self._patched(conn, stored, target, fields, forced=forced)

    async def _target(self, conn: Conn, stored: StoredAppointment) -> Target:
        """Return where an appointment goes: where it is, if that still is its professional's.

        Raises:
            Conflict, Forbidden, InvalidInput: it cannot be mirrored now.
        """
        user_id = stored.appointment.professional.user_id
        mine = await of_user(conn, stored.tenant_id, user_id)
        first: AppError = Conflict("Nobody is connected.", slug="not-connected")
        ordered = sorted(mine, key=lambda one: one.id != stored.connection_id)
        for place, connection in enumerate(ordered):
            try:
                return await target_of(conn, connection)
            except NOT_MIRRORED as exc:
                first = exc if place == 0 else first
        raise first

    async def _defaults(self, conn: Conn, tenant_id: str) -> TenantDefaults:
        return await tenant_defaults.find_defaults(conn, tenant_id)

    async def _inserted(
        self, conn: Conn, stored: StoredAppointment, target: Target, fields: dict[str, Any]
    ) -> StoredAppointment:
        one, source = stored.appointment, _source(stored.appointment)
        google_id = google_event_id(stored.tenant_id, source, stored.generation)
        wish = self._wish(stored, target.connection, Op.INSERT, target.calendar.id, google_id)
        wish = replace(
            wish,
            google_calendar=target.calendar.google_id,
            fields=fields,
            marks={"appointment": one.appointment_id, "source": source},
            source=source,
            generation=stored.generation,
        )
        await queue_wishes(conn, target.connection, [Queued(wish)], now=self._now())
        return replace(
            stored,
            connection_id=target.connection.id,
            calendar_id=target.calendar.id,
            google_id=google_id,
            wished=fields,
            reason=None,
        )

    async def _patched(
        self,
        conn: Conn,
        stored: StoredAppointment,
        target: Target,
        fields: dict[str, Any],
        *,
        forced: bool,
    ) -> StoredAppointment:
        before = stored.wished or {}
        names = changed(before, fields) & fields.keys()
        if forced:
            names = frozenset(fields)
        if not names:
            return replace(stored, reason=None)
        wish = self._wish(
            stored, target.connection, Op.PATCH, target.calendar.id, stored.google_id or ""
        )
        wish = replace(
            wish,
            google_calendar=target.calendar.google_id,
            fields={name: fields[name] for name in names},
            forced=forced,
        )
        base = {name: before.get(name) for name in names}
        await queue_wishes(conn, target.connection, [Queued(wish, base=base)], now=self._now())
        return replace(stored, wished=fields, reason=None)

    async def _removed(
        self, conn: Conn, stored: StoredAppointment, *, reason: str, for_good: bool = False
    ) -> StoredAppointment:
        """Let the mirror go, if there is one; the next one is of another generation.

        What goes `for_good` does so however often it was changed before.
        """
        if stored.google_id is None or stored.connection_id is None or stored.calendar_id is None:
            return replace(stored, reason=reason)
        connection = await connections.find_connection(conn, stored.tenant_id, stored.connection_id)
        calendar = await calendars.find_calendar(conn, stored.tenant_id, stored.calendar_id)
        if connection is not None and calendar is not None:
            wish = self._wish(stored, connection, Op.DELETE, calendar.id, stored.google_id)
            wish = replace(wish, google_calendar=calendar.google_id, forced=True)
            most = None if for_good else MOST_PER_ITEM
            await queue_wishes(
                conn, connection, [Queued(wish)], now=self._now(), most_per_item=most
            )
        return replace(
            stored,
            connection_id=None,
            calendar_id=None,
            google_id=None,
            wished=None,
            generation=stored.generation + 1,
            reason=reason,
        )

    async def _skipped(
        self, conn: Conn, stored: StoredAppointment, reason: str
    ) -> StoredAppointment:
        """Keep why an appointment is not mirrored, and say so in the log once."""
        mine: Sequence[UUID] = await connections.list_of_user(
            conn, stored.tenant_id, stored.appointment.professional.user_id
        )
        if mine and stored.reason != reason:
            line = sync_logs.Line(
                connection_id=mine[0],
                direction="to_google",
                action="create" if stored.google_id is None else "update",
                status="skipped",
                appointment_id=stored.appointment.appointment_id,
                google_id=stored.google_id,
                error=reason,
            )
            await sync_logs.add_lines(conn, stored.tenant_id, [line], now=self._now())
        return replace(stored, reason=reason)

    def _wish(
        self,
        stored: StoredAppointment,
        connection: Connection,
        op: Op,
        calendar_id: UUID,
        google_id: str,
    ) -> Wish:
        return Wish(
            op=op,
            calendar_id=calendar_id,
            google_calendar="",
            google_id=google_id,
            policy=connection.preferences.conflict_policy,
            wished_at=self._now(),
            appointment_id=stored.appointment.appointment_id,
        )


def _source(one: Appointment) -> str:
    return f"appointment/{one.appointment_id}"
