"""Recurrence lines: whether they are valid, and which occurrences they make.

Source: https://datatracker.ietf.org/doc/html/rfc5545#section-3.8.5
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from dateutil.rrule import rrule, rruleset, rrulestr

from emulator.calendar.errors import invalid
from emulator.calendar.times import ONE_DAY, Moment, known_zone, parse_day, zone_of

_LINE: Final = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)((?:;[^:;]+)*):(\S+)", re.IGNORECASE)
_VALUE: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z)?)?")
_FREQUENCIES: Final = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY"})
_FAR: Final = timedelta(days=366 * 12)
_MOST_LINES: Final = 300
_MOST: Final = 36_600
_CENTURY: Final = timedelta(days=36_525)


def check(lines: tuple[str, ...], start: Moment) -> None:
    """Raise Google's 400 unless the lines describe at least one occurrence."""
    if len(lines) > _MOST_LINES:
        raise invalid("Invalid recurrence rule.")
    try:
        first = next(iter(_parsed(lines, start, _far(start), counts=False)), None)
    except (ValueError, OverflowError, TypeError) as exc:
        raise invalid("Invalid recurrence rule.") from exc
    if first is None:
        raise invalid("Invalid recurrence rule.")


def starts(
    lines: tuple[str, ...], start: Moment, after: datetime, before: datetime
) -> Iterator[Moment]:
    """Yield when occurrences begin, from `after` to before `before` (both in UTC), in order.

    A day's occurrences count by midnight in UTC: callers with a zone take a day more at each end.
    """
    wall = start.local()
    margin = ONE_DAY if not start.is_day else timedelta(0)
    low, high = after.replace(tzinfo=None) - margin, before.replace(tzinfo=None) + margin
    if high < wall:
        return
    for found in _parsed(lines, start, high).between(max(low, wall), high, inc=True):
        moment = start.at_local(found)
        if after <= moment.at < before:
            yield moment


def holds(lines: tuple[str, ...], start: Moment, original: Moment) -> bool:
    """Return whether the series has an occurrence at exactly that time."""
    if original.is_day != start.is_day or original.at - start.at > _CENTURY:
        return False
    found = starts(lines, start, original.at, original.at + timedelta(seconds=1))
    return any(moment.at == original.at for moment in found)


@lru_cache(maxsize=4096)
def last(lines: tuple[str, ...], start: Moment) -> Moment | None:
    """Return a time after which no occurrence begins, or None for a series without end."""
    if not is_bounded(lines):
        return None
    ends = [start.local()]
    for name, value in _rules(lines, start):
        if name == "RRULE" and isinstance(value, rrule):
            ends.append(_until(value) or max(value, default=ends[0]))
        elif name == "RDATE" and isinstance(value, datetime):
            ends.append(value)
    return start.at_local(max(ends))


def is_bounded(lines: tuple[str, ...]) -> bool:
    """Return whether the series ends some day."""
    return all(
        "COUNT=" in line.upper() or "UNTIL=" in line.upper()
        for line in lines
        if line.upper().startswith("RRULE")
    )


def trimmed(lines: tuple[str, ...], start: Moment, until: Moment) -> tuple[str, ...]:
    """Return the lines of a series that ends before `until`, as Google's own apps write them."""
    end = until.at - (ONE_DAY if start.is_day else timedelta(seconds=1))
    text = f"{end:%Y%m%d}" if start.is_day else f"{end:%Y%m%dT%H%M%SZ}"
    return tuple(
        _with_until(line, text) if line.upper().startswith("RRULE") else line for line in lines
    )


def remaining(lines: tuple[str, ...], start: Moment, since: Moment) -> tuple[str, ...]:
    """Return the lines of a series that goes on at `since` where another one was ended."""
    return tuple(
        _with_count_after(line, start, since) if line.upper().startswith("RRULE") else line
        for line in lines
    )


def _with_count_after(line: str, start: Moment, since: Moment) -> str:
    head, _, rule = line.partition(":")
    parts = dict(part.split("=", 1) for part in rule.upper().strip(";").split(";"))
    if "COUNT" not in parts:
        return line
    wall = since.local()
    done = sum(1 for found in _rule(rule.upper(), start) if found < wall)
    left = {**parts, "COUNT": str(max(1, int(parts["COUNT"]) - done))}
    return f"{head}:{';'.join(f'{name}={value}' for name, value in left.items())}"


