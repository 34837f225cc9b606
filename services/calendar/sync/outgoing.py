"""What the CRM does to events: made, changed, taken away, answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import store as directory
from libs.common.errors import Conflict, Forbidden, InvalidInput, NotFound
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event, Notify, Response, Status
from services.calendar.domain.fields import fields_of
from services.calendar.domain.identity import google_event_id
from services.calendar.domain.meeting import occurrence_id, series_id
from services.calendar.domain.recurrence import checked, occurrence
from services.calendar.domain.splitting import shifted, split
from services.calendar.domain.times import instants, original_key, stored, when_of
from services.calendar.domain.writing import Op, Wish
from services.calendar.store import calendars, connections, meetings
from services.calendar.store import events as store
from services.calendar.store.calendars import Calendar
from services.calendar.store.events import OwnedEvent
from services.calendar.store.meetings import Link
from services.calendar.sync.meetings import Meetings
from services.calendar.sync.targets import Target, target_of
from services.calendar.sync.wishing import Queued, queue_wishes

UID_DOMAIN = "google.com"
"""Of the iCalUID that Google gives to an event with an id of ours."""
PERSONAL = frozenset({"reminders", "transparency", "visibility"})
"""What everybody may change in their own copy."""


class Scope(StrEnum):
    """How much of a series an edit is about."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was taken in, on its way to Google."""

    group_id: UUID
    event_id: str
    google_id: str
    connection: Connection
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class _Held:
    """An event of a series as one calendar has it, and where it may be written."""

    target: Target
    owned: OwnedEvent
    """The row: the exception, or else the master or single event."""
    event: Event
    """As it is: an occurrence with its own time."""
    key: str | None
    master: Event | None
    """Of an occurrence."""


