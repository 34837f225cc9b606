"""Writes of contacts that are under way: what of them was asked, and what becomes of each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import AppError, Conflict, Transient
from libs.common.google.wire import Unreachable
from libs.common.quota import Lane
from libs.common.writes import Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import RETRY, later
from libs.common.writes.patience import Patience
from services.contacts.domain.connection import Connection
from services.contacts.google import GooglePeople, PeopleBox
from services.contacts.sync.feeds import people_address, wake
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.outward.landing import Landed, land
from services.contacts.sync.outward.planning import Step
from services.contacts.sync.outward.queueing import HELD

log = structlog.get_logger(__name__)

MOST_ATTEMPTS: Final = 10
HOLD_WAIT: Final = timedelta(days=1)
"""How long deletions wait that nobody has decided on; a decision ends that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which contacts are carried."""

    pool: Pool
    google: GooglePeople
    intake: Intake
    """Takes in what turns out to be newer at Google."""
    patience: Patience
    propagation: timedelta
    """For so long lists at Google may lag behind."""
    at_once: int
    """Contacts of one batch."""
    now: Callable[[], datetime]


class UnderWay:
    """Some writes of one connection; `left` are those that have not ended."""

    def __init__(
        self, terms: Terms, connection: Connection, claimed: Sequence[Write], *, settle: bool
    ) -> None:
        """Carry what was claimed; `settle`: earlier requests may have had an effect."""
        self.terms = terms
        self.pool, self.now = terms.pool, terms.now
        self.timeout_s = terms.patience.timeout_s
        self.connection = connection
        self.settle = settle
        self.box: PeopleBox = terms.google.box(connection, Lane.SEND)
        self.left = {one.id: one for one in claimed}
        self.looked: set[str] = set()
        """Items of which the newest state is known."""
        self._asking: frozenset[str] = frozenset()
        """Items that a request is under way of: whether it was heard, nobody knows."""

    def unasked(self) -> list[Write]:
        """Return writes of which nothing is under way."""
        return [one for one in self.left.values() if one.item not in self._asking]

    async def land(self, landed: Sequence[Landed]) -> None:
        """Commit what became of steps."""
        if not landed:
            return
        doubles = await land(self.pool, self.connection, landed, now=self.now())
        for one in landed:
            self.left.pop(one.step.write.id, None)
        for resource in doubles:
            log.warning("person_made_twice", connection_id=str(self.connection.id))
            await self.box.delete_person(resource, timeout_s=self.timeout_s)

    async def fail(self, steps: Sequence[Step], exc: AppError) -> None:
        """End what Google refuses for good."""
        reason = str(exc.data.get("reason") or exc.slug)
        await self.land([Landed(step=one, state=WriteState.FAILED, reason=reason) for one in steps])

    async def cancel(self, conn: Conn) -> None:
        """End all that is left: nothing is to be written any more."""
        for one in self.left.values():
            with suppress(WriteLost):
                await ledger.finish(
                    conn, one, WriteState.CANCELLED, now=self.now(), reason="not-wanted"
                )
        self.left.clear()

    async def hold(self, conn: Conn, write: Write) -> None:
        """Let a write wait for a person."""
        self.left.pop(write.id)
        with suppress(WriteLost):
            await ledger.postpone(conn, write, due_at=self.now() + HOLD_WAIT, reason=HELD)

    async def give_way(self, writes: Sequence[Write]) -> None:
        """Let writes wait of which the known state is not the newest, and have that read."""
        if not writes:
            return
        now = self.now()
        async with transaction(self.pool) as conn:
            for one in writes:
                self.left.pop(one.id)
                with suppress(WriteLost):
                    if one.attempts >= MOST_ATTEMPTS:
                        await ledger.finish(conn, one, WriteState.FAILED, now=now, reason="stale")
                    else:
                        await ledger.postpone(conn, one, due_at=now + RETRY, reason="stale")
            await wake(conn, people_address(self.connection.id), now=now)

    async def put_back(self, writes: Iterable[Write], exc: AppError) -> None:
        """Let writes wait of which nothing was heard, or give up on those tried often enough."""
        now = self.now()
        async with transaction(self.pool) as conn:
            for one in writes:
                with suppress(WriteLost):
                    if one.attempts >= MOST_ATTEMPTS and isinstance(exc, Unreachable):
                        await ledger.finish(conn, one, WriteState.FAILED, now=now, reason="gave-up")
                        continue
                    await ledger.put_off(
                        conn, one, until=later(exc, now), reason=exc.slug, settle=self.settle
                    )

    @contextmanager
    def asking(self, steps: Sequence[Step]) -> Iterator[None]:
        """Know what a request is of, until what Google said is committed; a refusal ends it."""
        self._asking = frozenset(one.write.item for one in steps)
        try:
            yield
        except Transient:
            raise
        except AppError:
            self._asking = frozenset()
            raise


def refuse_unconnected(exc: AppError) -> None:
    """Keep apart what Google says of a person and what auth says of the connection.

    Raises:
        Conflict: it is auth that refuses.
    """
    if isinstance(exc, Conflict) and "google_status" not in exc.data:
        raise exc


def chunks(steps: Sequence[Step], size: int) -> Iterator[Sequence[Step]]:
    """Yield the steps in their order, so many at a time."""
    for start in range(0, len(steps), size):
        yield steps[start : start + size]
