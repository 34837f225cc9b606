from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from libs.common.errors import InvalidInput
from services.calendar.domain.event import Attendee, Details, Event, Response, Status
from services.calendar.domain.meeting import (
    Copy,
    Meeting,
    digest,
    meeting_id,
    occurrence_id,
    parse_meeting_id,
    series_id,
)
from tests.unit.calendar.making import event, said, utc

SERIES = series_id("t1", "u1")


def copy(of: Event, user: str = "ann", **changes: Any) -> Copy:
    return Copy(
        event=of,
        connection_id=UUID(int=1),
        user_id=user,
        calendar_id=UUID(int=2),
        **changes,
    )


def test_colleagues_have_the_same_meeting() -> None:
    mine, yours = event(google_id="a", ical_uid="u1"), event(google_id="b", ical_uid="u1")
    assert meeting_id("t1", mine) == meeting_id("t1", yours) == str(SERIES)


def test_tenants_share_no_meeting() -> None:
    assert series_id("t1", "u1") != series_id("t2", "u1")


def test_the_id_of_a_series_never_changes() -> None:
    assert str(series_id("t1", "u1")) == "89c67594-e99c-5cd2-a873-5723eb7f1a3b"


def test_an_exception_is_named_by_where_it_belongs() -> None:
    moved = event(ical_uid="u1", original=utc(2026, 11, 26, 9))
    assert meeting_id("t1", moved) == f"{SERIES}_20261126T090000Z"


@pytest.mark.parametrize("key", [None, "20261126", "20261126T090000Z"])
def test_a_name_is_read_as_it_was_written(key: str | None) -> None:
    assert parse_meeting_id(occurrence_id(SERIES, key)) == (SERIES, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        str(SERIES).upper(),
        f"{SERIES}_",
        f"{SERIES}_20261326",
        f"{SERIES}_20261126T09",
        f"{SERIES}_20261126_20261127",
        f"{SERIES}\n",
    ],
)
def test_what_names_no_meeting_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_meeting_id(text)


def test_the_organisers_own_copy_speaks_for_all() -> None:
    guest, host = copy(event()), copy(event(organized_here=True), "bob")
    assert Meeting("m", (guest, host)).main is host


def test_a_copy_that_shows_details_speaks_before_one_that_does_not() -> None:
    hidden, open_ = copy(event(busy_only=True)), copy(event(), "bob")
    assert Meeting("m", (hidden, open_)).main is open_


def test_a_copy_taken_out_of_a_calendar_does_not_cancel_the_meeting() -> None:
    gone, there = copy(event(status=Status.CANCELLED)), copy(event(), "bob")
    assert Meeting("m", (gone, there)).facts()["status"] == "confirmed"


def test_the_organiser_cancels_for_all() -> None:
    there = copy(event())
    gone = copy(event(status=Status.CANCELLED, organized_here=True), "bob")
    assert Meeting("m", (there, gone)).facts()["status"] == "cancelled"


def test_of_equal_copies_the_first_speaks() -> None:
    first, second = copy(event()), copy(event(), "bob")
    assert Meeting("m", (first, second)).main is first


def test_each_persons_own_copy_knows_what_they_answered() -> None:
    host = event(organized_here=True, details=said("a@x.test", "b@x.test"))
    own = Attendee("A@x.test", response=Response.ACCEPTED, is_self=True)
    stale = Attendee("b@x.test", response=Response.DECLINED)
    guest = event(details=Details(attendees=(own, stale)))
    meeting = Meeting("m", (copy(host), copy(guest, "ann")))
    assert [(one.email, one.response) for one in meeting.attendees] == [
        ("a@x.test", Response.ACCEPTED),
        ("b@x.test", Response.NEEDS_ACTION),
    ]


def test_what_has_no_title_says_so() -> None:
    assert Meeting("m", (copy(event()),)).facts()["title"] == "(No title)"


def test_of_a_busy_meeting_nothing_is_said() -> None:
    hidden = event(busy_only=True, details=Details(visibility="private"))
    assert Meeting("m", (copy(hidden),)).facts()["title"] == "(Busy)"


def test_what_it_says_at_length_is_shown_and_not_told() -> None:
    meeting = Meeting("m", (copy(event(details=Details(description="long"))),))
    assert "description" not in meeting.facts()
    assert meeting.shown()["description"] == "long"


def test_the_same_facts_have_the_same_digest() -> None:
    one = Meeting("m", (copy(event()),))
    other = Meeting("m", (copy(event(etag="other")), copy(event(), "bob")))
    assert digest(one.facts()) == digest(other.facts())


def test_other_facts_have_another_digest() -> None:
    one = event()
    two = replace(one, original=date(2026, 1, 1), details=Details(location="x"))
    assert digest(Meeting("m", (copy(one),)).facts()) != digest(Meeting("m", (copy(two),)).facts())
