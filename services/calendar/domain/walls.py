"""Where a rule leads on the wall: dates and times of day that a clock shows, without a zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Literal

from dateutil import rrule as library

from services.calendar.domain.rules import Rule

FREQUENCIES: dict[str, Literal[0, 1, 2, 3]] = {
    "YEARLY": library.YEARLY,
    "MONTHLY": library.MONTHLY,
    "WEEKLY": library.WEEKLY,
    "DAILY": library.DAILY,
}
NAMES = {
    "BYMONTH": "bymonth",
    "BYWEEKNO": "byweekno",
    "BYYEARDAY": "byyearday",
    "BYMONTHDAY": "bymonthday",
    "BYHOUR": "byhour",
    "BYMINUTE": "byminute",
    "BYSECOND": "bysecond",
    "BYSETPOS": "bysetpos",
}
DAYS_BY = frozenset({"BYWEEKNO", "BYYEARDAY", "BYMONTHDAY"})
MOST_STEPS = 20_000
"""Occurrences that are counted through, in the window and before it; what is beyond is not seen."""

LAST = 9998
"""The year until which the library can look, and a week into the next one."""
EVEN = range(1904, 2097), range(9904, 10_000)
"""Years among which every fourth is a leap year, with their neighbours."""
CYCLE = 400
"""Years after which the calendar repeats at any time."""


def walls(rule: Rule, first: datetime, *, low: datetime, high: datetime) -> Iterator[datetime]:
    """Yield what the clock shows when `rule` occurs, within low..high (both included), in order.

    UNTIL is not looked at: it is an instant, of which a clock without a zone knows nothing.

    Args:
        rule: as `rules.read` made it.
        first: where the series begins; naive, as all here.
        low: where the window begins; a rule without COUNT gets there at once.
        high: where the window ends.
    """
    begin, count = _jumped(rule, first, low)
    low = max(low, begin)
    if low > high or count == 0:
        return
    years = _later(begin.year, high.year)
    parts = _parts(rule, first) | {"count": count, "dtstart": _moved(begin, years)}
    low, high = _moved(low, years), _moved(high, years)
    steps = iter(library.rrule(FREQUENCIES[rule.frequency], **parts))
    for _ in range(MOST_STEPS):
        try:
            wall = next(steps, None)
        except (ValueError, OverflowError):
            return  # a week that reaches into the year 10000
        if wall is None or wall > high:
            return
        if wall >= low:
            yield _moved(wall, -years)


def count_before(rule: Rule, first: datetime, end: datetime) -> int:
    """Return how often `rule` occurs before `end`."""
    return sum(wall < end for wall in walls(rule, first, low=first, high=end))


def _later(first_year: int, last_year: int) -> int:
    """Return by how many years to look later, where the calendar is the same.

    The library looks for the next occurrence until the year 9999: of a rule that has none (the
    31st of February) for minutes. Near its end the same search is short.
    """
    room = max(0, LAST - last_year)
    here, there = EVEN
    if first_year in here and last_year in here:
        for years in range(room // 4 * 4, 0, -4):
            if first_year + years not in there:
                break
            if _weekday(first_year + years) == _weekday(first_year):
                return years
    return room // CYCLE * CYCLE


def _weekday(year: int) -> int:
    return date(year, 1, 1).weekday()


def _moved(wall: datetime, years: int) -> datetime:
    # To a year with the same calendar: a 29th of February is one there too.
    return wall.replace(year=wall.year + years)


def _parts(rule: Rule, first: datetime) -> dict[str, Any]:
    """Return the library's arguments; what a rule takes from its beginning is said."""
    parts: dict[str, Any] = {NAMES[name]: list(values) for name, values in rule.by.items()}
    parts |= {"interval": rule.interval, "wkst": rule.week_start}
    if rule.weekdays:
        parts["byweekday"] = [library.weekday(day, which or None) for which, day in rule.weekdays]
    elif not DAYS_BY & rule.by.keys():
        if rule.frequency == "YEARLY":
            parts.setdefault("bymonth", first.month)
        if rule.frequency in {"YEARLY", "MONTHLY"}:
            parts["bymonthday"] = first.day
    return parts


def _jumped(rule: Rule, first: datetime, low: datetime) -> tuple[datetime, int | None]:
    """Return where to begin so as to be at `low` soon, and how often it occurs from there."""
    periods = _periods(rule, first, low)
    if periods <= 0 or (rule.count is not None and not _is_once_a_period(rule, first)):
        return first, rule.count
    left = None if rule.count is None else max(0, rule.count - periods)
    skipped = periods * rule.interval
    if rule.frequency == "DAILY":
        return first + timedelta(days=skipped), left
    if rule.frequency == "WEEKLY":
        return first + timedelta(weeks=skipped), left
    # The beginning of a month or a year: its day need not exist in the one it comes to.
    if rule.frequency == "MONTHLY":
        year, month = divmod(first.year * 12 + first.month - 1 + skipped, 12)
        return first.replace(year=year, month=month + 1, day=1), left
    return first.replace(year=first.year + skipped, month=1, day=1), left


def _periods(rule: Rule, first: datetime, low: datetime) -> int:
    """Return how many periods to leave out; one remains before `low`."""
    if rule.frequency == "DAILY":
        passed = (low - first).days
    elif rule.frequency == "WEEKLY":
        passed = (low - first).days // 7
    elif rule.frequency == "MONTHLY":
        passed = (low.year - first.year) * 12 + low.month - first.month
    else:
        passed = low.year - first.year
    return passed // rule.interval - 1


def _is_once_a_period(rule: Rule, first: datetime) -> bool:
    if rule.by or rule.frequency not in {"DAILY", "WEEKLY"}:
        return False
    own = ((0, first.weekday()),)
    return not rule.weekdays or (rule.frequency == "WEEKLY" and rule.weekdays == own)
