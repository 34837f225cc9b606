"""Whose calendars are read: what the calendar service does when auth tells of a connection."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from libs.common.connections import Following, State, Told
from libs.common.connections.following import Lister
from libs.common.connections.rows import is_account_in_use
from libs.common.db import Connection as Conn
from libs.common.db import Pool
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import FeedState
from libs.common.feeds.store import list_feeds
from libs.common.writes import store as ledger
from services.calendar.domain.connection import Connection, updated
from services.calendar.store import appointments, calendars, channels, leaving
from services.calendar.store import connections as store
from services.calendar.store import events as events_store
from services.calendar.sync.feeds import LIST, open_all
from services.calendar.sync.inward.intake import Intake
from services.calendar.sync.inward.watching import Watching

PURGED_AT_ONCE = 500


class Connections(Following[Connection]):
    """Keeps connections and their feeds as auth says they should be."""

    product = "calendar"

    def __init__(
        self,
        pool: Pool,
        lister: Lister,
        watching: Watching,
        intake: Intake,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """Stop channels through `watching`, and tell of what goes through `intake`."""
        super().__init__(pool, lister, store.ROWS, now=now)
        self._watching = watching
        self._intake = intake

    async def become(self, conn: Conn, told: Told, current: Connection | None) -> Connection:
        """Return the connection after what was told."""
        new = updated(told, current, now=self._now())
        if current is not None and current.leave is not None and new.leave is None:
            await leaving.set_leave(conn, new.tenant_id, new.id, None)
        return new

    async def open(self, conn: Conn, new: Connection) -> None:
        """Open the connection's feeds."""
        await open_all(conn, new, now=self._now())

    async def is_open(self, conn: Conn, connection: Connection) -> bool:
        """Say whether its list of calendars is followed, on this account."""
        return any(
            feed.kind == LIST
            and feed.account_id == connection.account_id
            and feed.state in (FeedState.ACTIVE, FeedState.DEGRADED)
            for feed in await list_feeds(conn, connection.tenant_id, [connection.id])
        )

    async def end_writes(self, conn: Conn, new: Connection) -> None:
        """Let nothing go out any more; appointments are mirrored nowhere."""
        reason = new.state.value
        await ledger.cancel_all(conn, new.tenant_id, new.id, reason=reason, now=self._now())
        await appointments.unmirror(conn, new.tenant_id, new.id, reason="not-connected")

    async def unwatch(self, conn: Conn, new: Connection, *, over: bool) -> bool:
        """End the account's channels with its last connection; say whether Google is to stop."""
        if new.state is State.REAUTHORIZATION_REQUIRED:  # they ended with the grant
            await channels.make_due(conn, new.account_id)
        if not over or await is_account_in_use(conn, new.account_id):
            return False
        await channels.end_watches(conn, new.account_id)
        return True

    async def stop_watching(self, connection: Connection) -> None:
        """Ask Google to tell no more."""
        await self._watching.stop(connection)

    async def purge_some(self, conn: Conn, tenant_id: str, connection_id: UUID) -> int:
        """Remove events, and tell what is left of their meetings; return how many went."""
        connection = await store.find_connection(conn, tenant_id, connection_id)
        if connection is None:
            return 0
        return await remove_some(conn, self._intake, connection, calendar_id=None)

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what is held of a connection besides, and note that all is gone."""
        await purge_rest(conn, tenant_id, connection_id)


async def remove_some(
    conn: Conn, intake: Intake, connection: Connection, *, calendar_id: UUID | None
) -> int:
    """Let some events of a connection (of one calendar) be here no more; return how many."""
    await directory.lock_shared(conn, connection.tenant_id)
    found = await events_store.list_some(
        conn, connection.tenant_id, connection.id, calendar_id=calendar_id, limit=PURGED_AT_ONCE
    )
    by_calendar: dict[UUID, list[str]] = {}
    for one, google_id in found:
        by_calendar.setdefault(one, []).append(google_id)
    # One calendar at a time: meetings are locked last in each transaction.
    for one, google_ids in list(by_calendar.items())[:1]:
        calendar = await calendars.find_calendar(conn, connection.tenant_id, one)
        if calendar is None:
            continue
        await intake.take(
            conn, connection, calendar, [], origin=Origin.REPAIR, absent=google_ids, quiet=True
        )
        return len(google_ids)
    return 0


async def purge_rest(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove what is held of a connection besides events, and note that all is gone."""
    await events_store.delete_all(conn, tenant_id, connection_id)
    await ledger.forget(conn, tenant_id, connection_id)
    await store.purge_connection(conn, tenant_id, connection_id)
