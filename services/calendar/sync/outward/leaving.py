"""Ending a connection after our own events are out of its calendar.

Once auth has ended it, the token is gone, and nothing can be taken out any more.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from libs.common.db import FAILURES, Pool, transaction
from libs.common.db import Connection as Conn
from libs.common.errors import AppError, NotFound
from services.calendar.domain.connection import Connection
from services.calendar.domain.leaving import LONGEST, Leave, Removal
from services.calendar.store import connections
from services.calendar.store import leaving as store
from services.calendar.store.outgoing import count_open
from services.calendar.sync.outward.appointments import Appointments

PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
"""While auth or the database is away."""

AWAY: tuple[type[Exception], ...] = (AppError, *FAILURES)

log = structlog.get_logger(__name__)


class Ender(Protocol):
    """Auth, which ends connections."""

    async def end(self, connection_id: UUID, *, purge: bool) -> None:
        """End this service's product of a connection."""


class Leaving:
    """Takes mirrored appointments out, and then lets auth end the connection."""

    def __init__(
        self, pool: Pool, appointments: Appointments, auth: Ender, *, now: Callable[[], datetime]
    ) -> None:
        """Remove through `appointments`, end through `auth`."""
        self._pool = pool
        self._appointments = appointments
        self._auth = auth
        self._now = now

    async def ask(
        self, conn: Conn, connection: Connection, *, removal: Removal, purge: bool
    ) -> tuple[datetime, int]:
        """Begin to end a connection; return by when it ends, and how many events were queued to go.

        Asked again, it still ends when it was to; what has to go may become more or less.

        Args:
            conn: inside a transaction that has locked the connection.
            connection: which.
            removal: which mirrored appointments go.
            purge: what was read is to go, too.
        """
        now, before = self._now(), connection.leave
        writes = connection.can_write
        leave = Leave(
            asked_at=now,
            by=before.by if before else now + LONGEST if writes else now,
            removal=removal,
            purge=purge,
        )
        await store.set_leave(conn, connection.tenant_id, connection.id, leave)
        return leave.by, await self._take_out(conn, connection, leave) if writes else 0

    async def leave_for_ever(self) -> None:
        """End what may end; any number of processes may, as ending twice changes nothing."""
        pause_s = PAUSE_S
        while True:
            try:
                await self._round()
                pause_s = PAUSE_S
            except AWAY as exc:
                log.warning("connections_not_left", error=type(exc).__name__)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _round(self) -> None:
        async with self._pool.acquire() as conn:
            found = await store.list_leaving(conn)
        for tenant_id, connection_id in found:
            leave = await self._finished(tenant_id, connection_id)
            if leave is not None:
                await self._end(tenant_id, connection_id, leave)

    async def _finished(self, tenant_id: str, connection_id: UUID) -> Leave | None:
        """Return how a connection leaves when nothing has to be waited for any more."""
        async with transaction(self._pool) as conn:
            connection = await connections.lock_connection(conn, tenant_id, connection_id)
            if connection is None or connection.leave is None:
                return None
            leave = connection.leave
            if leave.by <= self._now() or not connection.can_write:
                return leave
            # Whatever was mirrored by somebody who did not know of it yet goes as well.
            await self._take_out(conn, connection, leave)
            return leave if await count_open(conn, tenant_id, connection_id) == 0 else None

    async def _take_out(self, conn: Conn, connection: Connection, leave: Leave) -> int:
        if leave.removal is Removal.NONE:
            return 0
        return await self._appointments.withdraw(conn, connection, since=leave.since)

    async def _end(self, tenant_id: str, connection_id: UUID, leave: Leave) -> None:
        try:
            await self._auth.end(connection_id, purge=leave.purge)
        except NotFound:  # auth forgot it; the next comparison with its list ends it here
            async with transaction(self._pool) as conn:
                await store.set_leave(conn, tenant_id, connection_id, None)
            return
        log.info("connection_left", connection_id=str(connection_id))
