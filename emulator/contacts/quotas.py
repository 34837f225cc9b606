"""What the People API counts: critical reads and writes, contacts written in a day, full lists.

Google publishes neither the numbers nor the name of the limit on full lists.

Source: https://developers.google.com/people/v1/contacts
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from emulator.clock import Clock
from emulator.config import Switches
from emulator.contacts.errors import quota_exceeded
from emulator.errors import ApiError
from emulator.quota import Window

READS: Final = "critical_reads"
WRITES: Final = "critical_writes"
DAILY: Final = "daily_writes"
FULL_SYNCS: Final = "full_syncs"

READ: Final = {READS: 1}
WRITE: Final = {READS: 1, WRITES: 1, DAILY: 1}
DELETE: Final = {WRITES: 1}
BATCH: Final = {READS: 6, WRITES: 6, DAILY: 200}
BATCH_DELETE: Final = {WRITES: 10}
FULL_SYNC: Final = {FULL_SYNCS: 1}


@dataclass(frozen=True, slots=True)
class _Metric:
    """A quota as Google names it to people and to programs, and over what time it counts."""

    shown: str
    name: str
    limit: str
    per: str = "minute"
    seconds: float = 60

    def refusal(self, *, is_project: bool) -> ApiError:
        """Return the 429 of this quota, of a person or of all together."""
        period = self.per.capitalize()
        limit = f"{self.limit}Per{period}PerProject" + ("" if is_project else "PerUser")
        unit = f"1/{self.per[:3]}/{{project}}" + ("" if is_project else "/{user}")
        shown = f"{self.shown} per {self.per}" + ("" if is_project else " per user")
        return quota_exceeded(self.shown, shown, (self.name, limit, unit))


_METRICS: Final = {
    READS: _Metric(
        "Critical read requests (Contact and Profile Reads)",
        "critical_read_requests",
        "CriticalReads",
    ),
    WRITES: _Metric("Critical write requests", "critical_write_requests", "CriticalWrites"),
    DAILY: _Metric(
        "Daily Contact Writes (Total)", "daily_contact_writes", "ContactWrites", "day", 86_400
    ),
    FULL_SYNCS: _Metric("Full sync requests", "full_sync_requests", "FullSyncs"),
}


class Quotas:
    """Counts by person and quota; refuses what would be too much."""

    def __init__(self, clock: Clock, switches: Callable[[], Switches]) -> None:
        self._clock, self._switches = clock, switches
        self.spent: dict[str, Counter[str]] = defaultdict(Counter)
        self._windows: dict[tuple[str, str], Window] = {}

    def charge(self, email: str, costs: Mapping[str, int]) -> None:
        """Count what a call costs.

        Raises:
            ApiError: 429; one of the quotas is used up, and nothing was charged.
        """
        now = self._clock.now_s()
        bounded = self._switches().enforce_quota
        for metric, units in costs.items():
            for owner in (email, ""):
                window = self._window(metric, owner)
                window.trim(now)
                if bounded and not window.holds(units, self._limit(metric, of_all=not owner)):
                    raise _METRICS[metric].refusal(is_project=not owner)
        for metric, units in costs.items():
            self.spent[email][metric] += units
            for owner in (email, ""):
                self._window(metric, owner).spend(now, units)

    def clear(self) -> None:
        """Forget everything that was counted."""
        self.spent.clear()
        self._windows.clear()

    def _window(self, metric: str, owner: str) -> Window:
        found = self._windows.get((metric, owner))
        if found is None:
            found = self._windows[metric, owner] = Window(_METRICS[metric].seconds)
        return found

    def _limit(self, metric: str, *, of_all: bool) -> int | None:
        switches = self._switches()
        mine = {
            READS: switches.contact_critical_reads_per_minute,
            WRITES: switches.contact_critical_writes_per_minute,
            DAILY: switches.contact_writes_per_day,
            FULL_SYNCS: switches.contact_full_syncs_per_minute,
        }
        everybodys = {
            READS: switches.contact_project_critical_reads_per_minute,
            WRITES: switches.contact_project_critical_writes_per_minute,
        }
        return everybodys.get(metric) if of_all else mine[metric]
