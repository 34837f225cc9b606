"""iCalendar files that a person loads into a calendar.

Source: https://datatracker.ietf.org/doc/html/rfc5545
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from icalendar import Calendar, Component

from emulator.calendar import checks, instances
from emulator.calendar.access import View
from emulator.calendar.editing import Desk
from emulator.calendar.event import StoredEvent
from emulator.calendar.events import Manner, imported_id, new_event, rewritten
from emulator.calendar.state import Calendars
from emulator.calendar.times import Moment, known_zone
from emulator.control.http import ControlError, breathe
from emulator.errors import ApiError

Json = dict[str, Any]

_MANNER: Final = Manner()
_RESPONSES: Final = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
}
_RECURRENCE: Final = ("RRULE", "RDATE", "EXDATE", "EXRULE")


async def load(calendars: Calendars, seen: View, raw: bytes) -> Json:
    """Put the events of a file into a calendar; return their ids and what could not be loaded.

    An event that is there already (same UID) is replaced.

    Raises:
        ControlError: 400; it is no iCalendar file.
    """
    try:
        parts = list(Calendar.from_ical(raw).walk("VEVENT"))
    except (ValueError, IndexError, KeyError) as exc:
        raise ControlError(400, "this is no iCalendar file") from exc
    desk = Desk(calendars, seen.agenda, seen.person.sub)
    loaded, refused = [], []
    parts.sort(key=lambda part: "RECURRENCE-ID" in part)
    for number, part in enumerate(parts):
        await breathe(number)
        try:
            loaded.append(_store(desk, seen, part).id)
        except (ApiError, ValueError, TypeError, AttributeError) as exc:
            refused.append({"uid": str(part.get("UID", "")), "reason": str(exc)})
    return {"ids": loaded, "refused": refused}


def _store(desk: Desk, seen: View, part: Component) -> StoredEvent:
    uid = str(part.get("UID", "")) or f"{seen.agenda.new_id()}@google.com"
    body = _body(part, uid, seen.agenda.facts.time_zone)
    masters = [one for one in seen.agenda.with_uid(uid) if not one.master]
    if "RECURRENCE-ID" in part and masters:
        original = _moment(part.decoded("RECURRENCE-ID"), masters[0])
        event = instances.find(seen.agenda, instances.instance_id(masters[0].id, original))
        if event is None:
            raise ValueError("the series has no such instance")
        return desk.change(event, rewritten(seen, event, _later_than(event, body), _MANNER))
    if masters:
        event = masters[0]
        return desk.change(event, rewritten(seen, event, _later_than(event, body), _MANNER))
    made = new_event(seen, body, _MANNER, event_id=imported_id(seen, uid))
    organizer = _address(part.get("ORGANIZER", ""))
    if organizer and body.get("attendees"):
        made = made.changed(organizer={"email": organizer})
    return desk.add(made, is_import=True)


def _later_than(event: StoredEvent, body: Json) -> Json:
    return {**body, "sequence": max(event.sequence, body["sequence"])}


def _body(part: Component, uid: str, time_zone: str) -> Json:
    """Return an event of a file as the API would write it."""
    start = part.decoded("DTSTART")
    body: Json = {
        "iCalUID": uid,
        "start": _when(start, time_zone),
        "end": _when(_end(part, start), time_zone),
        "sequence": int(part.get("SEQUENCE", 0)),
        "status": str(part.get("STATUS", "confirmed")).lower(),
    }
    texts = (("SUMMARY", "summary"), ("DESCRIPTION", "description"), ("LOCATION", "location"))
    body |= {name: str(part[key]) for key, name in texts if part.get(key)}
    if str(part.get("TRANSP", "")).upper() == "TRANSPARENT":
        body["transparency"] = "transparent"
    visibility = str(part.get("CLASS", "")).lower()
    if visibility in {"public", "private", "confidential"}:
        body["visibility"] = visibility
    lines = list(_lines(part))
    if lines and "RECURRENCE-ID" not in part:
        body["recurrence"] = lines
    people = [_guest(one) for one in _listed(part.get("ATTENDEE"))]
    if people:
        body["attendees"] = [one for one in people if one["email"]]
    return body


def _lines(part: Component) -> Iterator[str]:
    for key in _RECURRENCE:
        for value in _listed(part.get(key)):
            parameters = "".join(
                f";{name}={text}"
                for name, text in value.params.items()
                if name in {"TZID", "VALUE"}
            )
            yield f"{key}{parameters}:{value.to_ical().decode()}"


def _end(part: Component, start: Any) -> Any:
    if "DTEND" in part:
        return part.decoded("DTEND")
    if "DURATION" in part:
        return start + part.decoded("DURATION")
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _when(value: Any, time_zone: str) -> Json:
    if not isinstance(value, datetime):
        if not isinstance(value, date):
            raise TypeError("an event needs a start")
        return {"date": value.isoformat()}
    named = getattr(value.tzinfo, "key", None) or time_zone
    zone = named if known_zone(named) else time_zone
    return {"dateTime": value.isoformat(timespec="seconds"), "timeZone": zone}


def _moment(value: Any, master: StoredEvent) -> Moment:
    zone = master.start.zone if master.start else ""
    found = checks.moment(_when(value, zone or "UTC"), "original start", zone or "UTC")
    return Moment(found.at, found.is_day, zone)


def _guest(value: Any) -> Json:
    entry: Json = {"email": _address(value)}
    name = value.params.get("CN")
    if name:
        entry["displayName"] = str(name)
    state = str(value.params.get("PARTSTAT", "")).upper()
    entry["responseStatus"] = _RESPONSES.get(state, "needsAction")
    if str(value.params.get("ROLE", "")).upper() == "OPT-PARTICIPANT":
        entry["optional"] = True
    return entry


def _address(value: Any) -> str:
    text = str(value)
    return text[len("mailto:") :].lower() if text.lower().startswith("mailto:") else ""


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
