"""The methods of single events.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events
"""

import base64
import re
from dataclasses import dataclass
from typing import Any, Final

from emulator.calendar import checks, conferences, guests, instances, render
from emulator.calendar.access import View, check_match, check_modified, view
from emulator.calendar.agenda import ROLES
from emulator.calendar.bodies import body_of, patched
from emulator.calendar.editing import Desk
from emulator.calendar.errors import (
    bad_request,
    duplicate,
    for_non_organizer,
    forbidden,
    invalid,
    not_found,
    required,
    usage_limits_exceeded,
)
from emulator.calendar.event import CANCELLED, SHARED_FACTS, StoredEvent
from emulator.calendar.invitations import Wish
from emulator.calendar.times import known_zone
from emulator.rest.call import Call, Operation

Json = dict[str, Any]

_CLIENT_ID: Final = re.compile(r"[a-v0-9]{5,1024}")
_UID_DOMAIN: Final = "@google.com"
_ON_PRIMARY_ONLY: Final = frozenset({"birthday", "focusTime", "outOfOffice", "workingLocation"})


@dataclass(frozen=True, slots=True)
class Manner:
    """How a body is to be taken, beside what it says."""

    conference_version: int = 0
    takes_attachments: bool = False


def get(call: Call) -> Json:
    """Return one event, which may be a deleted one."""
    seen = view(call)
    found = existing(seen, call.path["eventId"])
    check_modified(call, found.etag)
    return shown(call, seen, found)


def insert(call: Call) -> Json:
    """Create an event of this calendar's own."""
    seen = view(call, needs="writer")
    _check_limits(call)
    body = call.body
    if body.get("id") and body.get("iCalUID"):
        raise invalid("Only one of id and iCalUID may be given.")
    made = new_event(seen, body, _manner(call), event_id=_free_id(seen, body))
    return shown(call, seen, _desk(call, seen).add(made))


def import_(call: Call) -> Json:
    """Put a copy of an event, which may be somebody else's, into this calendar."""
    seen = view(call, needs="writer")
    _check_limits(call)
    body, uid = call.body, str(call.body.get("iCalUID", ""))
    if not uid:
        raise required("Missing iCalUID.")
    if body.get("eventType", "default") != "default":
        raise invalid("Only events of type default can be imported.")
    known = [one for one in seen.agenda.with_uid(uid) if not one.master]
    if known:
        before = known[0]
        after = rewritten(seen, before, body, _manner(call))
        check_organizer(call, seen, before, after)
        return shown(call, seen, _desk(call, seen).change(before, after))
    made = new_event(seen, body, _manner(call), event_id=imported_id(seen, uid))
    organizer = body.get("organizer", {})
    if organizer.get("email"):
        made = made.changed(organizer=_named(organizer))
    return shown(call, seen, _desk(call, seen).add(made, is_import=True))


def patch(call: Call) -> Json:
    """Change what the body names."""
    seen = view(call, needs="writer")
    before = existing(seen, call.path["eventId"])
    check_match(call, before.etag)
    _check_limits(call)
    body = patched(body_of(before, seen.person.sub), call.given)
    after = rewritten(seen, before, body, _manner(call))
    return shown(call, seen, _desk(call, seen).change(before, after))


def update(call: Call) -> Json:
    """Replace an event; what the body leaves out goes back to its default."""
    seen = view(call, needs="writer")
    before = existing(seen, call.path["eventId"])
    check_match(call, before.etag)
    _check_limits(call)
    after = rewritten(seen, before, call.body, _manner(call))
    check_organizer(call, seen, before, after)
    return shown(call, seen, _desk(call, seen).change(before, after))


def delete(call: Call) -> None:
    """Delete an event, a series or one instance."""
    seen = view(call, needs="writer")
    found = existing(seen, call.path["eventId"])
    check_match(call, found.etag)
    _desk(call, seen).remove(found)


