"""Runs of the feed `contacts.people`: an address book, from the cursor to now."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from pydantic import BaseModel

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import CursorExpired
from libs.common.events.base import Origin
from libs.common.feeds import Lease, snapshot
from libs.common.feeds.compare import Reason
from libs.common.feeds.dead_items import add_dead_item, remove_dead_item
from libs.common.google.errors import RequestRefused
from libs.common.google.wire import AnswerUnreadable
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Person
from services.contacts.google import GooglePeople, PeopleBox
from services.contacts.google.answers import PeoplePage
from services.contacts.store import connections
from services.contacts.store import people as store
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import wake, work_address
from services.contacts.sync.inward.comparing import open_comparison
from services.contacts.sync.inward.departures import Departures
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.inward.pacing import Pace

log = structlog.get_logger(__name__)

CHUNK: Final = 400
"""People of one transaction."""
DEAD_KIND: Final = "people.person"
UNKNOWN: Final = "unknown"


class Place(BaseModel):
    """The cursor: what is read next."""

    token: str | None = None
    """What changed since it was given is read with it; None: there is none."""
    taken_at: datetime | None = None
    """When the reading in full began that the token stems from: with that it ends."""
    page: str | None = None
    began_at: datetime | None = None
    """When the reading in full began that is under way."""
    fresh: str | None = None
    """The token of a reading in full, once all is read that changed since the old one."""
    again: bool = False
    """People are known whom the reading in full under way will not tell of if they are gone."""
    held_since: datetime | None = None
    """Since when a person is asked whether so many contacts may go."""

    @property
    def in_full(self) -> bool:
        """Say whether all of the address book is read, and not only what changed."""
        return self.began_at is not None


class Reader:
    """Takes in what changes in address books."""

    def __init__(
        self,
        pool: Pool,
        google: GooglePeople,
        *,
        intake: Intake,
        departures: Departures,
        pace: Pace,
        now: Callable[[], datetime],
    ) -> None:
        """Use the given parts; `now` is the product's clock."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._departures = departures
        self._pace = pace
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Take in all that changed since the cursor; without one, all that there is.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth; what was
                committed stays, and the next run goes on from there.
        """
        feed = lease.feed
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
        if connection is None or not connection.is_read:
            return  # it ended between the claim and now
        run = _Run(self, lease, connection)
        try:
            await run.read()
        except CursorExpired:
            log.warning("contacts_cursor_expired")
            await run.lose_token()
            await run.read()
        was_busy = await self._departures.settle(lease, connection, run) or run.was_busy
        self.pace.keep(lease, was_busy=was_busy, now=self._now())

    @property
    def pool(self) -> Pool:
        """Return the service's database."""
        return self._pool

    @property
    def intake(self) -> Intake:
        """Return who takes people in."""
        return self._intake

    @property
    def pace(self) -> Pace:
        """Return how often address books are read."""
        return self._pace

    def now(self) -> datetime:
        """Return the present moment."""
        return self._now()

    def box(self, connection: Connection) -> PeopleBox:
        """Return an address book at Google."""
        return self._google.box(connection)


