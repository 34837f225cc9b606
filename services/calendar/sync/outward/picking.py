"""Which event a caller means, in which calendar it is written, and whether they may."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import Forbidden, InvalidInput, NotFound
from services.calendar.domain.event import Event, Status
from services.calendar.domain.recurrence import occurrence
from services.calendar.domain.times import original_key
from services.calendar.store import calendars, connections
from services.calendar.store import events as store
from services.calendar.store.calendars import Calendar
from services.calendar.store.events import OwnedEvent
from services.calendar.sync.outward.targets import Target, target_of

Named = tuple[UUID, str | None]
"""Series, and the key of an occurrence."""
PERSONAL = frozenset({"reminders", "transparency", "visibility"})
"""What everybody may change in their own copy."""


@dataclass(frozen=True, slots=True)
class Picked:
    """An event of a series as one calendar has it, and where it may be written."""

    target: Target
    owned: OwnedEvent
    """The row: the exception, or else the master or single event."""
    event: Event
    """As it is: an occurrence with its own time."""
    key: str | None
    master: Event | None
    """Of an occurrence."""


class ChoiceNeeded(InvalidInput):
    """Guests would hear of it, or not: the caller has to say which."""

    status: ClassVar[int] = 422
    slug = "choice-needed"


def must_choose() -> InvalidInput:
    """Return the error of a caller who did not say whether guests hear of it."""
    return ChoiceNeeded.field("notify", "must say who hears of it: none, all or external")


async def pick(
    conn: Conn,
    tenant_id: str,
    mine: Sequence[UUID],
    named: Named,
) -> Picked:
    """Return the copy to write: the organiser's if it is among the caller's.

    Args:
        conn: a connection.
        tenant_id: whose.
        mine: the connections whose events the caller may change.
        named: which event.

    Raises:
        NotFound: there is none.
        Conflict, Forbidden: it cannot be written; see `target_of`.
    """
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
    return Picked(target, owned, event, key, master)


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


def has_guests(event: Event, changes: Mapping[str, Any]) -> bool:
    """Say whether somebody else is invited, or is about to be."""
    if changes.get("attendees"):
        return True
    return any(not one.is_self for one in event.details.attendees)


def check_right(held: Picked, changes: Mapping[str, Any]) -> None:
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
