"""Series as people see them: each occurrence with its time, those moved or cancelled included.

Source: https://developers.google.com/workspace/calendar/api/guides/recurringevents
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.common.errors import InvalidInput
from services.calendar.domain.event import Event, Status
from services.calendar.domain.rules import FIELD, TIMES, Rule, Rules, lines_of, read_strictly
from services.calendar.domain.series import DAY, EARLIEST, LATEST, Original, Series
from services.calendar.domain.times import When, instants, original_key, original_of, zone_of
from services.calendar.domain.walls import walls

MOST_LINES = 50
LONGEST_LINE = 2_000
MOST_INTERVAL = 999
MOST_COUNT = 10_000
HORIZON_YEARS = 60
"""How far a rule is followed to find its first or last occurrence."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a series takes place."""

    original: Original
    """Where in the series it belongs, for ever."""
    when: When
    event: Event
    """What it is: the master, or the exception that stands in its place."""

    @property
    def key(self) -> str:
        """Return its name within the series."""
        return original_key(self.original)

    def as_event(self) -> Event:
        """Return it as an event of its own, with its own time."""
        if self.event.original is not None:
            return self.event
        event = self.event
        return replace(
            event, when=self.when, original=self.original, master_id=event.google_id, recurrence=()
        )


def expand(
    master: Event,
    exceptions: Sequence[Event],
    *,
    start: datetime,
    end: datetime,
    zone: str,
    limit: int,
) -> list[Occurrence]:
    """Return what of a series overlaps start..end, in order; at most the first `limit`.

    An exception stands where its occurrence would, wherever it was moved to; a cancelled one
    removes it, and one that the series leads to no more counts for nothing.

    Args:
        master: the series.
        exceptions: all of the series' own, also those outside of the window.
        start: aware.
        end: aware; it is not part of the window.
        zone: the calendar's, in which its days begin; an IANA name.
        limit: at least 1.
    """
    series = Series.of(master, zone=zone)
    if series is None or master.status is Status.CANCELLED:
        return []
    window = _Window(start, end, zone)
    others = {one.original: one for one in exceptions if one.original is not None}
    found = _plain(series, master, window, others=others, limit=limit)
    for original, one in others.items():
        if one.status is Status.CANCELLED or one.when is None or not window.overlaps(one.when):
            continue
        if series.has(original):
            found.append(Occurrence(original, one.when, one))
    found.sort(key=lambda one: (instants(one.when, zone=zone)[0], one.original))
    return found[:limit]


def is_occurrence(master: Event, key: str, *, zone: str) -> bool:
    """Say whether a series leads to the occurrence that has `key`, whatever became of it.

    Raises:
        InvalidInput: it is no key.
    """
    series = Series.of(master, zone=zone)
    return series is not None and series.has(original_of(key))


def occurrence(master: Event, key: str, *, zone: str) -> Occurrence | None:
    """Return the occurrence of a series that has `key`, as it is if nobody changed it.

    None: the series does not lead to it.

    Raises:
        InvalidInput: it is no key.
    """
    series, original = Series.of(master, zone=zone), original_of(key)
    if series is None or not series.has(original):
        return None
    return Occurrence(original, series.at(original), master)


def span_of(master: Event, *, zone: str) -> tuple[datetime, datetime | None] | None:
    """Return from when to when a series lasts, in UTC: never less, in doubt more.

    An end of None: it does not end, or not soon. None: nobody knows when it began. Exceptions
    may be moved out of it; they have their own times.
    """
    series = Series.of(master, zone=zone)
    if series is None:
        return None
    known = [instants(series.at(one), zone=zone) for one in (series.first, *series.dates)]
    start = min(one for one, _ in known)
    ends: list[datetime | None] = [max(one for _, one in known)]
    ends += [_end(series, rule, zone) for rule in series.rules.rules]
    certain = [one for one in ends if one is not None]
    return start, max(certain) if len(certain) == len(ends) else None


