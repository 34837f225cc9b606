"""What stays of events and appointments when somebody's data is erased. Pure: no I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from libs.common.addresses import fold_address
from libs.common.scrubbing import MARK, Scrubber
from services.calendar.domain.appointment import Appointment, Client
from services.calendar.domain.event import Attendee, Details, Event

ADDRESSES = ("email", "address")
"""What values are called that say whose an object is."""


def without(event: Event, scrubber: Scrubber) -> Event:
    """Return an event without the person.

    Of one that they organise nothing stays of what it says: it is theirs. Its time does, since the
    calendar's own person is busy. Who was taken out of the guests may not be invited, or
    uninvited, by a list without them: so it counts as one of which Google does not show all.
    """
    details, text = event.details, scrubber.text
    is_theirs = _is(details.organizer_email, scrubber) or _is(details.creator_email, scrubber)
    guests = tuple(
        _guest(one, scrubber) for one in details.attendees if not _is(one.email, scrubber)
    )
    left = replace(
        details,
        summary="" if is_theirs else text(details.summary),
        description="" if is_theirs else text(details.description),
        location="" if is_theirs else text(details.location),
        attendees=guests,
        attendees_omitted=details.attendees_omitted or len(guests) < len(details.attendees),
        html_link=_maybe(details.html_link, scrubber),
        meet_link=_maybe(details.meet_link, scrubber),
        **_makers(details, scrubber),
    )
    return replace(event, ical_uid=text(event.ical_uid), details=left)


def _makers(details: Details, scrubber: Scrubber) -> dict[str, Any]:
    is_organizer = _is(details.organizer_email, scrubber)
    return {
        "organizer_email": MARK if is_organizer else details.organizer_email,
        "organizer_name": None if is_organizer else _maybe(details.organizer_name, scrubber),
        "creator_email": None if _is(details.creator_email, scrubber) else details.creator_email,
    }


def _guest(one: Attendee, scrubber: Scrubber) -> Attendee:
    return replace(one, name=_maybe(one.name, scrubber), comment=_maybe(one.comment, scrubber))


def _is(email: str | None, scrubber: Scrubber) -> bool:
    return bool(email) and fold_address(email or "") in scrubber.addresses


def _maybe(text: str | None, scrubber: Scrubber) -> str | None:
    return None if text is None else scrubber.text(text)


def names_of_client(appointment: Appointment, erased: frozenset[str]) -> frozenset[str]:
    """Return name and telephone number of a client who is the person; none of another one."""
    client = appointment.client
    if fold_address(client.email) not in erased:
        return frozenset()
    return frozenset(one for one in (client.name, client.phone) if one)


def without_client(appointment: Appointment, scrubber: Scrubber) -> Appointment:
    """Return an appointment without the person; of their own nobody's name and no notes stay."""
    text, client = scrubber.text, appointment.client
    is_theirs = fold_address(client.email) in scrubber.addresses
    return replace(
        appointment,
        service=text(appointment.service),
        notes="" if is_theirs else text(appointment.notes),
        client=Client()
        if is_theirs
        else Client(name=text(client.name), phone=client.phone, email=text(client.email)),
        professional=replace(appointment.professional, name=text(appointment.professional.name)),
    )


def without_person(value: Any, scrubber: Scrubber) -> Any:
    """Return a JSON value without the person: not in lists of people, and in no text."""
    if isinstance(value, Mapping):
        if _names_them(value, scrubber):
            return {key: _emptied(key, one) for key, one in value.items()}
        return {key: without_person(one, scrubber) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        kept = [one for one in value if not _is_person(one, scrubber)]
        return [without_person(one, scrubber) for one in kept]
    return scrubber.text(value) if isinstance(value, str) else value


def _is_person(value: Any, scrubber: Scrubber) -> bool:
    if isinstance(value, str):
        return _is(value, scrubber)
    return isinstance(value, Mapping) and _names_them(value, scrubber)


def _names_them(value: Mapping[str, Any], scrubber: Scrubber) -> bool:
    return any(isinstance(one := value.get(key), str) and _is(one, scrubber) for key in ADDRESSES)


def _emptied(key: str, value: Any) -> Any:
    """Return what stands instead of a value of an object that is about the person."""
    if key in ADDRESSES:
        return MARK
    return "" if isinstance(value, str) else value
