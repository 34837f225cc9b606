"""What every person's traffic costs, in Google's quota units, and the per-minute refusal."""

from collections import Counter, defaultdict, deque

from emulator.clock import Clock, rfc3339
from emulator.errors import rate_limited

_WINDOW_S = 60.0


class UsageLedger:
    """Counts units per person and method; refuses above the budget of a sliding minute.

    Source: https://developers.google.com/workspace/gmail/api/reference/quota
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.units: dict[str, Counter[str]] = defaultdict(Counter)
        self.calls: dict[str, Counter[str]] = defaultdict(Counter)
        self.refused: Counter[str] = Counter()
        self._spent: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._in_window: Counter[str] = Counter()

    def charge(self, email: str, method: str, units: int, *, limit: int | None) -> None:
        """Count one call; `limit` is the units per minute, None for no limit.

        Raises:
            ApiError: the budget of the last minute is spent; nothing was charged.
        """
        now = self._clock.now_s()
        spent = self._spent[email]
        while spent and (spent[0][0] <= now - _WINDOW_S or spent[0][0] > now):
            self._in_window[email] -= spent.popleft()[1]
        if limit is not None and self._in_window[email] + units > limit:
            self.refused[email] += 1
            oldest = spent[0][0] if spent else now
            raise rate_limited(rfc3339(oldest + _WINDOW_S))
        spent.append((now, units))
        self._in_window[email] += units
        self.units[email][method] += units
        self.calls[email][method] += 1

    def clear(self) -> None:
        """Forget everything that was counted."""
        for counter in (self.units, self.calls, self.refused, self._spent, self._in_window):
            counter.clear()