def checked(lines: Sequence[str], when: When, *, zone: str) -> tuple[str, ...]:
    """Return the recurrence that a caller wishes for, as Google takes it.

    Args:
        lines: RRULE, RDATE and EXDATE; none: it does not recur.
        when: the first occurrence.
        zone: that it recurs in, unless `when` has its own; an IANA name.

    Raises:
        InvalidInput: it is none, or it never comes to pass; names `recurrence`.
    """
    if len(lines) > MOST_LINES or any(len(one) > LONGEST_LINE for one in lines):
        raise _refused(f"takes {MOST_LINES} lines of {LONGEST_LINE} characters at most")
    if not lines:
        return ()
    rules = read_strictly(lines)
    _check_kinds(rules)
    series = Series(rules, when, zone_of(getattr(when, "zone", None) or zone))
    return lines_of(_settled(series))


def _refused(detail: str) -> InvalidInput:
    return InvalidInput.field(FIELD, detail)


def _check_kinds(rules: Rules) -> None:
    if rules.excluded:
        raise _refused("takes no EXRULE")
    if len(rules.rules) > 1:
        raise _refused("takes one RRULE")
    if not rules.rules and not rules.dates:
        raise _refused("needs an RRULE or an RDATE")
    for rule in rules.rules:
        if any(name in rule.by for name in TIMES):
            raise _refused("has a rule with times of day; the first occurrence says them")
        if rule.interval > MOST_INTERVAL or (rule.count or 0) > MOST_COUNT:
            raise _refused(f"goes up to INTERVAL {MOST_INTERVAL} and COUNT {MOST_COUNT}")


def _settled(series: Series) -> Rules:
    """Return the rules with every date of the kind that the occurrences are of."""
    stamps = (*series.rules.dates, *series.rules.except_dates)
    if series.has_days and any(isinstance(one, datetime) for one in stamps):
        raise _refused("needs RDATE and EXDATE as days, as its occurrences are")
    try:
        return replace(
            series.rules,
            rules=tuple(_settled_rule(series, one) for one in series.rules.rules),
            dates=tuple(series.dates),
            except_dates=tuple(series.resolved(series.rules.except_dates)),
        )
    except OverflowError:
        raise _refused("has a date at the end of the calendar") from None


def _settled_rule(series: Series, rule: Rule) -> Rule:
    if rule.until is not None:
        until = series.until(rule.until)
        if until < series.first:
            raise _refused("has an UNTIL before the first occurrence")
        return replace(rule, until=until)
    high = _horizon(series)
    if next(walls(rule, series.first_wall, low=series.first_wall, high=high), None) is None:
        raise _refused("has a rule that never comes to pass")
    return rule


@dataclass(frozen=True, slots=True)
class _Window:
    start: datetime
    end: datetime
    zone: str

    def overlaps(self, when: When) -> bool:
        begin, end = instants(when, zone=self.zone)
        return begin < self.end and (end > self.start or begin >= self.start)

    def walls(self, series: Series) -> tuple[datetime, datetime]:
        """Return between what the clock shows occurrences can begin; rather more."""
        try:
            low = series.wall(self.start - series.length) - DAY
        except OverflowError:
            low = EARLIEST
        try:
            return low, series.wall(self.end) + DAY
        except OverflowError:
            return low, LATEST


def _plain(
    series: Series, master: Event, window: _Window, *, others: Mapping[Original, Event], limit: int
) -> list[Occurrence]:
    """Return the first `limit` occurrences that no exception stands for."""
    found: list[Occurrence] = []
    low, high = window.walls(series)
    if series.has_days:
        # Days begin by the calendar's clock, which `series` goes by too.
        low, high = low - DAY, high + DAY
    for original in sorted(series.originals(low, high) - others.keys()):
        when = series.at(original)
        if window.overlaps(when):
            found.append(Occurrence(original, when, master))
            if len(found) == limit:
                break
    return found


def _horizon(series: Series) -> datetime:
    return min(series.first_wall + timedelta(days=HORIZON_YEARS * 365), LATEST)


def _end(series: Series, rule: Rule, zone: str) -> datetime | None:
    """Return when the last occurrence of a rule is over, or later; None: never, or who knows."""
    if rule.until is not None:
        until = series.until(rule.until)
        latest = max(until, series.first)
        return instants(series.at(latest), zone=zone)[1] + DAY
    if rule.count is None:
        return None
    found = list(series.by_rule(rule, series.first_wall, _horizon(series)))
    if len(found) < rule.count:
        return None
    return instants(series.at(found[-1]), zone=zone)[1]
