"""The pure rules of the quota: what counts, who may have how much, and when some is free again.

Times are seconds since 1970. Units leased at `t` may be spent until `t + SLICE_S`, and are
booked on a slot of `SLOT_S` seconds. Any 60 seconds of spending therefore lie within the
slots of `WINDOW_S` seconds: while those hold no more than a minute's budget, neither does
any minute Google may look at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

SLOT_S = 5
SLICE_S = 5
WINDOW_S = 60 + SLOT_S + SLICE_S
SLICES = 20
"""A slice is at most this part of an account's minute."""
GOOGLES_DAY = ZoneInfo("America/Los_Angeles")
PROJECT_MINUTE, PROJECT_DAY = "project:minute", "project:day"

Used = Mapping[int, int]
"""Units by slot."""


class Lane(StrEnum):
    """What units are spent for; each lane stops while the next one still finds something."""

    BACKFILL = "backfill"
    LIVE = "live"
    SEND = "send"

    @property
    def percent(self) -> int:
        """Return up to how much of a budget, used by whomever, the lane may go on."""
        return _PERCENT[self]


_PERCENT = {Lane.BACKFILL: 70, Lane.LIVE: 90, Lane.SEND: 100}


@dataclass(frozen=True, slots=True)
class Budgets:
    """What Google allows the project, and what we allow the backfill of one account; in units."""

    account_per_minute: int = 6000
    project_per_minute: int = 1_200_000
    project_per_day: int = 80_000_000
    backfill_per_day: int = 2_000_000
    counts: str = ""
    """What the units are, where a service counts several things: each has scopes of its own."""

    def scope(self, name: str) -> str:
        """Return the scope in which these units are counted."""
        return f"{self.counts}:{name}" if self.counts else name

    @property
    def slice(self) -> int:
        """Return the most units leased ahead of need."""
        return max(1, self.account_per_minute // SLICES)


@dataclass(frozen=True, slots=True)
class Limit:
    """A scope as one lane meets it now."""

    scope: str
    name: str
    """The kind of scope, for metrics."""
    ceiling: int
    slot: int
    """What is leased now is booked here."""
    since: int
    """The first slot that counts."""
    span_s: int
    """Seconds after its beginning at which a slot counts no more."""

    def free(self, used: Used) -> int:
        """Return how many units the lane may still have; 0 or more."""
        return max(0, self.ceiling - sum(used.values()))

    def free_at(self, used: Used, units: int) -> int:
        """Return the earliest second at which `units` (<= ceiling) may be free."""
        over = sum(used.values()) + units - self.ceiling
        for slot in sorted(used):
            over -= used[slot]
            if over <= 0:
                return slot + self.span_s
        return self.slot + self.span_s


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not enough is free; `until` is the earliest second at which it may be."""

    name: str
    until: int


@dataclass(frozen=True, slots=True)
class Left:
    """What an account may still spend."""

    minute: int
    """Units, in the minute that ends now."""
    today: int
    """Units of backfill, until midnight in Google's time zone."""
    paused_until: datetime | None = None
    """Google refused, and is not asked before then."""


def account_scope(account_id: UUID) -> str:
    """Return the scope of an account's minute, and of its pauses."""
    return f"account:{account_id}"


def backfill_scope(account_id: UUID) -> str:
    """Return the scope of an account's backfill per day."""
    return f"backfill:{account_id}"


def day_of(now: datetime) -> tuple[int, int]:
    """Return the first second of Google's day, and of the next one."""
    today = now.astimezone(GOOGLES_DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(today.timestamp()), int((today + timedelta(days=1)).timestamp())


def minute_limit(scope: str, name: str, ceiling: int, now: datetime) -> Limit:
    """Return a limit on any 60 seconds."""
    slot = int(now.timestamp()) // SLOT_S * SLOT_S
    return Limit(scope, name, ceiling, slot, slot - WINDOW_S + SLOT_S, WINDOW_S)


def day_limit(scope: str, name: str, ceiling: int, now: datetime) -> Limit:
    """Return a limit on Google's day."""
    start, end = day_of(now)
    return Limit(scope, name, ceiling, start, start, end - start)


def limits(budgets: Budgets, account_id: UUID, lane: Lane, now: datetime) -> tuple[Limit, ...]:
    """Return every limit that spending for the account in this lane has to keep."""

    def share(budget: int) -> int:
        return budget * lane.percent // 100

    account = budgets.scope(account_scope(account_id))
    minute, day = budgets.scope(PROJECT_MINUTE), budgets.scope(PROJECT_DAY)
    found = (
        minute_limit(account, "account_minute", share(budgets.account_per_minute), now),
        minute_limit(minute, "project_minute", share(budgets.project_per_minute), now),
        day_limit(day, "project_day", share(budgets.project_per_day), now),
    )
    if lane is not Lane.BACKFILL:
        return found
    cap = budgets.backfill_per_day
    backfill = budgets.scope(backfill_scope(account_id))
    return (*found, day_limit(backfill, "backfill_day", cap, now))


def settle(
    wanted: Sequence[Limit], used: Mapping[str, Used], *, least: int, most: int
) -> int | Refusal:
    """Return how many units every limit has free, from `least` to `most`; or who refuses longest.

    The database grants by the same rule, under its locks (`quota_take`).

    Args:
        wanted: all limits of the grant.
        used: by scope, the units of the slots that count.
        least: units needed at once; no more than the lowest ceiling.
        most: units that would be of use.
    """
    free = min(limit.free(used.get(limit.scope, {})) for limit in wanted)
    if free >= least:
        return min(free, max(least, most))
    refusals = [
        Refusal(limit.name, limit.free_at(used.get(limit.scope, {}), least))
        for limit in wanted
        if limit.free(used.get(limit.scope, {})) < least
    ]
    return max(refusals, key=lambda refusal: refusal.until)


@dataclass(slots=True)
class Slice:
    """Units leased and not yet spent; good until `ends`, after that they are lost."""

    size: int = 0
    left: int = 0
    ends: float = 0.0
    before: int = 0
    """Units spent of the slices before it, as far as each began while the last one was good."""

    def usable(self, at: float) -> int:
        """Return the units that may be spent at this second."""
        return self.left if at < self.ends else 0

    def next_size(self, at: float, *, largest: int) -> int:
        """Return how many units the next slice should have.

        Twice as many when this one was used up in time; otherwise what was spent of it and of
        those it followed on. Somebody who asks seldom thus loses nothing, and leases all at
        once what the same work took the last time; who asks a lot soon asks rarely.
        """
        return min(largest, self.size * 2 if at < self.ends else self.spent())

    def spent(self) -> int:
        """Return the units spent of it and of those it followed on."""
        return self.before + self.size - self.left


def slice_end(now: datetime) -> float:
    """Return the second at which units leased now are lost: with the day, at the latest."""
    return min(now.timestamp() + SLICE_S, day_of(now)[1])
