"""Events for tests, with what a test does not care about filled in."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.calendar.domain.event import Attendee, Details, Event, Status
from services.calendar.domain.times import Days, Span

SAO_PAULO = "America/Sao_Paulo"
NEW_YORK = "America/New_York"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def span(*parts: int, zone: str | None = SAO_PAULO, minutes: int = 60) -> Span:
    """Return a span that begins when a clock in `zone` shows `parts`."""
    local = datetime(*parts, tzinfo=ZoneInfo(zone or "UTC"))  # type: ignore[misc,arg-type]
    start = local.astimezone(UTC)
    return Span(start, start + timedelta(minutes=minutes), zone)


def days(start: date, length: int = 1) -> Days:
    return Days(start, start + timedelta(days=length))


def event(**changes: Any) -> Event:
    plain: dict[str, Any] = {
        "google_id": "e1",
        "etag": '"1"',
        "updated": None,
        "ical_uid": "e1@google.com",
        "status": Status.CONFIRMED,
        "when": span(2026, 11, 26, 9),
    }
    return Event(**plain | changes)


def said(*emails: str, **changes: Any) -> Details:
    return Details(attendees=tuple(Attendee(one) for one in emails), **changes)
