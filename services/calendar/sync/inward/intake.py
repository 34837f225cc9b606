"""Taking events in: rows, what was told of them, and the log, in the caller's transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.addresses import fold_address
from libs.common.db import Connection as Conn
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.calendar.domain.changes import Change, cancelled, change_of, completed
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event, Status
from services.calendar.domain.meeting import Copy, occurrence_id, series_id
from services.calendar.domain.recurrence import span_of
from services.calendar.domain.times import instants, original_instant, original_key
from services.calendar.store import events as store
from services.calendar.store import sync_logs
from services.calendar.store.calendars import Calendar
from services.calendar.store.events import StoredEvent
from services.calendar.sync.inward.appointments_back import Back
from services.calendar.sync.inward.echoes import Echoed, Echoes
from services.calendar.sync.inward.meetings import Meetings


@dataclass(slots=True)
class Taken:
    """What a page came to."""

    added: int = 0
    changed: int = 0
    removed: int = 0


class Intake:
    """Writes what Google says of events."""

    def __init__(self, back: Back, echoes: Echoes, *, now: Callable[[], datetime]) -> None:
        """Tell of appointments through `back`, and know our own changes by `echoes`."""
        self._back = back
        self._echoes = echoes
        self._now = now

    async def take(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        events: Sequence[Event],
        *,
        origin: Origin,
        fetched_at: datetime | None = None,
        absent: Sequence[str] = (),
        quiet: bool = False,
        known_of: Echoed | None = None,
        asked_at: datetime | None = None,
    ) -> Taken:
        """Take events of a calendar in; the last that locks anything in the transaction.

        Args:
            conn: inside a transaction, under the directory's shared lock.
            connection: whose calendar.
            calendar: which.
            events: as Google has them.
            origin: why they are looked at; our own changes are told as the CRM's.
            fetched_at: when they were asked for; what was written since is newer, unless None.
            absent: Google's ids of events that are not there any more.
            quiet: they are only not kept any more: appointments and the log hear nothing of it.
            known_of: what of them is ours, if that is known already.
            asked_at: when a change of ours was asked for, which they are the answer to: what was
                deleted since stays so.
        """
        now = self._now()
        newest = {one.google_id: one for one in events}  # a page may have one twice
        of = {one.master_id for one in events if one.master_id is not None}
        known = await store.lock_events(
            conn, connection.tenant_id, calendar.id, sorted({*newest, *absent, *of})
        )
        if fetched_at is not None:
            newest = {
                name: one
                for name, one in newest.items()
                if name not in known or known[name].changed_at < fetched_at
            }
        if asked_at is not None:
            newest = {
                name: one
                for name, one in newest.items()
                if name not in known or not _is_deleted(known[name], since=asked_at)
            }
        echoed = known_of
        if echoed is None:
            before = {name: one.event for name, one in known.items() if one.deleted_at is None}
            echoed = await self._echoes.find(
                conn, connection, calendar, [*newest.values()], known=before, now=now
            )
            # Whoever carried the write that made one may have taken it in while we waited.
            made = sorted(name for name in newest.keys() - known.keys() if newest[name].marks)
            if made:
                more = await store.lock_events(conn, connection.tenant_id, calendar.id, made)
                known = {**known, **more}
        plan = _Plan(connection, calendar, now)
        await _weigh_all(conn, plan, newest, known, absent=absent)
        await plan.write(conn)
        plan.seen += _made_and_gone(newest, known, echoed)
        meetings = Meetings(conn, connection.tenant_id, now=now)
        lines = plan.touch(meetings, origin=origin, echoes=echoed.ours)
        await meetings.tell()
        if quiet:
            return plan.taken
        await self._back.tell(conn, connection, calendar, plan.seen, echoed=echoed, now=now)
        await sync_logs.add_lines(conn, connection.tenant_id, lines, now=now)
        return plan.taken


def _is_deleted(held: StoredEvent, *, since: datetime) -> bool:
    return held.deleted_at is not None and held.deleted_at >= since


def _made_and_gone(
    newest: Mapping[str, Event], known: Mapping[str, StoredEvent], echoed: Echoed
) -> list[tuple[Event | None, Event]]:
    """Return events of ours that were deleted before it was known here that they are there."""
    return [
        (None, found)
        for name, found in newest.items()
        if found.status is Status.CANCELLED and name in echoed.wished and name not in known
    ]


async def _weigh_all(
    conn: Conn,
    plan: "_Plan",
    newest: Mapping[str, Event],
    known: Mapping[str, StoredEvent],
    *,
    absent: Sequence[str],
) -> None:
    """Decide on events, on those that are gone, and on what goes or comes with its series."""
    plan.masters = {name: one.event for name, one in known.items() if one.deleted_at is None}
    plan.masters |= newest
    for name, found in sorted(newest.items()):
        plan.weigh(known.get(name), found)
    for name in absent:
        if (held := known.get(name)) is not None and held.deleted_at is None:
            plan.remove(held)
    gone = [one.event.google_id for one in plan.removed if one.event.is_master]
    touched = sorted({*gone, *plan.new_masters})
    if not touched:
        return
    for one in await store.lock_exceptions(
        conn, plan.calendar.tenant_id, plan.calendar.id, touched
    ):
        if one.event.master_id in gone:
            plan.remove(one)
        elif one.event.google_id not in newest and not one.event.ical_uid:
            plan.place(one)


class _Plan:
    """What is written of one calendar in one transaction."""

    def __init__(self, connection: Connection, calendar: Calendar, now: datetime) -> None:
        self.put: list[tuple[StoredEvent, Sequence[str]]] = []
        self.removed: list[StoredEvent] = []
        self.taken = Taken()
        self.seen: list[tuple[Event | None, Event]] = []
        """What was known, and what is now, of each event that changed."""
        self.masters: Mapping[str, Event] = {}
        """What occurrences may be of, by Google's id."""
        self.new_masters: list[str] = []
        self._steps: list[tuple[Change, StoredEvent]] = []
        self._connection = connection
        self.calendar = calendar
        self._now = now
        self._gone: set[UUID] = set()

    def weigh(self, held: StoredEvent | None, found: Event) -> None:
        known = None if held is None or held.deleted_at is not None else held.event
        master = self.masters.get(found.master_id or "")
        if master is not None and master.status is Status.CANCELLED:
            change = Change.NOTHING if known is None else Change.REMOVE  # it goes with its series
        else:
            found = completed(known, found, master, zone=self.calendar.zone)
            change = change_of(known, found)
        if change is Change.REMOVE and held is not None:
            self.remove(held)
            return
        if change not in {Change.ADD, Change.REPLACE}:
            return
        stored = self._stored(held, found)
        if stored is None:
            return
        self.put.append((stored, people_of(found)))
        if found.is_master and change is Change.ADD:
            self.new_masters.append(found.google_id)
        if found.master_id is not None and not found.ical_uid:
            return  # which meeting it belongs to, its series will say
        self.seen.append((known, found))
        self._steps.append((change, stored))
        if change is Change.ADD:
            self.taken.added += 1
        else:
            self.taken.changed += 1

    def place(self, held: StoredEvent) -> None:
        """Take in a cancelled occurrence that came before its series."""
        master = self.masters[held.event.master_id or ""]
        found = completed(None, held.event, master, zone=self.calendar.zone)
        stored = self._stored(held, found)
        if stored is not None and found.ical_uid:
            self.put.append((stored, ()))
            self.seen.append((None, found))
            self._steps.append((Change.ADD, stored))

    def remove(self, held: StoredEvent) -> None:
        if held.id in self._gone or held.deleted_at is not None:
            return
        self._gone.add(held.id)
        self.removed.append(held)
        self.seen.append((held.event, cancelled(held.event)))
        self._steps.append((Change.REMOVE, held))
        self.taken.removed += 1

    async def write(self, conn: Conn) -> None:
        tenant_id, now = self._connection.tenant_id, self._now
        if self.put:
            await store.put_events(
                conn, tenant_id, self._connection.id, self.calendar.id, self.put, now=now
            )
        if self.removed:
            await store.bury_events(conn, tenant_id, [one.id for one in self.removed], now=now)

    def _stored(self, held: StoredEvent | None, found: Event) -> StoredEvent | None:
        """Return the row of an event; None: it is an occurrence that nothing is known of."""
        span = _span(found, zone=self.calendar.zone)
        if span is None:
            if held is None:
                return None
            span = held.starts_at, held.ends_at
        return StoredEvent(
            id=new_id() if held is None else held.id,
            connection_id=self._connection.id,
            calendar_id=self.calendar.id,
            series_id=series_id(self._connection.tenant_id, found.ical_uid or found.google_id),
            occurrence="" if found.original is None else original_key(found.original),
            event=found,
            starts_at=span[0],
            ends_at=span[1],
            changed_at=self._now,
        )

    def touch(
        self, meetings: Meetings, *, origin: Origin, echoes: frozenset[str]
    ) -> list[sync_logs.Line]:
        """Note which meetings changed; return the lines of the log."""
        lines = []
        for change, stored in self._steps:
            ours = stored.event.google_id in echoes
            why = Origin.CRM if ours else origin
            if change is Change.REMOVE:
                meetings.gone(self._copy(stored), stored.series_id, stored.occurrence, why)
            else:
                meetings.wrote(stored, why)
            if ours:
                continue  # logged as what went to Google
            lines.append(
                sync_logs.Line(
                    connection_id=self._connection.id,
                    calendar_id=self.calendar.id,
                    direction="from_google",
                    action=change.value,
                    event_id=occurrence_id(stored.series_id, stored.occurrence or None),
                    google_id=stored.event.google_id,
                )
            )
        return lines

    def _copy(self, stored: StoredEvent) -> Copy:
        return Copy(
            event=stored.event,
            connection_id=self._connection.id,
            user_id=self._connection.user_id,
            calendar_id=self.calendar.id,
            is_primary=self.calendar.is_primary,
        )


def _span(event: Event, *, zone: str) -> tuple[datetime, datetime | None] | None:
    if event.is_master:
        return span_of(event, zone=zone)
    if event.when is not None:
        return instants(event.when, zone=zone)
    if event.original is None:
        return None
    at = original_instant(event.original, zone=zone)
    return at, at


def people_of(event: Event) -> list[str]:
    """Return the folded addresses of who takes part in an event."""
    details = event.details
    found = {fold_address(one.email) for one in details.attendees if one.email}
    if details.organizer_email:
        found.add(fold_address(details.organizer_email))
    return sorted(found)
