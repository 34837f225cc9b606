"""Events as JSON and back: how the store keeps what Google said."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from services.calendar.domain.event import (
    Attendee,
    Details,
    Event,
    Reminder,
    Reminders,
    Response,
    Status,
)
from services.calendar.domain.times import stored, when_of

PLAIN = (
    "ical_uid",
    "master_id",
    "event_type",
    "transparent",
    "organized_here",
    "busy_only",
    "guests_can_modify",
)
_ATTENDEE = tuple(one.name for one in fields(Attendee))
_TEXTS = tuple(one.name for one in fields(Details) if one.name not in {"attendees", "reminders"})
_plain, _attendee, _texts = (attrgetter(*names) for names in (PLAIN, _ATTENDEE, _TEXTS))


def body_of(event: Event) -> dict[str, Any]:
    """Return all of an event but what has a column of its own (id, etag, updated, status)."""
    body: dict[str, Any] = dict(zip(PLAIN, _plain(event), strict=True))
    body["when"] = None if event.when is None else stored(event.when)
    body["recurrence"] = list(event.recurrence)
    body["original"] = None if event.original is None else event.original.isoformat()
    body["marks"] = event.marks
    body["details"] = _details(event.details)
    return body


def event_of(
    body: Mapping[str, Any], *, google_id: str, etag: str, updated: datetime | None, status: str
) -> Event:
    """Return the event of which `body_of` made `body`."""
    original = body["original"]
    return Event(
        google_id=google_id,
        etag=etag,
        updated=updated,
        status=Status(status),
        when=None if body["when"] is None else when_of(body["when"]),
        recurrence=tuple(body["recurrence"]),
        original=None if original is None else _moment(original),
        details=_details_of(body["details"]),
        marks=dict(body["marks"]),
        **{name: body[name] for name in PLAIN},
    )


def _details(details: Details) -> dict[str, Any]:
    known = _said(_TEXTS, _texts(details))
    if details.attendees:
        known["attendees"] = [_said(_ATTENDEE, _attendee(one)) for one in details.attendees]
    if not details.reminders.use_default:
        known["reminders"] = [[one.method, one.minutes] for one in details.reminders.overrides]
    return known


def _details_of(known: Mapping[str, Any]) -> Details:
    texts = {name: known[name] for name in _TEXTS if name in known}
    own = known.get("reminders")
    return Details(
        **texts,
        attendees=tuple(_attendee_of(one) for one in known.get("attendees", ())),
        reminders=Reminders()
        if own is None
        else Reminders(use_default=False, overrides=tuple(Reminder(*one) for one in own)),
    )


def _said(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Return what is not as it is when nothing is said."""
    return {name: value for name, value in zip(names, values, strict=True) if value}


def _attendee_of(known: Mapping[str, Any]) -> Attendee:
    given = {"email": "", **known}
    return Attendee(**{**given, "response": Response(given.get("response", "needsAction"))})


def _moment(text: str) -> date | datetime:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
