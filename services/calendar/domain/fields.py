"""What two sides edit of an event, field by field, as JSON."""

from collections.abc import Mapping
from typing import Any

from libs.common.addresses import fold_address
from services.calendar.domain.event import Attendee, Event, Reminders
from services.calendar.domain.rules import canonical
from services.calendar.domain.times import stored

Fields = dict[str, Any]
"""Some of NAMES, each with a JSON value that two equal fields have alike."""

NAMES = (
    "summary",
    "description",
    "location",
    "time",
    "recurrence",
    "attendees",
    "reminders",
    "visibility",
    "transparency",
    "conference",
)
SEEN_WHEN_BUSY = frozenset({"time", "recurrence", "visibility", "transparency"})
"""All that can be known of an event that is shown as busy only."""


def fields_of(event: Event) -> Fields:
    """Return the fields of an event as Google has it; of a busy one those that are known."""
    details = event.details
    fields: Fields = {
        "summary": details.summary,
        "description": _line_ends(details.description),
        "location": details.location,
        "time": None if event.when is None else stored(event.when),
        "recurrence": list(canonical(event.recurrence)),
        "attendees": attendees_field(details.attendees),
        "reminders": reminders_field(details.reminders),
        "visibility": details.visibility,
        "transparency": "transparent" if event.transparent else "opaque",
        "conference": "meet" if details.meet_link or details.meet_pending else "none",
    }
    if event.busy_only:
        return {name: value for name, value in fields.items() if name in SEEN_WHEN_BUSY}
    return fields


def theirs_of(event: Event, base: Mapping[str, Any]) -> Fields:
    """Return Google's side of a merge: what cannot be seen counts as it was in `base`."""
    return {**base, **fields_of(event)}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the fields that differ; an absent field counts as None."""
    names = before.keys() | after.keys()
    return frozenset(name for name in names if before.get(name) != after.get(name))


def attendees_field(attendees: tuple[Attendee, ...]) -> list[dict[str, Any]]:
    """Return who is invited, without their answers: an answer is no edit.

    The organiser is left out: whether they are among the guests is Google's own business.
    """
    invited = {
        fold_address(one.email): one.optional
        for one in attendees
        if one.email and not one.organizer
    }
    return [{"email": email, "optional": optional} for email, optional in sorted(invited.items())]


def reminders_field(reminders: Reminders) -> dict[str, Any]:
    """Return the reminders; those of an event that uses its calendar's are none."""
    own = () if reminders.use_default else reminders.overrides
    pairs = sorted((one.minutes, one.method) for one in own)
    return {
        "use_default": reminders.use_default,
        "overrides": [{"method": method, "minutes": minutes} for minutes, method in pairs],
    }


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
