"""Comparing a feed with Google in full: one engine for backfill, gap repair, audit and request.

A delta says what changed; only a complete enumeration says what is absent. The two are
different things, and this is the second: it lists, then works off the difference, a chunk per
transaction. How far it is stands in the feed's own cursor, so that a run which breaks off, or
has had its turn, goes on where it was. What a service teaches it is a `Side`.

    list -> marks -> missing -> changed -> absent (held above a threshold) -> finished
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from libs.common import jobs
from libs.common.db import Connection, Pool, transaction
from libs.common.feeds import holds, snapshot
from libs.common.feeds.holds import HoldState
from libs.common.feeds.lease import Lease
from libs.common.jobs import JobState

MASS_DELETION = "mass-deletion"
MUTED = timedelta(days=30)
"""So long a rejected wave is not asked about again, unless it grew."""
TURN_S = 3.0
"""A comparison gives way to other feeds after so long, and goes on in its next turn."""


class Reason(StrEnum):
    """Why a comparison is made."""

    BACKFILL = "backfill"
    GAP = "gap"
    AUDIT = "audit"
    REQUEST = "request"


class Phase(StrEnum):
    """Where it stands."""

    LIST = "list"
    MARKS = "marks"
    MISSING = "missing"
    CHANGED = "changed"
    ABSENT = "absent"
    FINISHED = "finished"


class Plan(BaseModel):
    """What is compared; decided once, at the beginning."""

    model_config = ConfigDict(frozen=True)

    reason: Reason
    since: datetime
    """What is younger and not held is taken in."""
    held_since: datetime | None = None
    """How old the oldest held item may be, if what is held is compared too."""
    pin: str
    """The live cursor's place before the enumeration: what comes after it is not ours."""
    started_at: datetime

    @property
    def whole(self) -> bool:
        """Say whether changes and absences are looked for, and not only what is missing."""
        return self.held_since is not None


class Standing(BaseModel):
    """A plan and how far it is: the cursor of a comparing feed."""

    plan: Plan
    phase: Phase = Phase.LIST
    place: str = ""
    """Within the phase; what it means is the side's."""
    done: int = 0
    total: int | None = None
    counts: dict[str, int] = Field(default_factory=dict)

    def next(self, phase: Phase) -> "Standing":
        """Return the standing at the beginning of a phase."""
        return self.model_copy(update={"phase": phase, "place": ""})

    def at(self, place: str, *, done: int = 0, **counts: int) -> "Standing":
        """Return the standing further on in this phase, with more counted."""
        added = {name: self.counts.get(name, 0) + count for name, count in counts.items()}
        return self.model_copy(
            update={
                "place": place,
                "done": self.done + done,
                "counts": {**self.counts, **added},
            }
        )


class Listed(BaseModel):
    """A page of an enumeration."""

    items: list[str]
    marks: tuple[str, ...] = ()
    """Of all of them."""
    place: str | None
    """Where the next page begins; None: this was the last."""
    counts: dict[str, int] = Field(default_factory=dict)
    """What came of it on the way, when what is listed is taken in at once."""


class Side(Protocol):
    """What a service teaches the engine about one feed at a time."""

    async def list_page(self, lease: Lease, plan: Plan, place: str) -> Listed:
        """Return a page of what is at Google in the plan's window."""
        ...

    async def mark_page(self, lease: Lease, plan: Plan, place: str) -> tuple[Listed, str]:
        """Return a page of items that bear one mark, and the mark ("": none is left)."""
        ...

    async def count_missing(self, conn: Connection, lease: Lease) -> int:
        """Return how many listed items are not held."""
        ...

    async def count_absent(self, conn: Connection, lease: Lease, plan: Plan) -> tuple[int, int]:
        """Return how many held items were not listed, and how many are held in the window."""
        ...

    async def work(self, lease: Lease, standing: Standing) -> Standing | None:
        """Work off one chunk of the standing's phase and commit it with the lease's cursor.

        Returns the standing that was committed; None when the phase has nothing left.
        """
        ...

    async def finished(self, conn: Connection, lease: Lease, standing: Standing) -> None:
        """Tell of the end, in its transaction."""
        ...


