"""A run of a mailbox's live feed: from the cursor to now."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from libs.common.db import Pool, acquired, transaction
from libs.common.errors import AppError, CursorExpired, Transient
from libs.common.feeds import Lease
from libs.common.feeds.compare import Reason
from libs.common.feeds.store import raise_signals
from services.mail.domain.connection import Connection
from services.mail.domain.history import HistoryPage, chunks, deleted_ids, settled_cursor
from services.mail.google import Gmail
from services.mail.store import connections, runs, watches
from services.mail.store.runs import Ending
from services.mail.sync import feeds
from services.mail.sync.inward.intake import Intake
from services.mail.sync.inward.label_names import LabelNames
from services.mail.sync.inward.watching import Watching

log = structlog.get_logger(__name__)

UNWATCHED_POLL_S = 60.0
SIGNAL_TIMEOUT_S = 5.0
SETTLED = timedelta(seconds=60)
"""A record shows up in Gmail's history this long after the mailbox's number moved, at most."""


class Mailbox:
    """Runs feeds of the kind `mail.live`."""

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        intake: Intake,
        watching: Watching,
        names: LabelNames,
        now: Callable[[], datetime],
    ) -> None:
        """Use the given parts; `now` is the product's clock."""
        self._pool = pool
        self._gmail = gmail
        self._intake = intake
        self._watching = watching
        self._names = names
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Take in all that changed since the cursor.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth; what
                was committed stays, and the next run goes on from there.
        """
        feed = lease.feed
        async with acquired(self._pool) as conn:
            found = await runs.find_beginning(conn, feed, self._watching.topic, now=self._now())
        if found is None or not found.connection.is_read:
            return  # it ended, or was paused, between the claim and now
        connection = found.connection
        await self._pin(lease, connection)
        unwatched = None if found.watched else await self._watching.keep(connection)
        try:
            ending = await self._catch_up(lease, connection)
        except CursorExpired:
            ending = await self._begin_anew(lease, connection)
        _report(lease, ending, unwatched)

    async def _pin(self, lease: Lease, connection: Connection) -> None:
        """Begin at the present: what comes after this number is ours to tell.

        What was before is the backfill's, which waits for it.
        """
        if lease.cursor is not None:
            return
        history_id = await self._gmail.box(connection).current_history_id()
        async with transaction(self._pool) as conn:
            # In the order of whoever opens feeds: the connection, signals, feeds.
            await connections.set_complete_since(
                conn, connection.tenant_id, connection.id, self._now()
            )
            await raise_signals(
                conn, feeds.waiting_for_pin(connection), now=self._now(), timeout_s=SIGNAL_TIMEOUT_S
            )
            await lease.advance(conn, cursor=str(history_id))

    async def _begin_anew(self, lease: Lease, connection: Connection) -> Ending:
        """Go on from the present, and have what was missed found by a comparison beside us.

        New mail never waits for old.
        """
        pin = await self._gmail.box(connection).current_history_id()
        log.warning("history_expired")
        async with transaction(self._pool) as conn:
            await feeds.open_repair(
                conn,
                connection,
                reason=Reason.GAP,
                pin=str(pin),
                missed_since=lease.feed.last_sync_at,
                now=self._now(),
            )
            # Last of all: the repair's signal is locked before any feed, as whoever pauses does.
            await lease.advance(conn, cursor=str(pin))
        return await self._catch_up(lease, connection)

    async def _catch_up(self, lease: Lease, connection: Connection) -> Ending:
        started, after, box = self._now(), int(lease.cursor or 0), self._gmail.box(connection)
        page = await box.history(after=after, page_token=None)
        empty = not page.records
        while True:
            await self._names.keep(box, connection, page)
            connection = await self._take(lease, connection, page)
            if page.next_page_token is None:
                break
            page = await box.history(after=after, page_token=page.next_page_token)
            empty = empty and not page.records
        return await self._settle(lease, connection, page.history_id, empty=empty, started=started)

    async def _take(self, lease: Lease, connection: Connection, page: HistoryPage) -> Connection:
        gone = deleted_ids(page.records)
        for chunk in chunks(page.records):
            connection = await self._intake.take(lease, connection, chunk, gone=gone)
        return connection

    async def _settle(
        self,
        lease: Lease,
        connection: Connection,
        history_id: int,
        *,
        empty: bool,
        started: datetime,
    ) -> Ending:
        """Move the cursor of a quiet mailbox along, so that it never grows too old."""
        account_id, old = connection.account_id, int(lease.cursor or 0)
        async with acquired(self._pool) as conn:
            ending = await runs.find_ending(conn, lease.feed, account_id, before=started - SETTLED)
        if not ending.mark_is_due:
            return ending
        cursor = settled_cursor(old, empty=empty, mark=ending.mark)
        async with transaction(self._pool) as conn:
            if cursor != old:
                await lease.advance(conn, cursor=str(cursor))
            await watches.set_mark(
                conn, account_id, history_id, now=self._now(), unless_after=started - SETTLED
            )
        return ending


def _report(lease: Lease, ending: Ending, unwatched: AppError | None) -> None:
    """Show what is wrong although the mailbox was read."""
    if isinstance(unwatched, Transient):
        raise unwatched  # tried again soon, with growing pauses
    if ending.dead_items:
        lease.leave_behind("dead-items")
    if ending.watch_failure is not None:
        lease.leave_behind("watch-failed")
        lease.poll_within(UNWATCHED_POLL_S)  # nobody will call us
