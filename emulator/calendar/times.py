"""Points in time as events carry them: an instant with a zone, or a day without one.

Source: https://developers.google.com/workspace/calendar/api/concepts/events-calendars
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

Json = dict[str, Any]

_STAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?P<offset>[Zz]|[+-]\d\d:?\d\d)?"
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something begins or ends.

    Attributes:
        at: an instant in UTC; of a day, its midnight in UTC.
        is_day: whether only the date counts.
        zone: the zone that the event was given, empty for days.
    """

    at: datetime
    is_day: bool = False
    zone: str = ""

    def json(self, shown_in: ZoneInfo) -> Json:
        """Return it as events show it, with the offset of `shown_in`."""
        if self.is_day:
            return {"date": self.at.date().isoformat()}
        shown = {"dateTime": stamp(self.at, shown_in)}
        if self.zone:
            shown["timeZone"] = self.zone
        return shown

    def instant(self, zone: ZoneInfo) -> datetime:
        """Return the instant at which it begins in a calendar of that zone."""
        return midnight(self.at.date(), zone) if self.is_day else self.at

    def local(self) -> datetime:
        """Return the wall clock of its own zone, which recurrences count by."""
        if self.is_day:
            return self.at.replace(tzinfo=None)
        return self.at.astimezone(zone_of(self.zone)).replace(tzinfo=None)

    def at_local(self, wall: datetime) -> "Moment":
        """Return the moment at which this one's zone shows `wall`."""
        if self.is_day:
            return Moment(wall.replace(tzinfo=UTC), is_day=True)
        return Moment(wall.replace(tzinfo=zone_of(self.zone)).astimezone(UTC), zone=self.zone)

    @property
    def key(self) -> str:
        """Return what ids of instances end with."""
        return f"{self.at:%Y%m%d}" if self.is_day else f"{self.at:%Y%m%dT%H%M%SZ}"


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins in a zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def stamp(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant as Google prints it: seconds, the zone's offset, `Z` for none."""
    return at.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")


def millis(seconds: float) -> str:
    """Return seconds since 1970 as `created` and `updated` print them."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


@lru_cache(maxsize=1024)
def known_zone(name: str) -> ZoneInfo | None:
    """Return the zone of an IANA name, or None."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, or no name at all
        return None


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of a name that was checked before; UTC for none."""
    return known_zone(name or "UTC") or ZoneInfo("UTC")


def parse_day(text: str) -> datetime | None:
    """Return midnight (UTC) of a date such as 2026-11-22, or None."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def parse_stamp(text: str, zone: ZoneInfo | None = None) -> datetime | None:
    """Return the instant of an RFC 3339 time in UTC; None when it is none, or lacks an offset.

    Args:
        zone: whose clock a time without offset shows.
    """
    match = _STAMP.fullmatch(text)
    if match is None or (match["offset"] is None and zone is None):
        return None
    try:
        found = datetime.fromisoformat(text.upper())
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
