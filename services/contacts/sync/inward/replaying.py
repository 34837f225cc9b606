"""People who could not be read, asked for once more because somebody said so."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from libs.common.feeds.dead_items import DeadItem, fail_replay, list_replays, remove_dead_item
from libs.common.google.wire import AnswerUnreadable
from services.contacts.domain.connection import Connection
from services.contacts.google import GooglePeople
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.intake import Intake

UNREADABLE: Final = "unreadable"
PREFIX: Final = "people/"


class Replays:
    """Works off replays, one person after the other."""

    def __init__(
        self, pool: Pool, google: GooglePeople, *, intake: Intake, now: Callable[[], datetime]
    ) -> None:
        """Ask `google`, and take in through `intake`."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Try the next person again; False: there is none.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth.
        """
        async with self._pool.acquire() as conn:
            items = await list_replays(conn, lease.feed, limit=1)
        if not items:
            return False
        await self._replay(lease, connection, items[0])
        return True

    async def _replay(self, lease: Lease, connection: Connection, dead: DeadItem) -> None:
        found, is_unreadable = None, not dead.item.startswith(PREFIX)
        if not is_unreadable:
            try:
                found = await self._google.box(connection).get_person(dead.item)
            except AnswerUnreadable:
                is_unreadable = True
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
            if is_unreadable:
                await fail_replay(conn, dead, cause=UNREADABLE)
            else:
                await remove_dead_item(conn, lease.feed, kind=dead.kind, item=dead.item)
                people = [] if found is None else [found]
                await self._intake.take(turn, connection, people, origin=Origin.REPAIR)
            await turn.end()
            await lease.advance(conn, cursor=lease.cursor or "")
