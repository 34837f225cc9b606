"""RRULE, RDATE and EXDATE lines as values, and values as lines.

Source: https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

from libs.common.errors import InvalidInput
from services.calendar.domain.times import zone_of

FIELD = "recurrence"
LINE = re.compile(r"([A-Z]+)((?:;[A-Z-]+=[^;:]*)*):(.*)", re.DOTALL)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
RANGES = {
    "BYMONTH": (1, 12),
    "BYWEEKNO": (-53, 53),
    "BYYEARDAY": (-366, 366),
    "BYMONTHDAY": (-31, 31),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
    "BYSETPOS": (-366, 366),
}
"""The smallest and the largest number; 0 is one only where nothing counts from the end."""
FOR_YEARS = frozenset({"BYWEEKNO", "BYYEARDAY"})
TIMES = ("BYHOUR", "BYMINUTE", "BYSECOND")
MOST_TIMES = 96
"""Of one day: every quarter of an hour."""
LARGEST = 1_000_000
"""Interval or count."""
VALUES_A_LINE = 50
KEPT = 4_096
"""Lines that are not read again: most series have one of a few rules, and each is shown often."""

Stamp = date | datetime
"""A day, an instant in UTC, or (naive) what a clock on the wall shows, in the series' zone."""


class _Odd(Exception):
    """Why a line is not understood; a sentence to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An RRULE."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: Stamp | None = None
    weekdays: tuple[tuple[int, int], ...] = ()
    """BYDAY: (which of them, or 0 for each; day of the week from Monday = 0)."""
    by: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """The other BY parts."""
    week_start: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The recurrence of a series, as far as it is understood."""

    rules: tuple[Rule, ...] = ()
    excluded: tuple[Rule, ...] = ()
    """EXRULE lines: RFC 2445 had them, and Google still does."""
    dates: tuple[Stamp, ...] = ()
    except_dates: tuple[Stamp, ...] = ()


def read(lines: Iterable[str]) -> Rules:
    """Return what Google's lines say; what is not understood is left out."""
    found: dict[str, list[Rule | Stamp]] = {}
    for line in lines:
        try:
            name, values = _read_line(line)
        except _Odd:
            continue
        found.setdefault(name, []).extend(values)
    return _rules(found)


def read_strictly(lines: Sequence[str]) -> Rules:
    """Return what a caller's lines say.

    Raises:
        InvalidInput: one is not understood; names `recurrence`.
    """
    found: dict[str, list[Rule | Stamp]] = {}
    for line in lines:
        try:
            name, values = _read_line(line)
        except _Odd as exc:
            raise InvalidInput.field(FIELD, str(exc)) from None
        found.setdefault(name, []).extend(values)
    return _rules(found)


def lines_of(rules: Rules) -> tuple[str, ...]:
    """Return lines that say `rules`; equal rules have equal lines."""
    return (
        *sorted("RRULE:" + rule_text(one) for one in rules.rules),
        *sorted("EXRULE:" + rule_text(one) for one in rules.excluded),
        *_date_lines("RDATE", rules.dates),
        *_date_lines("EXDATE", rules.except_dates),
    )


def canonical(lines: Iterable[str]) -> tuple[str, ...]:
    """Return `lines` so that two ways to write the same are alike.

    Google sorts the parts of a rule as it likes; that is no edit. A line that is not understood
    stays as it is.
    """
    known, odd = [], []
    for line in lines:
        try:
            _read_line(line)
        except _Odd:
            odd.append(line.strip())
        else:
            known.append(line)
    return (*lines_of(read(known)), *sorted(odd))


def rule_text(rule: Rule) -> str:
    """Return the value of an RRULE line."""
    return ";".join(f"{name}={value}" for name, value in _parts(rule))


