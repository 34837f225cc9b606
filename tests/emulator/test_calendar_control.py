"""The control API's calendar side: a person in Google's own apps, files, the dump."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, HOUR, WEEKLY, Diary, Google, Json
from tests.support import eventually

FILE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VTIMEZONE
TZID:Europe/Zurich
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:series@example.net
DTSTART;TZID=Europe/Zurich:20260302T090000
DTEND;TZID=Europe/Zurich:20260302T100000
RRULE:FREQ=WEEKLY;COUNT=4
EXDATE;TZID=Europe/Zurich:20260316T090000
SUMMARY:Weekly
TRANSP:TRANSPARENT
CLASS:PRIVATE
ORGANIZER:mailto:ann@example.net
ATTENDEE;CN=Alice;PARTSTAT=ACCEPTED;ROLE=OPT-PARTICIPANT:mailto:alice@example.com
ATTENDEE:mailto:ann@example.net
SEQUENCE:2
END:VEVENT
BEGIN:VEVENT
UID:series@example.net
RECURRENCE-ID;TZID=Europe/Zurich:20260309T090000
DTSTART;TZID=Europe/Zurich:20260310T090000
DURATION:PT2H
SUMMARY:Moved
SEQUENCE:2
END:VEVENT
BEGIN:VEVENT
UID:day@example.net
DTSTART;VALUE=DATE:20260501
SUMMARY:Holiday
STATUS:TENTATIVE
DESCRIPTION:Nobody\\, really
END:VEVENT
BEGIN:VEVENT
UID:broken@example.net
DTSTART:20260501T100000Z
DTEND:20260501T090000Z
END:VEVENT
END:VCALENDAR
"""


async def edit(google: Google, event_id: str, action: str, **more: Any) -> Json:
    body = {"event": event_id, "action": action, **more}
    answer: Json = await google.control("POST", f"people/{ALICE}/event-edits", body)
    return answer


async def load(google: Google, text: str) -> Any:
    return await google.request(
        "POST",
        f"/_emulator/people/{ALICE}/events",
        data=text.replace("\n", "\r\n").encode(),
        headers={"Content-Type": "text/calendar"},
    )


async def test_a_person_makes_an_event(google: Google, diary: Diary) -> None:
    token = await diary.sync_token()

    made = await google.control("POST", f"people/{ALICE}/events", {"event": HOUR})

    (event,) = await diary.changes(token)
    assert (event["id"], event["summary"]) == (made["id"], "Meeting")
    assert made["calendarId"] == ALICE
    assert made["changed_at"]


async def test_a_person_makes_many_events_at_once(google: Google, diary: Diary) -> None:
    body = {"event": HOUR, "count": 3}

    made = await google.control("POST", f"people/{ALICE}/events", body)

    events = (await diary.events())["items"]
    assert [event["id"] for event in events] == made["ids"]
    assert [event["start"]["dateTime"][:10] for event in events] == [
        "2026-03-02",
        "2026-03-03",
        "2026-03-04",
    ]
    assert len({event["iCalUID"] for event in events}) == 3


async def test_a_person_changes_an_event(google: Google, diary: Diary) -> None:
    made = await diary.insert(location="Bern")

    changes = {
        "summary": "New",
        "location": None,
        "start": {"date": "2026-03-02"},
        "end": {"date": "2026-03-03"},
    }
    answer = await edit(google, made["id"], "change", changes=changes)

    event = await diary.event(made["id"])
    assert answer["events"][0]["id"] == made["id"]
    assert event["start"] == {"date": "2026-03-02"}
    assert event["summary"] == "New"
    assert "location" not in event


async def test_a_dragged_event_stays_as_long_as_it_was(google: Google, diary: Diary) -> None:
    made = await diary.insert()

    await edit(google, made["id"], "drag", start={"dateTime": "2026-03-05T15:00:00Z"})

    event = await diary.event(made["id"])
    assert event["start"]["dateTime"] == "2026-03-05T15:00:00Z"
    assert event["end"]["dateTime"] == "2026-03-05T16:00:00Z"
    assert event["sequence"] == 1


async def test_a_dragged_instance_leaves_its_series(google: Google, diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    instance_id = f"{made['id']}_20260309T080000Z"

    await edit(google, instance_id, "drag", start={"dateTime": "2026-03-11T08:00:00Z"})

    event = await diary.event(instance_id)
    assert event["start"]["dateTime"] == "2026-03-11T08:00:00Z"
    assert event["originalStartTime"]["dateTime"] == "2026-03-09T08:00:00Z"
    assert (await diary.event(made["id"]))["etag"] == made["etag"]


async def test_a_person_deletes_an_event_or_a_series(google: Google, diary: Diary) -> None:
    one, series = await diary.insert(), await diary.insert(**WEEKLY)

    await edit(google, one["id"], "delete")
    await edit(google, f"{series['id']}_20260309T080000Z", "delete", scope="series")

    assert (await diary.events())["items"] == []


async def test_the_first_and_all_following_is_the_whole_series(
    google: Google, diary: Diary
) -> None:
    made = await diary.insert(**WEEKLY)
    first = f"{made['id']}_20260302T080000Z"

    await edit(google, first, "change", scope="following", changes={"summary": "All"})

    (event,) = (await diary.events())["items"]
    assert (event["id"], event["summary"]) == (made["id"], "All")


async def test_dragging_this_and_following_begins_a_moved_series(
    google: Google, diary: Diary
) -> None:
    made = await diary.insert(**WEEKLY)
    instance = f"{made['id']}_20260316T080000Z"
    start = {"dateTime": "2026-03-16T10:00:00+01:00"}

    answer = await edit(google, instance, "drag", scope="following", start=start)

    ended, begun = answer["events"]
    assert ended["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20260316T075959Z"]
    assert begun["start"]["dateTime"] == "2026-03-16T09:00:00Z"
    assert begun["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=8"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("event-edits", {"event": "x", "action": "delete"}, 404),
        ("event-edits", {"event": "x", "action": "drag"}, 400),
        ("event-edits", {"event": "x", "action": "respond"}, 400),
        ("event-edits", {"event": "x", "action": "dance"}, 400),
        ("events", {"event": {"summary": "no time"}}, 400),
        ("events", {"event": HOUR, "calendar": "nowhere"}, 404),
        ("events", {"event": {**HOUR, "attendees": "all"}}, 400),
        ("event-edits", {"event": "x", "action": "change", "changes": {"start": 1}}, 400),
        ("event-edits", {"event": "x", "action": "drag", "start": {"date": 1}}, 400),
        ("calendars", {"time_zone": "Mars/Base"}, 400),
        ("calendars/primary/sharing", {"person": "nobody@x.com", "role": "reader"}, 404),
        ("calendars/primary/sharing", {"person": ALICE, "role": "king"}, 400),
        ("sync-tokens", {"action": "forget"}, 400),
    ],
)
async def test_what_a_person_cannot_do_is_said(
    google: Google, path: str, body: Json, status: int
) -> None:
    answer = await google.request("POST", f"/_emulator/people/{ALICE}/{path}", json=body)

    assert answer.status == status, answer.text
    assert answer.json["error"]


