"""What the CRM does to events: made, changed, taken away, answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import store as directory
from libs.common.errors import Conflict
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Notify, Response
from services.calendar.domain.identity import google_event_id
from services.calendar.domain.meeting import occurrence_id, series_id
from services.calendar.domain.times import instants, stored, when_of
from services.calendar.domain.writing import Op, Wish
from services.calendar.store import meetings
from services.calendar.store.calendars import Calendar
from services.calendar.store.meetings import Link
from services.calendar.sync.inward.meetings import Meetings
from services.calendar.sync.outward.picking import (
    Named,
    Picked,
    check_right,
    has_guests,
    must_choose,
    pick,
)
from services.calendar.sync.outward.scopes import (
    Scope,
    ended_before,
    of_all,
    of_following,
    of_this,
    recurring,
)
from services.calendar.sync.outward.targets import Target
from services.calendar.sync.outward.wishing import Queued, queue_wishes

UID_DOMAIN = "google.com"
"""Of the iCalUID that Google gives to an event with an id of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was taken in, on its way to Google."""

    group_id: UUID
    event_id: str
    google_id: str
    connection: Connection
    calendar: Calendar


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
            fields=recurring(fields, zone=target.calendar.zone),
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
        named: Named,
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
        held = await pick(conn, tenant_id, mine, named)
        changes = changes_in(held.target.calendar.zone)
        check_right(held, changes)
        if has_guests(held.event, changes) and notify is None:
            raise must_choose()
        wished = self._wish(held, Op.PATCH, changes, notify)
        match scope or (Scope.ALL if held.key is None else Scope.THIS):
            case Scope.THIS:
                queued = [of_this(held, wished)]
            case Scope.ALL:
                queued = [of_all(held, wished)]
            case Scope.FOLLOWING:
                queued = of_following(held, wished)
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
        named: Named,
        *,
        tenant_id: str,
        scope: Scope | None,
        notify: Notify | None,
    ) -> Accepted:
        """Let an event, an occurrence or the rest of a series be cancelled; see `change`."""
        held = await pick(conn, tenant_id, mine, named)
        if held.event.organized_here and has_guests(held.event, {}) and notify is None:
            raise must_choose()
        wished = self._wish(held, Op.DELETE, {}, notify)
        match scope or (Scope.ALL if held.key is None else Scope.THIS):
            case Scope.THIS:
                queued = [of_this(held, wished)]
            case Scope.ALL:
                queued = [of_all(held, wished)]
            case Scope.FOLLOWING:
                queued = [ended_before(held, wished)]
        group = await queue_wishes(conn, held.target.connection, queued, now=self._now())
        return self._accepted(held, queued[-1].wish, group)

    async def respond(
        self,
        conn: Conn,
        mine: Sequence[UUID],
        named: Named,
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
        held = await pick(conn, tenant_id, mine, named)
        if not any(one.is_self for one in held.event.details.attendees):
            raise Conflict("The person is not invited to it.", slug="not-invited")
        wished = replace(
            self._wish(held, Op.RESPOND, {}, notify), response=response, comment=comment
        )
        queued = [of_this(held, wished)]
        group = await queue_wishes(conn, held.target.connection, queued, now=self._now())
        return self._accepted(held, wished, group)

    def _wish(self, held: Picked, op: Op, fields: Mapping[str, Any], notify: Notify | None) -> Wish:
        return Wish(
            op=op,
            calendar_id=held.target.calendar.id,
            google_calendar=held.target.calendar.google_id,
            google_id=held.event.google_id,
            fields=recurring(fields, zone=held.target.calendar.zone, of=held.event),
            notify=notify,
            policy=held.target.connection.preferences.conflict_policy,
            wished_at=self._now(),
            appointment_id=held.event.marks.get("appointment"),
        )

    def _accepted(self, held: Picked, wish: Wish, group_id: UUID) -> Accepted:
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
