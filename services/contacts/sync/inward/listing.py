"""Runs of the feed `contacts.groups`: the labels of an address book, and the groups they are."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from pydantic import BaseModel

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import CursorExpired
from libs.common.events.base import Origin
from libs.common.feeds import Lease, snapshot
from libs.common.google.errors import RequestRefused
from services.contacts.domain.connection import Connection
from services.contacts.google import GooglePeople
from services.contacts.google.answers import LabelsPage
from services.contacts.store import connections
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.labelling import Labelling
from services.contacts.sync.inward.pacing import Pace

MOST_LABELS: Final = 100_000

log = structlog.get_logger(__name__)


class _Place(BaseModel):
    """The cursor: what the next page begins with."""

    token: str | None = None
    """Of the last complete reading; None: a complete one is under way."""
    taken_at: datetime | None = None
    """When that reading began: with it the token ends."""
    page: str | None = None


class Labels:
    """Follows people's labels."""

    def __init__(
        self,
        pool: Pool,
        google: GooglePeople,
        *,
        pace: Pace,
        propagation: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """Read through `google`, as often as `pace` says; see `Labelling` for `propagation`."""
        self._pool = pool
        self._google = google
        self._pace = pace
        self._propagation = propagation
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Take in what changed of a person's labels since the cursor.

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
        place = self._begin(lease)
        try:
            was_busy = await self._read(lease, connection, place)
        except (CursorExpired, RequestRefused) as exc:
            if isinstance(exc, RequestRefused) and place.token is None and place.page is None:
                raise
            log.info("contact_labels_read_anew")
            was_busy = await self._read(lease, connection, self._anew())
        self._pace.keep(lease, was_busy=was_busy, now=self._now())

    def _begin(self, lease: Lease) -> _Place:
        place = _Place.model_validate_json(lease.cursor) if lease.cursor else _Place()
        if place.token is None:
            return place if place.taken_at is not None else self._anew()
        return self._anew() if self._pace.is_old(place.taken_at, now=self._now()) else place

    def _anew(self) -> _Place:
        return _Place(taken_at=self._now())

    async def _read(self, lease: Lease, connection: Connection, place: _Place) -> bool:
        """Read to the end; say whether there was anything."""
        box = self._google.box(connection)
        was_busy = False
        while True:
            page = await box.list_labels(sync_token=place.token, page_token=place.page)
            was_busy |= bool(page.labels) and place.token is not None
            place = await self._take(lease, connection, place, page)
            if place.page is None:
                return was_busy

    async def _take(
        self, lease: Lease, connection: Connection, place: _Place, page: LabelsPage
    ) -> _Place:
        last = page.next_page_token is None
        moved = place.model_copy(
            update={
                "token": page.next_sync_token if last else place.token,
                "page": page.next_page_token,
            }
        )
        if page.unreadable:
            lease.leave_behind("labels-unreadable")
        async with transaction(self._pool) as conn:
            if page.labels or place.token is None:
                turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
                origin = Origin.LIVE if place.token is not None else Origin.BACKFILL
                labelling = Labelling(
                    turn, connection, origin=origin, propagation=self._propagation
                )
                await labelling.take(page.labels)
                if place.token is None:
                    await self._note(conn, lease, place, page)
                    if last:
                        listed = await snapshot.next_items(conn, lease.feed, limit=MOST_LABELS)
                        if await labelling.let_go_unlisted(frozenset(listed)):
                            moved = _Place()  # anew, as soon as a list is sure to have them
                            lease.poll_within(self._propagation.total_seconds())
                        await snapshot.clear_items(conn, lease.feed)
                await labelling.end()
                await turn.end()
            await lease.advance(conn, cursor=moved.model_dump_json(exclude_defaults=True))
        return moved

    async def _note(self, conn: Conn, lease: Lease, place: _Place, page: LabelsPage) -> None:
        """Note which labels a complete list has."""
        if place.page is None:
            await snapshot.clear_items(conn, lease.feed)
        names = [one.resource for one in page.labels]
        names += [one.resource for one in page.unreadable if one.resource is not None]
        await snapshot.add_items(conn, lease.feed, names)
