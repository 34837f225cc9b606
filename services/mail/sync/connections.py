"""Which mailboxes are read: opened and closed by what auth tells, and by what auth lists."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from libs.common import jobs, outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import Transient
from libs.common.events.base import Origin
from libs.common.feeds import FeedState
from libs.common.feeds.store import list_feeds, stop_feeds
from libs.common.google.accounts import ConnectionInfo
from libs.common.jobs import JobState
from libs.common.writes import store as ledger
from services.mail.domain.connection import (
    RUNNING,
    Access,
    Beginnings,
    Connection,
    Purge,
    State,
    Told,
    is_stale,
    updated,
)
from services.mail.domain.message import Policy
from services.mail.store import connections as store
from services.mail.store import copies, keep_work, link_work, outgoing, watches
from services.mail.store.pauses import find_tenant_pause
from services.mail.sync.activities import Activities, copy_of
from services.mail.sync.feeds import LIVE, new_feed, open_all
from services.mail.sync.pausing import PAUSED
from services.mail.sync.watching import Watching

log = structlog.get_logger(__name__)

PRODUCT = "mail"
PAGE = 200
PURGED_AT_ONCE = 1_000
NOBODY = UUID(int=0)


class Lister(Protocol):
    """Knows every connection that should have mail."""

    async def list_connections(self) -> list[ConnectionInfo]:
        """Return them all."""


class Connections:
    """Keeps connections and their feeds as auth says they should be.

    Args:
        policy: what is kept of a new connection's mail.
        backfill_days: how much of a new connection's past is taken in.
        audit_every: time between comparisons of a whole mailbox.
    """

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
        self._pool = pool
        self._lister = lister
        self._watching = watching
        self._policy = policy
        self._backfill_days = backfill_days
        self._audit_every = audit_every
        self._now = now

    async def take(self, conn: Conn, told: Told) -> bool:
        """Apply what was told, in the caller's transaction; say whether the watch must go.

        Raises:
            Transient: what was held before is still being removed.
        """
        await directory.lock_shared(conn, told.tenant_id)  # nobody pauses the tenant meanwhile
        current = await store.lock_connection(conn, told.tenant_id, told.id)
        if is_stale(told, current):
            return False
        new = updated(told, current, new=await self._new(conn, told), now=self._now())
        if current is None and told.access is None and told.sequence is None:
            return False
        if current is not None and current.purge is Purge.WANTED and new.state in RUNNING:
            raise Transient("What this connection held is still being removed.")
        if not await store.put_connection(conn, new):
            return False
        moved = current is not None and current.email != new.email
        return await self._apply(conn, new, fresh=told.fresh or moved)

    async def _new(self, conn: Conn, told: Told) -> Beginnings:
        """Return how a connection of the tenant begins."""
        return Beginnings(
            policy=self._policy,
            backfill_days=self._backfill_days,
            tenant_paused_at=await find_tenant_pause(conn, told.tenant_id),
        )

    async def _apply(self, conn: Conn, new: Connection, *, fresh: bool) -> bool:
        if new.state in RUNNING and new.is_paused:
            await stop_feeds(conn, new.tenant_id, new.id, state=FeedState.PAUSED, reason=PAUSED)
            return False
        if new.state in RUNNING:
            if fresh or not await self._is_open(conn, new):
                await open_all(conn, new, audit_every=self._audit_every, now=self._now())
            return False
        over = new.state is State.DISCONNECTED
        await stop_feeds(
            conn,
            new.tenant_id,
            new.id,
            state=FeedState.CLOSED if over else FeedState.PAUSED,
            reason=new.state.value,
        )
        if over:
            await self._end_jobs(conn, new)
            await self._end_writes(conn, new)
        if new.state is State.REAUTHORIZATION_REQUIRED:  # the watch ended with the grant
            await watches.make_due(conn, new.account_id)
        if not over or await store.is_account_in_use(conn, new.account_id):
            return False
        await watches.remove_watch(conn, new.account_id)
        return True

    async def _end_jobs(self, conn: Conn, new: Connection) -> None:
        """Nobody works on what was asked for any more."""
        for feed in await list_feeds(conn, new.tenant_id, [new.id]):
            await jobs.finish_jobs(
                conn, feed, state=JobState.FAILED, reason=new.state.value, now=self._now()
            )

    async def _end_writes(self, conn: Conn, new: Connection) -> None:
        """Nothing goes out any more; what was under way may have gone."""
        now, reason = self._now(), new.state.value
        uncertain = await ledger.cancel_all(conn, new.tenant_id, new.id, reason=reason, now=now)
        await outgoing.cancel_outgoing(
            conn, new.tenant_id, new.id, uncertain=uncertain, reason=reason, now=now
        )

    async def _is_open(self, conn: Conn, connection: Connection) -> bool:
        feeds = await list_feeds(conn, connection.tenant_id, [connection.id])
        return any(
            feed.kind == LIVE
            and feed.account_id == connection.account_id
            and feed.fingerprint == new_feed(LIVE, connection).fingerprint
            and feed.state in (FeedState.ACTIVE, FeedState.DEGRADED)
            for feed in feeds
        )

    async def follow_up(self, tenant_id: str, connection_id: UUID, *, unwatch: bool) -> None:
        """Do what must wait for the commit: stop the watch, remove what must go."""
        async with self._pool.acquire() as conn:
            connection = await store.find_connection(conn, tenant_id, connection_id)
        if connection is None:
            return
        if unwatch:
            await self._watching.stop(connection)
        if connection.purge is Purge.WANTED:
            await self.purge(tenant_id, connection_id)

    async def purge(self, tenant_id: str, connection_id: UUID) -> None:
        """Remove a connection's messages, some at a time, and what else is held for it."""
        removed = 0
        while True:
            async with transaction(self._pool) as conn:
                count = await self.purge_some(conn, tenant_id, connection_id)
                if count == 0:
                    await purge_rest(conn, tenant_id, connection_id)
                    break
            removed += count
        log.info("connection_purged", connection_id=str(connection_id), messages=removed)

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

    async def reconcile(self) -> None:
        """Bring connections in line with auth's list; what an event changed meanwhile stays.

        Raises:
            Transient: auth cannot be reached.
        """
        started = self._now()
        listed = await self._lister.list_connections()
        for info in listed:
            await self._agree(info, started)
        ids = {(info.tenant_id, info.id) for info in listed}
        await self._end_unlisted(ids, started)
        async with self._pool.acquire() as conn:
            purging = await store.list_purging(conn)
        for tenant_id, connection_id in purging:
            await self.purge(tenant_id, connection_id)

    async def _agree(self, info: ConnectionInfo, started: datetime) -> None:
        told = _told_by(info)
        if told is None:
            return
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, told.tenant_id)
            current = await store.lock_connection(conn, told.tenant_id, told.id)
            if current is not None:
                if current.updated_at >= started or current.purge is Purge.WANTED:
                    return
                if not _differs(told, current) and await self._stands(conn, current):
                    return
            unwatch = await self.take(conn, told)
        log.info("connection_reconciled", connection_id=str(told.id))
        await self.follow_up(told.tenant_id, told.id, unwatch=unwatch)

    async def _stands(self, conn: Conn, current: Connection) -> bool:
        return not current.is_read or await self._is_open(conn, current)

    async def _end_unlisted(self, listed: set[tuple[str, UUID]], started: datetime) -> None:
        after = ("", NOBODY)
        while True:
            async with self._pool.acquire() as conn:
                page = await store.list_live(conn, unchanged_since=started, after=after, limit=PAGE)
            for connection in page:
                if (connection.tenant_id, connection.id) not in listed:
                    await self._end(connection, started)
            if len(page) < PAGE:
                return
            after = (page[-1].tenant_id, page[-1].id)

    async def _end(self, connection: Connection, started: datetime) -> None:
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            current = await store.lock_connection(conn, connection.tenant_id, connection.id)
            if current is None or current.updated_at >= started:
                return
            unwatch = await self.take(conn, _ended(current))
        log.info("connection_ended_unlisted", connection_id=str(connection.id))
        await self.follow_up(connection.tenant_id, connection.id, unwatch=unwatch)


