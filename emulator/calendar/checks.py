"""What an event's body must be, and the fields it becomes.

Source: https://developers.google.com/workspace/calendar/api/v3/reference/events
"""

from collections.abc import Iterable
from typing import Any, Final

from email_validator import EmailNotValidError, validate_email

from emulator.calendar import recurrence
from emulator.calendar.errors import invalid, refusal, required, time_range_empty
from emulator.calendar.times import Moment, known_zone, parse_day, parse_stamp

Json = dict[str, Any]

EVENT_TYPES: Final = (
    "default", "birthday", "focusTime", "fromGmail", "outOfOffice", "workingLocation",
)  # fmt: skip
RESPONSES: Final = ("needsAction", "declined", "tentative", "accepted")
_STATUSES: Final = ("confirmed", "tentative", "cancelled")
_DEFAULTS: Final[Json] = {
    "transparency": "opaque",
    "visibility": "default",
    "eventType": "default",
    "guestsCanInviteOthers": True,
    "guestsCanModify": False,
    "guestsCanSeeOtherGuests": True,
    "anyoneCanAddSelf": False,
    "endTimeUnspecified": False,
    "privateCopy": False,
    "attachments": [],
}
_PLAIN: Final = (
    "summary", "description", "location", "colorId", "source", "gadget", "eventLabelId",
    "focusTimeProperties", "outOfOfficeProperties", "workingLocationProperties",
    "birthdayProperties", *_DEFAULTS,
)  # fmt: skip
_CHOICES: Final = {
    "transparency": ("opaque", "transparent"),
    "visibility": ("default", "public", "private", "confidential"),
    "eventType": EVENT_TYPES,
}
_MOST_ATTACHMENTS: Final = 25
_MOST_REMINDERS: Final = 5
_LONGEST_REMINDER: Final = 40_320
_LONGEST_KEY: Final = 44
_LONGEST_VALUE: Final = 1024
_MOST_PROPERTIES: Final = 300
_MOST_PROPERTY_BYTES: Final = 32_768
_YEARS: Final = range(2, 9999)  # every zone can show these
_GUEST_FACTS: Final = ("displayName", "comment", "id")


def fields(body: Json, *, time_zone: str, is_instance: bool = False) -> Json:
    """Return what a body says, by the names of `StoredEvent`, reminders aside.

    Args:
        body: the whole event, checked against the document.
        time_zone: of the calendar; times without a zone of their own get it.
        is_instance: whether it is one of a series.

    Raises:
        ApiError: 400; the event cannot be.
    """
    lines = tuple(body.get("recurrence", ()))
    if lines and is_instance:
        raise invalid("An instance of a recurring event has no recurrence.")
    start, end = _span(body, time_zone, recurs=bool(lines))
    if lines:
        recurrence.check(lines, start)
    private, shared = _properties(body.get("extendedProperties", {}))
    return {
        "start": start,
        "end": end,
        "recurrence": lines,
        "status": _choice("status", body.get("status", "confirmed"), _STATUSES),
        "facts": _facts(body),
        "attendees": guests(body.get("attendees", ())),
        "private": private,
        "shared": shared,
    }


def reminders(body: Json) -> Json | None:
    """Return the person's reminders; None for the calendar's default.

    Raises:
        ApiError: 400; too many, or not possible.
    """
    wanted = body.get("reminders", {})
    overrides = wanted.get("overrides", [])
    if wanted.get("useDefault", not overrides):
        if overrides:
            message = "Cannot specify both default reminders and overrides at the same time."
            reason = "cannotUseDefaultRemindersAndSpecifyOverride"
            raise refusal(400, reason, message, domain="calendar")
        return None
    if len(overrides) > _MOST_REMINDERS:
        raise invalid("Too many reminder overrides.")
    for entry in overrides:
        minutes = entry.get("minutes")
        if minutes is None or entry.get("method") is None:
            raise required("Missing reminder method or minutes.")
        _choice("reminder method", entry["method"], ("email", "popup"))
        if not 0 <= int(minutes) <= _LONGEST_REMINDER:
            raise invalid("Invalid reminder minutes.")
    kept = [{"method": e["method"], "minutes": int(e["minutes"])} for e in overrides]
    return {"useDefault": False, **({"overrides": kept} if kept else {})}


