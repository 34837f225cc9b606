"""When the people of a tenant are busy, of what is held of their calendars."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.common.db import Connection as Conn
from services.calendar.domain.availability import Interval, interval, takes_time, within
from services.calendar.domain.calendars import AccessRole
from services.calendar.domain.connection import Connection
from services.calendar.store import calendars, connections
from services.calendar.store.events import Window, list_window
from services.calendar.sync.occurring import occurrences

MOST_OCCURRENCES = 10_000
"""Of one person."""


@dataclass(frozen=True, slots=True)
class Busy:
    """When somebody is."""

    user_id: str
    intervals: Sequence[Interval]


async def list_busy(
    conn: Conn, tenant_id: str, users: Sequence[str], window: Interval
) -> tuple[list[Busy], list[str]]:
    """Return when each is busy within the window, and of whom nothing is known.

    Nothing is known of those none of whose calendars is being read.
    """
    found, unknown = [], []
    for user_id in users:
        mine = await connections.list_connections(conn, tenant_id, user_id)
        read = [one for one in mine if one.is_read and one.takes_in and one.complete_since]
        if read:
            found.append(Busy(user_id, await _busy(conn, read, window)))
        else:
            unknown.append(user_id)
    return found, unknown


async def _busy(conn: Conn, read: Sequence[Connection], window: Interval) -> list[Interval]:
    """Return when somebody is busy, by the calendars that are their own."""
    tenant_id, ids = read[0].tenant_id, [one.id for one in read]
    known = await calendars.list_calendars(conn, tenant_id, ids)
    own = {one.id: one.zone for one in known if one.access_role is AccessRole.OWNER}
    wanted = Window(tenant_id=tenant_id, connection_ids=ids, start=window.start, end=window.end)
    masters, exceptions = await list_window(conn, wanted)
    taking = occurrences(
        [one for one in masters if one.stored.calendar_id in own],
        [one for one in exceptions if one.stored.calendar_id in own],
        own,
        start=window.start,
        end=window.end,
        limit=MOST_OCCURRENCES,
    )
    return within(
        (
            interval(one.event.when, zone=own[one.owned.stored.calendar_id])
            for one in taking
            if one.event.when is not None and takes_time(one.event)
        ),
        window,
    )