def _with_until(line: str, until: str) -> str:
    head, _, rule = line.partition(":")
    kept = [
        part for part in rule.split(";") if part.split("=")[0].upper() not in {"UNTIL", "COUNT"}
    ]
    return f"{head}:{';'.join([*kept, f'UNTIL={until}'])}"


def _far(start: Moment) -> datetime:
    return min(start.local(), datetime(9980, 1, 1)) + _FAR  # noqa: DTZ001 - a wall clock


@lru_cache(maxsize=4096)
def _rules(lines: tuple[str, ...], start: Moment) -> tuple[tuple[str, object], ...]:
    """Return the lines' rules and dates, on the wall clock of the series' own zone."""
    found: list[tuple[str, object]] = []
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(line)
        name, parameters, value = match[1].upper(), match[2].upper(), match[3].upper()
        if name in {"RRULE", "EXRULE"}:
            found.append((name, _rule(value, start)))
        else:
            zone = re.search(r"TZID=([^;:]+)", match[2], re.IGNORECASE)
            named = zone[1] if zone else start.zone
            if "VALUE=PERIOD" in parameters or known_zone(named or "UTC") is None:
                raise ValueError(line)
            found += [(name, _wall(text, named, start)) for text in value.split(",")]
    return tuple(found)


def _rule(text: str, start: Moment) -> rrule:
    parts = dict(part.split("=", 1) for part in text.strip(";").split(";"))
    if parts.get("FREQ") not in _FREQUENCIES or {"DTSTART", "DTEND"} & parts.keys():
        raise ValueError(text)
    if "UNTIL" in parts:
        if "COUNT" in parts:
            raise ValueError(text)
        until = _wall(parts["UNTIL"], start.zone, start)
        day_only = len(parts["UNTIL"]) == len("20260101") and not start.is_day
        until = until + ONE_DAY - timedelta(seconds=1) if day_only else until
        parts["UNTIL"] = f"{until:%Y%m%dT%H%M%S}"
    if int(parts.get("INTERVAL", 1)) < 1 or int(parts.get("COUNT", 1)) not in range(1, _MOST + 1):
        raise ValueError(text)
    rule = rrulestr(
        ";".join(f"{name}={value}" for name, value in parts.items()),
        dtstart=start.local(),
        ignoretz=True,
    )
    if not isinstance(rule, rrule):
        raise TypeError(text)
    return rule


def _wall(text: str, zone: str, start: Moment) -> datetime:
    """Return a date or time of a line on the series' wall clock."""
    match = _VALUE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day = parse_day(f"{match[1][:4]}-{match[1][4:6]}-{match[1][6:]}")
    if day is None:
        raise ValueError(text)
    bare = day.replace(tzinfo=None)
    if match[2] is None or start.is_day:
        return bare
    wall = datetime.combine(bare, time.fromisoformat(match[2]))
    told_in = UTC if match[3] else zone_of(zone)
    return wall.replace(tzinfo=told_in).astimezone(zone_of(start.zone)).replace(tzinfo=None)


def _parsed(
    lines: tuple[str, ...], start: Moment, before: datetime, *, counts: bool = True
) -> rruleset:
    """Return the set of occurrences; rules stop at `before`, so that none runs for ever.

    Args:
        lines: valid ones.
        start: of the series.
        before: a wall clock.
        counts: False if `COUNT` is to be passed over, whose rules do not stop before it is full.
    """
    found = rruleset()
    has_rule = False
    for name, value in _rules(lines, start):
        if isinstance(value, rrule):
            has_rule = has_rule or name == "RRULE"
            bounded = _bounded(value, before, counts=counts)
            found.rrule(bounded) if name == "RRULE" else found.exrule(bounded)
        elif isinstance(value, datetime):
            found.rdate(value) if name == "RDATE" else found.exdate(value)
    if not has_rule:
        found.rdate(start.local())
    return found


def _bounded(rule: rrule, before: datetime, *, counts: bool) -> rrule:
    if rule.__dict__["_count"] is not None and counts:
        return rule
    until = _until(rule)
    if until is not None and until <= before:
        return rule
    return rule.replace(until=before, count=None)


def _until(rule: rrule) -> datetime | None:
    # The library has no public way to ask for it.
    found = rule.__dict__["_until"]
    return found if isinstance(found, datetime) else None
