"""Meetings: one for all colleagues who have it in a calendar, with a copy of each."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from libs.common.addresses import fold_address
from libs.common.errors import InvalidInput
from services.calendar.domain.event import Attendee, Event, Response, Status
from services.calendar.domain.times import original_key, original_of, stored

NAMESPACE = UUID("5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52")
"""Of the ids of series: never to change, or meetings that are here get others."""
ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:_([0-9TZ]{8,16}))?", re.ASCII)
NO_TITLE = "(No title)"
BUSY = "(Busy)"


def series_id(tenant_id: str, ical_uid: str) -> UUID:
    """Return of which meeting events are copies: all calendars know it by one iCalUID.

    Source: https://www.rfc-editor.org/rfc/rfc5545#section-3.8.4.7
    """
    return uuid5(NAMESPACE, json.dumps([tenant_id, ical_uid]))


def meeting_id(tenant_id: str, event: Event) -> str:
    """Return the name of a meeting: its series, and where in it an exception belongs."""
    # What has no iCalUID is nobody else's.
    series = series_id(tenant_id, event.ical_uid or event.google_id)
    return occurrence_id(series, None if event.original is None else original_key(event.original))


def occurrence_id(series: UUID, key: str | None) -> str:
    """Return the name of a series (None) or of the occurrence that has `key` in it."""
    return str(series) if key is None else f"{series}_{key}"


def parse_meeting_id(text: str) -> tuple[UUID, str | None]:
    """Return the series that `text` names, and the key of the occurrence if it names one.

    Raises:
        InvalidInput: it names no meeting; names `id`.
    """
    match = ID.fullmatch(text)
    if match is None:
        raise InvalidInput.field("id", "names no meeting")
    if match[2] is not None:
        original_of(match[2])
    return UUID(match[1]), match[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A meeting in one calendar."""

    event: Event
    """Of an occurrence: with its own time."""
    connection_id: UUID
    user_id: str
    """Whose calendar it is."""
    calendar_id: UUID
    is_primary: bool = True
    """The calendar is the person's own."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """One meeting, as its copies show it together."""

    id: str
    copies: tuple[Copy, ...]
    """In the order they came; at least one."""

    @property
    def main(self) -> Copy:
        """Return the copy that speaks for all.

        The organiser's own knows the meeting best, and says whether it takes place. Of others one
        that was taken out of a calendar says nothing of the rest.
        """
        return min(self.copies, key=_rank)

    def attendees(self) -> list[Attendee]:
        """Return who is invited, by address; each with the answer their own copy knows."""
        answers = self.responses()
        known = {
            fold_address(one.email): one for one in self.main.event.details.attendees if one.email
        }
        return [_answered(one, answers[email]) for email, one in sorted(known.items())]

    def responses(self) -> dict[str, Response]:
        """Return what everybody answered, by folded address.

        An answer reaches the other copies late, or never with many guests.
        """
        found = {fold_address(one.email): one.response for one in self.main.event.details.attendees}
        for copy in self.copies:
            for one in copy.event.details.attendees:
                if one.is_self and copy.event.status is not Status.CANCELLED:
                    found[fold_address(one.email)] = one.response
        return found

    def facts(self) -> dict[str, Any]:
        """Return what is told of it, as JSON; what it says at length is not told."""
        event = self.main.event
        details = event.details
        organizer = {"email": details.organizer_email, "name": details.organizer_name}
        return {
            "title": BUSY if event.busy_only else details.summary or NO_TITLE,
            "status": str(event.status),
            "time": None if event.when is None else stored(event.when),
            "recurrence": list(event.recurrence),
            "location": details.location,
            "organizer": organizer if details.organizer_email else None,
            "attendees": [_told(one) for one in self.attendees()],
            "html_link": details.html_link,
            "meet_link": details.meet_link,
            "visibility": details.visibility,
            "transparency": "transparent" if event.transparent else "opaque",
            "event_type": event.event_type,
            "busy_only": event.busy_only,
        }

    def shown(self) -> dict[str, Any]:
        """Return what is shown of it, as JSON."""
        return {**self.facts(), "description": self.main.event.details.description}


def digest(facts: Mapping[str, Any]) -> bytes:
    """Return 32 bytes that equal facts have alike, so that the same is not told twice."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def _rank(copy: Copy) -> tuple[bool, bool, bool, bool]:
    # The smallest wins, and of equal ones the first.
    event = copy.event
    return (
        not event.organized_here,
        event.status is Status.CANCELLED,
        event.busy_only,
        not copy.is_primary,
    )


def _answered(one: Attendee, response: Response) -> Attendee:
    return Attendee(
        email=one.email,
        name=one.name,
        response=response,
        optional=one.optional,
        organizer=one.organizer,
        resource=one.resource,
    )


def _told(one: Attendee) -> dict[str, Any]:
    return {
        "email": one.email,
        "name": one.name,
        "response": str(one.response),
        "optional": one.optional,
        "organizer": one.organizer,
        "resource": one.resource,
    }
