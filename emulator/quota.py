"""What everybody's traffic costs, in Google's quota units, and the per-minute refusals."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Final

from emulator.clock import Clock, rfc3339
from emulator.errors import calendar_rate_limited, project_rate_limited, rate_limited

_WINDOW_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Units of a sliding minute of one API, None for no limit, and the status of a refusal."""

    api: str = "gmail"
    person: int | None = None
    project: int | None = None
    status: int = 403


@dataclass(slots=True)
class Window:
    """What was spent within the last seconds, a minute's unless told otherwise."""

    length_s: float = _WINDOW_S
    units: int = 0
    spent: deque[tuple[float, int]] = field(default_factory=deque)

    def trim(self, now: float) -> None:
        """Forget what was spent longer ago, or later than now: clocks can be moved."""
        while self.spent and (self.spent[0][0] <= now - self.length_s or self.spent[0][0] > now):
            self.units -= self.spent.popleft()[1]

    def spend(self, now: float, units: int) -> None:
        """Note units that are spent now."""
        self.spent.append((now, units))
        self.units += units

    def holds(self, units: int, limit: int | None) -> bool:
        """Return whether so many more units fit under the limit."""
        return limit is None or self.units + units <= limit


class UsageLedger:
    """Counts units per person and method; refuses above the budgets of a sliding minute.

    Sources: https://developers.google.com/workspace/gmail/api/reference/quota and
    https://developers.google.com/workspace/calendar/api/guides/quota
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.units: dict[str, Counter[str]] = defaultdict(Counter)
        self.calls: dict[str, Counter[str]] = defaultdict(Counter)
        self.refused: Counter[str] = Counter()
        self._minutes: dict[tuple[str, str], Window] = defaultdict(Window)
        self._projects: dict[str, Window] = defaultdict(Window)

    def charge(self, email: str, method: str, units: int, *, budget: Budget) -> None:
        """Count one call.

        Raises:
            ApiError: a budget of the last minute is spent; nothing was charged.
        """
        now = self._clock.now_s()
        mine, project = self._minutes[budget.api, email], self._projects[budget.api]
        mine.trim(now)
        project.trim(now)
        if not mine.holds(units, budget.person):
            self.refused[email] += 1
            if budget.api == "calendar":
                raise calendar_rate_limited("userRateLimitExceeded", code=budget.status)
            oldest = mine.spent[0][0] if mine.spent else now
            raise rate_limited(rfc3339(oldest + _WINDOW_S), code=budget.status)
        if not project.holds(units, budget.project):
            self.refused[email] += 1
            if budget.api == "calendar":
                raise calendar_rate_limited("rateLimitExceeded", code=budget.status)
            raise project_rate_limited(code=budget.status)
        mine.spend(now, units)
        project.spend(now, units)
        self.units[email][method] += units
        self.calls[email][method] += 1

    def clear(self) -> None:
        """Forget everything that was counted."""
        for counter in (self.units, self.calls, self.refused, self._minutes, self._projects):
            counter.clear()