def move(call: Call) -> Json:
    """Move an event to another calendar, which becomes its organizer."""
    seen = view(call, needs="writer")
    found = existing(seen, call.path["eventId"])
    check_match(call, found.etag)
    calendars = call.world.calendars
    target = calendars.find(call.query["destination"])
    if target is None or target.role(seen.person.sub) == "none":
        raise not_found()
    there = View(target, seen.person, target.role(seen.person.sub))
    there.needs("writer")
    if found.master or found.type != "default" or found.is_cancelled:
        raise bad_request("Cannot change the organizer of an instance.")
    if not guests.organizes(calendars, seen.agenda, found):
        raise forbidden()
    known = target.events.get(found.id)
    if known is not None and not known.is_cancelled and target is not seen.agenda:
        raise duplicate()
    Desk(calendars, seen.agenda, seen.person.sub).remove(found)
    moved = found.changed(organizer=organizer_of(there), sequence=found.sequence + 1)
    return shown(call, there, _desk(call, there).add(moved))


def existing(seen: View, event_id: str) -> StoredEvent:
    """Return the event or instance with that id, or raise Google's 404."""
    found = instances.find(seen.agenda, event_id)
    if found is None:
        raise not_found()
    return found


def new_event(seen: View, body: Json, manner: Manner, *, event_id: str) -> StoredEvent:
    """Return the event that a body describes, not yet stored.

    Raises:
        ApiError: 400; there can be no such event.
    """
    kind = body.get("eventType", "default")
    if kind == "fromGmail":
        raise invalid("Events of type fromGmail cannot be created.")
    if kind in _ON_PRIMARY_ONLY and not seen.agenda.is_primary:
        raise invalid(f"Events of type {kind} can only be created on the primary calendar.")
    fields = _fields(seen, None, body, manner)
    reminders = checks.reminders(body)
    creator = {"email": seen.person.email}
    return StoredEvent(
        id=event_id,
        uid=str(body.get("iCalUID") or f"{event_id}{_UID_DOMAIN}"),
        organizer=organizer_of(seen),
        creator=creator,
        sequence=int(body.get("sequence", 0)),
        reminders={seen.person.sub: reminders} if reminders else {},
        **fields,
    )


def rewritten(seen: View, before: StoredEvent, body: Json, manner: Manner) -> StoredEvent:
    """Return an event's state after its whole body was replaced, not yet stored.

    Raises:
        ApiError: 400; there can be no such event.
    """
    if body.get("eventType", before.type) != before.type:
        raise invalid("The event type cannot be changed.")
    if int(body.get("sequence", before.sequence)) < before.sequence:
        raise invalid(
            "Invalid sequence value. The specified sequence number is below the current sequence "
            "number of the resource. Re-fetch the resource and use its sequence number on the "
            "following request."
        )
    fields = _fields(seen, before, {**body, "eventType": before.type}, manner)
    reminders = {k: v for k, v in before.reminders.items() if k != seen.person.sub}
    own = checks.reminders(body)
    if own:
        reminders[seen.person.sub] = own
    sequence = int(body.get("sequence", before.sequence))
    return before.changed(reminders=reminders, sequence=sequence, **fields)


def check_organizer(call: Call, seen: View, before: StoredEvent, after: StoredEvent) -> None:
    """Raise Google's 403 when a guest's copy would get other shared properties."""
    calendars = call.world.calendars
    if guests.organizes(calendars, seen.agenda, before) or before.facts.get("guestsCanModify"):
        return
    mine = calendars.addresses(seen.agenda)
    if _as_organized(before, mine) != _as_organized(after, mine):
        raise for_non_organizer()


def shown(call: Call, seen: View, found: StoredEvent) -> Json:
    """Return an event as this token may see it."""
    zone_name = call.query.get("timeZone")
    zone = known_zone(zone_name) if zone_name else seen.agenda.zone
    if zone is None:
        raise invalid("Invalid time zone.", parameter="timeZone")
    if not sees_details(seen, found):
        return render.busy(found, zone=zone)
    return render.event(
        found,
        me=call.world.calendars.addresses(seen.agenda),
        viewer=seen.person.sub,
        zone=zone,
        most_attendees=call.query.get("maxAttendees"),
        bare=call.world.switches.bare_cancellations,
    )


