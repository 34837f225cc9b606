"""Our own changes, as Google tells of them: they are no edits.

Every change of ours leaves the id of its write in the event. What comes back while nobody knows
yet whether the request was heard, settles it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.writes import Write, WriteState
from libs.common.writes import store as ledger
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Attendee, Event, Status
from services.calendar.domain.fields import fields_of
from services.calendar.domain.meeting import meeting_id
from services.calendar.domain.writing import ACTIONS, EVENT, Op, Wish, wish_of
from services.calendar.store import sync_logs
from services.calendar.store.calendars import Calendar

MARK = "write"
"""The private property that names the last write of ours."""


CLASH = "clash"
"""What a write notes of fields that it leaves to a person, before it asks for the others."""


@dataclass(frozen=True, slots=True)
class Echoed:
    """What events that Google tells of have of us."""

    ours: frozenset[str] = frozenset()
    """Google's ids of those that are as a write of ours left them."""
    wished: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Fields that we wrote, by the ids of those that somebody has changed since."""

    def and_also(self, more: "Echoed") -> "Echoed":
        """Return it with what more there is."""
        return Echoed(self.ours | more.ours, {**self.wished, **more.wished})


class Echoes:
    """Finds our own changes among events that Google tells of."""

    async def find(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        events: Sequence[Event],
        *,
        known: Mapping[str, Event],
        now: datetime,
    ) -> Echoed:
        """Return what of events is ours; a write that is seen to be done is settled.

        Args:
            conn: inside a transaction.
            connection: whose.
            calendar: in which they are.
            events: as Google has them.
            known: as they are held here, by Google's ids.
            now: the present moment.
        """
        ours = await self._marked(conn, connection, calendar, events, known=known, now=now)
        gone = [one.google_id for one in events if one.status is Status.CANCELLED]
        return ours.and_also(await self._gone(conn, connection, calendar, gone, now=now))

    async def _marked(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        events: Sequence[Event],
        *,
        known: Mapping[str, Event],
        now: datetime,
    ) -> Echoed:
        """Return what is ours of those that name a write of which nobody knows what became of it.

        A write that left something undone is not settled by this: whoever carries it sees to that.
        """
        marked = [(found, one) for one in events if (found := _uuid(one.marks.get(MARK)))]
        if not marked:
            return Echoed()
        ids = sorted({write_id for write_id, _ in marked})
        unsettled = await ledger.list_unsettled(conn, connection.tenant_id, ids)
        writes = {one.id: one for one in unsettled if one.kind == EVENT}
        ours, wished = set(), {}
        for write_id, event in marked:  # a series and what was moved of it bear the same mark
            write = writes.get(write_id)
            if write is None or (wish := wish_of(write.desired)).calendar_id != calendar.id:
                continue
            if is_ours_alone(write, event, known=known.get(event.google_id)):
                ours.add(event.google_id)
                if not write.progress.get(CLASH) and event.google_id == wish.google_id:
                    await _settle(conn, connection, write, event, now=now)
            else:
                wished[event.google_id] = written_by(write)
        return Echoed(frozenset(ours), wished)

    async def _gone(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        gone: Sequence[str],
        *,
        now: datetime,
    ) -> Echoed:
        """Return what of events that are gone is ours: those that we have deleted.

        And those that we have made, before anybody knew that they are there: what is gone has no
        marks, but only who made it knew its id.
        """
        if not gone:
            return Echoed()
        items = {f"{calendar.id}:{google_id}": google_id for google_id in gone}
        ours, made = set(), {}
        for write in await ledger.list_echoable(
            conn, connection.tenant_id, connection.id, kind=EVENT, items=[*items]
        ):
            op, is_open = wish_of(write.desired).op, write.state is WriteState.SENDING
            if op is Op.DELETE:
                ours.add(items[write.item])
            elif op is Op.INSERT and is_open:
                made[items[write.item]] = written_by(write)
            else:
                continue
            if is_open:
                await _settle(conn, connection, write, None, now=now)
            else:
                await ledger.acknowledge(conn, write, echo=True)
        return Echoed(frozenset(ours), made)


async def _settle(
    conn: Conn, connection: Connection, write: Write, event: Event | None, *, now: datetime
) -> None:
    """End a write that was seen to be done (None: its event is gone), and log it."""
    wish = wish_of(write.desired)
    answer = {"etag": "" if event is None else event.etag, "google_id": wish.google_id}
    if not await ledger.settle(conn, write.tenant_id, write.id, {**answer, "echo": True}, now=now):
        return
    line = sync_logs.Line(
        connection_id=connection.id,
        calendar_id=wish.calendar_id,
        direction="to_google",
        action=ACTIONS[wish.op],
        status="success",
        event_id=None if event is None else meeting_id(write.tenant_id, event),
        google_id=wish.google_id,
        appointment_id=wish.appointment_id,
    )
    await sync_logs.add_lines(conn, write.tenant_id, [line], now=now)


def written_by(write: Write) -> dict[str, Any]:
    """Return the fields that a write wishes for, but for those that it leaves to a person."""
    left = (write.progress.get(CLASH) or {}).get("ours", {})
    wish = wish_of(write.desired)
    return {name: value for name, value in wish.fields.items() if name not in left}


def is_ours_alone(write: Write, event: Event, *, known: Event | None) -> bool:
    """Say whether an event is as a write wants it, and for the rest as it was `known`.

    If not, somebody else has changed it, before the write or since.
    """
    wish = wish_of(write.desired)
    if wish.op is Op.DELETE:
        return event.status is Status.CANCELLED
    if event.status is Status.CANCELLED:
        return False
    if wish.op is Op.RESPOND:
        return any(one.is_self and has_answered(one, wish) for one in event.details.attendees)
    before = {} if known is None else fields_of(known)
    expected = {**before, **written_by(write)}
    found = fields_of(event)
    return all(found[name] == value for name, value in expected.items() if name in found)


def has_answered(mine: Attendee, wish: Wish) -> bool:
    """Say whether the calendar's person has answered as a wish has it, with its comment."""
    return mine.response == wish.response and wish.comment in (None, mine.comment)


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
