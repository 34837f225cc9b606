"""Google Meet conferences, which come into being a moment after they were asked for.

Source: https://developers.google.com/workspace/calendar/api/guides/create-events#conferencing
"""

import secrets
import string
from typing import Any, Final

from emulator.calendar import guests
from emulator.calendar.agenda import Agenda
from emulator.calendar.errors import invalid
from emulator.calendar.event import StoredEvent
from emulator.calendar.state import Calendars

Json = dict[str, Any]

_MEET: Final = "hangoutsMeet"
_CODE_GROUPS: Final = (3, 4, 3)


def wanted(before: Json | None, given: Json | None, *, version: int) -> Json | None:
    """Return the conference data that an event has after a write.

    Args:
        before: what it had.
        given: what the body says; None takes the conference away.
        version: the `conferenceDataVersion` of the call; at 0 the body's word counts for nothing.

    Raises:
        ApiError: 400; a conference is asked for without a request id.
    """
    if version == 0:
        return before
    request = (given or {}).get("createRequest")
    if request is None or given is None:
        return given
    if not request.get("requestId"):
        raise invalid("Invalid conference type value.")
    known = (before or {}).get("createRequest", {})
    if known.get("requestId") == request["requestId"]:
        return before
    key = request.get("conferenceSolutionKey", {}).get("type", _MEET)
    return {
        "createRequest": {
            "requestId": request["requestId"],
            "conferenceSolutionKey": {"type": key},
            "status": {"statusCode": "pending"},
        }
    }


def placed(facts: Json, conference: Json | None) -> Json:
    """Return an event's facts with that conference, and the link that belongs to it."""
    kept = {n: v for n, v in facts.items() if n not in {"conferenceData", "hangoutLink"}}
    if not conference:
        return kept
    kept["conferenceData"] = conference
    links = [one["uri"] for one in conference.get("entryPoints", ()) if one.get("uri")]
    if links and "meet.google.com" in links[0]:
        kept["hangoutLink"] = links[0]
    return kept


def finish_later(calendars: Calendars, agenda: Agenda, event: StoredEvent) -> None:
    """Have a pending conference of an event made, or refused, in a while."""
    delay_s = calendars.switches().conference_delay_s
    if delay_s is not None and _request_id(event, "pending"):
        request_id = _request_id(event, "pending")
        calendars.later(delay_s, lambda: _finish(calendars, agenda, event.id, request_id))


def _finish(calendars: Calendars, agenda: Agenda, event_id: str, request_id: str) -> None:
    event = agenda.events[event_id]
    if event.is_cancelled or _request_id(event, "pending") != request_id:
        return
    conference = event.facts["conferenceData"]
    made = _made(conference, fails=calendars.switches().conference_fails)
    stored = agenda.put(event.changed(facts=placed(event.facts, made)))
    if guests.organizes(calendars, agenda, stored):
        guests.spread(calendars, agenda, event, stored)


def _request_id(event: StoredEvent, status: str) -> str:
    request = event.facts.get("conferenceData", {}).get("createRequest", {})
    if request.get("status", {}).get("statusCode") != status:
        return ""
    return str(request["requestId"])


def _made(pending: Json, *, fails: bool) -> Json:
    request = pending["createRequest"]
    if fails:
        return {"createRequest": {**request, "status": {"statusCode": "failure"}}}
    code = "-".join(
        "".join(secrets.choice(string.ascii_lowercase) for _ in range(size))
        for size in _CODE_GROUPS
    )
    uri = f"https://meet.google.com/{code}"
    return {
        "createRequest": {**request, "status": {"statusCode": "success"}},
        "entryPoints": [{"entryPointType": "video", "uri": uri, "label": uri[len("https://") :]}],
        "conferenceSolution": {"key": {"type": _MEET}, "name": "Google Meet"},
        "conferenceId": code,
    }