def sees_details(seen: View, found: StoredEvent) -> bool:
    """Return whether more than the time of an event is this person's to see."""
    if ROLES.index(seen.role) >= ROLES.index("writer"):
        return True
    is_private = found.facts.get("visibility") in {"private", "confidential"}
    return seen.role != "freeBusyReader" and not is_private


def organizer_of(seen: View) -> Json:
    """Return the organizer of what this calendar has of its own."""
    if seen.agenda.is_primary:
        return {"email": seen.agenda.id}
    return {"email": seen.agenda.id, "displayName": seen.agenda.facts.summary}


def imported_id(seen: View, uid: str) -> str:
    """Return the id that an imported event gets: Google's own comes back, others are encoded."""
    own = uid.removesuffix(_UID_DOMAIN)
    if own != uid and own not in seen.agenda.events and re.fullmatch(r"\w{5,1024}", own):
        return own
    coded = base64.b32hexencode(uid.encode("utf-8", "replace")).decode().rstrip("=").lower()
    made = f"_{coded}"
    return made if made not in seen.agenda.events else seen.agenda.new_id()


def _free_id(seen: View, body: Json) -> str:
    given = body.get("id")
    uid = body.get("iCalUID")
    if uid and seen.agenda.with_uid(uid):
        raise duplicate()
    if not given:
        return seen.agenda.new_id()
    if not _CLIENT_ID.fullmatch(given):
        raise invalid("Invalid resource id value.")
    if given in seen.agenda.events:
        raise duplicate()
    return str(given)


def _fields(seen: View, before: StoredEvent | None, body: Json, manner: Manner) -> Json:
    old = before.facts if before is not None else {}
    if not manner.takes_attachments:
        body = {n: v for n, v in body.items() if n != "attachments"}
        if "attachments" in old:
            body["attachments"] = old["attachments"]
    is_instance = before is not None and bool(before.master)
    if before is not None and body.get("status") == CANCELLED:
        return {"status": CANCELLED}
    fields = checks.fields(body, time_zone=seen.agenda.facts.time_zone, is_instance=is_instance)
    conference = conferences.wanted(
        old.get("conferenceData"), body.get("conferenceData"), version=manner.conference_version
    )
    fields["facts"] = conferences.placed(fields["facts"], conference)
    return fields


def _as_organized(event: StoredEvent, mine: frozenset[str]) -> tuple[object, ...]:
    """Return what only the organizer may change: all that is shared but the guest's own entry."""
    others = tuple(entry for entry in event.attendees if entry["email"] not in mine)
    facts = {n: v for n, v in event.facts.items() if n in SHARED_FACTS}
    times = (event.start, event.end, event.recurrence, event.status)
    return (*times, others, dict(event.shared), facts)


def _named(person: Json) -> Json:
    kept = {"email": str(person["email"]).lower()}
    if person.get("displayName"):
        kept["displayName"] = person["displayName"]
    return kept


def _manner(call: Call) -> Manner:
    return Manner(
        conference_version=call.query.get("conferenceDataVersion", 0),
        takes_attachments=call.query.get("supportsAttachments", False),
    )


def _desk(call: Call, seen: View) -> Desk:
    wish: Wish = call.query.get("sendUpdates", "none")
    if "sendUpdates" not in call.query and call.query.get("sendNotifications"):
        wish = "all"
    return Desk(call.world.calendars, seen.agenda, seen.person.sub, wish)


def _check_limits(call: Call) -> None:
    if call.world.switches.calendar_usage_limits_exceeded:
        raise usage_limits_exceeded()


_PREFIX: Final = "calendar.events."
OPERATIONS: Final = {
    f"{_PREFIX}get": Operation(get, units=1),
    f"{_PREFIX}insert": Operation(insert, units=1),
    f"{_PREFIX}import": Operation(import_, units=1),
    f"{_PREFIX}patch": Operation(patch, units=1),
    f"{_PREFIX}update": Operation(update, units=1),
    f"{_PREFIX}delete": Operation(delete, units=1),
    f"{_PREFIX}move": Operation(move, units=1),
}
