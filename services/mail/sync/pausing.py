"""Pausing mailboxes and letting them go on, apart from what auth says of them.

A paused mailbox is not read; pushes only raise its signals. Its cursor stays, so that it goes on
from there; what Gmail has forgotten by then a comparison repairs.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from libs.common import outbox
from libs.common.connections.model import RUNNING
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.feeds import Feed, FeedState
from libs.common.feeds.store import list_feeds, next_sequence, stop_feeds
from services.mail.domain import events
from services.mail.domain.connection import Connection
from services.mail.store import connections, pauses
from services.mail.sync.feeds import open_all

PAUSED: Final = "paused"
"""Why a feed stands still."""


class Pausing:
    """Pauses one connection, or all of a tenant's; in the caller's transaction.

    Args:
        audit_every: time between comparisons of a whole mailbox.
    """

    def __init__(self, *, audit_every: timedelta, now: Callable[[], datetime]) -> None:
        self._audit_every = audit_every
        self._now = now

    async def pause(self, conn: Conn, connection: Connection, *, by: str) -> Connection:
        """Pause a connection; return it as it is then. Doing it twice changes nothing."""
        before = await self._locked(conn, connection)
        if before.paused_at is not None:
            return before
        after = replace(before, paused_at=self._now(), paused_by=by)
        await self._follow(conn, before, after)
        await pauses.set_paused(conn, after)
        return after

    async def resume(self, conn: Conn, connection: Connection) -> Connection:
        """Let a connection go on, unless its tenant is paused; return it as it is then."""
        before = await self._locked(conn, connection)
        if before.paused_at is None:
            return before
        after = replace(before, paused_at=None, paused_by=None)
        await self._follow(conn, before, after)
        await pauses.set_paused(conn, after)
        return after

    async def pause_all(self, conn: Conn, tenant_id: str, *, by: str) -> int:
        """Pause all of a tenant's connections, those to come included; return how many it has."""
        await directory.lock_exclusive(conn, tenant_id)
        now = self._now()
        found = await connections.list_connections(conn, tenant_id, None)
        if await pauses.pause_tenant(conn, tenant_id, at=now, by=by):
            await pauses.mark_all(conn, tenant_id, at=now)
            for one in found:
                await self._follow(conn, one, replace(one, tenant_paused_at=now))
        return len(found)

    async def resume_all(self, conn: Conn, tenant_id: str) -> int:
        """Undo that; what somebody paused by itself stays so. Return how many it has."""
        await directory.lock_exclusive(conn, tenant_id)
        found = await connections.list_connections(conn, tenant_id, None)
        if await pauses.resume_tenant(conn, tenant_id):
            await pauses.mark_all(conn, tenant_id, at=None)
            for one in found:
                await self._follow(conn, one, replace(one, tenant_paused_at=None))
        return len(found)

    async def _locked(self, conn: Conn, connection: Connection) -> Connection:
        """Return the connection, which nobody who holds the directory's lock changes now.

        Its row is locked first, as by whoever opens feeds or pins a cursor: then signals, feeds.
        """
        await directory.lock_exclusive(conn, connection.tenant_id)
        found = await connections.lock_connection(conn, connection.tenant_id, connection.id)
        return found or connection

    async def _follow(self, conn: Conn, before: Connection, after: Connection) -> None:
        """Stop or open the feeds, if that is what the change means, and tell of it."""
        if after.state not in RUNNING or before.is_paused == after.is_paused:
            return  # auth has them stopped, or another pause goes on
        was = {one.id: one for one in await list_feeds(conn, after.tenant_id, [after.id])}
        if after.is_paused:
            await stop_feeds(conn, after.tenant_id, after.id, state=FeedState.PAUSED, reason=PAUSED)
        else:
            await open_all(conn, after, audit_every=self._audit_every, now=self._now())
        for feed in await list_feeds(conn, after.tenant_id, [after.id]):
            if feed.id in was:
                await self._tell(conn, after, was[feed.id], feed)

    async def _tell(self, conn: Conn, connection: Connection, before: Feed, feed: Feed) -> None:
        if (before.state, before.reason) == (feed.state, feed.reason):
            return
        now_is = replace(feed, sequence=await next_sequence(conn, feed))
        told = events.changed_feed(now_is, before=before, connection=connection, now=self._now())
        if told is not None:
            await outbox.append(conn, told)