class Comparison:
    """One run of a feed whose cursor is a `Standing`, against one side."""

    def __init__(self, pool: Pool, side: Side, *, now: Callable[[], datetime]) -> None:
        """Compare through `side`."""
        self._pool = pool
        self._side = side
        self._now = now

    async def run(self, lease: Lease, standing: Standing, *, turn_s: float = TURN_S) -> bool:
        """Go on from `standing` for at most about `turn_s` seconds; True when all is done.

        Raises:
            LeaseLost: another worker has the feed.
            RateLimited, Transient, ...: what the side raises; what was committed stays.
        """
        until = time.monotonic() + turn_s
        while standing.phase is not Phase.FINISHED:
            if time.monotonic() >= until:
                lease.again()
                return False
            moved = await self._step(lease, standing)
            if moved is None:
                lease.leave_behind("held-deletions")
                return False
            standing = moved
        return True

    async def _step(self, lease: Lease, standing: Standing) -> Standing | None:
        """Return the standing after one commit; None when a person has to decide first."""
        match standing.phase:
            case Phase.LIST:
                return await self._list(lease, standing)
            case Phase.MARKS:
                return await self._marks(lease, standing)
            case Phase.ABSENT if not standing.place:
                allowed = await self._may_remove(lease, standing)
                if allowed is None:
                    return None
                if not allowed:
                    return await self._finish(lease, standing)
        moved = await self._side.work(lease, standing)
        return moved or await self._after(lease, standing)

    async def _list(self, lease: Lease, standing: Standing) -> Standing:
        page = await self._side.list_page(lease, standing.plan, standing.place)
        async with transaction(self._pool) as conn:
            if not standing.place:
                await snapshot.clear_items(conn, lease.feed)
            await snapshot.add_items(conn, lease.feed, page.items, marks=page.marks)
            moved = standing.at(page.place or "", listed=len(page.items), **page.counts)
            if page.place is None:
                moved = moved.next(Phase.MARKS if standing.plan.whole else Phase.MISSING)
                if not standing.plan.whole:
                    moved = await self._counted(conn, lease, moved)
            await self._advance(conn, lease, moved)
        return moved

    async def _marks(self, lease: Lease, standing: Standing) -> Standing:
        page, mark = await self._side.mark_page(lease, standing.plan, standing.place)
        async with transaction(self._pool) as conn:
            await snapshot.mark_items(conn, lease.feed, page.items, mark)
            moved = standing.at(page.place or "")
            if page.place is None:
                moved = await self._counted(conn, lease, moved.next(Phase.MISSING))
            await self._advance(conn, lease, moved)
        return moved

    async def _counted(self, conn: Connection, lease: Lease, standing: Standing) -> Standing:
        missing = await self._side.count_missing(conn, lease)
        return standing.model_copy(update={"total": missing})

    async def _after(self, lease: Lease, standing: Standing) -> Standing:
        if standing.phase is Phase.ABSENT or not standing.plan.whole:
            return await self._finish(lease, standing)
        after = Phase.CHANGED if standing.phase is Phase.MISSING else Phase.ABSENT
        moved = standing.next(after)
        async with transaction(self._pool) as conn:
            await self._advance(conn, lease, moved)
        return moved

    async def _may_remove(self, lease: Lease, standing: Standing) -> bool | None:
        """Say whether what is absent may go; None: a person has to be asked, and was."""
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=standing.model_dump_json())
            absent, held = await self._side.count_absent(conn, lease, standing.plan)
            if not holds.needs_hold(absent, held):
                return True
            asked = await holds.newest_hold(conn, lease.feed, kind=MASS_DELETION, subject="")
            if asked is not None and asked.affected >= absent:
                fresh = asked.created_at >= standing.plan.started_at
                if asked.state is HoldState.APPROVED and fresh:
                    return True
                if asked.state is HoldState.REJECTED and (
                    fresh or self._now() - asked.created_at < MUTED
                ):
                    return False
            await holds.open_hold(
                conn,
                lease.feed,
                kind=MASS_DELETION,
                subject="",
                affected=absent,
                total=held,
                now=self._now(),
            )
            await jobs.advance_job(
                conn, lease.feed, done=standing.done, total=standing.total, state=JobState.HELD
            )
        return None

    async def _finish(self, lease: Lease, standing: Standing) -> Standing:
        moved = standing.next(Phase.FINISHED)
        async with transaction(self._pool) as conn:
            # What is found may lock its connection and signals: they come before feeds.
            await self._side.finished(conn, lease, moved)
            await lease.advance(conn, cursor=moved.model_dump_json())
            await snapshot.clear_items(conn, lease.feed)
            await jobs.finish_jobs(
                conn, lease.feed, state=JobState.DONE, facts=moved.counts, now=self._now()
            )
        return moved

    async def _advance(self, conn: Connection, lease: Lease, standing: Standing) -> None:
        await lease.advance(conn, cursor=standing.model_dump_json())
        await jobs.advance_job(conn, lease.feed, done=standing.done, total=standing.total)
