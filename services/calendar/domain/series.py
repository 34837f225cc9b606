"""A series: where it occurs, by the clock on the wall of its zone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from services.calendar.domain.event import Event
from services.calendar.domain.rules import Rule, Rules, Stamp, read
from services.calendar.domain.times import Days, Span, When, length, zone_of
from services.calendar.domain.walls import walls

DAY = timedelta(days=1)
EARLIEST: Final = datetime(2, 1, 1)  # noqa: DTZ001 - a clock on the wall
LATEST: Final = datetime(9990, 1, 1)  # noqa: DTZ001

Original = date | datetime
"""Where an occurrence belongs: a day, or an instant in UTC."""


@dataclass(frozen=True)
class Series:
    """What recurs, and from when on."""

    rules: Rules
    when: When
    zone: ZoneInfo
    """The clock it goes by; of days: in which they begin."""

    @classmethod
    def of(cls, master: Event, *, zone: str) -> "Series | None":
        """Return the series of a master; None: nobody knows when it began."""
        if master.when is None:
            return None
        own = master.when.zone if isinstance(master.when, Span) else None
        return cls(read(master.recurrence), master.when, zone_of(own or zone))

    @property
    def has_days(self) -> bool:
        """Say whether its occurrences are days."""
        return isinstance(self.when, Days)

    @cached_property
    def length(self) -> timedelta:
        """How long each occurrence lasts: as time passes, not as the clock shows it."""
        return length(self.when)

    @cached_property
    def first(self) -> Original:
        """Where it begins."""
        if isinstance(self.when, Days):
            return self.when.start
        return self.when.start.astimezone(UTC).replace(microsecond=0)

    @cached_property
    def first_wall(self) -> datetime:
        """What the clock shows where it begins."""
        return self.wall(self.first)

    def wall(self, original: Original) -> datetime:
        """Return what the clock shows at an occurrence; naive."""
        if isinstance(original, datetime):
            return original.astimezone(self.zone).replace(tzinfo=None)
        return datetime.combine(original, time())

    def original(self, wall: datetime) -> Original:
        """Return where the occurrence belongs that begins when the clock shows `wall`.

        A time that the clocks skip is as much later as they are, one that they show twice is the
        first. Source: https://www.rfc-editor.org/rfc/rfc5545#section-3.3.5
        """
        if self.has_days:
            return wall.date()
        if wall == self.first_wall:
            return self.first  # it may be the second of two
        return wall.replace(tzinfo=self.zone).astimezone(UTC)

    def at(self, original: Original) -> When:
        """Return when the occurrence is that belongs at `original`."""
        if isinstance(self.when, Span) and isinstance(original, datetime):
            return Span(original, original + self.length, self.when.zone)
        return Days(original, original + self.length)

    def originals(self, low: datetime, high: datetime) -> set[Original]:
        """Return where it occurs while the clock shows low..high (naive, both included).

        The beginning is always one, whether the rule leads there or not, and besides those that
        COUNT counts: so Google does (https://github.com/fmeringdal/rust-rrule/issues/119).
        """
        low, high = max(low, EARLIEST), min(high, LATEST)
        found = {one for one in (self.first, *self.dates) if low <= self.wall(one) <= high}
        for rule in self.rules.rules:
            found.update(self.by_rule(rule, low, high))
        for rule in self.rules.excluded:
            found.difference_update(self.by_rule(rule, low, high))
        out = self._excepted
        if not out:
            return found
        return {one for one in found if one not in out and self.wall(one).date() not in out}

    def by_rule(self, rule: Rule, low: datetime, high: datetime) -> Iterator[Original]:
        """Yield where a rule occurs while the clock shows low..high."""
        until = rule.until
        if until is not None:
            high = min(high, self._until_wall(until) + DAY)
        for wall in walls(rule, self.first_wall, low=low, high=high):
            original = self.original(wall)
            if until is None or self._is_within(original, wall, until):
                yield original

    def has(self, original: Original) -> bool:
        """Say whether it occurs there."""
        if isinstance(original, datetime) == self.has_days:
            return False
        wall = self.wall(original)
        return original in self.originals(wall - DAY, wall + DAY)

    def resolved(self, stamps: Iterable[Stamp]) -> list[Original]:
        """Return where RDATE or EXDATE values lead; a day in a series of instants: at its time."""
        return [self._resolved(one) for one in stamps]

    @cached_property
    def dates(self) -> list[Original]:
        """Where its RDATE lines lead."""
        return self.resolved(self.rules.dates)

    def until(self, stamp: Stamp) -> Original:
        """Return the last day or instant that UNTIL allows."""
        if self.has_days:
            return stamp.date() if isinstance(stamp, datetime) else stamp
        if not isinstance(stamp, datetime):
            stamp = datetime.combine(stamp, time(23, 59, 59))
        return stamp if stamp.tzinfo else stamp.replace(tzinfo=self.zone).astimezone(UTC)

    @cached_property
    def _excepted(self) -> frozenset[Original]:
        # A day stands for whatever begins on it.
        stamps = self.rules.except_dates
        days = [one for one in stamps if not isinstance(one, datetime)]
        return frozenset(
            [*days, *self.resolved(one for one in stamps if isinstance(one, datetime))]
        )

    def _resolved(self, stamp: Stamp) -> Original:
        if self.has_days:
            return stamp.date() if isinstance(stamp, datetime) else stamp
        if not isinstance(stamp, datetime):
            return self.original(datetime.combine(stamp, self.first_wall.time()))
        return stamp if stamp.tzinfo else self.original(stamp)

    def _until_wall(self, until: Stamp) -> datetime:
        return min(self.wall(self.until(until)), LATEST)

    def _is_within(self, original: Original, wall: datetime, until: Stamp) -> bool:
        if isinstance(until, datetime) and until.tzinfo is None:
            return wall <= until
        return original <= self.until(until)
