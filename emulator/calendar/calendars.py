"""The methods of calendars themselves.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/calendars
"""

from typing import Any, Final

from emulator.calendar.access import View, check_match, check_modified, person, view
from emulator.calendar.agenda import Agenda, Facts
from emulator.calendar.editing import Desk
from emulator.calendar.errors import (
    bad_request,
    forbidden,
    invalid,
    required,
    usage_limits_exceeded,
)
from emulator.calendar.times import known_zone
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_MEET: Final[Json] = {"allowedConferenceSolutionTypes": ["hangoutsMeet"]}


def get(call: Call) -> Json:
    """Return what a calendar says of itself."""
    seen = view(call, needs="reader")
    check_modified(call, seen.agenda.etag)
    return _shown(call, seen.agenda)


def insert(call: Call) -> Json:
    """Create a secondary calendar, which is put on its owner's list."""
    owner = person(call)
    if call.world.switches.calendar_usage_limits_exceeded:
        raise usage_limits_exceeded()
    if not call.body.get("summary"):
        raise required("Missing title.")
    client = call.token.client_id if call.token else ""
    own = call.world.calendars.primary(owner)
    facts = _facts(Facts(time_zone=own.facts.time_zone), call.body)
    return _shown(call, call.world.calendars.create(owner, facts, made_by=client))


def patch(call: Call) -> Json:
    """Change what the body names."""
    seen = _own(call)
    return _keep(call, seen, _facts(seen.agenda.facts, call.given))


def update(call: Call) -> Json:
    """Replace what a calendar says of itself."""
    seen = _own(call)
    if not call.body.get("summary"):
        raise required("Missing title.")
    kept = Facts(time_zone=seen.agenda.facts.time_zone)
    return _keep(call, seen, _facts(kept, call.body))


def delete(call: Call) -> None:
    """Delete a secondary calendar with everything in it."""
    seen = _own(call)
    if seen.agenda.is_primary:
        raise forbidden("Cannot delete the primary calendar of a user.")
    call.world.calendars.drop(seen.agenda)


def clear(call: Call) -> None:
    """Delete all events of a primary calendar."""
    seen = _own(call)
    if not seen.agenda.is_primary:
        raise bad_request("Only a primary calendar can be cleared.")
    desk = Desk(call.world.calendars, seen.agenda, seen.person.sub)
    for event in list(seen.agenda.listed(0)):
        now = seen.agenda.events[event.id]
        if not now.is_cancelled:
            desk.remove(now)


def _own(call: Call) -> View:
    seen = view(call, needs="owner")
    check_match(call, seen.agenda.etag)
    return seen


def _keep(call: Call, seen: View, facts: Facts) -> Json:
    seen.agenda.facts = facts
    call.world.calendars.facts_changed(seen.agenda)
    return _shown(call, seen.agenda)


def _facts(old: Facts, given: Json) -> Facts:
    zone = given.get("timeZone", old.time_zone) or "UTC"
    if known_zone(zone) is None:
        raise invalid("Invalid time zone.")
    return Facts(
        summary=given.get("summary", old.summary) or "",
        description=given.get("description", old.description) or "",
        location=given.get("location", old.location) or "",
        time_zone=zone,
    )


def _shown(call: Call, agenda: Agenda) -> Json:
    shown = {
        "kind": "calendar#calendar",
        "etag": agenda.etag,
        "id": agenda.id,
        **described(agenda),
        "conferenceProperties": _MEET,
    }
    return {**shown, **owned(call, agenda)}


def described(agenda: Agenda) -> Json:
    """Return summary, description, location and zone, as far as there are any."""
    facts = agenda.facts
    optional = {"description": facts.description, "location": facts.location}
    kept = {name: value for name, value in optional.items() if value}
    return {"summary": facts.summary, **kept, "timeZone": facts.time_zone}


def owned(call: Call, agenda: Agenda) -> Json:
    """Return the data owner of a secondary calendar."""
    owner = None if agenda.is_primary else call.world.people.find(agenda.owner)
    return {} if owner is None else {"dataOwner": owner.email}


_PREFIX: Final = "calendar.calendars."
OPERATIONS: Final = {
    f"{_PREFIX}get": Operation(get, units=1),
    f"{_PREFIX}insert": Operation(insert, units=1),
    f"{_PREFIX}patch": Operation(patch, units=1),
    f"{_PREFIX}update": Operation(update, units=1),
    f"{_PREFIX}delete": Operation(delete, units=1),
    f"{_PREFIX}clear": Operation(clear, units=1),
}
