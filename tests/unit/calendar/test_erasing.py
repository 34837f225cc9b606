"""What is left of events and appointments of somebody who is erased."""

from dataclasses import replace
from typing import Any

import pytest

from libs.common.scrubbing import MARK, Scrubber
from services.calendar.domain.appointment import Appointment, Client, Professional
from services.calendar.domain.erasing import (
    names_of_client,
    without,
    without_client,
    without_person,
)
from services.calendar.domain.event import Attendee
from tests.unit.calendar.making import event, said, utc

ZOE = "zoe@x.test"
NAME = "Zoe Quill"
SCRUBBER = Scrubber([ZOE], [NAME])
APPOINTMENT = Appointment(
    appointment_id="a1",
    version=1,
    service="Fitting",
    duration=30,
    start=utc(2026, 11, 26, 9),
    client=Client(name=NAME, phone="+361", email="ZOE@x.test"),
    professional=Professional(user_id="ada", name="Ada"),
    notes="likes green",
)


def test_a_guest_is_no_guest_any_more_and_the_list_counts_as_incomplete() -> None:
    guests = (Attendee("Zoe@X.test", NAME), Attendee("carl@x.test", comment=f"with {NAME}"))
    left = without(event(details=replace(said(), attendees=guests)), SCRUBBER).details

    assert left.attendees == (Attendee("carl@x.test", comment="with [erased]"),)
    assert left.attendees_omitted


def test_an_event_that_does_not_name_them_stays_as_it_is() -> None:
    one = event(details=said("carl@x.test", summary="Lunch", description="jimzoe@x.test"))

    assert without(one, SCRUBBER) == one


def test_texts_name_them_no_more() -> None:
    details = said("carl@x.test", summary=f"With {NAME}", description=f"<b>{ZOE}</b>", location=ZOE)
    left = without(event(details=details), SCRUBBER).details

    assert (left.summary, left.description, left.location) == (
        "With [erased]",
        f"<b>{MARK}</b>",
        MARK,
    )
    assert not left.attendees_omitted


@pytest.mark.parametrize("maker", ["organizer_email", "creator_email"])
def test_of_an_event_of_their_own_only_time_and_other_guests_stay(maker: str) -> None:
    details = said("carl@x.test", summary="Mine", description="Secret", location="My home")
    made: dict[str, Any] = {"organizer_name": NAME, maker: ZOE}
    one = event(details=replace(details, **made))
    left = without(one, SCRUBBER)

    assert left.when == one.when
    assert (left.details.summary, left.details.description, left.details.location) == ("",) * 3
    assert [guest.email for guest in left.details.attendees] == ["carl@x.test"]
    assert ZOE not in str(left)
    assert NAME not in str(left)


def test_an_appointment_of_theirs_has_no_client_and_no_notes() -> None:
    left = without_client(APPOINTMENT, SCRUBBER)

    assert (left.client, left.notes) == (Client(), "")
    assert (left.appointment_id, left.version, left.start) == ("a1", 1, APPOINTMENT.start)
    assert names_of_client(APPOINTMENT, frozenset({ZOE})) == {NAME, "+361"}


def test_an_appointment_of_somebody_else_loses_what_mentions_them() -> None:
    other = replace(APPOINTMENT, client=Client(name="Carl"), notes=f"came with {ZOE}")
    left = without_client(other, SCRUBBER)

    assert (left.client.name, left.notes) == ("Carl", f"came with {MARK}")
    assert names_of_client(other, frozenset({ZOE})) == frozenset()


def test_a_value_names_them_in_no_list_no_object_and_no_text() -> None:
    value = {
        "attendees": [{"email": ZOE, "optional": False}, {"email": "carl@x.test"}],
        "people": [ZOE.upper(), "carl@x.test"],
        "organizer": {"email": ZOE, "name": NAME},
        "summary": f"With {NAME}",
        "count": 2,
        "none": None,
    }

    assert without_person(value, SCRUBBER) == {
        "attendees": [{"email": "carl@x.test"}],
        "people": ["carl@x.test"],
        "organizer": {"email": MARK, "name": ""},
        "summary": "With [erased]",
        "count": 2,
        "none": None,
    }