async def test_only_guests_answer(google: Google, diary: Diary) -> None:
    made = await diary.insert()
    body = {"event": made["id"], "action": "respond", "response": "accepted"}

    answer = await google.request("POST", f"/_emulator/people/{ALICE}/event-edits", json=body)

    assert answer.status == 400


async def test_a_person_deletes_a_calendar_but_not_their_own(google: Google, diary: Diary) -> None:
    made = await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})

    await google.control("DELETE", f"people/{ALICE}/calendars/{made['id']}")
    own = await google.request("DELETE", f"/_emulator/people/{ALICE}/calendars/primary")

    assert own.status == 400
    assert len((await diary.get("users/me/calendarList"))["items"]) == 1
    shown = await google.control("GET", f"people/{ALICE}/calendars")
    assert [one["id"] for one in shown["calendars"]] == [ALICE]


async def test_a_file_is_loaded_with_series_exceptions_and_guests(
    google: Google, diary: Diary
) -> None:
    answer = await load(google, FILE)

    assert answer.status == 201
    assert [one["uid"] for one in answer.json["refused"]] == ["broken@example.net"]
    master, day, moved = (await diary.events())["items"]
    assert master["iCalUID"] == moved["iCalUID"] == "series@example.net"
    assert master["recurrence"] == [
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "EXDATE;TZID=Europe/Zurich:20260316T090000",
    ]
    assert master["start"]["timeZone"] == "Europe/Zurich"
    assert (master["transparency"], master["visibility"]) == ("transparent", "private")
    assert master["organizer"] == {"email": "ann@example.net"}
    assert master["attendees"][0] == {
        "email": ALICE,
        "displayName": "Alice",
        "responseStatus": "accepted",
        "optional": True,
        "self": True,
    }
    assert master["sequence"] == 2
    assert moved["recurringEventId"] == master["id"]
    assert moved["start"]["dateTime"] == "2026-03-10T08:00:00Z"
    assert moved["end"]["dateTime"] == "2026-03-10T10:00:00Z"
    assert (day["start"], day["end"]) == ({"date": "2026-05-01"}, {"date": "2026-05-02"})
    assert (day["status"], day["description"]) == ("tentative", "Nobody, really")


async def test_a_file_that_comes_again_changes_nothing(google: Google, diary: Diary) -> None:
    await load(google, FILE)
    token = await diary.sync_token()

    again = await load(google, FILE)

    assert len(again.json["ids"]) == 3
    assert await diary.changes(token) == []


async def test_what_is_no_file_is_refused(google: Google) -> None:
    assert (await load(google, "Dear calendar")).status == 400


async def test_the_dump_holds_calendars_events_and_channels(google: Google, diary: Diary) -> None:
    made = await diary.insert()

    state = await google.control("GET", "state")

    (calendar,) = state["calendars"]
    assert (calendar["id"], calendar["owner"]) == (ALICE, ALICE)
    assert [event["id"] for event in calendar["events"]] == [made["id"]]
    assert state["channels"] == []
    seen = await google.control("GET", f"people/{ALICE}/events")
    assert [event["id"] for event in seen["events"]] == [made["id"]]


async def test_a_reset_forgets_calendars(google: Google, diary: Diary) -> None:
    await diary.insert()

    await google.control("POST", "reset")

    assert (await (await google.diary()).events())["items"] == []
    assert (await google.control("GET", "notifications"))["channels"] == []


async def test_a_conference_made_by_a_person_is_finished(google: Google, diary: Diary) -> None:
    event = {**HOUR, "conferenceData": {"createRequest": {"requestId": "r"}}}
    made = await google.control("POST", f"people/{ALICE}/events", {"event": event})

    async def linked() -> bool:
        return "hangoutLink" in await diary.event(made["id"])

    await eventually(linked)


async def test_a_public_holiday_calendar_can_be_filled_and_read(google: Google) -> None:
    made = await google.control("POST", f"people/{ALICE}/calendars", {"holidays": True})
    day = {"summary": "New Year", "start": {"date": "2027-01-01"}, "end": {"date": "2027-01-02"}}
    body = {"event": day, "calendar": made["id"]}
    await google.control("POST", f"people/{ALICE}/events", body)

    bob = await google.diary(email=BOB)
    page = await bob.events(made["id"].replace("#", "%23"))

    assert [event["summary"] for event in page["items"]] == ["New Year"]
