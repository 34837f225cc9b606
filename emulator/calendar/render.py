"""Events as the API shows them.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events
"""

import base64
from typing import Any, Final
from zoneinfo import ZoneInfo

from emulator.calendar.event import StoredEvent
from emulator.calendar.times import millis

Json = dict[str, Any]

DEFAULT_REMINDERS: Final[Json] = {"useDefault": True}
_KIND: Final = "calendar#event"


def event(
    found: StoredEvent,
    *,
    me: frozenset[str],
    viewer: str,
    zone: ZoneInfo,
    most_attendees: int | None = None,
    bare: bool = False,
) -> Json:
    """Return an event with everything that its calendar's owner sees.

    Args:
        found: the event.
        me: the addresses that stand for the calendar itself.
        viewer: `sub` of the person, who has reminders of their own.
        zone: the zone that times are shown in.
        most_attendees: if there are more, only the calendar's own entry is shown.
        bare: whether a cancelled event shows no more than Google guarantees.
    """
    if found.is_cancelled and (bare or found.master):
        return _tombstone(found, zone)
    shown = found.rendered.get(zone.key)
    if shown is None:
        shown = found.rendered[zone.key] = _whole(found, me, zone)
    shown = {**shown, "reminders": found.reminders.get(viewer, DEFAULT_REMINDERS)}
    if most_attendees is not None and len(found.attendees) > most_attendees:
        shown["attendees"] = [entry for entry in shown["attendees"] if entry.get("self")]
        shown["attendeesOmitted"] = True
    return shown


def busy(found: StoredEvent, *, zone: ZoneInfo) -> Json:
    """Return what people see of an event whose details are not theirs to see."""
    if found.is_cancelled:
        return _tombstone(found, zone)
    return {
        **_head(found),
        "created": millis(found.created_s),
        "updated": millis(found.updated_s),
        **_times(found, zone),
        "visibility": "private",
        "iCalUID": found.uid,
        "sequence": found.sequence,
        "eventType": "default",
    }


def _whole(found: StoredEvent, me: frozenset[str], zone: ZoneInfo) -> Json:
    shown = {
        **_head(found),
        "htmlLink": _link(found, me),
        "created": millis(found.created_s),
        "updated": millis(found.updated_s),
        **found.facts,
        "creator": _who(found.creator, me),
        "organizer": _who(found.organizer, me),
        **_times(found, zone),
        "iCalUID": found.uid,
        "sequence": found.sequence,
        "eventType": found.type,
    }
    if found.attendees:
        shown["attendees"] = [_attendee(entry, found, me) for entry in found.attendees]
    properties = {"private": dict(found.private), "shared": dict(found.shared)}
    if any(properties.values()):
        shown["extendedProperties"] = {name: v for name, v in properties.items() if v}
    return shown


def _head(found: StoredEvent) -> Json:
    return {"kind": _KIND, "etag": found.etag, "id": found.id, "status": found.status}


def _times(found: StoredEvent, zone: ZoneInfo) -> Json:
    shown: Json = {}
    if found.start is not None and found.end is not None:
        shown = {"start": found.start.json(zone), "end": found.end.json(zone)}
    if found.recurrence:
        shown["recurrence"] = list(found.recurrence)
    if found.master:
        shown["recurringEventId"] = found.master
    if found.original is not None:
        shown["originalStartTime"] = found.original.json(zone)
    return shown


def _tombstone(found: StoredEvent, zone: ZoneInfo) -> Json:
    shown = _head(found)
    if found.master and found.original is not None:
        shown["recurringEventId"] = found.master
        shown["originalStartTime"] = found.original.json(zone)
    return shown


def _who(person: Json, me: frozenset[str]) -> Json:
    return {**person, "self": True} if person.get("email") in me else person


def _attendee(entry: Json, found: StoredEvent, me: frozenset[str]) -> Json:
    shown = dict(entry)
    if entry["email"] == found.organizer.get("email"):
        shown["organizer"] = True
    if entry["email"] in me:
        shown["self"] = True
    return shown


def _link(found: StoredEvent, me: frozenset[str]) -> str:
    named = f"{found.id} {min(me, default='')}"
    code = base64.urlsafe_b64encode(named.encode()).decode().rstrip("=")
    return f"https://www.google.com/calendar/event?eid={code}"
