"""Meetings: one for all colleagues who have it in a calendar, with a copy of each."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from json.encoder import encode_basestring_ascii as quoted
from typing import Any
from uuid import UUID, uuid5

import orjson

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
    # A list as JSON, put together by hand: there are many.
    return uuid5(NAMESPACE, f"[{quoted(tenant_id)}, {quoted(ical_uid)}]")


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


@dataclass(frozen=True)
class Meeting:
    """One meeting, as its copies show it together."""

    id: str
    copies: tuple[Copy, ...]
    """In the order they came; at least one."""

    @cached_property
    def main(self) -> Copy:
        """The copy that speaks for all.

        The organiser's own knows the meeting best, and says whether it takes place. Of others one
        that was taken out of a calendar says nothing of the rest.
        """
        return self.copies[0] if len(self.copies) == 1 else min(self.copies, key=_rank)

    @cached_property
    def attendees(self) -> tuple[Attendee, ...]:
        """Who is invited, by address; each with the answer their own copy knows."""
        known = {
            fold_address(one.email): one for one in self.main.event.details.attendees if one.email
        }
        answers = self._own_answers()
        return tuple(_answered(one, answers.get(email)) for email, one in sorted(known.items()))

    def _own_answers(self) -> dict[str, Response]:
        """Return what people answered as their own copies know it, by folded address.

        An answer reaches the other copies late, or never with many guests.
        """
        return {
            fold_address(one.email): one.response
            for copy in self.copies
            if copy.event.status is not Status.CANCELLED
            for one in copy.event.details.attendees
            if one.is_self
        }

    @property
    def title(self) -> str:
        """What it is called."""
        event = self.main.event
        return BUSY if event.busy_only else event.details.summary or NO_TITLE

    def facts(self) -> dict[str, Any]:
        """Return what is told of it, as JSON; what it says at length is not told."""
        event = self.main.event
        details = event.details
        organizer = {"email": details.organizer_email, "name": details.organizer_name}
        return {
            "title": self.title,
            "status": event.status.value,
            "time": None if event.when is None else stored(event.when),
            "recurrence": list(event.recurrence),
            "location": details.location,
            "organizer": organizer if details.organizer_email else None,
            "attendees": [_told(one) for one in self.attendees],
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
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).digest()


def _rank(copy: Copy) -> tuple[bool, bool, bool, bool]:
    # The smallest wins, and of equal ones the first.
    event = copy.event
    return (
        not event.organized_here,
        event.status is Status.CANCELLED,
        event.busy_only,
        not copy.is_primary,
    )


def _answered(one: Attendee, response: Response | None) -> Attendee:
    return one if response in (None, one.response) else replace(one, response=response)


def _told(one: Attendee) -> dict[str, Any]:
    return {
        "email": one.email,
        "name": one.name,
        "response": one.response.value,
        "optional": one.optional,
        "organizer": one.organizer,
        "resource": one.resource,
    }
