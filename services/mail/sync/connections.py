"""Which mailboxes are read: what mail does when auth tells of a connection."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from libs.common import outbox
from libs.common.connections import Following, State, Told
from libs.common.connections.following import Lister
from libs.common.connections.rows import is_account_in_use
from libs.common.db import Connection as Conn
from libs.common.db import Pool
from libs.common.events.base import Origin
from libs.common.feeds import FeedState
from libs.common.feeds.store import list_feeds
from libs.common.writes import store as ledger
from services.mail.domain.connection import Beginnings, Connection, updated
from services.mail.domain.message import Policy
from services.mail.store import connections as store
from services.mail.store import copies, keep_work, link_work, outgoing, watches
from services.mail.store.pauses import find_tenant_pause
from services.mail.sync.feeds import LIVE, new_feed, open_all
from services.mail.sync.inward.watching import Watching
from services.mail.sync.meaning.activities import Activities, copy_of

PURGED_AT_ONCE = 1_000


class Connections(Following[Connection]):
    """Keeps mailboxes and their feeds as auth says they should be.

    Args:
        policy: what is kept of a new connection's mail.
        backfill_days: how much of a new connection's past is taken in.
        audit_every: time between comparisons of a whole mailbox.
    """

    product = "mail"

    def __init__(
        self,
        pool: Pool,
        lister: Lister,
        watching: Watching,
        *,
        policy: Policy,
        backfill_days: int,
        audit_every: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(pool, lister, store.ROWS, now=now)
        self._watching = watching
        self._policy = policy
        self._backfill_days = backfill_days
        self._audit_every = audit_every

    async def become(self, conn: Conn, told: Told, current: Connection | None) -> Connection:
        """Return the connection after what was told; a new one under the service's settings."""
        new = Beginnings(
            policy=self._policy,
            backfill_days=self._backfill_days,
            tenant_paused_at=await find_tenant_pause(conn, told.tenant_id),
        )
        return updated(told, current, new=new, now=self._now())

    async def open(self, conn: Conn, new: Connection) -> None:
        """Open the mailbox's feeds."""
        await open_all(conn, new, audit_every=self._audit_every, now=self._now())

    async def end_writes(self, conn: Conn, new: Connection) -> None:
        """Let nothing go out any more; what was under way may have gone."""
        now, reason = self._now(), new.state.value
        uncertain = await ledger.cancel_all(conn, new.tenant_id, new.id, reason=reason, now=now)
        await outgoing.cancel_outgoing(
            conn, new.tenant_id, new.id, uncertain=uncertain, reason=reason, now=now
        )

    async def unwatch(self, conn: Conn, new: Connection, *, over: bool) -> bool:
        """Forget the account's watch with its last connection; say whether Gmail is to stop."""
        if new.state is State.REAUTHORIZATION_REQUIRED:  # the watch ended with the grant
            await watches.make_due(conn, new.account_id)
        if not over or await is_account_in_use(conn, new.account_id):
            return False
        await watches.remove_watch(conn, new.account_id)
        return True

    async def stop_watching(self, connection: Connection) -> None:
        """Ask Gmail to push no more."""
        await self._watching.stop(connection)

    async def is_open(self, conn: Conn, connection: Connection) -> bool:
        """Say whether its live feed runs, on this account and with this query."""
        feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
        return any(
            feed.kind == LIVE
            and feed.account_id == connection.account_id
            and feed.fingerprint == new_feed(LIVE, connection).fingerprint
            and feed.state in (FeedState.ACTIVE, FeedState.DEGRADED)
            for feed in feeds
        )

    async def purge_some(self, conn: Conn, tenant_id: str, connection_id: UUID) -> int:
        """Remove messages, and tell what is left of their activities; return how many went."""
        connection = await store.find_connection(conn, tenant_id, connection_id)
        if connection is None:
            return 0
        gone = await copies.purge_messages(conn, tenant_id, connection_id, limit=PURGED_AT_ONCE)
        activities = Activities(conn, connection, origin=Origin.REPAIR)
        for facts in gone:
            if facts.activity_id is not None:
                activities.change(copy_of(connection, facts), time=self._now())
        await outbox.append(conn, *await activities.tell())
        return len(gone)

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what is held of a connection besides, and note that all is gone."""
        await purge_rest(conn, tenant_id, connection_id)


async def purge_rest(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove what is held of a connection besides messages, and note that all is gone."""
    await link_work.remove_work(conn, tenant_id, connection_id)
    await outgoing.delete_outgoing(conn, tenant_id, connection_id)
    await ledger.forget(conn, tenant_id, connection_id)
    await keep_work.end_keeping(conn, tenant_id, connection_id)
    await store.purge_connection(conn, tenant_id, connection_id)
