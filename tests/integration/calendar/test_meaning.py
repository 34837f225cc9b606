"""What events mean: private ones, whole days, series by the clock on the wall, answers."""

from typing import Any

import pytest

from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually

PARIS = "Europe/Paris"
SPRING = "?from=2027-03-01T00:00:00Z&to=2027-05-01T00:00:00Z"
TEXTS = """
SELECT table_name FROM information_schema.tables
 WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
"""


def in_spring(day: str, start: str = "09:00", end: str = "10:00", **more: Any) -> Json:
    """Return an event's times on a day, by the clock of Paris."""
    return {
        "start": {"dateTime": f"{day}T{start}:00", "timeZone": PARIS},
        "end": {"dateTime": f"{day}T{end}:00", "timeZone": PARIS},
        **more,
    }


async def starts(calendar: Stand, query: str = SPRING) -> list[str]:
    return [one["starts_at"] for one in await calendar.listed(query)]


async def begin(calendar: Stand, *expected: str) -> None:
    """Wait until what takes place in spring begins just then."""

    async def does() -> bool:
        found = await starts(calendar)
        assert found == [f"{one}:00Z" for one in expected], found
        return True

    await eventually(does)


async def series(calendar: Stand, *lines: str, day: str = "2027-03-14", **more: Any) -> str:
    event = in_spring(day, summary="Weekly", recurrence=list(lines), **more)
    made = await calendar.happens(event)
    await calendar.told(made["id"], "created")
    return str(made["id"])


@pytest.mark.parametrize("visibility", ["private", "confidential"])
async def test_of_a_private_event_only_its_time_is_kept(calendar: Stand, visibility: str) -> None:
    await calendar.connect()
    secret = "Zebra7"
    made = await calendar.happens(
        at(
            3,
            summary=f"{secret} summary",
            description=f"{secret} text",
            location=f"{secret} place",
            attendees=[{"email": "zebra7@example.net"}],
            visibility=visibility,
        )
    )
    await calendar.told(made["id"], "created")
    (event,) = await calendar.listed()
    assert event["title"] == "(Busy)"
    assert event["busy_only"] is True
    assert event["starts_at"]
    assert event["attendees"] == []
    assert event["description"] == event["location"] == ""
    assert event["html_link"] is None
    (told,) = calendar.events("calendar.event.created")
    assert told.data["title"] == "(Busy)"
    assert secret.lower() not in str(told.data).lower()
    for table in await calendar.fetch(TEXTS):
        rows = await calendar.fetch(f"SELECT t::text AS line FROM {table['table_name']} t")  # noqa: S608
        assert not [row for row in rows if secret.lower() in row["line"].lower()], table


async def test_an_event_that_becomes_private_is_forgotten(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Zebra7"))
    await calendar.told(made["id"], "created")
    await calendar.edit(made["id"], "change", changes={"visibility": "private"})
    await calendar.told(made["id"], "created", "updated")
    (row,) = await calendar.fetch("SELECT e::text AS line FROM events e")
    assert "Zebra7" not in row["line"]
    (event,) = await calendar.listed()
    assert event["title"] == "(Busy)"


async def test_an_event_without_a_title_has_one_to_show(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3))
    await calendar.told(made["id"], "created")
    (event,) = await calendar.listed()
    assert event["title"] == "(No title)"


async def test_whole_days_end_before_the_day_that_follows(calendar: Stand) -> None:
    await calendar.connect()
    days = {"start": {"date": "2027-03-27"}, "end": {"date": "2027-03-29"}, "summary": "Fair"}
    made = await calendar.happens(days)
    await calendar.told(made["id"], "created")
    (event,) = await calendar.listed(SPRING)
    assert event["time"] == {
        "all_day": True,
        "start": "2027-03-27",
        "end": "2027-03-29",
        "zone": None,
    }
    after = "?from=2027-03-29T12:00:00Z&to=2027-03-30T00:00:00Z"
    assert await calendar.listed(after) == []
    within = "?from=2027-03-28T12:00:00Z&to=2027-03-28T13:00:00Z"
    assert len(await calendar.listed(within)) == 1


async def test_a_series_keeps_the_time_on_the_wall_when_the_clocks_change(
    calendar: Stand,
) -> None:
    await calendar.connect()
    await series(calendar, "RRULE:FREQ=WEEKLY;COUNT=4")
    await begin(
        calendar, "2027-03-14T08:00", "2027-03-21T08:00", "2027-03-28T07:00", "2027-04-04T07:00"
    )


