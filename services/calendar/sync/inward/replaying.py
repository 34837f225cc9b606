"""Events that could not be read, asked for once more because a person said so."""

from collections.abc import Callable
from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from libs.common.feeds.dead_items import DeadItem, fail_replay, list_replays, remove_dead_item
from libs.common.feeds.store import list_feeds
from libs.common.google.wire import AnswerUnreadable
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event
from services.calendar.google import GoogleCalendar
from services.calendar.store import calendars
from services.calendar.store.calendars import Calendar
from services.calendar.sync.inward.intake import Intake

UNREADABLE = "unreadable"


class Replays:
    """Works off replays, one event after the other."""

    def __init__(
        self,
        pool: Pool,
        google: GoogleCalendar,
        *,
        intake: Intake,
        now: Callable[[], datetime],
    ) -> None:
        """Ask `google`, and take in through `intake`."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Try the next event again; False: there is none.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth.
        """
        async with self._pool.acquire() as conn:
            items = await list_replays(conn, lease.feed, limit=1)
            if not items:
                return False
            calendar = await self._calendar(conn, connection, items[0])
        await self._replay(lease, connection, calendar, items[0])
        return True

    async def _calendar(
        self, conn: Conn, connection: Connection, dead: DeadItem
    ) -> Calendar | None:
        feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
        of = next((one for one in feeds if one.id == dead.feed_id), None)
        if of is None:
            return None
        found = await calendars.find_by_google(
            conn, connection.tenant_id, connection.id, of.resource
        )
        return found if found is not None and found.is_read and connection.takes_in else None

    async def _replay(
        self, lease: Lease, connection: Connection, calendar: Calendar | None, dead: DeadItem
    ) -> None:
        asked_at, found, cause = self._now(), None, None
        if calendar is not None:
            try:
                found = await self._google.box(connection).get_event(
                    calendar.google_id, dead.item, details=calendar.shows_details
                )
            except AnswerUnreadable:
                cause = UNREADABLE
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            await lease.advance(conn, cursor=lease.cursor or "")
            if cause is not None:
                await fail_replay(conn, dead, cause=cause)
                return
            # Before meetings are locked, which are last.
            await remove_dead_item(conn, lease.feed, kind=dead.kind, item=dead.item)
            if calendar is not None and isinstance(found, Event):
                await self._intake.take(
                    conn,
                    connection,
                    calendar,
                    [found],
                    origin=Origin.REPAIR,
                    fetched_at=asked_at,
                )