class Outgoing:
    """Takes in changes of events; each is queued in the transaction of its wish."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._now = now

    async def create(
        self,
        conn: Conn,
        target: Target,
        fields: Mapping[str, Any],
        *,
        notify: Notify | None,
        entities: Sequence[EntityRef],
    ) -> Accepted:
        """Let an event be made.

        Args:
            conn: inside a transaction.
            target: where.
            fields: of `domain.fields`; with a `time`.
            notify: whom Google writes to.
            entities: whom it concerns, whoever is invited.

        Raises:
            InvalidInput: guests, and nobody said whether they hear of it; a bad recurrence.
        """
        if fields.get("attendees") and notify is None:
            raise must_choose()
        now, source = self._now(), str(new_id())
        google_id = google_event_id(target.connection.tenant_id, source, 0)
        wish = Wish(
            op=Op.INSERT,
            calendar_id=target.calendar.id,
            google_calendar=target.calendar.google_id,
            google_id=google_id,
            fields=_recurring(fields, zone=target.calendar.zone),
            notify=notify,
            policy=target.connection.preferences.conflict_policy,
            wished_at=now,
            marks={"source": source},
            source=source,
        )
        group = await queue_wishes(conn, target.connection, [Queued(wish)], now=now)
        series = series_id(target.connection.tenant_id, f"{google_id}@{UID_DOMAIN}")
        await self._name(conn, target, entities, series=series, time=fields["time"])
        return Accepted(
            group_id=group,
            event_id=str(series),
            google_id=google_id,
            connection=target.connection,
            calendar=target.calendar,
        )

    async def change(
        self,
        conn: Conn,
        mine: Sequence[UUID],
        named: tuple[UUID, str | None],
        changes_in: Callable[[str], Mapping[str, Any]],
        *,
        tenant_id: str,
        scope: Scope | None,
        notify: Notify | None,
        entities: Sequence[EntityRef] | None,
    ) -> Accepted:
        """Let an event be changed.

        Args:
            conn: inside a transaction.
            mine: the connections whose events the caller may change.
            named: series, and the key of an occurrence.
            changes_in: of `domain.fields`, those that change; for times without one, in a zone.
            tenant_id: whose.
            scope: of an occurrence: only it (default), it and what follows, or all of its series.
            notify: whom Google writes to; must be said of a meeting with guests.
            entities: whom it concerns besides; None: as before.

        Raises:
            NotFound: there is none.
            Forbidden: the event is not theirs to change.
            InvalidInput: it has guests, and nobody said whether they hear of it; see `split`.
        """
        if entities is not None:
            await directory.lock_shared(conn, tenant_id)
        held = await self._find(conn, tenant_id, mine, named)
        changes = changes_in(held.target.calendar.zone)
        _check_right(held, changes)
        if _has_guests(held.event, changes) and notify is None:
            raise must_choose()
        wished = self._wish(held, Op.PATCH, changes, notify)
        match scope or (Scope.ALL if held.key is None else Scope.THIS):
            case Scope.THIS:
                queued = [self._this(held, wished)]
            case Scope.ALL:
                queued = [self._all(held, wished)]
            case Scope.FOLLOWING:
                queued = self._following(held, wished)
        connection = held.target.connection
        group = await queue_wishes(conn, connection, queued, now=self._now())
        if entities is not None:
            series = held.owned.stored.series_id
            when = held.event.when
            time = None if when is None else stored(when)
            await self._name(conn, held.target, entities, series=series, time=time)
            told = Meetings(conn, tenant_id, now=self._now())
            told.touch(series, "", Origin.CRM)
            await told.tell()
        return self._accepted(held, queued[-1].wish, group)

    async def cancel(
        self,
        conn: Conn,
        mine: Sequence[UUID],
        named: tuple[UUID, str | None],
        *,
        tenant_id: str,
        scope: Scope | None,
        notify: Notify | None,
    ) -> Accepted:
        """Let an event, an occurrence or the rest of a series be cancelled; see `change`."""
        held = await self._find(conn, tenant_id, mine, named)
        if held.event.organized_here and _has_guests(held.event, {}) and notify is None:
            raise must_choose()
        wished = self._wish(held, Op.DELETE, {}, notify)
        match scope or (Scope.ALL if held.key is None else Scope.THIS):
            case Scope.THIS:
                queued = [self._this(held, wished)]
            case Scope.ALL:
                queued = [self._all(held, wished)]
            case Scope.FOLLOWING:
                queued = [self._trimmed(held, wished)]
        group = await queue_wishes(conn, held.target.connection, queued, now=self._now())
        return self._accepted(held, queued[-1].wish, group)

    async def respond(
        self,
        conn: Conn,
        mine: Sequence[UUID],
        named: tuple[UUID, str | None],
        response: Response,
        *,
        tenant_id: str,
        comment: str | None,
        notify: Notify | None,
    ) -> Accepted:
        """Let the calendar's person answer an invitation, of an occurrence or a whole series.

        Raises:
            NotFound: there is none.
            Conflict: `not-invited`.
        """
        held = await self._find(conn, tenant_id, mine, named)
        if not any(one.is_self for one in held.event.details.attendees):
            raise Conflict("The person is not invited to it.", slug="not-invited")
        wished = replace(
            self._wish(held, Op.RESPOND, {}, notify), response=response, comment=comment
        )
        queued = [self._this(held, wished)]
        group = await queue_wishes(conn, held.target.connection, queued, now=self._now())
        return self._accepted(held, wished, group)

    async def _find(
        self,
        conn: Conn,
        tenant_id: str,
        mine: Sequence[UUID],
        named: tuple[UUID, str | None],
    ) -> _Held:
        """Return the copy to write: the organiser's if it is among the caller's."""
        series, key = named
        rows = await store.find_series(conn, tenant_id, mine, series)
        known = {
            one.id: one for one in await calendars.list_calendars(conn, tenant_id, mine, gone=True)
        }
        found = [
            held
            for owned in rows
            if (held := _held(owned, key, rows, known[owned.stored.calendar_id])) is not None
        ]
        if not found:
            raise NotFound("There is no such event.")
        owned, event, master = min(
            found, key=lambda one: (not one[1].organized_here, not one[0].is_primary)
        )
        if event.status is Status.CANCELLED:
            raise NotFound("There is no such event.")
        connection = await connections.get_connection(
            conn, tenant_id, owned.stored.connection_id, user_id=None
        )
        target = await target_of(conn, connection, owned.stored.calendar_id)
        return _Held(target, owned, event, key, master)

    def _wish(self, held: _Held, op: Op, fields: Mapping[str, Any], notify: Notify | None) -> Wish:
        return Wish(
            op=op,
            calendar_id=held.target.calendar.id,
            google_calendar=held.target.calendar.google_id,
            google_id=held.event.google_id,
            fields=_recurring(fields, zone=held.target.calendar.zone, of=held.event),
            notify=notify,
            policy=held.target.connection.preferences.conflict_policy,
            wished_at=self._now(),
            appointment_id=held.event.marks.get("appointment"),
        )

    def _this(self, held: _Held, wished: Wish) -> Queued:
        """Return the wish for one occurrence, or a whole event that does not recur."""
        if held.key is None or (held.event.original is not None and held.owned.stored.occurrence):
            return Queued(wished, base=_base(held.event))
        if "recurrence" in wished.fields:
            raise InvalidInput.field("recurrence", "is of a whole series: choose another scope")
        # Google names an occurrence that nobody has changed yet by its series and place.
        google_id = f"{held.event.google_id}_{held.key}"
        base = {name: value for name, value in _base(held.event).items() if name != "recurrence"}
        return Queued(replace(wished, google_id=google_id), base=base)

    def _all(self, held: _Held, wished: Wish) -> Queued:
        """Return the wish for a whole series: a new time moves all of it by as much."""
        master = held.master
        if master is None:
            return Queued(wished, base=_base(held.event))
        fields = dict(wished.fields)
        if "time" in fields and held.event.when is not None and master.when is not None:
            fields["time"] = stored(
                shifted(master.when, at=held.event.when, wanted=when_of(fields["time"]))
            )
        wish = replace(wished, google_id=master.google_id, fields=fields)
        return Queued(wish, base=_base(master))

    def _following(self, held: _Held, wished: Wish) -> list[Queued]:
        """Return the two wishes that end a series and begin another, as Google's own apps do."""
        master = held.master
        if master is None or held.key is None:
            return [self._all(held, wished)]
        zone = held.target.calendar.zone
        before, after = split(master, held.key, zone=zone)
        if not before:
            return [self._all(held, wished)]
        plain = occurrence(master, held.key, zone=zone)
        begins = {**_base(master), "recurrence": list(after)}
        if plain is not None:
            begins["time"] = stored(plain.when)
        source = str(new_id())
        tenant_id = held.target.connection.tenant_id
        order = f"{wished.calendar_id}:{master.google_id}"
        ends = replace(
            wished, google_id=master.google_id, fields={"recurrence": list(before)}, order=order
        )
        first = Queued(ends, base=_base(master), write_id=new_id())
        begun = Wish(
            op=Op.INSERT,
            calendar_id=wished.calendar_id,
            google_calendar=wished.google_calendar,
            google_id=google_event_id(tenant_id, source, 0),
            fields={**begins, **wished.fields},
            notify=wished.notify,
            policy=wished.policy,
            wished_at=wished.wished_at,
            marks={"source": source},
            source=source,
            requires=first.write_id,
            order=order,
        )
        return [first, Queued(begun)]

    def _trimmed(self, held: _Held, wished: Wish) -> Queued:
        """Return the wish that ends a series before an occurrence."""
        master = held.master
        if master is None or held.key is None:
            return self._all(held, wished)
        before, _ = split(master, held.key, zone=held.target.calendar.zone)
        if not before:
            return self._all(held, wished)
        wish = replace(
            wished,
            op=Op.PATCH,
            google_id=master.google_id,
            fields={"recurrence": list(before)},
        )
        return Queued(wish, base=_base(master))

    def _accepted(self, held: _Held, wish: Wish, group_id: UUID) -> Accepted:
        series = held.owned.stored.series_id
        event_id = occurrence_id(series, held.key)
        if wish.op is Op.INSERT:
            tenant_id = held.target.connection.tenant_id
            event_id = str(series_id(tenant_id, f"{wish.google_id}@{UID_DOMAIN}"))
        return Accepted(
            group_id=group_id,
            event_id=event_id,
            google_id=wish.google_id,
            connection=held.target.connection,
            calendar=held.target.calendar,
        )

    async def _name(
        self,
        conn: Conn,
        target: Target,
        entities: Sequence[EntityRef],
        *,
        series: UUID,
        time: Mapping[str, Any] | None,
    ) -> None:
        """Let a meeting concern entities because the CRM says so."""
        starts_at = self._now()
        if time:
            starts_at, _ = instants(when_of(time), zone=target.calendar.zone)
        links = [Link(ref, (series, ""), starts_at) for ref in entities]
        await meetings.add_links(conn, target.connection.tenant_id, links, named=True)


