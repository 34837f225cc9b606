"""Event bodies: an event as a client would write it, and what a patch makes of that.

Source: https://developers.google.com/workspace/calendar/api/guides/performance#patch
"""

from typing import Any
from zoneinfo import ZoneInfo

from emulator.calendar.event import StoredEvent
from emulator.calendar.render import DEFAULT_REMINDERS

Json = dict[str, Any]

_UTC = ZoneInfo("UTC")


def body_of(found: StoredEvent, viewer: str) -> Json:
    """Return the writable part of an event, as a person with these reminders has it."""
    body: Json = {**found.facts, "status": found.status}
    if found.start is not None and found.end is not None:
        body |= {"start": found.start.json(_UTC), "end": found.end.json(_UTC)}
    if found.recurrence:
        body["recurrence"] = list(found.recurrence)
    if found.attendees:
        body["attendees"] = [dict(entry) for entry in found.attendees]
    properties = {"private": dict(found.private), "shared": dict(found.shared)}
    body["extendedProperties"] = properties
    body["reminders"] = found.reminders.get(viewer, DEFAULT_REMINDERS)
    return body


def patched(body: Json, change: Json) -> Json:
    """Return a body after a patch: objects are merged, arrays replaced, nulls remove."""
    result = dict(body)
    for name, value in change.items():
        old = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = patched(old if isinstance(old, dict) else {}, value)
        elif isinstance(value, list):  # inside an array nothing is merged: null means unset
            result[name] = [patched({}, one) if isinstance(one, dict) else one for one in value]
        else:
            result[name] = value
    return result
