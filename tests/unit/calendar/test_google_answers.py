from datetime import UTC, date, datetime
from typing import Any

import pytest

from libs.common.google.wire import AnswerUnreadable
from services.calendar.domain.event import Details, Event, Reminder, Response, Status
from services.calendar.domain.times import Days, Span
from services.calendar.google.answers import (
    Unreadable,
    calendar_list_page,
    channel_answer,
    event_of,
    events_page,
)

NINE = {"dateTime": "2026-11-26T09:00:00-03:00", "timeZone": "America/Sao_Paulo"}
TEN = {"dateTime": "2026-11-26T10:00:00-03:00", "timeZone": "America/Sao_Paulo"}


def answer(**changes: Any) -> dict[str, Any]:
    plain = {"id": "e1", "etag": '"1"', "iCalUID": "e1@google.com", "start": NINE, "end": TEN}
    return plain | changes


def test_an_event_is_read_with_all_that_concerns_us() -> None:
    event = event_of(
        answer(
            status="tentative",
            updated="2026-11-25T08:00:00.000Z",
            summary="Visit",
            location="Rua 1",
            transparency="transparent",
            organizer={"email": "a@x.test", "self": True, "displayName": "Ann"},
            creator={"email": "b@x.test"},
            htmlLink="https://calendar.google.com/e",
            hangoutLink="https://meet.google.com/abc",
            attendees=[
                {"email": "c@y.test", "responseStatus": "accepted", "optional": True},
                {"email": "a@x.test", "organizer": True, "self": True},
            ],
            reminders={
                "useDefault": False,
                "overrides": [
                    {"method": "popup", "minutes": 60},
                    {"method": "email", "minutes": 10},
                ],
            },
        )
    )
    assert event.status is Status.TENTATIVE
    assert event.updated == datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert event.when == Span(
        datetime(2026, 11, 26, 12, tzinfo=UTC),
        datetime(2026, 11, 26, 13, tzinfo=UTC),
        "America/Sao_Paulo",
    )
    assert event.transparent
    assert event.organized_here
    assert not event.busy_only
    details = event.details
    assert (details.summary, details.location) == ("Visit", "Rua 1")
    assert (details.organizer_email, details.organizer_name) == ("a@x.test", "Ann")
    assert details.meet_link == "https://meet.google.com/abc"
    assert [one.response for one in details.attendees] == [
        Response.ACCEPTED,
        Response.NEEDS_ACTION,
    ]
    assert details.reminders.overrides == (Reminder("email", 10), Reminder("popup", 60))


def test_days_end_on_the_first_day_that_is_free_again() -> None:
    event = event_of(answer(start={"date": "2026-11-26"}, end={"date": "2026-11-28"}))
    assert event.when == Days(date(2026, 11, 26), date(2026, 11, 28))


def test_a_day_without_an_end_is_one_day() -> None:
    event = event_of(answer(start={"date": "2026-11-26"}, end={"date": "2026-11-26"}))
    assert event.when == Days(date(2026, 11, 26), date(2026, 11, 27))


def test_a_cancelled_event_needs_nothing_but_its_id() -> None:
    event = event_of({"id": "e1", "status": "cancelled"})
    assert (event.status, event.when) == (Status.CANCELLED, None)


def test_an_exception_knows_its_series_and_where_it_belongs_in_it() -> None:
    event = event_of(answer(recurringEventId="m1", originalStartTime=TEN))
    assert event.master_id == "m1"
    assert event.original == datetime(2026, 11, 26, 13, tzinfo=UTC)


@pytest.mark.parametrize("visibility", ["private", "confidential"])
def test_of_a_private_event_only_the_time_is_kept(visibility: str) -> None:
    event = event_of(
        answer(
            visibility=visibility,
            summary="Doctor",
            description="secret",
            htmlLink="https://calendar.google.com/e",
            attendees=[{"email": "c@y.test"}],
            recurrence=["RRULE:FREQ=DAILY"],
            extendedProperties={"private": {"causeway.appointment": "a1"}},
        )
    )
    assert event.busy_only
    assert event.details == Details(visibility=visibility)
    assert event.recurrence == ("RRULE:FREQ=DAILY",)
    assert event.marks == {"appointment": "a1"}


def test_where_only_busy_times_are_shown_nothing_else_is_kept() -> None:
    event = event_of(answer(summary="Leaked"), details=False)
    assert event.busy_only
    assert event.details.summary == ""


def test_only_our_own_marks_are_read() -> None:
    event = event_of(
        answer(
            extendedProperties={
                "private": {"causeway.source": "s1", "other": "x"},
                "shared": {"causeway.appointment": "forged"},
            }
        )
    )
    assert event.marks == {"source": "s1"}


def test_a_text_beyond_all_bounds_is_cut() -> None:
    event = event_of(answer(description="x" * 50_000, summary="y" * 50_000))
    assert len(event.details.description) == 16_384
    assert len(event.details.summary) == 2_048


