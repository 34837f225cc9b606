"""A calendar compared with Google in full: after a gap, on request, and every few hours.

Events come with the list itself, so that what differs is taken in as it is listed. What the list
lacks is asked for one by one before it goes.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from prometheus_client import Counter

from libs.common import jobs, outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.events import calendar as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.feeds import Feed, Lease
from libs.common.feeds.compare import Comparison, Listed, Phase, Plan, Reason, Standing
from libs.common.feeds.store import next_sequence, open_feed
from libs.common.quota import Lane
from services.calendar.domain.connection import Connection
from services.calendar.domain.event import Event, Status
from services.calendar.google import GoogleCalendar
from services.calendar.store import calendars, connections
from services.calendar.store import events as store
from services.calendar.store.calendars import Calendar
from services.calendar.sync.feeds import new_audit_feed, wake, work_address
from services.calendar.sync.inward.intake import Intake, Taken

log = structlog.get_logger(__name__)

MOST_ASKED = 25
REPAIRED = Counter(
    "causeway_calendar_repaired_total",
    "Events that comparisons found to differ, by reason and kind.",
    ["reason", "kind"],
)


def standing_of(connection: Connection, *, reason: Reason, now: datetime) -> Standing:
    """Return the beginning of a comparison of all that should be here."""
    since = connection.complete_since or now
    plan = Plan(reason=reason, since=since, held_since=since, pin="0", started_at=now)
    return Standing(plan=plan)


async def open_comparison(
    conn: Conn, connection: Connection, calendar: Calendar, *, reason: Reason, now: datetime
) -> Feed:
    """Let a calendar be compared soon; a comparison that is under way begins anew."""
    new = new_audit_feed(connection, calendar)
    standing = standing_of(connection, reason=reason, now=now)
    wanted = replace(new, cursor=standing.model_dump_json(), restart=True)
    return await open_feed(conn, wanted, now=now)


class Audits:
    """Runs feeds of the kind `calendar.audit`."""

    def __init__(
        self,
        pool: Pool,
        google: GoogleCalendar,
        *,
        intake: Intake,
        now: Callable[[], datetime],
    ) -> None:
        """Compare through `google`, and take in what differs through `intake`."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Go on with the comparison under way, or begin another.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth; what was
                committed stays.
        """
        feed = lease.feed
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
            calendar = await calendars.find_by_google(
                conn, feed.tenant_id, feed.connection_id, feed.resource
            )
        if connection is None or calendar is None or not connection.is_read:
            return
        standing = Standing.model_validate_json(lease.cursor) if lease.cursor else None
        if standing is None or standing.phase is Phase.FINISHED:
            standing = standing_of(connection, reason=Reason.AUDIT, now=self._now())
        side = _Side(self, connection, calendar)
        over = await Comparison(self._pool, side, now=self._now).run(lease, standing)
        if over or side.found_any or lease.left_behind is not None:
            async with transaction(self._pool) as conn:  # for reminders, and whoever asked for it
                await wake(conn, work_address(connection.id), now=self._now())

    async def take(
        self,
        connection: Connection,
        calendar: Calendar,
        lease: Lease,
        events: Sequence[Event],
        *,
        cursor: Standing | None,
        fetched_at: datetime,
        absent: Sequence[str] = (),
    ) -> Taken:
        """Take in what differs, fenced by the lease; with the cursor moved if one is given."""
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            await lease.advance(
                conn, cursor=(lease.cursor or "") if cursor is None else cursor.model_dump_json()
            )
            taken = await self._intake.take(
                conn,
                connection,
                calendar,
                events,
                origin=Origin.REPAIR,
                fetched_at=fetched_at,
                absent=absent,
            )
            if cursor is not None:
                await jobs.advance_job(conn, lease.feed, done=cursor.done, total=cursor.total)
        return taken

    @property
    def pool(self) -> Pool:
        """Return the service's database."""
        return self._pool

    @property
    def google(self) -> GoogleCalendar:
        """Return Google."""
        return self._google

    def now(self) -> datetime:
        """Return the present moment."""
        return self._now()


