"""Runs of the feed `contacts.work`: what settings, calls and decisions ask of a connection."""

from collections.abc import Sequence
from typing import Final, Protocol

from libs.common.db import Pool
from libs.common.feeds import Lease
from services.contacts.domain.connection import Connection
from services.contacts.store import connections

MOST_TURNS: Final = 50
"""Of one run; then others have their turn."""


class Chore(Protocol):
    """A kind of work."""

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Do a bounded piece in one transaction; False: there is nothing to do."""


class Work:
    """Does a connection's work."""

    def __init__(self, pool: Pool, chores: Sequence[Chore]) -> None:
        """Do these kinds of work, one after the other."""
        self._pool = pool
        self._chores = tuple(chores)

    async def run(self, lease: Lease) -> None:
        """Do what is there to do.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth.
        """
        feed = lease.feed
        for _ in range(MOST_TURNS):
            async with self._pool.acquire() as conn:
                connection = await connections.find_connection(
                    conn, feed.tenant_id, feed.connection_id
                )
            if connection is None or not connection.is_read:
                return  # it ended, or was switched off, between the claim and now
            if not await self._step(lease, connection):
                return
        lease.again()

    async def _step(self, lease: Lease, connection: Connection) -> bool:
        for chore in self._chores:
            if await chore.step(lease, connection):
                return True
        return False
