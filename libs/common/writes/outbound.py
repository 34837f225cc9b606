"""Runs of a connection's writing feed: what the CRM changes, on its way to Google."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from libs.common.connections import RUNNING, Access, Connected
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import RateLimited, Transient
from libs.common.feeds import Feed, Lease
from libs.common.google.wire import Unreachable
from libs.common.writes import Write, WriteLost
from libs.common.writes import store as ledger
from libs.common.writes.patience import Patience

log = structlog.get_logger(__name__)

MOST_CLAIMS = 50
"""Of one run; then others have their turn."""
SHORTEST_WAIT_S = 0.05
MOST_DOUBLINGS = 5
MANY_LOST = 2
"""Answers that were lost, one after the other, until it shows."""


C = TypeVar("C", bound=Connected)
C_contra = TypeVar("C_contra", bound=Connected, contravariant=True)


class Carrier(Protocol[C_contra]):
    """Carries writes of one kind to Google."""

    @property
    def kind(self) -> str:
        """Which writes it carries."""

    @property
    def patience(self) -> Patience:
        """How long it waits for Google."""

    @property
    def at_once(self) -> int:
        """How many writes it takes together."""

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Return a write just claimed, with what has to be noted of it in the same transaction."""

    async def send(self, connection: C_contra, claimed: list[Write], *, settle: bool) -> None:
        """Carry them, and commit what became of each.

        Args:
            connection: on whose behalf.
            claimed: ours.
            settle: earlier requests may have had an effect: that is to be found out first.

        Raises:
            AccessRevoked, Conflict, RateLimited, Unreachable: not now; they wait.
            Transient: to be asked again after the deadline.
        """


class Outbound(Generic[C]):
    """Carries a connection's writes in their order, each by the carrier of its kind."""

    def __init__(
        self,
        pool: Pool,
        find: Callable[[Conn, str, UUID], Awaitable[C | None]],
        carriers: Sequence[Carrier[C]],
        *,
        now: Callable[[], datetime],
    ) -> None:
        """Let each of `carriers` carry the writes of its kind; `find` finds the connection."""
        self._pool = pool
        self._find = find
        self._carriers = {one.kind: one for one in carriers}
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Carry what is due, and come back when more is.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, Transient: from Google or auth; what was committed stays.
        """
        feed = lease.feed
        async with self._pool.acquire() as conn:
            connection = await self._find(conn, feed.tenant_id, feed.connection_id)
        if connection is None or connection.state not in RUNNING:
            return
        if connection.access is Access.WRITE:
            for _ in range(MOST_CLAIMS):
                if not await self._carry(lease, connection):
                    break
        await self._come_back(lease)

    async def _carry(self, lease: Lease, connection: C) -> bool:
        """Carry what is next, and what can go with it; False when nothing is due."""
        async with self._pool.acquire() as conn:
            kind = await ledger.next_kind(conn, lease.feed, now=self._now())
        if kind is None or kind not in self._carriers:  # of another release
            return False
        carrier = self._carriers[kind]
        stale, fresh = await self._claim(lease, carrier)
        for claimed, settle in ((stale, True), (fresh, False)):
            if claimed:
                await self._send(connection, carrier, claimed, settle=settle)
        return True

    async def _send(
        self, connection: C, carrier: Carrier[C], claimed: list[Write], *, settle: bool
    ) -> None:
        try:
            await carrier.send(connection, claimed, settle=settle)
        except WriteLost:
            log.info("write_lost", kind=carrier.kind)
        except (RateLimited, Unreachable):
            raise
        except Transient as exc:
            # Google may have heard us: soon enough somebody will find out.
            log.warning("write_unanswered", kind=carrier.kind, reason=exc.slug)
            await self._settle_later(carrier, claimed)

    async def _settle_later(self, carrier: Carrier[C], claimed: list[Write]) -> None:
        async with transaction(self._pool) as conn:
            for one in claimed:
                lost = int(one.progress.get("lost", 0))
                wait_s = carrier.patience.settle_after_s * 2 ** min(lost, MOST_DOUBLINGS)
                deadline = self._now() + timedelta(seconds=wait_s)
                with suppress(WriteLost):
                    await ledger.note(conn, one, {"lost": lost + 1}, deadline=deadline)

    async def _claim(self, lease: Lease, carrier: Carrier[C]) -> tuple[list[Write], list[Write]]:
        """Return writes whose fate has to be found out, and new ones; all ours now."""
        now = self._now()
        deadline = now + carrier.patience.deadline()
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=lease.cursor or "")
            stale = await ledger.take_over(
                conn,
                lease.feed,
                lease.epoch,
                kind=carrier.kind,
                limit=carrier.at_once,
                now=now,
                deadline=deadline,
            )
            fresh = []
            if not stale:
                fresh = await ledger.claim(
                    conn,
                    lease.feed,
                    lease.epoch,
                    kind=carrier.kind,
                    limit=carrier.at_once,
                    now=now,
                    deadline=deadline,
                )
            fresh = [await carrier.begin(conn, lease.feed, one) for one in fresh]
        return stale, fresh

    async def _come_back(self, lease: Lease) -> None:
        async with self._pool.acquire() as conn:
            coming = await ledger.next_due(conn, lease.feed)
        if coming.held is not None:
            lease.leave_behind(coming.held)
        if coming.lost >= MANY_LOST:
            lease.leave_behind("google-unanswering")
        if coming.due is not None:
            wait_s = (coming.due - self._now()).total_seconds()
            lease.poll_within(max(wait_s, SHORTEST_WAIT_S))