def guests(given: Iterable[Json]) -> tuple[Json, ...]:
    """Return guests as they are stored, each address once.

    Raises:
        ApiError: 400; an address is missing or is none, or a response is none.
    """
    found: dict[str, Json] = {}
    for entry in given:
        email = str(entry.get("email", "")).strip().lower()
        if not email:
            raise required("Missing attendee email.")
        _check_address(email)
        response = _choice(
            "attendee response", entry.get("responseStatus", "needsAction"), RESPONSES
        )
        kept: Json = {"email": email, "responseStatus": response}
        kept |= {name: entry[name] for name in _GUEST_FACTS if entry.get(name)}
        kept |= {name: True for name in ("optional", "resource") if entry.get(name)}
        if entry.get("additionalGuests"):
            kept["additionalGuests"] = int(entry["additionalGuests"])
        found[email] = kept
    return tuple(found.values())


def moment(part: Json, which: str, time_zone: str, *, needs_zone: bool = False) -> Moment:
    """Return an `EventDateTime`.

    Args:
        part: the object in the body.
        which: `start` or `end`, for the message.
        time_zone: of the calendar.
        needs_zone: whether a time must name its zone, as the start of a series must.

    Raises:
        ApiError: 400; there is no such time.
    """
    day, text, named = part.get("date"), part.get("dateTime"), part.get("timeZone", "")
    if day is None and text is None:
        raise required(f"Missing {which} time.")
    if day is not None and text is not None:
        raise invalid(f"Invalid {which} time.")
    if named and known_zone(named) is None:
        raise invalid(f"Invalid time zone definition for {which} time.")
    if text is None:
        at = parse_day(day or "")
        if at is None or at.year not in _YEARS:
            raise invalid(f"Invalid {which} time.")
        return Moment(at, is_day=True)
    zone = known_zone(named) if named else None
    at = parse_stamp(text, zone)
    if at is None:
        has_no_offset = zone is None and parse_stamp(f"{text}Z") is not None
        message = f"Missing time zone definition for {which} time."
        raise required(message) if has_no_offset else invalid(f"Invalid {which} time.")
    if at.year not in _YEARS:
        raise invalid(f"Invalid {which} time.")
    if needs_zone and not named:
        raise required(f"Missing time zone definition for {which} time.")
    return Moment(at, zone=named or time_zone)


def _span(body: Json, time_zone: str, *, recurs: bool) -> tuple[Moment, Moment]:
    if "end" not in body:
        raise required("Missing end time.")
    start = moment(body.get("start", {}), "start", time_zone, needs_zone=recurs)
    end = moment(body["end"], "end", start.zone or time_zone)
    if start.is_day != end.is_day:
        raise invalid("Start and end times must either both be date or both be dateTime.")
    if end.at < start.at or (start.is_day and end.at == start.at):
        raise time_range_empty()
    return start, end


def _facts(body: Json) -> Json:
    kept = {name: body[name] for name in _PLAIN if name in body}
    for name, allowed in _CHOICES.items():
        if name in kept:
            _choice(name, kept[name], allowed)
    if len(kept.get("attachments", ())) > _MOST_ATTACHMENTS:
        raise invalid("Too many attachments.")
    if any(not entry.get("fileUrl") for entry in kept.get("attachments", ())):
        raise required("Missing file URL of an attachment.")
    return {n: v for n, v in kept.items() if v != _DEFAULTS.get(n) and v not in ("", None)}


def _properties(given: Json) -> tuple[dict[str, str], dict[str, str]]:
    """Return private and shared properties: long keys are dropped, long values cut.

    Source: https://developers.google.com/workspace/calendar/api/guides/extended-properties
    """
    private, shared = (
        {k: v[:_LONGEST_VALUE] for k, v in given.get(kind, {}).items() if len(k) <= _LONGEST_KEY}
        for kind in ("private", "shared")
    )
    both = [*private.items(), *shared.items()]
    size = sum(len(text.encode("utf-8", "replace")) for pair in both for text in pair)
    if len(both) > _MOST_PROPERTIES or size > _MOST_PROPERTY_BYTES:
        raise invalid("Too many extended properties.")
    return private, shared


def _choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise invalid(f"Invalid value for {name}: {value}")
    return str(value)


def _check_address(email: str) -> None:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as exc:
        raise invalid("Invalid attendee email.") from exc
