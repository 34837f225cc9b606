from dataclasses import replace

import pytest

from services.calendar.domain.event import Attendee, Details, Reminder, Reminders, Response
from services.calendar.domain.fields import NAMES, changed, fields_of, theirs_of
from tests.unit.calendar.making import event, said


def test_every_field_has_a_value() -> None:
    assert tuple(fields_of(event())) == NAMES


def test_an_answer_is_no_edit() -> None:
    asked = event(details=said("a@x.test"))
    answered = event(details=Details(attendees=(Attendee("A@x.test", "Ann", Response.DECLINED),)))
    assert fields_of(asked) == fields_of(answered)


def test_that_the_organiser_is_among_the_guests_is_no_edit() -> None:
    guests = (Attendee("me@x.test", organizer=True), Attendee("a@x.test"))
    assert fields_of(event(details=Details(attendees=guests))) == fields_of(
        event(details=said("a@x.test"))
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,TU", "RRULE:BYDAY=TU,MO;FREQ=WEEKLY;INTERVAL=1"),
        ("RRULE:FREQ=WEEKLY", "rrule:freq=weekly;wkst=SU"),
        ("EXDATE;TZID=America/Sao_Paulo:20261126T090000", "EXDATE:20261126T120000Z"),
    ],
)
def test_another_way_to_write_a_rule_is_no_edit(before: str, after: str) -> None:
    assert (
        fields_of(event(recurrence=(before,)))["recurrence"]
        == fields_of(event(recurrence=(after,)))["recurrence"]
    )


def test_where_weeks_are_skipped_it_matters_when_they_begin() -> None:
    rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU"
    assert changed(
        fields_of(event(recurrence=(rule,))), fields_of(event(recurrence=(rule + ";WKST=SU",)))
    )


def test_the_order_of_reminders_is_no_edit() -> None:
    one, two = Reminder("popup", 10), Reminder("email", 60)
    mine = event(details=Details(reminders=Reminders(use_default=False, overrides=(one, two))))
    other = event(details=Details(reminders=Reminders(use_default=False, overrides=(two, one))))
    assert fields_of(mine) == fields_of(other)


def test_a_room_that_is_being_made_is_one() -> None:
    assert fields_of(event(details=Details(meet_pending=True)))["conference"] == "meet"


def test_of_a_busy_event_only_what_is_known_is_told() -> None:
    assert fields_of(event(busy_only=True)).keys() == {
        "time",
        "recurrence",
        "visibility",
        "transparency",
    }


def test_what_cannot_be_seen_counts_as_unchanged() -> None:
    base = fields_of(event(details=Details(summary="Visit")))
    hidden = event(busy_only=True, details=Details(visibility="private"))
    assert changed(base, theirs_of(hidden, base)) == {"visibility"}


def test_only_fields_that_differ_are_changed() -> None:
    before = event(details=Details(summary="a", location="x"))
    after = replace(before, details=Details(summary="b", location="x"), transparent=True)
    assert changed(fields_of(before), fields_of(after)) == {"summary", "transparency"}