class _Side:
    """What the engine has to know of one calendar."""

    def __init__(self, audits: Audits, connection: Connection, calendar: Calendar) -> None:
        self._audits = audits
        self._connection = connection
        self._calendar = calendar
        self._box = audits.google.box(connection, Lane.BACKFILL)
        self.found_any = False
        """Whether this run has found anything to differ."""

    async def list_page(self, lease: Lease, plan: Plan, place: str) -> Listed:
        """Return a page of what is at Google, having taken in what differs."""
        asked_at = self._audits.now()
        page = await self._box.list_events(
            self._calendar.google_id,
            since=plan.since,
            sync_token=None,
            page_token=place or None,
            details=self._calendar.shows_details,
        )
        events = [one for one in page.items if isinstance(one, Event)]
        taken = await self._audits.take(
            self._connection, self._calendar, lease, events, cursor=None, fetched_at=asked_at
        )
        self.found_any |= bool(taken.added or taken.changed or taken.removed)
        ids = [one.google_id for one in page.items if one.google_id is not None]
        counts = {"added": taken.added, "changed": taken.changed, "removed": taken.removed}
        return Listed(items=ids, place=page.next_page_token, counts=counts)

    async def mark_page(self, lease: Lease, plan: Plan, place: str) -> tuple[Listed, str]:
        """Return nothing: an event says all itself."""
        del lease, plan, place
        return Listed(items=[], place=None), ""

    async def count_missing(self, conn: Conn, lease: Lease) -> int:
        """Return 0: what was listed is here."""
        del conn, lease
        return 0

    async def count_absent(self, conn: Conn, lease: Lease, plan: Plan) -> tuple[int, int]:
        """Return how many events were not listed, and how many are held."""
        return await store.count_absent(
            conn,
            self._connection.tenant_id,
            self._calendar.id,
            lease.feed.id,
            since=plan.since,
            started_at=plan.started_at,
        )

    async def work(self, lease: Lease, standing: Standing) -> Standing | None:
        """Ask for events that were not listed, and remove those that are gone."""
        if standing.phase is not Phase.ABSENT:
            return None
        plan, asked_at = standing.plan, self._audits.now()
        async with self._audits.pool.acquire() as conn:
            absent = await store.list_absent(
                conn,
                self._connection.tenant_id,
                self._calendar.id,
                lease.feed.id,
                since=plan.since,
                started_at=plan.started_at,
                after=standing.place,
                limit=MOST_ASKED,
            )
        if not absent:
            return None
        answers = await asyncio.gather(
            *(
                self._box.get_event(
                    self._calendar.google_id, one, details=self._calendar.shows_details
                )
                for one in absent
            )
        )
        gone = [
            name
            for name, found in zip(absent, answers, strict=True)
            if found is None or (found.status is Status.CANCELLED and found.master_id is None)
        ]
        there = [one for one in answers if one is not None and one.google_id not in gone]
        moved = standing.at(absent[-1], removed=len(gone), kept=len(there))
        self.found_any |= bool(gone)
        await self._audits.take(
            self._connection,
            self._calendar,
            lease,
            there,
            cursor=moved,
            fetched_at=asked_at,
            absent=gone,
        )
        return moved

    async def finished(self, conn: Conn, lease: Lease, standing: Standing) -> None:
        """Tell what the comparison found."""
        plan, one, now = standing.plan, self._connection, self._audits.now()
        counts = {
            name: standing.counts.get(name, 0)
            for name in ("listed", "added", "changed", "removed", "kept")
        }
        for kind in ("added", "changed", "removed"):
            REPAIRED.labels(plan.reason.value, kind).inc(counts[kind])
        log.info("calendar_compared", reason=plan.reason.value, **counts)
        event = published.FeedResynced(
            origin=Origin.REPAIR,
            feed_id=lease.feed.id,
            connection_id=one.id,
            user_id=one.user_id,
            calendar_id=self._calendar.id,
            reason=plan.reason.value,
            started_at=plan.started_at,
            finished_at=now,
            counts=published.ResyncCounts(**counts),
        )
        sequence = await next_sequence(conn, lease.feed)
        told = Envelope.of(
            event,
            tenant_id=one.tenant_id,
            aggregate_id=str(lease.feed.id),
            sequence=sequence,
            time=now,
        )
        await outbox.append(conn, told)