class ChoiceNeeded(InvalidInput):
    """Guests would hear of it, or not: the caller has to say which."""

    status: ClassVar[int] = 422
    slug = "choice-needed"


def must_choose() -> InvalidInput:
    """Return the error of a caller who did not say whether guests hear of it."""
    return ChoiceNeeded.field("notify", "must say who hears of it: none, all or external")


def _held(
    owned: OwnedEvent, key: str | None, rows: Sequence[OwnedEvent], calendar: Calendar
) -> tuple[OwnedEvent, Event, Event | None] | None:
    """Return a row as the event that is named, with its master; None: it is another."""
    event = owned.stored.event
    own = None if event.original is None else original_key(event.original)
    masters = [
        one.stored.event
        for one in rows
        if one.stored.calendar_id == owned.stored.calendar_id and one.stored.event.is_master
    ]
    master = masters[0] if masters else None
    if own == key:
        return owned, event, None if key is None else master
    changed = any(
        one.stored.calendar_id == owned.stored.calendar_id and one.stored.occurrence == key
        for one in rows
    )
    if key is None or changed or not event.is_master:
        return None
    plain = occurrence(event, key, zone=calendar.zone)
    if plain is None:
        return None
    at = replace(event, when=plain.when)
    return owned, at, event


def _base(event: Event) -> dict[str, Any]:
    return fields_of(event)


def _has_guests(event: Event, changes: Mapping[str, Any]) -> bool:
    if changes.get("attendees"):
        return True
    return any(not one.is_self for one in event.details.attendees)


def _check_right(held: _Held, changes: Mapping[str, Any]) -> None:
    """Let only organisers, and whoever they let, change what all guests see.

    Raises:
        Forbidden: it is another's.
    """
    event = held.event
    shared = {*changes} - PERSONAL
    if event.busy_only and shared - {"time", "recurrence"}:
        raise Forbidden("The event is private.", slug="private-event")
    theirs = event.organized_here or not event.details.organizer_email or event.guests_can_modify
    if shared and not theirs:
        raise Forbidden("Only its organiser may change it.", slug="not-organizer")


def _recurring(fields: Mapping[str, Any], *, zone: str, of: Event | None = None) -> dict[str, Any]:
    """Return fields with a recurrence as Google takes it.

    Raises:
        InvalidInput: it is none.
    """
    found = dict(fields)
    if not found.get("recurrence"):
        return found
    time = found.get("time")
    when = when_of(time) if time else None if of is None else of.when
    if when is None:
        raise InvalidInput.field("recurrence", "needs a time")
    found["recurrence"] = list(checked(found["recurrence"], when, zone=zone))
    return found
