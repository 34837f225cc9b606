from datetime import date
from typing import Any

import pytest

from libs.common.errors import Conflict, InvalidInput
from services.calendar.domain.event import Attendee, Details, Event, Notify, Response
from services.calendar.domain.fields import fields_of
from services.calendar.domain.times import stored
from services.calendar.google.answers import event_of
from services.calendar.google.bodies import insert_body, params_for, patch_body, response_body
from tests.unit.calendar.making import days, event, said, span

RULE = "RRULE:FREQ=WEEKLY"


def patched(fields: dict[str, Any], theirs: Event | None = None) -> dict[str, Any]:
    return patch_body(fields, theirs, marks={}, request_id="r1")


def test_what_is_inserted_reads_as_what_was_wanted() -> None:
    wanted = fields_of(
        event(
            recurrence=(RULE,),
            transparent=True,
            details=said("a@x.test", summary="Visit", description="two\nlines", meet_pending=True),
        )
    )
    body = insert_body(wanted, google_id="abc12", marks={"appointment": "a1"})
    read = event_of(body)
    assert fields_of(read) == wanted
    assert (read.google_id, read.marks) == ("abc12", {"appointment": "a1"})


def test_an_insert_names_no_key_that_is_null() -> None:
    body = insert_body({"time": stored(days(date(2026, 11, 26)))}, google_id="abc12", marks={})
    assert body == {
        "id": "abc12",
        "start": {"date": "2026-11-26"},
        "end": {"date": "2026-11-27"},
    }


def test_a_repeated_insert_wishes_for_the_same_room() -> None:
    body = insert_body({"conference": "meet"}, google_id="abc12", marks={})
    assert body["conferenceData"]["createRequest"]["requestId"] == "abc12"


def test_a_patch_writes_the_named_fields_only() -> None:
    assert patched({"summary": "Visit", "location": ""}) == {"summary": "Visit", "location": ""}


def test_from_a_span_to_days_the_time_of_day_is_taken_away() -> None:
    body = patched({"time": stored(days(date(2026, 11, 26)))}, event())
    assert body["start"] == {"date": "2026-11-26", "dateTime": None, "timeZone": None}


def test_from_days_to_a_span_the_day_is_taken_away() -> None:
    body = patched({"time": stored(span(2026, 11, 26, 9))}, event(when=days(date(2026, 11, 26))))
    assert body["end"] == {
        "date": None,
        "dateTime": "2026-11-26T13:00:00Z",
        "timeZone": "America/Sao_Paulo",
    }


def test_a_time_of_the_same_kind_takes_nothing_away() -> None:
    body = patched({"time": stored(span(2026, 11, 27, 9))}, event())
    assert body["start"] == {"dateTime": "2026-11-27T12:00:00Z", "timeZone": "America/Sao_Paulo"}


def test_guests_who_stay_keep_all_that_google_knows() -> None:
    known = Attendee("A@x.test", "Ann", Response.ACCEPTED, comment="late", extra_guests=1)
    theirs = event(details=Details(attendees=(known, Attendee("b@x.test"))))
    wanted = [{"email": "a@x.test", "optional": True}, {"email": "c@x.test", "optional": False}]
    assert patched({"attendees": wanted}, theirs)["attendees"] == [
        {
            "email": "A@x.test",
            "responseStatus": "accepted",
            "displayName": "Ann",
            "comment": "late",
            "additionalGuests": 1,
            "optional": True,
        },
        {"email": "c@x.test"},
    ]


def test_the_organiser_stays_among_the_guests() -> None:
    theirs = event(details=Details(attendees=(Attendee("me@x.test", organizer=True),)))
    assert patched({"attendees": []}, theirs)["attendees"][0]["email"] == "me@x.test"


def test_guests_that_google_does_not_show_are_not_overwritten() -> None:
    with pytest.raises(Conflict):
        patched({"attendees": []}, event(details=Details(attendees_omitted=True)))


def test_a_series_of_instants_needs_a_zone() -> None:
    fields = {"time": stored(span(2026, 11, 26, 9, zone=None)), "recurrence": [RULE]}
    with pytest.raises(InvalidInput):
        insert_body(fields, google_id="abc12", marks={})


def test_an_event_that_begins_to_recur_says_in_which_zone() -> None:
    assert patched({"recurrence": [RULE]}, event())["start"]["timeZone"] == "America/Sao_Paulo"


def test_marks_are_private() -> None:
    body = patch_body({}, None, marks={"write": "w1", "source": None}, request_id="r1")
    assert body == {
        "extendedProperties": {"private": {"causeway.write": "w1", "causeway.source": None}}
    }


@pytest.mark.parametrize("marks", [{"x" * 36: "v"}, {"x": "v" * 1025}])
def test_marks_that_google_would_cut_are_refused(marks: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        patch_body({}, None, marks=dict(marks), request_id="r1")


def test_a_room_is_taken_away_with_null() -> None:
    assert patched({"conference": "none"}) == {"conferenceData": None}


def test_an_answer_changes_the_persons_own_and_nobody_elses() -> None:
    guests = (
        Attendee("me@x.test", is_self=True),
        Attendee("a@x.test", response=Response.TENTATIVE),
    )
    body = response_body(event(details=Details(attendees=guests)), Response.ACCEPTED)
    assert [one["responseStatus"] for one in body["attendees"]] == ["accepted", "tentative"]


def test_who_is_not_invited_cannot_answer() -> None:
    with pytest.raises(Conflict):
        response_body(event(details=said("a@x.test")), Response.ACCEPTED)


@pytest.mark.parametrize(
    ("notify", "sent"),
    [
        (None, "none"),
        (Notify.NONE, "none"),
        (Notify.ALL, "all"),
        (Notify.EXTERNAL, "externalOnly"),
    ],
)
def test_google_writes_to_whom_was_asked_for(notify: Notify | None, sent: str) -> None:
    assert params_for(notify)["sendUpdates"] == sent