def _parts(rule: Rule) -> Iterator[tuple[str, str]]:
    yield "FREQ", rule.frequency
    if rule.until is not None:
        yield "UNTIL", stamp_text(rule.until)
    if rule.count is not None:
        yield "COUNT", str(rule.count)
    if rule.interval != 1:
        yield "INTERVAL", str(rule.interval)
    for name in RANGES:
        if name in rule.by:
            yield name, ",".join(map(str, rule.by[name]))
    if rule.weekdays:
        yield "BYDAY", ",".join(f"{n or ''}{WEEKDAYS[day]}" for n, day in rule.weekdays)
    # Where weeks are neither counted, skipped nor chosen from it does not matter when they begin.
    chosen = rule.interval > 1 or "BYSETPOS" in rule.by
    matters = (rule.frequency == "WEEKLY" and chosen) or "BYWEEKNO" in rule.by
    if rule.week_start and matters:
        yield "WKST", WEEKDAYS[rule.week_start]


def stamp_text(stamp: Stamp) -> str:
    """Return a day or an instant as iCalendar writes it."""
    if not isinstance(stamp, datetime):
        return stamp.strftime("%Y%m%d")
    if stamp.tzinfo is None:
        return stamp.strftime("%Y%m%dT%H%M%S")
    return stamp.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _date_lines(name: str, stamps: Iterable[Stamp]) -> Iterator[str]:
    texts = sorted({stamp_text(one) for one in stamps})
    days = [one for one in texts if "T" not in one]
    instants = [one for one in texts if "T" in one]
    for head, values in ((f"{name};VALUE=DATE:", days), (f"{name}:", instants)):
        for place in range(0, len(values), VALUES_A_LINE):
            yield head + ",".join(values[place : place + VALUES_A_LINE])


def _rules(found: dict[str, list[Rule | Stamp]]) -> Rules:
    def rules(name: str) -> tuple[Rule, ...]:
        return tuple(one for one in found.get(name, ()) if isinstance(one, Rule))

    def stamps(name: str) -> tuple[Stamp, ...]:
        return tuple(one for one in found.get(name, ()) if not isinstance(one, Rule))

    return Rules(
        rules=rules("RRULE"),
        excluded=rules("EXRULE"),
        dates=stamps("RDATE"),
        except_dates=stamps("EXDATE"),
    )


@lru_cache(maxsize=KEPT)
def _read_line(line: str) -> tuple[str, tuple[Rule | Stamp, ...]]:
    match = LINE.fullmatch(line.strip())
    if match is None:
        # Parameters may be written in small letters; TZID's value may not.
        head, colon, value = line.strip().partition(":")
        match = LINE.fullmatch(_upper_names(head) + colon + value)
    if match is None:
        raise _Odd("has to be lines such as RRULE:FREQ=WEEKLY")
    name, parameters, value = match.groups()
    if name in {"RRULE", "EXRULE"}:
        return name, (_read_rule(value.strip().upper()),)
    if name in {"RDATE", "EXDATE"}:
        named = dict(one.split("=", 1) for one in parameters.split(";") if one)
        return name, tuple(_read_stamps(value.strip().upper(), named))
    raise _Odd("takes RRULE, RDATE and EXDATE lines only")


def _upper_names(head: str) -> str:
    names = [one.partition("=") for one in head.split(";")]
    return ";".join(name.upper() + equals + value for name, equals, value in names)


def _read_stamps(text: str, parameters: dict[str, str]) -> Iterator[Stamp]:
    zone = parameters.get("TZID")
    for one in text.split(","):
        # A period is written as start/end: the occurrence begins when it does.
        stamp = _read_stamp(one.partition("/")[0])
        if zone and isinstance(stamp, datetime) and stamp.tzinfo is None:
            try:
                stamp = stamp.replace(tzinfo=zone_of(zone)).astimezone(UTC)
            except (InvalidInput, OverflowError):
                raise _Odd("names a zone that is none of the IANA database") from None
        yield stamp


