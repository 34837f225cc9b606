"""What every Calendar method does first: which calendar is it, and what may this token do there?

Source: https://developers.google.com/workspace/calendar/api/concepts/sharing
"""

from dataclasses import dataclass
from typing import Final

from emulator.calendar.agenda import ROLES, Agenda
from emulator.calendar.errors import access_level, condition_not_met, not_found
from emulator.errors import invalid_credentials
from emulator.people import Person
from emulator.rest.call import Call, NotModified

_AUTH: Final = "https://www.googleapis.com/auth/calendar"
_WHOLE: Final = frozenset(
    {
        _AUTH,
        *(f"{_AUTH}.{name}" for name in (
            "readonly", "events", "events.readonly", "calendars", "calendars.readonly",
            "calendarlist", "calendarlist.readonly", "freebusy",
        )),
    }
)  # fmt: skip
_OWNED: Final = frozenset({f"{_AUTH}.events.owned", f"{_AUTH}.events.owned.readonly"})


@dataclass(frozen=True, slots=True)
class View:
    """A calendar as one token sees it."""

    agenda: Agenda
    person: Person
    role: str

    def needs(self, role: str) -> None:
        """Raise Google's 403 when the role is smaller than that one."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise access_level(role)


def person(call: Call) -> Person:
    """Return whose token it is, with a calendar to their name."""
    found = call.world.people.find(call.token.sub) if call.token else None
    if found is None:
        raise invalid_credentials()
    call.world.calendars.primary(found)
    return found


def view(call: Call, *, needs: str = "freeBusyReader") -> View:
    """Return the calendar that `calendarId` names.

    Raises:
        ApiError: 404; there is none, or nothing of it is for this person. 403; the role is
            smaller than `needs`.
    """
    who = person(call)
    wanted = call.path["calendarId"]
    agenda = call.world.calendars.find(who.email if wanted == "primary" else wanted)
    role = _role(call, agenda, who) if agenda is not None else "none"
    if agenda is None or role == "none":
        raise not_found()
    found = View(agenda, who, role)
    found.needs(needs)
    return found


def check_match(call: Call, etag: str) -> None:
    """Raise Google's 412 when `If-Match` names another state than `etag`."""
    given = call.headers.get("If-Match")
    if given is not None and not _names(given, etag):
        raise condition_not_met("If-Match")


def check_modified(call: Call, etag: str) -> None:
    """End the call with a 304 when `If-None-Match` names the state `etag`."""
    given = call.headers.get("If-None-Match")
    if given is not None and _names(given, etag):
        raise NotModified(etag)


def _names(header: str, etag: str) -> bool:
    return any(one.strip() in {"*", etag, f"W/{etag}"} for one in header.split(","))


def _role(call: Call, agenda: Agenda, who: Person) -> str:
    """Return what the token may do: the person's role, as far as its scopes reach."""
    role = agenda.role(who.sub)
    scopes = set(call.token.scopes) & call.method.scopes if call.token else set()
    if scopes & _WHOLE:
        return role
    client = call.token.client_id if call.token else ""
    if f"{_AUTH}.app.created" in scopes and agenda.made_by == client:
        return role
    if scopes & _OWNED and role == "owner":
        return role
    if f"{_AUTH}.events.freebusy" in scopes and role != "none":
        return "freeBusyReader"
    return agenda.public