class _Run:
    """One run of a feed."""

    def __init__(self, reader: Reader, lease: Lease, connection: Connection) -> None:
        self._reader = reader
        self._lease = lease
        self._connection = connection
        self._box = reader.box(connection)
        self.place = Place.model_validate_json(lease.cursor) if lease.cursor else Place()
        self.was_busy = False

    async def read(self) -> None:
        """Read to the end: all of the address book if that is due, then what changed."""
        if self._is_due_in_full():
            await self._begin_in_full()
        if self.place.in_full:
            await self._read_pages()
            if self.place.fresh is None:
                return
        await self._read_pages()

    async def lose_token(self) -> None:
        """Go on without the token, which Google no longer knows."""
        place = self.place
        if place.in_full:  # the pages died, not the token
            await self._move(place.model_copy(update={"page": None}))
        elif place.fresh is not None:
            async with transaction(self._reader.pool) as conn:
                await self._compare(conn)
                moved = place.model_copy(update={"token": place.fresh, "fresh": None, "page": None})
                await self._advance(conn, moved)
        else:
            await self._move(Place(held_since=place.held_since))

    @property
    def held_since(self) -> datetime | None:
        """Return since when a person is asked whether so many may go."""
        return self.place.held_since

    async def hold(self, conn: Conn, since: datetime | None) -> None:
        """Note since when a person is asked; None: nobody is."""
        await self._advance(conn, self.place.model_copy(update={"held_since": since}))

    def _is_due_in_full(self) -> bool:
        place = self.place
        if place.in_full or place.fresh is not None:
            return False
        return place.token is None or self._reader.pace.is_old(
            place.taken_at, now=self._reader.now()
        )

    async def _begin_in_full(self) -> None:
        one = self._connection
        async with self._reader.pool.acquire() as conn:
            known = await store.count_people(conn, one.tenant_id, one.id)
        changes = {
            "began_at": self._reader.now(),
            "page": None,
            "again": bool(known) and self.place.token is None,
        }
        await self._move(self.place.model_copy(update=changes))

    async def _read_pages(self) -> None:
        """Read page after page, until the last of what is read now."""
        while True:
            place = self.place
            try:
                page = await self._box.list_people(
                    sync_token=None if place.in_full else place.token, page_token=place.page
                )
            except RequestRefused as exc:
                if place.page is None:
                    if place.in_full or place.token is None:
                        raise
                    raise CursorExpired("Google does not know the sync token.") from exc
                await self._move(place.model_copy(update={"page": None}))  # from the top
                continue
            await self._take(page)
            if page.next_page_token is None:
                return

    async def _take(self, page: PeoplePage) -> None:
        place, moved = self.place, self._after(page)
        origin = Origin.LIVE
        if place.in_full:
            is_first = self._connection.read_at is None and not place.again
            origin = Origin.BACKFILL if is_first else Origin.REPAIR
        there = [one for one in page.people if not one.is_deleted]
        self.was_busy |= bool(page.people) and not place.in_full
        while len(there) > CHUNK:
            await self._take_chunk(there[:CHUNK], origin, moved=None, page=None)
            there = there[CHUNK:]
        await self._take_chunk(there, origin, moved=moved, page=page)
        if page.unreadable:
            self._lease.leave_behind("dead-items")

    def _after(self, page: PeoplePage) -> Place:
        """Return the place after a page."""
        place = self.place
        if page.next_page_token is not None:
            return place.model_copy(update={"page": page.next_page_token})
        if page.next_sync_token is None:
            raise AnswerUnreadable("Google's last page has no sync token.")
        changes: dict[str, object] = {"page": None}
        if place.in_full:
            changes |= {"taken_at": place.began_at, "began_at": None, "again": False}
            changes["token" if place.token is None else "fresh"] = page.next_sync_token
        else:
            changes |= {"token": place.fresh or page.next_sync_token, "fresh": None}
        return place.model_copy(update=changes)

    async def _take_chunk(
        self,
        people: list[Person],
        origin: Origin,
        *,
        moved: Place | None,
        page: PeoplePage | None,
    ) -> None:
        """Take in a part of a page; with its last one goes what else the page says."""
        one, reader = self._connection, self._reader
        async with transaction(reader.pool) as conn:
            turn = None
            if people:
                turn = await Turn.begin(conn, one.tenant_id, now=reader.now())
                await reader.intake.take(turn, one, people, origin=origin)
            if page is not None and moved is not None:
                await self._note(conn, page)
                if self.place.in_full and not moved.in_full:
                    await self._end_in_full(conn)
            if turn is not None:
                await turn.end()
            if moved is not None and self.place.again and not moved.again:
                await self._compare(conn)
            await self._advance(conn, moved or self.place)

    async def _note(self, conn: Conn, page: PeoplePage) -> None:
        """Note who is gone, to be let go together, and who cannot be read."""
        feed = self._lease.feed
        there = [one.resource for one in page.people if not one.is_deleted]
        gone = [one.resource for one in page.people if one.is_deleted]
        if there and self.place.held_since is not None:
            await snapshot.drop_items(conn, feed, there)  # they are back
        if gone:
            await snapshot.add_items(conn, feed, gone)
        for unreadable in page.unreadable:
            await add_dead_item(
                conn,
                feed=feed,
                kind=DEAD_KIND,
                item=unreadable.resource or UNKNOWN,
                cause="unreadable",
                now=self._reader.now(),
            )
        if feed.reason == "dead-items":
            for person in page.people:
                await remove_dead_item(conn, feed, kind=DEAD_KIND, item=person.resource)

    async def _end_in_full(self, conn: Conn) -> None:
        """Note that the whole address book was read; whoever waits for it may go on."""
        one, now = self._connection, self._reader.now()
        if one.read_at is None:
            await connections.set_read(conn, one.tenant_id, one.id, now=now)
            await wake(conn, work_address(one.id), now=now)

    async def _compare(self, conn: Conn) -> None:
        """Let a comparison find who is gone: what is read does not tell of them."""
        await open_comparison(conn, self._connection, reason=Reason.GAP, now=self._reader.now())

    async def _move(self, place: Place) -> None:
        async with transaction(self._reader.pool) as conn:
            await self._advance(conn, place)

    async def _advance(self, conn: Conn, place: Place) -> None:
        await self._lease.advance(conn, cursor=place.model_dump_json(exclude_defaults=True))
        self.place = place
