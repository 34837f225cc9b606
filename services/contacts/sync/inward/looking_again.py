"""Looking again at people and labels after what is wanted of a connection changed."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from services.contacts.domain.connection import Connection
from services.contacts.store import connections, match_conflicts
from services.contacts.store import people as store
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.inward.labelling import Labelling

CHUNK: Final = 200


class LookingAgain:
    """Imports people who were not wanted before, a chunk in each transaction."""

    def __init__(self, pool: Pool, intake: Intake, *, now: Callable[[], datetime]) -> None:
        """Import through `intake`."""
        self._pool = pool
        self._intake = intake
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Look at the next ones; False: all were looked at as the connection wants now.

        Raises:
            LeaseLost: another worker has the feed.
        """
        async with self._pool.acquire() as conn:
            current = await connections.find_connection(conn, connection.tenant_id, connection.id)
        if current is None:
            return False
        if current.looked_version == current.preferences_version:
            await self._ask_again(lease, current)
            return False
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, current.tenant_id, now=self._now())
            now_is = await connections.lock_connection(conn, current.tenant_id, current.id)
            if now_is is None:
                return False
            await self._look(turn, lease, now_is)
        return True

    async def _ask_again(self, lease: Lease, connection: Connection) -> None:
        """Look at people of whom it is asked who they are, by candidates that are no more.

        A bounded number; others are looked at when this runs again.
        """
        where = connection.tenant_id, connection.id
        async with self._pool.acquire() as conn:
            names = await match_conflicts.list_outdated(conn, *where, limit=CHUNK)
        if not names:
            return
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
            known = await store.find_people(conn, *where, names)
            await self._intake.relook(turn, connection, list(known.values()), origin=Origin.LIVE)
            await turn.end()
            await lease.advance(conn, cursor=lease.cursor or "")

    async def _look(self, turn: Turn, lease: Lease, connection: Connection) -> None:
        after = _place(lease.cursor, connection)
        if after is None:
            labelling = Labelling(turn, connection, origin=Origin.BACKFILL)
            await labelling.relook()
            await labelling.end()
        found = await store.list_unlinked(
            turn.conn, turn.tenant_id, connection.id, after=after or "", limit=CHUNK
        )
        await self._intake.relook(turn, connection, found, origin=Origin.BACKFILL)
        if len(found) < CHUNK:
            version = connection.preferences_version
            await connections.set_looked(turn.conn, turn.tenant_id, connection.id, version=version)
        await turn.end()
        cursor = ""
        if len(found) == CHUNK:
            cursor = f"{connection.preferences_version} {found[-1].resource}"
        await lease.advance(turn.conn, cursor=cursor)


def _place(cursor: str | None, connection: Connection) -> str | None:
    """Return after whom to go on; None: with the first one."""
    version, _, place = (cursor or "").partition(" ")
    return place if place and version == str(connection.preferences_version) else None