def _read_stamp(text: str) -> Stamp:
    try:
        if re.fullmatch(r"\d{8}T\d{6}Z", text, re.ASCII):
            return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if re.fullmatch(r"\d{8}T\d{6}", text, re.ASCII):
            return datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a clock on the wall
        if re.fullmatch(r"\d{8}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _Odd("has a date that is none; they look like 20261126 or 20261126T090000Z")


def _read_rule(text: str) -> Rule:
    parts: dict[str, str] = {}
    for part in text.rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in parts:
            raise _Odd("has a rule with a part that is empty or twice")
        parts[name] = value
    until = parts.pop("UNTIL", None)
    rule = Rule(
        frequency=_one_of(parts.pop("FREQ", ""), FREQUENCIES, "FREQ"),
        interval=_number(parts.pop("INTERVAL", "1"), 1, LARGEST, "INTERVAL"),
        count=_number(parts.pop("COUNT"), 1, LARGEST, "COUNT") if "COUNT" in parts else None,
        until=None if until is None else _read_stamp(until),
        weekdays=_weekdays(parts.pop("BYDAY")) if "BYDAY" in parts else (),
        week_start=WEEKDAYS.index(_one_of(parts.pop("WKST", "MO"), WEEKDAYS, "WKST")),
        by={name: _numbers(name, value) for name, value in parts.items()},
    )
    _check_together(rule)
    return rule


def _one_of(text: str, choices: Sequence[str], name: str) -> str:
    if text not in choices:
        raise _Odd(f"has a rule whose {name} is none of {', '.join(choices)}")
    return text


def _number(text: str, smallest: int, largest: int, name: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,7}", text, re.ASCII) or not smallest <= int(text) <= largest:
        raise _Odd(f"has a rule whose {name} is not within {smallest}..{largest}")
    return int(text)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    if name not in RANGES:
        raise _Odd("has a rule with a part that RFC 5545 does not know")
    smallest, largest = RANGES[name]
    found = {_number(one, smallest, largest, name) for one in text.split(",")}
    if 0 in found and smallest:
        raise _Odd(f"has a rule whose {name} is 0")
    return tuple(sorted(found))


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for one in text.split(","):
        match = re.fullmatch(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", one, re.ASCII)
        if match is None:
            raise _Odd("has a rule whose BYDAY is none of MO, TU, ..., 1MO, -1FR, ...")
        which = 0 if match[1] is None else _number(match[1], -53, 53, "BYDAY")
        if match[1] is not None and which == 0:
            raise _Odd("has a rule whose BYDAY is 0")
        found.add((which, WEEKDAYS.index(match[2])))
    return tuple(sorted(found, key=lambda one: (one[1], one[0])))


def _check_together(rule: Rule) -> None:
    """Refuse what RFC 5545 says must not stand together."""
    yearly = rule.frequency == "YEARLY"
    if rule.count is not None and rule.until is not None:
        raise _Odd("has a rule with both COUNT and UNTIL")
    if not yearly and FOR_YEARS & rule.by.keys():
        raise _Odd("has BYWEEKNO or BYYEARDAY in a rule that is not YEARLY")
    if rule.frequency == "WEEKLY" and "BYMONTHDAY" in rule.by:
        raise _Odd("has BYMONTHDAY in a rule that is WEEKLY")
    if any(which for which, _ in rule.weekdays) and (
        rule.frequency not in {"MONTHLY", "YEARLY"} or "BYWEEKNO" in rule.by
    ):
        raise _Odd("has a numbered BYDAY in a rule of days or weeks")
    others = rule.by.keys() - {"BYSETPOS"}
    if "BYSETPOS" in rule.by and not (others or rule.weekdays):
        raise _Odd("has a BYSETPOS that nothing stands beside")
    times = [len(rule.by.get(name, (0,))) for name in TIMES]
    if times[0] * times[1] * times[2] > MOST_TIMES:
        raise _Odd("has a rule with too many times a day")
