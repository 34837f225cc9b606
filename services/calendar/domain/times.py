"""When something is: a span of days, or a span of instants in a zone. The two never mix.

Source: https://developers.google.com/workspace/calendar/api/concepts/events-calendars
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.common.errors import InvalidInput

KEY_OF_DAY = re.compile(r"\d{8}", re.ASCII)
KEY_OF_INSTANT = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, wherever one is: `end` is the first day that is not part of it."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another; `zone` says by which clock on the wall it recurs."""

    start: datetime
    end: datetime
    """Both aware; the same instant is the same span in any offset."""
    zone: str | None
    """An IANA name."""


When = Days | Span


def instants(when: When, *, zone: str) -> tuple[datetime, datetime]:
    """Return first and last instant, in UTC; days begin at midnight in `zone` (an IANA name)."""
    if isinstance(when, Span):
        return when.start.astimezone(UTC), when.end.astimezone(UTC)
    return _midnight(when.start, zone), _midnight(when.end, zone)


def _midnight(day: date, zone: str) -> datetime:
    # A midnight that a change of clocks skips becomes the first instant of the day after it.
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


def original_instant(original: date | datetime, *, zone: str) -> datetime:
    """Return when an occurrence would begin, in UTC; days begin at midnight in `zone`."""
    if isinstance(original, datetime):
        return original.astimezone(UTC)
    return _midnight(original, zone)


def original_key(original: date | datetime) -> str:
    """Return the name of an occurrence within its series, as Google's ids end: `20261126T090000Z`.

    It stays when the occurrence is moved. Days have no time: `20261126`.
    """
    if isinstance(original, datetime):
        return original.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return original.strftime("%Y%m%d")


def stored(when: When) -> dict[str, Any]:
    """Return it as JSON that two equal spans have alike."""
    if isinstance(when, Days):
        return {"start": when.start.isoformat(), "end": when.end.isoformat(), "all_day": True}
    return {
        "start": f"{when.start.astimezone(UTC).isoformat()[:-6]}Z",
        "end": f"{when.end.astimezone(UTC).isoformat()[:-6]}Z",
        "zone": when.zone,
        "all_day": False,
    }


def when_of(value: Any) -> When:
    """Return what `stored` made JSON of."""
    if value["all_day"]:
        return Days(date.fromisoformat(value["start"]), date.fromisoformat(value["end"]))
    return Span(
        datetime.fromisoformat(value["start"]),
        datetime.fromisoformat(value["end"]),
        value["zone"],
    )


def length(when: When) -> timedelta:
    """Return how long it lasts, as time passes: an hour the clocks skip is none."""
    if isinstance(when, Span):
        # Two datetimes of one zone would be subtracted as the clock on the wall shows them.
        return when.end.astimezone(UTC) - when.start.astimezone(UTC)
    return when.end - when.start


def zone_of(name: str) -> ZoneInfo:
    """Return the zone that `name` (an IANA name) stands for.

    Raises:
        InvalidInput: there is none; names `time_zone`.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise InvalidInput.field("time_zone", "is no zone of the IANA database") from None


def is_zone(name: str) -> bool:
    """Say whether `name` is an IANA name of a zone."""
    try:
        zone_of(name)
    except InvalidInput:
        return False
    return True


def original_of(key: str) -> date | datetime:
    """Return what `original_key` made a name of.

    Raises:
        InvalidInput: it is no such name; names `id`.
    """
    try:
        if KEY_OF_INSTANT.fullmatch(key):
            return datetime.strptime(key, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if KEY_OF_DAY.fullmatch(key):
            return date.fromisoformat(key)
    except ValueError:
        pass
    raise InvalidInput.field("id", "names no occurrence")
