"""Ending a connection after our own events are out of its calendar.

Once auth has ended it, the token is gone, and nothing can be taken out any more.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from libs.common.connections.access import writable
from libs.common.connections.model import RUNNING, Access
from libs.common.db import FAILURES, Pool, transaction
from libs.common.db import Connection as Conn
from libs.common.errors import AppError, Conflict
from services.calendar.domain.connection import Connection
from services.calendar.domain.leaving import LONGEST, Leave, Removal
from services.calendar.store import appointments as mirrors
from services.calendar.store import connections
from services.calendar.store import leaving as store
from services.calendar.store.outgoing import count_open
from services.calendar.sync.outward.appointments import Appointments
from services.calendar.sync.outward.mirroring import look_again

PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0
"""Before a connection that could not be ended is looked at again."""
AWAY: tuple[type[Exception], ...] = (AppError, *FAILURES)
Place = tuple[str, UUID]

log = structlog.get_logger(__name__)


class Ender(Protocol):
    """Auth, which ends connections."""

    async def end(self, connection_id: UUID, *, purge: bool, asked_at: datetime) -> None:
        """End this service's product of a connection.

        Raises:
            Conflict: `consented-since`: the person wants it again.
        """


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
        self._patience: dict[Place, tuple[datetime, float]] = {}
        """When what failed is tried again, and the pause before that, in seconds."""

    async def ask(
        self, conn: Conn, connection: Connection, *, removal: Removal | None, purge: bool
    ) -> Leave:
        """Begin to end a connection, or say anew how; return that.

        Asked again, it ends by when it was to.

        Args:
            conn: inside a transaction that has locked the connection.
            connection: which; one that is over only purges.
            removal: which mirrored appointments go; None: as was said before, or future ones.
            purge: what was read is to go, too; that is not taken back.

        Raises:
            Conflict: `connection-paused`: nothing can be removed.
        """
        now, before = self._now(), connection.leave
        wanted = removal or (before.removal if before else Removal.FUTURE)
        granted = connection.state in RUNNING and connection.access is Access.WRITE
        if granted and wanted is not Removal.NONE:
            writable(connection)
        soonest = now + LONGEST if granted else now
        leave = Leave(
            asked_at=now,
            by=min(before.by, soonest) if before else soonest,
            removal=wanted,
            purge=purge or (before is not None and before.purge),
        )
        await store.set_leave(conn, connection.tenant_id, connection.id, leave)
        return leave

    async def count_left(self, conn: Conn, connection: Connection, leave: Leave) -> tuple[int, int]:
        """Return how many mirrored appointments have to go, and how many changes are under way."""
        where = connection.tenant_id, connection.id
        goes = connection.can_write and leave.removal is not Removal.NONE
        mirrored = await mirrors.count_mirrored(conn, *where, since=leave.since) if goes else 0
        return mirrored, await count_open(conn, *where)

    async def leave_for_ever(self) -> None:
        """End what may end; any number of processes may, as ending twice changes nothing."""
        while True:
            try:
                await self._round()
            except AWAY as exc:
                log.warning("connections_not_left", error=type(exc).__name__)
            await asyncio.sleep(PAUSE_S)

    async def _round(self) -> None:
        async with self._pool.acquire() as conn:
            found = await store.list_leaving(conn)
        self._patience = {
            place: self._patience[place] for place in found if place in self._patience
        }
        for place in found:
            due_at, pause_s = self._patience.get(place, (self._now(), PAUSE_S))
            if self._now() < due_at:
                continue
            try:
                await self._advance(*place)
                self._patience.pop(place, None)
            except AWAY as exc:  # of one; the others go on
                log.warning(
                    "connection_not_left", connection_id=str(place[1]), error=type(exc).__name__
                )
                next_at = self._now() + timedelta(seconds=pause_s)
                self._patience[place] = next_at, min(pause_s * 2, LONGEST_PAUSE_S)

    async def _advance(self, tenant_id: str, connection_id: UUID) -> None:
        """Take some more out of a calendar, or end the connection."""
        leave = await self._finished(tenant_id, connection_id)
        if leave is None:
            return
        try:
            await self._auth.end(connection_id, purge=leave.purge, asked_at=leave.asked_at)
        except Conflict as exc:
            if exc.slug != "consented-since":
                raise
            await self._stay(tenant_id, connection_id)
            return
        async with transaction(self._pool) as conn:
            connection = await connections.lock_connection(conn, tenant_id, connection_id)
            if connection is not None and connection.leave == leave:
                ended = replace(leave, ended=True)
                await store.set_leave(conn, tenant_id, connection_id, ended)
        log.info("connection_left", connection_id=str(connection_id))

    async def _finished(self, tenant_id: str, connection_id: UUID) -> Leave | None:
        """Return how a connection leaves when nothing has to be waited for any more."""
        async with transaction(self._pool) as conn:
            connection = await connections.lock_connection(conn, tenant_id, connection_id)
            if connection is None or connection.leave is None:
                return None
            leave = connection.leave
            if leave.by <= self._now() or not connection.can_write:
                return leave
            mirrored, under_way = await self.count_left(conn, connection, leave)
            if mirrored:
                # Also what was mirrored since by somebody who did not know of it yet.
                await self._appointments.withdraw(conn, connection, since=leave.since)
            return None if mirrored or under_way else leave

    async def _stay(self, tenant_id: str, connection_id: UUID) -> None:
        """Let a connection go on that the person wants again."""
        async with transaction(self._pool) as conn:
            connection = await connections.lock_connection(conn, tenant_id, connection_id)
            if connection is None:
                return
            await store.set_leave(conn, tenant_id, connection_id, None)
            await look_again(conn, replace(connection, leave=None), now=self._now())
        log.info("connection_stays", connection_id=str(connection_id))
