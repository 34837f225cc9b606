"""What a person asks for: all of their calendars compared with Google, and more of the past."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from libs.common import jobs
from libs.common.connections.access import readable
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.errors import Conflict
from libs.common.feeds.compare import Reason
from libs.common.feeds.store import list_feeds
from libs.common.jobs import Job
from services.calendar.domain.connection import Connection
from services.calendar.store import calendars, connections
from services.calendar.sync.feeds import WORK, follow_choice, wake, work_address
from services.calendar.sync.inward.comparing import open_comparison

SYNC: Final = "calendar.sync"

PushAppointments = Callable[[Conn, Connection, datetime, datetime], Awaitable[None]]
"""Lets a connection's appointments within a window be mirrored anew."""


async def push_appointments(
    conn: Conn, connection: Connection, start: datetime, end: datetime
) -> None:
    """Let appointments be as they are: what is used where nothing mirrors any."""
    del conn, connection, start, end


class Asking:
    """Starts long work on calendars and returns the job that tells how far it is."""

    def __init__(
        self, *, push: PushAppointments = push_appointments, now: Callable[[], datetime]
    ) -> None:
        """Have appointments mirrored through `push`."""
        self._push = push
        self._now = now

    async def sync(
        self, conn: Conn, asked: Connection, *, days_back: int | None, days_forward: int | None
    ) -> Job:
        """Compare all calendars that are read, from so many days ago on.

        Args:
            conn: inside a transaction that has locked no row yet.
            asked: whose.
            days_back: None: the settings'; more than those go further back for good.
            days_forward: so far ahead appointments are mirrored; None: the settings'.

        Raises:
            Conflict: `not-connected`, `reauthorization-required`, `connection-disabled` or
                `connection-paused`.
        """
        now = self._now()
        await directory.lock_shared(conn, asked.tenant_id)
        found = await connections.lock_connection(conn, asked.tenant_id, asked.id)
        connection = readable(found)
        if connection.is_paused:
            raise Conflict("The calendars are switched off.", slug="connection-paused")
        await wake(conn, work_address(connection.id), now=now)
        mine = connection.preferences
        back = mine.sync_past_days if days_back is None else days_back
        ahead = mine.sync_future_days if days_forward is None else days_forward
        since = (now - timedelta(days=back)).replace(second=0, microsecond=0)
        if connection.complete_since is None or since < connection.complete_since:
            connection = replace(connection, complete_since=since)
            await connections.set_complete_since(conn, connection.tenant_id, connection.id, since)
        await follow_choice(conn, connection, now=now, audit_every=None)
        for one in await calendars.list_calendars(conn, connection.tenant_id, [connection.id]):
            if one.is_read and connection.takes_in:
                await open_comparison(conn, connection, one, reason=Reason.REQUEST, now=now)
        await self._push(conn, connection, since, now + timedelta(days=ahead))
        feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
        work = next((one for one in feeds if one.kind == WORK), None)
        if work is None:
            raise Conflict("The account is not connected.", slug="not-connected")
        facts = {"days_back": back, "days_forward": ahead}
        return await jobs.add_job(conn, work, kind=SYNC, now=now, facts=facts)
