"""Runs of the feed `calendar.list`: which calendars a person has, and which of them are read."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from pydantic import BaseModel

from libs.common.db import Pool, transaction
from libs.common.errors import CursorExpired
from libs.common.feeds import Lease
from services.calendar.domain.calendars import CalendarEntry
from services.calendar.domain.connection import Connection
from services.calendar.google import GoogleCalendar
from services.calendar.google.answers import CalendarListPage
from services.calendar.store import calendars as store
from services.calendar.store import connections
from services.calendar.sync.feeds import follow_choice
from services.calendar.sync.outward.mirroring import look_again

log = structlog.get_logger(__name__)


class _Place(BaseModel):
    """The cursor: what the next page begins with."""

    token: str | None = None
    """Of the last complete reading; None: a complete one is under way."""
    page: str | None = None
    began_at: datetime | None = None
    """When the complete reading began."""


class CalendarLists:
    """Keeps people's lists of calendars, and opens and closes the feeds of their calendars."""

    def __init__(
        self,
        pool: Pool,
        google: GoogleCalendar,
        *,
        audit_every: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """Read lists through `google`."""
        self._pool = pool
        self._google = google
        self._audit_every = audit_every
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Take in what changed of a person's list since the cursor.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth; what was
                committed stays.
        """
        feed = lease.feed
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
        if connection is None or not connection.is_read:
            return
        try:
            await self._read(lease, connection)
        except CursorExpired:
            log.info("calendar_list_read_anew")
            lease.cursor = None
            await self._read(lease, connection)

    async def _read(self, lease: Lease, connection: Connection) -> None:
        place = _Place.model_validate_json(lease.cursor) if lease.cursor else _Place()
        box = self._google.box(connection)
        while True:
            page = await box.list_calendars(sync_token=place.token, page_token=place.page)
            place = await self._take(lease, connection, place, page)
            if place.page is None:
                return

    async def _take(
        self, lease: Lease, connection: Connection, place: _Place, page: CalendarListPage
    ) -> _Place:
        now = self._now()
        began = place.began_at or now
        whole = place.token is None
        last = page.next_page_token is None
        moved = _Place(
            token=page.next_sync_token if last else place.token,
            page=page.next_page_token,
            began_at=None if last else began,
        )
        found = [one for one in page.items if isinstance(one, CalendarEntry)]
        if len(found) < len(page.items):
            lease.leave_behind("calendars-unreadable")
        async with transaction(self._pool) as conn:
            await store.put_calendars(conn, connection.tenant_id, connection.id, found, now=now)
            if last and whole:
                await store.bury_unlisted(
                    conn, connection.tenant_id, connection.id, since=began, now=now
                )
            if last:
                # Settings may have changed since the run began.
                current = await connections.lock_connection(
                    conn, connection.tenant_id, connection.id
                )
                if current is not None and current.is_read:
                    if whole:
                        await look_again(conn, current, now=now)
                    await follow_choice(conn, current, now=now, audit_every=self._audit_every)
            # Last of all: signals of other feeds go before this one's row.
            await lease.advance(conn, cursor=moved.model_dump_json())
        return moved
