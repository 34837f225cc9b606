"""Which connections are read: opened and closed by what auth tells, and by what auth lists."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from libs.common import jobs
from libs.common.connections import rows as store
from libs.common.connections.model import (
    RUNNING,
    Access,
    Connected,
    Purge,
    State,
    Told,
    is_stale,
)
from libs.common.connections.rows import ConnectionRows
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import Transient
from libs.common.feeds import FeedState
from libs.common.feeds.store import list_feeds, stop_feeds
from libs.common.google.accounts import ConnectionInfo
from libs.common.jobs import JobState

log = structlog.get_logger(__name__)

PAGE = 200
NOBODY = UUID(int=0)
PAUSED = "paused"
"""Why a feed stands still that somebody paused."""

C = TypeVar("C", bound=Connected)
C_co = TypeVar("C_co", bound=Connected, covariant=True)


class Lister(Protocol):
    """Knows every connection that should have the product."""

    async def list_connections(self) -> list[ConnectionInfo]:
        """Return them all."""


class Following(ABC, Generic[C]):
    """Keeps connections and their feeds as auth says they should be.

    What is the same for every product is here; a service says what its connections begin with,
    which feeds they have, and what goes when they end.
    """

    product: str
    """As auth calls it."""

    def __init__(
        self,
        pool: Pool,
        lister: Lister,
        rows: ConnectionRows[C],
        *,
        now: Callable[[], datetime],
    ) -> None:
        """Keep `rows` in line with what `lister` lists."""
        self._pool = pool
        self._lister = lister
        self._rows = rows
        self._now = now

    @abstractmethod
    async def become(self, conn: Conn, told: Told, current: C | None) -> C:
        """Return the connection after what was told; a new one as connections begin."""

    @abstractmethod
    async def open(self, conn: Conn, new: C) -> None:
        """Open the feeds of a connection that is read."""

    @abstractmethod
    async def is_open(self, conn: Conn, connection: C) -> bool:
        """Say whether it has the feeds it should have."""

    @abstractmethod
    async def end_writes(self, conn: Conn, new: C) -> None:
        """Let nothing go out any more for a connection that is over."""

    @abstractmethod
    async def unwatch(self, conn: Conn, new: C, *, over: bool) -> bool:
        """Note that Google need not tell any more; say whether it is to be told so."""

    @abstractmethod
    async def stop_watching(self, connection: C) -> None:
        """Ask Google to tell no more; outside of any transaction, as far as it still listens."""

    @abstractmethod
    async def purge_some(self, conn: Conn, tenant_id: str, connection_id: UUID) -> int:
        """Remove records read there, and tell what is left of them; return how many went."""

    @abstractmethod
    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what `purge_some` leaves, and note that all is gone."""

    async def purge(self, tenant_id: str, connection_id: UUID) -> None:
        """Remove all that is held for a connection whose purge is wanted, some at a time."""
        removed = 0
        while True:
            async with transaction(self._pool) as conn:
                count = await self.purge_some(conn, tenant_id, connection_id)
                if count == 0:
                    await self.purge_rest(conn, tenant_id, connection_id)
                    break
            removed += count
        log.info("connection_purged", connection_id=str(connection_id), removed=removed)

    async def take(self, conn: Conn, told: Told) -> bool:
        """Apply what was told, in the caller's transaction; say whether the watch must go.

        Raises:
            Transient: what was held before is still being removed.
        """
        await directory.lock_shared(conn, told.tenant_id)  # nobody pauses the tenant meanwhile
        current = await self._rows.lock(conn, told.tenant_id, told.id)
        if is_stale(told, current):
            return False
        new = await self.become(conn, told, current)
        if current is None and told.access is None and told.sequence is None:
            return False
        if current is not None and current.purge is Purge.WANTED and new.state in RUNNING:
            raise Transient("What this connection held is still being removed.")
        if not await self._rows.put(conn, new):
            return False
        moved = current is not None and current.email != new.email
        return await self._apply(conn, new, fresh=told.fresh or moved)

    async def _apply(self, conn: Conn, new: C, *, fresh: bool) -> bool:
        if new.state in RUNNING and new.is_paused:
            await stop_feeds(conn, new.tenant_id, new.id, state=FeedState.PAUSED, reason=PAUSED)
            return False
        if new.state in RUNNING:
            if fresh or not await self.is_open(conn, new):
                await self.open(conn, new)
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
            await self.end_writes(conn, new)
        return await self.unwatch(conn, new, over=over)

    async def _end_jobs(self, conn: Conn, new: C) -> None:
        """Nobody works on what was asked for any more."""
        for feed in await list_feeds(conn, new.tenant_id, [new.id]):
            await jobs.finish_jobs(
                conn, feed, state=JobState.FAILED, reason=new.state.value, now=self._now()
            )

    async def follow_up(self, tenant_id: str, connection_id: UUID, *, unwatch: bool) -> None:
        """Do what must wait for the commit: stop the watch, remove what must go."""
        async with self._pool.acquire() as conn:
            connection = await self._rows.find(conn, tenant_id, connection_id)
        if connection is None:
            return
        if unwatch:
            await self.stop_watching(connection)
        if connection.purge is Purge.WANTED:
            await self.purge(tenant_id, connection_id)

    async def reconcile(self) -> None:
        """Bring connections in line with auth's list; what an event changed meanwhile stays.

        Raises:
            Transient: auth cannot be reached.
        """
        started = self._now()
        listed = await self._lister.list_connections()
        for info in listed:
            await self._agree(info, started)
        await self._end_unlisted({(info.tenant_id, info.id) for info in listed}, started)
        async with self._pool.acquire() as conn:
            purging = await store.list_purging(conn)
        for tenant_id, connection_id in purging:
            await self.purge(tenant_id, connection_id)

    async def _agree(self, info: ConnectionInfo, started: datetime) -> None:
        told = listed_as(info, self.product)
        if told is None:
            return
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, told.tenant_id)
            current = await self._rows.lock(conn, told.tenant_id, told.id)
            if current is not None:
                if current.updated_at >= started or current.purge is Purge.WANTED:
                    return
                if not _differs(told, current) and await self._stands(conn, current):
                    return
            unwatch = await self.take(conn, told)
        log.info("connection_reconciled", connection_id=str(told.id))
        await self.follow_up(told.tenant_id, told.id, unwatch=unwatch)

    async def _stands(self, conn: Conn, current: C) -> bool:
        return not current.is_read or await self.is_open(conn, current)

    async def _end_unlisted(self, listed: Collection[tuple[str, UUID]], started: datetime) -> None:
        after = ("", NOBODY)
        while True:
            async with self._pool.acquire() as conn:
                page = await self._rows.list_live(
                    conn, unchanged_since=started, after=after, limit=PAGE
                )
            for connection in page:
                if (connection.tenant_id, connection.id) not in listed:
                    await self._end(connection, started)
            if len(page) < PAGE:
                return
            after = (page[-1].tenant_id, page[-1].id)

    async def _end(self, connection: C, started: datetime) -> None:
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            current = await self._rows.lock(conn, connection.tenant_id, connection.id)
            if current is None or current.updated_at >= started:
                return
            unwatch = await self.take(conn, _ended(current))
        log.info("connection_ended_unlisted", connection_id=str(connection.id))
        await self.follow_up(connection.tenant_id, connection.id, unwatch=unwatch)


def listed_as(info: ConnectionInfo, product: str) -> Told | None:
    """Return what auth's list says; None of a connection that is not confirmed yet."""
    if info.account is None or info.state not in set(State):
        return None
    access = {one.name: one.access for one in info.products}.get(product)
    return Told(
        tenant_id=info.tenant_id,
        id=info.id,
        account_id=info.account.id,
        user_id=info.user_id,
        email=info.account.email,
        access=None if access is None else Access(access),
        state=State(info.state),
    )


def _differs(told: Told, current: Connected) -> bool:
    return (told.account_id, told.user_id, told.email, told.access, told.state) != (
        current.account_id,
        current.user_id,
        current.email,
        current.access,
        current.state,
    )


def _ended(current: Connected) -> Told:
    return Told(
        tenant_id=current.tenant_id,
        id=current.id,
        account_id=current.account_id,
        user_id=current.user_id,
        email=current.email,
        access=None,
        state=State.DISCONNECTED,
    )
