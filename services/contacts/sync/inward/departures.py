"""People whom an address book says to be gone: let go together, or held if they are many.

Who is gone is noted page by page, and looked at when all pages were read: a person may be gone
under one name and there under another one, and how many go is known at the end only.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import Lease, holds, snapshot
from libs.common.feeds.compare import MASS_DELETION
from libs.common.feeds.holds import HoldState
from services.contacts.domain.connection import Connection
from services.contacts.store import people as store
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.parting import let_go

CHUNK: Final = 200
HELD: Final = "held-deletions"


class Holding(Protocol):
    """A run of a feed that remembers since when a person is asked."""

    @property
    def held_since(self) -> datetime | None:
        """Return since when; None: nobody is."""

    async def hold(self, conn: Conn, since: datetime | None) -> None:
        """Remember it, with the feed's cursor."""


class Departures:
    """Lets go whom a feed has noted as gone."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._pool = pool
        self._now = now

    async def settle(self, lease: Lease, connection: Connection, run: Holding) -> bool:
        """Let go who is gone, unless a person has to be asked; say whether there was anybody.

        Raises:
            LeaseLost: another worker has the feed.
        """
        async with self._pool.acquire() as conn:
            if not await snapshot.next_items(conn, lease.feed, limit=1):
                return False
        decided = await self._decide(lease, connection, run)
        if decided is None:
            lease.leave_behind(HELD)
            return False
        while await self._let_some_go(lease, connection, run, spare=not decided):
            pass
        return True

    async def _decide(self, lease: Lease, connection: Connection, run: Holding) -> bool | None:
        """Say whether contacts may go with their people; None: somebody was asked."""
        feed, now = lease.feed, self._now()
        async with transaction(self._pool) as conn:
            await directory.lock_exclusive(conn, connection.tenant_id)
            noted, held = await store.count_noted(
                conn, connection.tenant_id, connection.id, feed.id
            )
            if run.held_since is None and not holds.needs_hold(noted, held):
                return True
            asked = await holds.newest_hold(conn, feed, kind=MASS_DELETION, subject="")
            if (
                asked is not None
                and run.held_since is not None
                and asked.created_at >= run.held_since
                and asked.affected >= noted
                and asked.state is not HoldState.OPEN
            ):
                return asked.state is HoldState.APPROVED
            # They are gone at Google, whatever becomes of their contacts here.
            await store.bury_noted(conn, connection.tenant_id, connection.id, feed.id, now=now)
            await run.hold(conn, run.held_since or now)
            await holds.open_hold(
                conn, feed, kind=MASS_DELETION, subject="", affected=noted, total=held, now=now
            )
        return None

    async def _let_some_go(
        self, lease: Lease, connection: Connection, run: Holding, *, spare: bool
    ) -> bool:
        """Let the next ones go; False: those were all."""
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
            names = await snapshot.next_items(conn, lease.feed, limit=CHUNK)
            known = await store.find_people(conn, connection.tenant_id, connection.id, names)
            await let_go(turn, connection, list(known.values()), origin=Origin.LIVE, spare=spare)
            await turn.end()
            await snapshot.drop_items(conn, lease.feed, names)
            is_last = len(names) < CHUNK
            await run.hold(conn, None if is_last else run.held_since)
        return not is_last
