"""The events of the calendar service, made of its values."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from libs.common.directory import EntityRef
from libs.common.events import calendar as events
from libs.common.events.base import Origin
from services.calendar.domain.event import Attendee, Event
from services.calendar.domain.meeting import Meeting

NAMESPACE = UUID("0e7a3f3e-6f61-4b0c-9a55-2b6f2f0d6a11")
"""Of the ids of activities: never to change."""
MOST_GUESTS = 200
MOST_COPIES = 100


def identity(meeting: Meeting) -> dict[str, Any]:
    """Return how a meeting is named in events."""
    series_id, _, occurrence = meeting.id.partition("_")
    main = meeting.main
    return {
        "event_id": meeting.id,
        "series_id": series_id,
        "occurrence": occurrence or None,
        "connection_id": str(main.connection_id),
        "user_id": main.user_id,
        "calendar_id": str(main.calendar_id),
        "google_event_id": main.event.google_id,
        "ical_uid": main.event.ical_uid,
    }


def facts(meeting: Meeting) -> dict[str, Any]:
    """Return what is told of a meeting besides how it is named."""
    found = meeting.facts()
    found["attendees"] = found["attendees"][:MOST_GUESTS]
    found["appointment_id"] = meeting.main.event.marks.get("appointment")
    found["copies"] = [
        {
            "connection_id": str(one.connection_id),
            "user_id": one.user_id,
            "calendar_id": str(one.calendar_id),
            "google_event_id": one.event.google_id,
        }
        for one in meeting.copies[:MOST_COPIES]
    ]
    return found


def told(meeting: Meeting, what: dict[str, Any], origin: Origin) -> dict[str, Any]:
    """Return the data of a meeting's EventCreated or EventUpdated; `what`: its facts."""
    time = what["time"]
    data = {"origin": origin, **identity(meeting), **what}
    if time is not None and time["all_day"]:
        data["time"] = {**time, "zone": None}
    return data


def activity_id(meeting_id: str) -> UUID:
    """Return the id of a meeting's activity: its series, or one made of that and the occurrence."""
    series_id, _, occurrence = meeting_id.partition("_")
    return uuid5(NAMESPACE, meeting_id) if occurrence else UUID(series_id)


def activity(
    meeting: Meeting, refs: Sequence[EntityRef], *, starts_at: datetime, ends_at: datetime | None
) -> events.Activity:
    """Return a meeting as an activity of the entities it concerns; of nobody's it says little."""
    data = activity_data(meeting, refs, starts_at=starts_at, ends_at=ends_at)
    return events.Activity.model_validate(data)


def activity_data(
    meeting: Meeting, refs: Sequence[EntityRef], *, starts_at: datetime, ends_at: datetime | None
) -> dict[str, Any]:
    """Return the activity that a meeting is, as its data."""
    event, main = meeting.main.event, meeting.main
    guests = meeting.attendees[:MOST_GUESTS] if refs else ()
    return {
        "id": str(activity_id(meeting.id)),
        "type": "meeting",
        "title": meeting.title,
        "snippet": event.details.description[:500] if refs else "",
        "direction": "outbound" if event.organized_here else "inbound",
        "entities": [{"type": one.entity_type, "id": one.entity_id} for one in refs],
        "participants": [_participant(event, one) for one in guests],
        "occurred_at": starts_at,
        "start": starts_at,
        "end": ends_at,
        "created_by": main.user_id,
        "source": "google_calendar",
        "event_id": meeting.id,
    }


def _participant(event: Event, one: Attendee) -> dict[str, Any]:
    is_organizer = one.organizer or one.email == event.details.organizer_email
    role = "organizer" if is_organizer else "optional" if one.optional else "attendee"
    return {"email": one.email, "name": one.name, "role": role}
