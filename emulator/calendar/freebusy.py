"""When people are busy.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/freebusy/query
"""

from datetime import datetime
from typing import Any, Final

from emulator.calendar import guests, instances
from emulator.calendar.access import person
from emulator.calendar.agenda import Agenda
from emulator.calendar.errors import bad_request, invalid, refusal, required, time_range_empty
from emulator.calendar.event import StoredEvent
from emulator.calendar.state import Calendars
from emulator.calendar.times import known_zone, parse_stamp, stamp
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_MOST_CALENDARS: Final = 50


def query(call: Call) -> Json:
    """Return the busy times of several calendars."""
    who = person(call)
    low, high = _bound(call.body, "timeMin"), _bound(call.body, "timeMax")
    if high <= low:
        raise time_range_empty(parameter="timeMax")
    zone = known_zone(call.body.get("timeZone", "UTC"))
    if zone is None:
        raise invalid("Invalid time zone.", parameter="timeZone")
    wanted = [str(item.get("id", "")) for item in call.body.get("items", ())]
    most = min(int(call.body.get("calendarExpansionMax", _MOST_CALENDARS)), _MOST_CALENDARS)
    if len(wanted) > most:
        raise refusal(400, "tooManyCalendarsRequested", "Too many calendars requested.")
    calendars: Json = {}
    for name in wanted:
        agenda = call.world.calendars.find(who.email if name == "primary" else name)
        if agenda is None or agenda.role(who.sub) == "none":
            calendars[name] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
            continue
        spans = busy(call.world.calendars, agenda, low, high)
        calendars[name] = {
            "busy": [{"start": stamp(a, zone), "end": stamp(b, zone)} for a, b in spans]
        }
    return {
        "kind": "calendar#freeBusy",
        "timeMin": stamp(low, zone),
        "timeMax": stamp(high, zone),
        "calendars": calendars,
    }


def busy(
    calendars: Calendars, agenda: Agenda, low: datetime, high: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the times within `low` and `high` at which a calendar is busy, in order, merged."""
    spans = []
    for event in agenda.listed(0):
        if event.is_cancelled or (event.master and event.master in agenda.events):
            continue
        found = instances.expand(agenda, event, low, high) if event.is_series else [event]
        for one in found:
            if _blocks(calendars, agenda, one) and one.start and one.end:
                begin = max(low, one.start.instant(agenda.zone))
                end = min(high, one.end.instant(agenda.zone))
                spans += [(begin, end)] if begin < end else []
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _blocks(calendars: Calendars, agenda: Agenda, event: StoredEvent) -> bool:
    if event.is_cancelled or event.facts.get("transparency") == "transparent":
        return False
    mine = guests.own_entry(calendars, agenda, event) or {}
    return event.type != "workingLocation" and mine.get("responseStatus") != "declined"


def _bound(body: Json, name: str) -> datetime:
    if name not in body:
        raise required(f"Missing {name}.")
    found = parse_stamp(str(body[name]))
    if found is None:
        raise bad_request(parameter=name)
    return min(max(found, instances.EARLIEST), instances.LATEST)


OPERATIONS: Final = {"calendar.freebusy.query": Operation(query, units=1)}
