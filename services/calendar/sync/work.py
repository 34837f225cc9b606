"""Runs of the feed `calendar.work`: what entities and settings ask of a connection's events."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from libs.common import jobs
from libs.common.db import Pool, acquired, transaction
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import FeedState, Lease
from libs.common.feeds.compare import Phase, Standing
from libs.common.feeds.store import list_feeds
from libs.common.jobs import JobState
from services.calendar.domain.connection import Connection
from services.calendar.store import calendars, connections, link_work, runs
from services.calendar.store import events as events_store
from services.calendar.store import meetings as meetings_store
from services.calendar.sync.connections import remove_some
from services.calendar.sync.feeds import AUDIT
from services.calendar.sync.inward.intake import Intake
from services.calendar.sync.inward.meetings import Meetings
from services.calendar.sync.inward.replaying import Replays
from services.calendar.sync.inward.watching import Watching
from services.calendar.sync.outward.mirroring import Mirroring
from services.calendar.sync.reminders import Reminders

AT_ONCE = 200
MOST_TURNS = 50
"""Of one run; then others have their turn."""


class Work:
    """Does a connection's work, a bounded piece in each transaction."""

    def __init__(
        self,
        pool: Pool,
        intake: Intake,
        *,
        reminders: Reminders,
        mirroring: Mirroring,
        replays: Replays,
        watching: Watching,
        now: Callable[[], datetime],
    ) -> None:
        """Remove through `intake`; the others do what they are named after."""
        self._mirroring = mirroring
        self._pool = pool
        self._intake = intake
        self._reminders = reminders
        self._replays = replays
        self._watching = watching
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Do what is there to do.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth.
        """
        async with acquired(self._pool) as conn:
            todo = await runs.find_todo(conn, lease.feed)
        if todo is None or not todo.connection.is_read:
            return  # it ended, or was switched off, between the claim and now
        connection = todo.connection
        for _ in range(MOST_TURNS):  # what comes from now on wakes the feed again
            if not (
                (todo.links and await self._link(lease, connection))
                or await self._remove(lease, connection)
                or (todo.mirrors and await self._mirroring.step(lease, connection))
                or (todo.replays and await self._replays.step(lease, connection))
            ):
                break
        else:
            lease.again()
        await self._reminders.lay_out(lease, connection)
        if todo.asked:
            await self._report(lease, connection)
        if todo.channels:
            await self._watching.stop(connection)

    async def _link(self, lease: Lease, connection: Connection) -> bool:
        """Look at the meetings of the next entity again; False: there is none."""
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            await lease.advance(conn, cursor=lease.cursor or "")
            work = await link_work.next_work(conn, connection.tenant_id, connection.id)
            if work is None:
                return False
            keys = {
                *await events_store.list_meetings_with(
                    conn, connection.tenant_id, connection.id, work.addresses
                ),
                *await meetings_store.list_of_entity(conn, connection.tenant_id, work.ref),
            }
            after = _place(lease.cursor, str(work.ref))
            todo = [one for one in sorted(keys) if after is None or _name(one) > after]
            some = todo[:AT_ONCE]
            meetings = Meetings(conn, connection.tenant_id, now=self._now())
            for series_id, occurrence in some:
                meetings.touch(series_id, occurrence, Origin.REPAIR)
            if len(todo) > len(some):
                cursor = f"{work.ref} {_name(some[-1])}"
                await lease.advance(conn, cursor=cursor)
            else:
                await link_work.end_work(conn, connection.tenant_id, connection.id, work.ref)
                await lease.advance(conn, cursor="")
            await meetings.tell()
        return True

    async def _remove(self, lease: Lease, connection: Connection) -> bool:
        """Let events go of calendars that are not read any more; False: there are none."""
        async with self._pool.acquire() as conn:
            found = await calendars.list_calendars(
                conn, connection.tenant_id, [connection.id], gone=True
            )
        for calendar in found:
            if calendar.is_read and connection.takes_in:
                continue
            async with transaction(self._pool) as conn:
                await directory.lock_shared(conn, connection.tenant_id)
                # Nobody chooses it again while its events go.
                now_is = await connections.lock_connection(
                    conn, connection.tenant_id, connection.id
                )
                await lease.advance(conn, cursor=lease.cursor or "")
                known = await calendars.find_calendar(conn, connection.tenant_id, calendar.id)
                if now_is is None or known is None or (known.is_read and now_is.takes_in):
                    continue
                if await remove_some(conn, self._intake, now_is, calendar_id=calendar.id):
                    return True
        return False

    async def _report(self, lease: Lease, connection: Connection) -> None:
        """Show whoever asked for comparisons how far they are."""
        async with transaction(self._pool) as conn:
            feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
            audits = [
                one for one in feeds if one.kind == AUDIT and one.state is not FeedState.CLOSED
            ]
            stands = [Standing.model_validate_json(one.cursor) for one in audits if one.cursor]
            done = [one for one in stands if one.phase is Phase.FINISHED]
            await lease.advance(conn, cursor=lease.cursor or "")
            if len(done) == len(audits):
                counts = sum((Counter(one.counts) for one in done), Counter[str]())
                await jobs.finish_jobs(
                    conn, lease.feed, state=JobState.DONE, facts=dict(counts), now=self._now()
                )
                return
            held = any(one.reason == "held-deletions" for one in audits)
            await jobs.advance_job(
                conn,
                lease.feed,
                done=len(done),
                total=len(audits),
                state=JobState.HELD if held else JobState.RUNNING,
            )


def _name(key: meetings_store.Key) -> str:
    return f"{key[0]}_{key[1]}"


def _place(cursor: str | None, subject: str) -> str | None:
    """Return after which meeting to go on with an entity; None: it has just begun."""
    of, _, place = (cursor or "").rpartition(" ")
    return place if of == subject else None
