"""What we ask Calendar to write: fields in, Google's JSON out.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from libs.common.addresses import fold_address
from libs.common.errors import Conflict, InvalidInput
from services.calendar.domain.event import Attendee, Event, Notify, Response
from services.calendar.domain.times import Days, Span, When, stored, when_of
from services.calendar.google.models import MARK, MEET

LONGEST_KEY = 44
LONGEST_VALUE = 1024
"""Google drops longer keys, and cuts longer values, without a word."""
TEXTS = ("summary", "description", "location", "visibility", "transparency")
SEND_UPDATES = {Notify.NONE: "none", Notify.ALL: "all", Notify.EXTERNAL: "externalOnly"}

Body = dict[str, Any]


def insert_body(
    fields: Mapping[str, Any], *, google_id: str, marks: Mapping[str, str], request_id: str = ""
) -> Body:
    """Return the body of events.insert.

    Args:
        fields: of `domain.fields`; those it does not have are left to Google.
        google_id: the id that we chose, so that a repeated insert cannot make a second event.
        marks: our private properties, by name.
        request_id: names the wish for a Meet room, so that a repeated one is one; `google_id`
            unless given.

    Raises:
        InvalidInput: a recurring event of instants has no zone, or a mark is too long.
    """
    body = patch_body(
        {name: value for name, value in fields.items() if not _is_left_out(name, value)},
        None,
        marks=marks,
        request_id=request_id or google_id,
    )
    for end in ("start", "end"):
        if end in body:
            body[end] = {key: value for key, value in body[end].items() if value is not None}
    return {"id": google_id, **body}


def patch_body(
    fields: Mapping[str, Any],
    theirs: Event | None,
    *,
    marks: Mapping[str, str | None],
    request_id: str,
) -> Body:
    """Return the body of events.patch that writes `fields` and nothing else.

    Args:
        fields: of `domain.fields`, those to write.
        theirs: the event as Google has it; None: it is not known.
        marks: our private properties to set, by name; None takes one away.
        request_id: names the wish for a Meet room; a wish that comes twice is one.

    Raises:
        Conflict: guests would be lost that Google does not show.
        InvalidInput: a recurring event of instants has no zone, or a mark is too long.
    """
    body: Body = {name: fields[name] for name in TEXTS if name in fields}
    if time := _time_to_write(fields, theirs):
        body |= _time(time, theirs)
    if "recurrence" in fields:
        body["recurrence"] = list(fields["recurrence"])
    if "attendees" in fields:
        body["attendees"] = _guests(fields["attendees"], theirs)
    if "reminders" in fields:
        reminders = fields["reminders"]
        body["reminders"] = {
            "useDefault": reminders["use_default"],
            "overrides": list(reminders["overrides"]),
        }
    if "conference" in fields:
        wanted = fields["conference"] == "meet"
        body["conferenceData"] = _meet_wish(request_id) if wanted else None
    return body | _marks(marks)


def response_body(
    theirs: Event,
    response: Response,
    *,
    comment: str | None = None,
    marks: Mapping[str, str | None] | None = None,
) -> Body:
    """Return the body of events.patch by which the calendar's own person answers.

    Args:
        theirs: the event as Google has it.
        response: the answer.
        comment: what they say with it; None: as before.
        marks: our private properties to set, by name; only their own copy has them.

    Raises:
        Conflict: they are not invited, or Google does not show all guests.
    """
    guests = _all_guests(theirs)
    if not any(one.is_self for one in guests):
        raise Conflict("The person is not invited to this event.")
    written = []
    for one in guests:
        body = _guest(one)
        if one.is_self:
            body["responseStatus"] = str(response)
            if comment is not None:
                body["comment"] = comment
        written.append(body)
    return {"attendees": written} | _marks(marks or {})


def params_for(notify: Notify | None) -> dict[str, Any]:
    """Return the query of a writing call: whom Google writes to; None is nobody.

    Without the version Google ignores what the body says of the conference.
    """
    return {"sendUpdates": SEND_UPDATES[notify or Notify.NONE], "conferenceDataVersion": 1}


def _is_left_out(name: str, value: Any) -> bool:
    """Say whether an insert need not name it, being what Google would choose."""
    return value in ("", [], None) or (name == "conference" and value == "none")


def _time_to_write(fields: Mapping[str, Any], theirs: Event | None) -> When | None:
    """Return the time to write: also one that stays, if it has to say in which zone it recurs."""
    theirs_at = theirs.when if theirs else None
    recurs = bool(fields.get("recurrence", theirs and theirs.is_master))
    time = when_of(fields["time"]) if fields.get("time") else None
    if time is None and not (fields.get("recurrence") and isinstance(theirs_at, Span)):
        return None
    time = time or theirs_at
    if recurs and isinstance(time, Span) and time.zone is None:
        raise InvalidInput.field("time_zone", "is needed where an event recurs")
    return time


def _time(when: When, theirs: Event | None) -> Body:
    """Return both ends; of another kind than before, they take the old kind's keys away."""
    value = stored(when)
    other: Body
    if isinstance(when, Days):
        key, other = "date", {"dateTime": None, "timeZone": None}
    else:
        key, other = "dateTime", {"date": None}
    before = theirs.when if theirs else None
    others = {} if type(before) is type(when) else other
    zone = {"timeZone": value["zone"]} if value.get("zone") else {}
    return {end: {**others, key: value[end], **zone} for end in ("start", "end")}


def _guests(wanted: Sequence[Mapping[str, Any]], theirs: Event | None) -> list[Body]:
    """Return everybody who is invited; of those who stay, all that Google knows.

    A list replaces Google's: who comes without their answer has given none.
    """
    known = {} if theirs is None else {fold_address(one.email): one for one in _all_guests(theirs)}
    kept = [_guest(one) for one in known.values() if one.organizer]
    for one in wanted:
        guest = known.get(fold_address(one["email"]))
        if guest is None:
            kept.append({"email": one["email"], **_optional(one["optional"])})
        elif not guest.organizer:
            kept.append({**_guest(guest), "optional": one["optional"]})
    return kept


def _all_guests(theirs: Event) -> tuple[Attendee, ...]:
    if theirs.details.attendees_omitted or theirs.busy_only:
        raise Conflict("Google does not show everybody who is invited.")
    return theirs.details.attendees


def _guest(one: Attendee) -> Body:
    return dict(_guest_parts(one))


def _guest_parts(one: Attendee) -> Iterator[tuple[str, Any]]:
    yield "email", one.email
    yield "responseStatus", str(one.response)
    if one.name:
        yield "displayName", one.name
    if one.optional:
        yield "optional", True
    if one.resource:
        yield "resource", True
    if one.comment:
        yield "comment", one.comment
    if one.extra_guests:
        yield "additionalGuests", one.extra_guests


def _optional(optional: object) -> Body:
    return {"optional": True} if optional else {}


def _meet_wish(request_id: str) -> Body:
    solution = {"type": MEET}
    return {"createRequest": {"requestId": request_id, "conferenceSolutionKey": solution}}


def _marks(marks: Mapping[str, str | None]) -> Body:
    """Return our properties; private ones alone, which no other guest's copy has."""
    if not marks:
        return {}
    private = {MARK + name: value for name, value in marks.items()}
    for key, value in private.items():
        if len(key) > LONGEST_KEY or len(value or "") > LONGEST_VALUE:
            raise InvalidInput.field("marks", "are longer than Google keeps them")
    return {"extendedProperties": {"private": private}}
