"""Runs of the feed `calendar.events`: one calendar, from the cursor to now."""

from collections.abc import Callable
from datetime import datetime

import structlog
from pydantic import BaseModel

from libs.common.db import Pool, acquired, transaction
from libs.common.directory import store as directory
from libs.common.errors import CursorExpired, NotFound
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from libs.common.feeds.compare import Reason
from libs.common.feeds.dead_items import add_dead_item, remove_dead_item
from libs.common.google.errors import RequestRefused
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event
from services.calendar.google import GoogleCalendar
from services.calendar.google.answers import EventsPage, Unreadable
from services.calendar.store import runs
from services.calendar.store.calendars import Calendar
from services.calendar.sync.feeds import wake_soon, work_address
from services.calendar.sync.inward.comparing import open_comparison
from services.calendar.sync.inward.intake import Intake
from services.calendar.sync.inward.watching import NOT_WATCHABLE, Watching

log = structlog.get_logger(__name__)

UNWATCHED_POLL_S = 60.0
DEAD_KIND = "calendar.event"


class Place(BaseModel):
    """The cursor: what the next page begins with."""

    token: str | None = None
    """Of the last complete reading; None: a complete one is under way."""
    page: str | None = None
    again: bool = False
    """It was read before: what is taken in now was missed, not there when it was connected."""


class Reader:
    """Takes in what changes in calendars that are read."""

    def __init__(
        self,
        pool: Pool,
        google: GoogleCalendar,
        *,
        intake: Intake,
        watching: Watching,
        now: Callable[[], datetime],
    ) -> None:
        """Use the given parts; `now` is the product's clock."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._watching = watching
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Take in all that changed since the cursor; without one, all that there is.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth; what was
                committed stays, and the next run goes on from there.
        """
        feed = lease.feed
        async with acquired(self._pool) as conn:
            begin = await runs.find_beginning(conn, feed, now=self._now())
        if begin is None or not begin.connection.is_read:
            return  # it ended between the claim and now
        connection, calendar = begin.connection, begin.calendar
        # Before anything is read: what changes from here on is told of.
        unwatched = await self._watching.keep(connection, calendar.google_id, begin.watch)
        try:
            if lease.cursor is None and feed.last_sync_at is not None:
                # It is to be read from another day on, or was let go: what went meanwhile is in
                # no list.
                await self._read_anew(lease, connection, calendar)
            else:
                await self._read(lease, connection, calendar)
        except CursorExpired:
            log.warning("calendar_cursor_expired")
            await self._read_anew(lease, connection, calendar)
        except NotFound as exc:
            if "google_status" not in exc.data:
                raise
            lease.leave_behind("calendar-gone")  # the list of calendars will say so
        if unwatched not in (None, NOT_WATCHABLE):
            lease.leave_behind("watch-failed")
            lease.poll_within(UNWATCHED_POLL_S)

    async def _read_anew(self, lease: Lease, connection: Connection, calendar: Calendar) -> None:
        """Take in all that there is; what is gone meanwhile, a comparison beside us finds."""
        async with transaction(self._pool) as conn:
            await open_comparison(conn, connection, calendar, reason=Reason.GAP, now=self._now())
            await lease.advance(conn, cursor=Place(again=True).model_dump_json())
        await self._read(lease, connection, calendar)

    async def _read(self, lease: Lease, connection: Connection, calendar: Calendar) -> None:
        box = self._google.box(connection)
        place = Place.model_validate_json(lease.cursor) if lease.cursor else Place()
        while True:
            try:
                page = await box.list_events(
                    calendar.google_id,
                    since=connection.complete_since,
                    sync_token=place.token,
                    page_token=place.page,
                    details=calendar.shows_details,
                )
            except RequestRefused:
                if place.page is None:
                    raise
                place = place.model_copy(update={"page": None})  # the pages have died: from the top
                continue
            place = await self._take(lease, connection, calendar, place, page)
            if place.page is None:
                return

    async def _take(
        self,
        lease: Lease,
        connection: Connection,
        calendar: Calendar,
        place: Place,
        page: EventsPage,
    ) -> Place:
        last = page.next_page_token is None
        token = page.next_sync_token if last else place.token
        moved = Place(token=token, page=page.next_page_token, again=place.again and not last)
        origin = Origin.LIVE
        if place.token is None:
            origin = Origin.REPAIR if place.again else Origin.BACKFILL
        events = [one for one in page.items if isinstance(one, Event)]
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            if last and (events or place.page is not None):
                # What is reminded of may be another now; signals go before feeds.
                await wake_soon(conn, work_address(connection.id), now=self._now())
            await lease.advance(conn, cursor=moved.model_dump_json())
            await self._intake.take(conn, connection, calendar, events, origin=origin)
            for one in page.items:
                if isinstance(one, Unreadable):
                    await add_dead_item(
                        conn,
                        feed=lease.feed,
                        kind=DEAD_KIND,
                        item=one.google_id or "unknown",
                        cause="unreadable",
                        now=self._now(),
                    )
            if lease.feed.reason == "dead-items":
                for event in events:
                    await remove_dead_item(conn, lease.feed, kind=DEAD_KIND, item=event.google_id)
        if any(isinstance(one, Unreadable) for one in page.items):
            lease.leave_behind("dead-items")
        return moved
