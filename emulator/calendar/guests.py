"""Events that several calendars have: what flows from the organizer to guests, and back.

Source: https://developers.google.com/workspace/calendar/api/concepts/inviting-attendees-to-events
"""

from typing import Any, Final

from emulator.calendar import instances, series
from emulator.calendar.agenda import Agenda
from emulator.calendar.event import CANCELLED, SHARED_FACTS, StoredEvent, guest
from emulator.calendar.state import Calendars

Json = dict[str, Any]

MOST_WITH_COPIES: Final = 200
_RESPONSE: Final = ("responseStatus", "comment", "additionalGuests")


def organizes(calendars: Calendars, agenda: Agenda, event: StoredEvent) -> bool:
    """Return whether the event is this calendar's own, not a guest's copy."""
    return event.organizer.get("email") in calendars.addresses(agenda)


def spread(
    calendars: Calendars, agenda: Agenda, before: StoredEvent | None, after: StoredEvent
) -> None:
    """Bring the organizer's event into all guests' calendars, and out of former guests'.

    Events with more than 200 guests are not propagated.
    """
    if len(after.attendees) > MOST_WITH_COPIES:
        return
    invited = _homes(calendars, agenda, after)
    for home, email in invited.values():
        _copy(home, email, after)
    formerly = _homes(calendars, agenda, before) if before is not None else {}
    for home, _ in formerly.values():
        if home.id not in invited:
            _withdraw(home, after)


def withdraw(calendars: Calendars, agenda: Agenda, event: StoredEvent) -> None:
    """Cancel the copies of an event that its organizer has deleted."""
    for home, _ in _homes(calendars, agenda, event).values():
        _withdraw(home, event)


def own_entry(calendars: Calendars, agenda: Agenda, event: StoredEvent) -> Json | None:
    """Return the guest that the calendar itself is, or None."""
    mine = calendars.addresses(agenda)
    return next((entry for entry in event.attendees if entry["email"] in mine), None)


def origin(calendars: Calendars, event: StoredEvent) -> tuple[Agenda, StoredEvent] | None:
    """Return the organizer's calendar and event behind a guest's copy, if both are here."""
    email = str(event.organizer.get("email", ""))
    agenda = calendars.find(email) or calendars.home(email)
    found = instances.find(agenda, event.id) if agenda is not None else None
    return None if agenda is None or found is None or found.is_cancelled else (agenda, found)


def respond(calendars: Calendars, copy: StoredEvent, answer: Json) -> bool:
    """Tell the organizer what a guest has answered; return whether there was anything to tell.

    Args:
        calendars: the world's.
        copy: the guest's event.
        answer: the guest's entry, with the response.
    """
    found = origin(calendars, copy)
    if found is None or len(found[1].attendees) > MOST_WITH_COPIES:
        return False
    agenda, event = found
    entry = guest(event, answer["email"])
    if entry is None:
        return False
    answered: Json = {name: value for name, value in entry.items() if name not in _RESPONSE}
    answered |= {name: answer[name] for name in _RESPONSE if name in answer}
    if answered == entry:
        return False
    attendees = tuple(answered if one is entry else one for one in event.attendees)
    stored = agenda.put(event.changed(attendees=attendees))
    spread(calendars, agenda, event, stored)
    return True


def has_new_answer(before: Json | None, after: Json | None) -> bool:
    """Return whether two states of a guest's entry differ in the response."""
    if after is None:
        return False
    old = before or {}
    return any(old.get(name) != after.get(name) for name in _RESPONSE)


def _homes(
    calendars: Calendars, agenda: Agenda, event: StoredEvent
) -> dict[str, tuple[Agenda, str]]:
    """Return the calendars of the guests that are here, with the address each was invited by."""
    found: dict[str, tuple[Agenda, str]] = {}
    for entry in event.attendees:
        home = calendars.home(entry["email"])
        if home is not None and home is not agenda:
            found.setdefault(home.id, (home, entry["email"]))
    return found


def _copy(home: Agenda, email: str, event: StoredEvent) -> None:
    known = instances.find(home, event.id)
    entry = guest(event, email) or {}
    if known is not None and known.is_cancelled and entry.get("responseStatus") == "declined":
        return
    private = known or event.changed(private={}, reminders={}, facts=_inherited(event))
    attendees = event.attendees
    if event.facts.get("guestsCanSeeOtherGuests") is False:
        attendees = tuple(one for one in attendees if one["email"] == email)
    own_facts = {n: v for n, v in private.facts.items() if n not in SHARED_FACTS}
    shared_facts = {n: v for n, v in event.facts.items() if n in SHARED_FACTS}
    copied = event.changed(
        facts={**own_facts, **shared_facts},
        attendees=attendees,
        private=private.private,
        reminders=private.reminders,
        created_s=private.created_s if known else 0.0,
        updated_s=private.updated_s if known else 0.0,
    )
    if known is None or known.content() != copied.content():
        home.put(copied)
        series.settle(home, copied)


def _inherited(event: StoredEvent) -> Json:
    """Return what a new copy takes over although it is the guest's own from then on."""
    wanted = ("transparency", "visibility")
    return {name: event.facts[name] for name in wanted if name in event.facts}


def _withdraw(home: Agenda, event: StoredEvent) -> None:
    copy = instances.find(home, event.id)
    if copy is not None and not copy.is_cancelled:
        gone = home.put(copy.changed(status=CANCELLED))
        series.settle(home, gone)