def test_words_of_googles_that_are_new_to_us_do_not_lose_the_event() -> None:
    event = event_of(
        answer(
            status="postponed",
            eventType="hologram",
            attendees=[{"email": "c@y.test", "responseStatus": "perhaps"}],
        )
    )
    assert event.status is Status.CONFIRMED
    assert event.event_type == "hologram"
    assert event.details.attendees[0].response is Response.NEEDS_ACTION


def test_an_unknown_zone_is_none() -> None:
    event = event_of(answer(start=NINE | {"timeZone": "Mars/Base"}))
    assert isinstance(event.when, Span)
    assert event.when.zone is None


def test_a_link_that_is_none_is_left_out() -> None:
    event = event_of(answer(htmlLink="javascript:alert(1)", hangoutLink="data:x"))
    assert (event.details.html_link, event.details.meet_link) == (None, None)


def test_a_room_that_is_being_made_is_known() -> None:
    request = {
        "conferenceSolutionKey": {"type": "hangoutsMeet"},
        "status": {"statusCode": "pending"},
    }
    event = event_of(answer(conferenceData={"createRequest": request}))
    assert event.details.meet_pending


def test_a_room_that_could_not_be_made_is_none() -> None:
    request = {
        "conferenceSolutionKey": {"type": "hangoutsMeet"},
        "status": {"statusCode": "failure"},
    }
    event = event_of(answer(conferenceData={"createRequest": request}))
    assert not event.details.meet_pending


def test_a_conference_elsewhere_is_no_meet_room() -> None:
    data = {"conferenceSolution": {"key": {"type": "addOn"}}}
    event = event_of(answer(conferenceData=data, hangoutLink="https://elsewhere.test"))
    assert event.details.meet_link is None


@pytest.mark.parametrize(
    ("item", "google_id"),
    [
        (answer(start={"dateTime": "yesterday"}), "e1"),
        (answer(start=None), "e1"),
        (answer(attendees="everybody"), "e1"),
        (answer(start={"dateTime": "0001-01-01T00:00:00+14:00"}), "e1"),
        (answer(id="a b"), "a b"),
        (answer(id=7), None),
        ("nonsense", None),
    ],
)
def test_an_unreadable_event_does_not_lose_its_page(item: Any, google_id: str | None) -> None:
    page = events_page({"items": [item, answer(id="e2")]})
    bad, good = page.items
    assert isinstance(bad, Unreadable)
    assert bad.google_id == google_id
    assert isinstance(good, Event)
    assert good.google_id == "e2"


def test_what_was_unreadable_is_named_without_its_content() -> None:
    page = events_page({"items": [answer(start={"dateTime": "secret"})]})
    assert isinstance(page.items[0], Unreadable)
    assert page.items[0].places == ("start.dateTime",)


def test_a_page_tells_what_comes_next() -> None:
    page = events_page(
        {
            "nextPageToken": "p2",
            "timeZone": "Europe/Lisbon",
            "updated": "2026-11-25T08:00:00Z",
            "defaultReminders": [{"method": "popup", "minutes": 10}],
        }
    )
    assert (page.next_page_token, page.next_sync_token) == ("p2", None)
    assert page.zone == "Europe/Lisbon"
    assert page.default_reminders == (Reminder("popup", 10),)


def test_pages_that_lead_in_a_circle_are_refused() -> None:
    with pytest.raises(AnswerUnreadable):
        events_page({"nextPageToken": "p1"}, after="p1")


@pytest.mark.parametrize("nonsense", [None, [], "x", {"items": 7}])
def test_what_is_no_page_is_refused(nonsense: Any) -> None:
    with pytest.raises(AnswerUnreadable):
        events_page(nonsense)


def test_a_calendar_is_called_as_the_person_calls_it() -> None:
    page = calendar_list_page(
        {
            "items": [
                {
                    "id": "a@x.test",
                    "summary": "a@x.test",
                    "summaryOverride": "Mine",
                    "timeZone": "America/Sao_Paulo",
                    "accessRole": "owner",
                    "primary": True,
                    "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
                },
                {"id": "gone", "deleted": True},
                {"summary": "without id"},
            ],
            "nextSyncToken": "s1",
        }
    )
    mine, gone, bad = page.items
    assert not isinstance(mine, Unreadable)
    assert (mine.summary, mine.primary, mine.is_writable) == ("Mine", True, True)
    assert mine.has_meet
    assert not isinstance(gone, Unreadable)
    assert gone.deleted
    assert not gone.shows_details
    assert isinstance(bad, Unreadable)


def test_a_channel_ends_when_google_says() -> None:
    channel = channel_answer(
        {
            "kind": "api#channel",
            "id": "c1",
            "resourceId": "r1",
            "resourceUri": "https://www.googleapis.com/calendar/v3/calendars/x/events?alt=json",
            "expiration": "1764150000000",
        }
    )
    assert channel.resource_id == "r1"
    assert channel.expires_at == datetime(2025, 11, 26, 9, 40, tzinfo=UTC)


def test_a_channel_without_a_resource_is_refused() -> None:
    with pytest.raises(AnswerUnreadable):
        channel_answer({"id": "c1"})