async def test_dates_are_added_to_a_series_and_taken_out(calendar: Stand) -> None:
    await calendar.connect()
    await series(
        calendar,
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "EXDATE;TZID=Europe/Paris:20270321T090000",
        "RDATE;TZID=Europe/Paris:20270330T090000",
    )
    await begin(calendar, "2027-03-14T08:00", "2027-03-28T07:00", "2027-03-30T07:00")


@pytest.mark.parametrize("bare", [False, True], ids=["whole", "bare"])
async def test_an_occurrence_that_is_cancelled_is_told_alone(
    calendar: Stand,
    bare: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await calendar.google.control("PUT", "settings", {"bare_cancellations": bare})
    await calendar.connect()
    made = await series(calendar, "RRULE:FREQ=WEEKLY;COUNT=3")
    (told,) = calendar.events("calendar.event.created")
    await calendar.edit(f"{made}_20270321T080000Z", "delete")
    await begin(calendar, "2027-03-14T08:00", "2027-03-28T07:00")
    await eventually(lambda: calendar.events("calendar.event.cancelled"))
    (cancelled,) = calendar.events("calendar.event.cancelled")
    assert cancelled.data["series_id"] == told.data["series_id"]
    assert cancelled.data["occurrence"] == "20270321T080000Z"
    assert cancelled.data["event_id"] == f"{told.data['series_id']}_20270321T080000Z"
    assert calendar.told_of(made) == ["created"]
    again = await calendar.call("GET", f"/v1/calendar/events/{cancelled.data['event_id']}")
    assert (again.status, again.body["status"]) == (200, "cancelled")


async def test_an_occurrence_that_was_cancelled_before_is_not_there(
    calendar: Stand,
) -> None:
    event = in_spring("2027-03-14", summary="Weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    made = await calendar.happens(event)
    await calendar.edit(f"{made['id']}_20270321T080000Z", "delete")
    await calendar.connect()
    await begin(calendar, "2027-03-14T08:00", "2027-03-28T07:00")


async def test_an_occurrence_that_is_moved_keeps_its_name(calendar: Stand) -> None:
    await calendar.connect()
    made = await series(calendar, "RRULE:FREQ=WEEKLY;COUNT=3")
    before = [one["id"] for one in await calendar.listed(SPRING)]
    moved = {"dateTime": "2027-03-23T15:00:00", "timeZone": PARIS}
    await calendar.edit(f"{made}_20270321T080000Z", "drag", start=moved)
    await begin(calendar, "2027-03-14T08:00", "2027-03-23T14:00", "2027-03-28T07:00")
    assert [one["id"] for one in await calendar.listed(SPRING)] == before
    one = await calendar.get(f"/v1/calendar/events/{before[1]}")
    assert one["starts_at"] == "2027-03-23T14:00:00Z"
    told = [one for one in calendar.events("calendar.event.") if one.data["occurrence"]]
    assert [one.type for one in told] == ["calendar.event.created.v1"]


async def test_a_moved_occurrence_that_is_put_back_and_one_that_left_the_window(
    calendar: Stand,
) -> None:
    await calendar.connect()
    made = await series(calendar, "RRULE:FREQ=WEEKLY;COUNT=3")
    away = {"dateTime": "2027-06-01T09:00:00", "timeZone": PARIS}
    await calendar.edit(f"{made}_20270321T080000Z", "drag", start=away)
    await begin(calendar, "2027-03-14T08:00", "2027-03-28T07:00")
    summer = "?from=2027-06-01T00:00:00Z&to=2027-06-02T00:00:00Z"
    assert await starts(calendar, summer) == ["2027-06-01T07:00:00Z"]


async def test_this_and_all_that_follow_are_a_series_of_their_own(calendar: Stand) -> None:
    await calendar.connect()
    made = await series(calendar, "RRULE:FREQ=WEEKLY;COUNT=4")
    moved = {"dateTime": "2027-03-28T11:00:00", "timeZone": PARIS}
    await calendar.edit(f"{made}_20270328T070000Z", "drag", scope="following", start=moved)
    await begin(
        calendar, "2027-03-14T08:00", "2027-03-21T08:00", "2027-03-28T09:00", "2027-04-04T09:00"
    )
    found = await calendar.listed(SPRING)
    ids = [one["series_id"] for one in found]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    await calendar.told(made, "created", "updated")
    assert len(calendar.events("calendar.event.created")) == 2
    assert calendar.events("calendar.event.cancelled") == []


async def test_a_series_that_ends_takes_its_exceptions_along(calendar: Stand) -> None:
    await calendar.connect()
    made = await series(calendar, "RRULE:FREQ=WEEKLY;COUNT=3")
    moved = {"dateTime": "2027-03-23T15:00:00", "timeZone": PARIS}
    await calendar.edit(f"{made}_20270321T080000Z", "drag", start=moved)
    await begin(calendar, "2027-03-14T08:00", "2027-03-23T14:00", "2027-03-28T07:00")
    await calendar.edit(made, "delete")
    await begin(calendar)
    await eventually(lambda: len(calendar.events("calendar.event.cancelled")) == 2)


async def test_a_series_becomes_one_event_and_one_event_a_series(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(in_spring("2027-03-14", summary="Once"))
    await calendar.told(made["id"], "created")
    lines = ["RRULE:FREQ=WEEKLY;COUNT=2"]
    await calendar.edit(made["id"], "change", changes={"recurrence": lines})
    await begin(calendar, "2027-03-14T08:00", "2027-03-21T08:00")
    await calendar.edit(made["id"], "change", changes={"recurrence": None})
    await begin(calendar, "2027-03-14T08:00")
    await calendar.told(made["id"], "created", "updated", "updated")


async def test_an_answer_is_told(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Talk", attendees=[{"email": "bob@example.com"}]))
    await calendar.told(made["id"], "created")
    await calendar.edit(made["id"], "respond", person="bob@example.com", response="accepted")
    await calendar.told(made["id"], "created", "updated")
    (told,) = calendar.events("calendar.event.updated")
    answers = {one["email"]: one["response"] for one in told.data["attendees"]}
    assert answers["bob@example.com"] == "accepted"
    (event,) = await calendar.listed()
    assert {one["email"]: one["response"] for one in event["attendees"]} == answers


async def test_an_invitation_from_elsewhere_is_inbound(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(
        at(
            3,
            summary="Pitch",
            organizer={"email": "eve@elsewhere.example", "displayName": "Eve"},
            attendees=[{"email": ALICE}, {"email": "eve@elsewhere.example"}],
            iCalUID="pitch-1@elsewhere.example",
        )
    )
    await calendar.told(made["id"], "created")
    (event,) = await calendar.listed()
    assert event["organizer"] == {"email": "eve@elsewhere.example", "name": "Eve"}


async def test_one_who_may_only_see_when_somebody_is_busy_sees_no_more(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    sharing = {"person": ALICE, "role": "freeBusyReader"}
    await calendar.google.control(
        "POST", "people/bob@example.com/calendars/primary/sharing", sharing
    )
    await calendar.happens(at(3, summary="Zebra7"), person="bob@example.com")
    connection_id = await calendar.connect()
    items = (await calendar.get("/v1/calendar/calendars"))["items"]
    (other,) = [one for one in items if not one["is_primary"]]
    assert other["access_role"] == "freeBusyReader"
    body = {"connection_id": connection_id, "calendar_ids": [other["id"]]}
    await calendar.call("PUT", "/v1/calendar/calendars", body)

    async def titles() -> list[str]:
        return [one["title"] for one in await calendar.listed()]

    async def is_busy() -> bool:
        return await titles() == ["(Busy)"]

    await eventually(is_busy)
    rows = await calendar.fetch("SELECT e::text AS line FROM events e")
    assert not [row for row in rows if "Zebra7" in row["line"]]


async def test_a_cancelled_occurrence_that_is_listed_before_its_series_finds_it(
    calendar: Stand,
) -> None:
    event = in_spring("2027-03-14", summary="Weekly", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    made = await calendar.happens(event)
    (master,) = await calendar.at_google()
    original = {"dateTime": "2027-03-21T08:00:00Z"}
    cancelled = {
        "kind": "calendar#event",
        "id": f"{made['id']}_20270321T080000Z",
        "etag": '"1"',
        "status": "cancelled",
        "recurringEventId": made["id"],
        "originalStartTime": original,
    }
    pages = (
        {"kind": "calendar#events", "items": [cancelled], "nextPageToken": "next"},
        {"kind": "calendar#events", "items": [master], "nextSyncToken": "end"},
    )
    rules = [
        {
            "path_contains": f"/{ALICE}/events",
            "method": "GET",
            "times": 1,
            "status": 200,
            "body": one,
        }
        for one in pages
    ]
    await calendar.google.control("PUT", "faults", {"rules": rules})
    await calendar.auth.connect(person=ALICE, products=[{"name": "calendar", "access": "write"}])
    await begin(calendar, "2027-03-14T08:00", "2027-03-28T07:00")
    (told,) = calendar.events("calendar.event.cancelled")
    assert told.data["series_id"] == (await calendar.listed(SPRING))[0]["series_id"]