async def purge_rest(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove what is held of a connection besides messages, and note that all is gone."""
    await link_work.remove_work(conn, tenant_id, connection_id)
    await outgoing.delete_outgoing(conn, tenant_id, connection_id)
    await ledger.forget(conn, tenant_id, connection_id)
    await keep_work.end_keeping(conn, tenant_id, connection_id)
    await store.purge_connection(conn, tenant_id, connection_id)


def _told_by(info: ConnectionInfo) -> Told | None:
    """Return what auth's list says; None of a connection that is not confirmed yet."""
    if info.account is None or info.state not in set(State):
        return None
    access = {product.name: product.access for product in info.products}.get(PRODUCT)
    return Told(
        tenant_id=info.tenant_id,
        id=info.id,
        account_id=info.account.id,
        user_id=info.user_id,
        email=info.account.email,
        access=None if access is None else Access(access),
        state=State(info.state),
    )


def _differs(told: Told, current: Connection) -> bool:
    return (told.account_id, told.user_id, told.email, told.access, told.state) != (
        current.account_id,
        current.user_id,
        current.email,
        current.access,
        current.state,
    )


def _ended(current: Connection) -> Told:
    return Told(
        tenant_id=current.tenant_id,
        id=current.id,
        account_id=current.account_id,
        user_id=current.user_id,
        email=current.email,
        access=None,
        state=State.DISCONNECTED,
    )
