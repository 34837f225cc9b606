"""A person's settings, as far as they follow from the person's own calendar.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/settings
"""

from typing import Any, Final

from emulator.calendar import paging
from emulator.calendar.access import person
from emulator.calendar.errors import not_found
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_FIXED: Final = {
    "autoAddHangouts": "false",
    "dateFieldOrder": "MDY",
    "defaultEventLength": "60",
    "format24HourTime": "false",
    "hideInvitations": "false",
    "hideWeekends": "false",
    "locale": "en",
    "remindOnRespondedEventsOnly": "false",
    "showDeclinedEvents": "true",
    "useKeyboardShortcuts": "true",
    "weekStart": "0",
}


def list_settings(call: Call) -> Json:
    """Return all settings."""
    values = _values(call)
    return {
        "kind": "calendar#settings",
        "etag": f'"p{paging.mark(values)}"',
        "items": [_shown(name, value) for name, value in sorted(values.items())],
    }


def get(call: Call) -> Json:
    """Return one setting."""
    values, name = _values(call), call.path["setting"]
    if name not in values:
        raise not_found()
    return _shown(name, values[name])


def _values(call: Call) -> dict[str, str]:
    own = call.world.calendars.primary(person(call))
    return {**_FIXED, "timezone": own.facts.time_zone}


def _shown(name: str, value: str) -> Json:
    etag = f'"{paging.mark(name, value)}"'
    return {"kind": "calendar#setting", "etag": etag, "id": name, "value": value}


OPERATIONS: Final = {
    "calendar.settings.list": Operation(list_settings, units=1),
    "calendar.settings.get": Operation(get, units=1),
}
