"""Events as Calendar hands them out: about 1.5 kB each, guests, descriptions, some of them series.

The same number always gives the same event. Of twenty one is a weekly series (every other one
ends), one an exception of the series before it, one lasts days, one is private; the others are
single meetings with up to five guests.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench.house.letters import OWNER, WORDS, person

Json = dict[str, Any]

FIRST: Final = datetime(2026, 11, 30, 8, tzinfo=UTC)
ZONE: Final = "Europe/Paris"
SERIES, EXCEPTION, DAYS, PRIVATE = 3, 4, 7, 11
"""Which of twenty is what."""
ANSWERS = ("accepted", "needsAction", "declined", "tentative")


def event_id(number: int) -> str:
    """Return Google's id of an event; an exception's says of which series it is one."""
    if number % 20 == EXCEPTION:
        return f"{event_id(number - 1)}_{_moment(number - 1) + timedelta(weeks=2):%Y%m%dT%H%M%SZ}"
    return f"{number:026d}"


def event(number: int, *, mark: str, version: int = 0) -> Json:
    """Return an event as events.list shows it to its calendar's owner.

    Args:
        number: which.
        mark: of the calendar; events of two are never the same meeting.
        version: counts its changes.
    """
    rng, kind = random.Random(number), number % 20  # noqa: S311 - content only
    guests = [] if kind == DAYS else [person(rng.randrange(900)) for _ in range(rng.randrange(6))]
    organizer = OWNER if number % 3 else (guests or [OWNER])[0]
    owner_number = number - 1 if kind == EXCEPTION else number
    shown: Json = {
        "kind": "calendar#event",
        "etag": f'"{3_500_000_000_000_000 + version}"',
        "id": event_id(number),
        "status": "confirmed",
        "htmlLink": f"https://www.google.com/calendar/event?eid={number:064x}",
        "created": "2026-10-01T09:12:33.000Z",
        "updated": f"2026-11-20T10:11:{version % 60:02d}.123Z",
        "summary": f"{_sentence(rng, 5)} {version or ''}".strip(),
        "description": ". ".join(_sentence(rng, 9) for _ in range(5)),
        "location": f"Room {rng.randrange(40)}, 12 Example Street",
        "creator": {"email": organizer, **_self(organizer)},
        "organizer": {"email": organizer, **_self(organizer)},
        **_times(number, kind),
        "iCalUID": f"{event_id(owner_number)}-{mark}@google.com",
        "sequence": 0,
        "reminders": {"useDefault": True},
        "eventType": "default",
    }
    if guests:
        everybody = sorted({organizer, OWNER, *guests})
        shown["attendees"] = [_guest(rng, one, organizer) for one in everybody]
        shown["hangoutLink"] = f"https://meet.google.com/{number:011d}"
        shown["conferenceData"] = {
            "conferenceSolution": {"key": {"type": "hangoutsMeet"}, "name": "Google Meet"},
            "conferenceId": f"{number:011d}",
            "entryPoints": [
                {"entryPointType": "video", "uri": f"https://meet.google.com/{number:011d}"}
            ],
        }
    if kind == PRIVATE:
        shown["visibility"] = "private"
    return shown


def _times(number: int, kind: int) -> Json:
    if kind == DAYS:
        day = _moment(number).date()
        return {
            "start": {"date": day.isoformat()},
            "end": {"date": (day + timedelta(days=2)).isoformat()},
            "transparency": "transparent",
        }
    if kind == EXCEPTION:
        original = _moment(number - 1) + timedelta(weeks=2)
        return {
            **_span(original + timedelta(hours=2)),
            "recurringEventId": event_id(number - 1),
            "originalStartTime": _time(original),
        }
    shown = _span(_moment(number))
    if kind == SERIES:
        until = "" if number % 40 == SERIES else ";UNTIL=20271231T225959Z"
        shown["recurrence"] = [f"RRULE:FREQ=WEEKLY{until}"]
    return shown


def _moment(number: int) -> datetime:
    return FIRST + timedelta(minutes=15 * (number % 7_000))


def _span(start: datetime) -> Json:
    return {"start": _time(start), "end": _time(start + timedelta(minutes=45))}


def _time(moment: datetime) -> Json:
    local = moment + timedelta(hours=1)
    return {"dateTime": f"{local:%Y-%m-%dT%H:%M:%S}+01:00", "timeZone": ZONE}


def _guest(rng: random.Random, address: str, organizer: str) -> Json:
    shown: Json = {"email": address, "responseStatus": rng.choice(ANSWERS), **_self(address)}
    if address != OWNER:
        shown["displayName"] = f"Guest {address.partition('@')[0]}"
    if address == organizer:
        shown["organizer"] = True
    return shown


def _self(address: str) -> Json:
    return {"self": True} if address == OWNER else {}


def _sentence(rng: random.Random, length: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(length)).capitalize()
