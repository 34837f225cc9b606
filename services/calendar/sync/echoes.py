"""Our own changes, as Google tells of them: they are no edits.

Every change of ours leaves the id of its write in the event. What comes back while nobody knows
yet whether the request was heard, settles it.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.writes import Write, WriteState
from libs.common.writes import store as ledger
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Attendee, Event, Status
from services.calendar.domain.fields import fields_of
from services.calendar.domain.writing import EVENT, Op, Wish, wish_of
from services.calendar.store.calendars import Calendar

MARK = "write"
"""The private property that names the last write of ours."""


class Echoes:
    """Finds our own changes among events that Google tells of."""

    async def find(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        events: Sequence[Event],
        *,
        now: datetime,
    ) -> frozenset[str]:
        """Return Google's ids of events that are as a write of ours left them; settle that write.

        Args:
            conn: inside a transaction.
            connection: whose.
            calendar: in which they are.
            events: as Google has them.
            now: the present moment.
        """
        ours = await self._marked(conn, connection, calendar, events, now=now)
        gone = [one.google_id for one in events if one.status is Status.CANCELLED]
        return ours | await self._deleted(conn, connection, calendar, gone, now=now)

    async def _marked(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        events: Sequence[Event],
        *,
        now: datetime,
    ) -> frozenset[str]:
        """Return those that name a write of which nobody knows yet what became of it."""
        marked = {found: one for one in events if (found := _uuid(one.marks.get(MARK))) is not None}
        if not marked:
            return frozenset()
        ours = set()
        for write in await ledger.list_unsettled(conn, connection.tenant_id, [*marked]):
            event = marked[write.id]
            if write.kind != EVENT or wish_of(write.desired).calendar_id != calendar.id:
                continue
            await _settle(conn, write, event.etag, now=now)
            if is_as_wished(write, event):
                ours.add(event.google_id)
        return frozenset(ours)

    async def _deleted(
        self,
        conn: Conn,
        connection: Connection,
        calendar: Calendar,
        gone: Sequence[str],
        *,
        now: datetime,
    ) -> frozenset[str]:
        """Return those of events that are gone that we have deleted: what is gone has no marks."""
        if not gone:
            return frozenset()
        items = {f"{calendar.id}:{google_id}": google_id for google_id in gone}
        ours = set()
        for write in await ledger.list_echoable(
            conn, connection.tenant_id, connection.id, kind=EVENT, items=[*items]
        ):
            if wish_of(write.desired).op is not Op.DELETE:
                continue
            ours.add(items[write.item])
            if write.state is WriteState.SENDING:
                await _settle(conn, write, "", now=now)
            else:
                await ledger.acknowledge(conn, write, echo=True)
        return frozenset(ours)


async def _settle(conn: Conn, write: Write, etag: str, *, now: datetime) -> None:
    answer = {"etag": etag, "echo": True}
    await ledger.settle(conn, write.tenant_id, write.id, answer, now=now)


def is_as_wished(write: Write, event: Event) -> bool:
    """Say whether an event is as a write wants it; if not, somebody has changed it since."""
    wish = wish_of(write.desired)
    if wish.op is Op.DELETE:
        return event.status is Status.CANCELLED
    if event.status is Status.CANCELLED:
        return False
    if wish.op is Op.RESPOND:
        return any(one.is_self and has_answered(one, wish) for one in event.details.attendees)
    found = fields_of(event)
    return all(found.get(name) == value for name, value in wish.fields.items() if name in found)


def has_answered(mine: Attendee, wish: Wish) -> bool:
    """Say whether the calendar's person has answered as a wish has it, with its comment."""
    return mine.response == wish.response and wish.comment in (None, mine.comment)


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
