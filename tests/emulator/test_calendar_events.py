"""Single events: what is stored, what comes back, and what is refused."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, HOUR, WEEKLY, Diary, Google

DAY = {"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-03"}}
EVENTS = "calendars/primary/events"


async def refused(diary: Diary, body: Any, **params: Any) -> tuple[int, str]:
    answer = await diary.call("POST", EVENTS, json=body, params=params)
    return answer.status, answer.reason


async def test_an_event_comes_back_as_google_shows_it(diary: Diary) -> None:
    made = await diary.insert(description="About it", location="Bern")

    assert await diary.event(made["id"]) == made
    assert made["kind"] == "calendar#event"
    assert made["status"] == "confirmed"
    assert made["creator"] == {"email": ALICE, "self": True}
    assert made["organizer"] == {"email": ALICE, "self": True}
    assert made["iCalUID"] == f"{made['id']}@google.com"
    assert made["start"] == {"dateTime": "2026-03-02T12:00:00Z", "timeZone": "UTC"}
    assert (made["sequence"], made["eventType"]) == (0, "default")
    assert made["reminders"] == {"useDefault": True}
    assert made["htmlLink"].startswith("https://www.google.com/calendar/event?eid=")
    assert made["created"].endswith(".000Z")


async def test_times_come_in_the_calendars_zone_unless_another_is_asked_for(
    google: Google, diary: Diary
) -> None:
    await google.control("PATCH", f"people/{ALICE}", {"time_zone": "Europe/Zurich"})
    made = await diary.insert()

    other = await diary.event(made["id"], timeZone="America/New_York")

    assert made["start"] == {"dateTime": "2026-03-02T13:00:00+01:00", "timeZone": "Europe/Zurich"}
    assert other["start"]["dateTime"] == "2026-03-02T07:00:00-05:00"
    assert (await diary.events())["timeZone"] == "Europe/Zurich"


async def test_a_time_without_offset_is_read_in_its_zone(diary: Diary) -> None:
    zone = {"timeZone": "America/New_York"}
    made = await diary.insert(
        start={"dateTime": "2026-07-01T09:00:00", **zone},
        end={"dateTime": "2026-07-01T10:00:00", **zone},
    )

    assert made["start"] == {"dateTime": "2026-07-01T13:00:00Z", **zone}


async def test_a_day_ends_before_its_end(diary: Diary) -> None:
    made = await diary.insert(**DAY)

    assert (made["start"], made["end"]) == (DAY["start"], DAY["end"])
    after = await diary.events(timeMin="2026-03-03T00:00:00Z")
    during = await diary.events(timeMin="2026-03-02T23:59:59Z")
    assert (len(after["items"]), len(during["items"])) == (0, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"end": None}, "required"),
        ({"start": None}, "required"),
        ({"end": {}}, "required"),
        ({"end": {"dateTime": "2026-03-02T11:00:00Z"}}, "timeRangeEmpty"),
        ({**DAY, "end": {"date": "2026-03-02"}}, "timeRangeEmpty"),
        ({"end": {"date": "2026-03-03"}}, "invalid"),
        ({"start": {"date": "2026-02-30"}, "end": {"date": "2026-03-03"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T12:00:00Z", "timeZone": "Mars/Base"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T12:00:00"}}, "required"),
        ({"start": {"dateTime": "noon"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T12:00:00Z", "date": "2026-03-02"}}, "invalid"),
        ({"recurrence": ["RRULE:FREQ=WEEKLY"]}, "required"),
        ({**WEEKLY, "recurrence": ["RRULE:FREQ=SOMETIMES"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["WEEKLY"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["DTSTART:20260302T090000"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["RRULE:FREQ=SECONDLY"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY;INTERVAL=0"]}, "invalid"),
        ({**WEEKLY, "recurrence": ["EXDATE:20260302T090000,nonsense"]}, "invalid"),
        ({"attendees": [{"displayName": "Ann"}]}, "required"),
        ({"attendees": [{"email": "nobody"}]}, "invalid"),
        ({"attendees": [{"email": "a@example.net", "responseStatus": "maybe"}]}, "invalid"),
        ({"status": "perhaps"}, "invalid"),
        ({"transparency": "glass"}, "invalid"),
        ({"visibility": "nobody"}, "invalid"),
        ({"eventType": "fromGmail"}, "invalid"),
        ({"eventType": "party"}, "invalid"),
        ({"id": "abc"}, "invalid"),
        ({"id": "wxyzw"}, "invalid"),
        ({"id": "UPPER0"}, "invalid"),
        ({"id": "abcdef", "iCalUID": "a@b"}, "invalid"),
        ({"attachments": [{}] * 26}, "invalid"),
        ({"attachments": [{}]}, "required"),
    ],
)
async def test_what_cannot_be_is_refused(diary: Diary, change: Any, reason: str) -> None:
    body = {name: value for name, value in {**HOUR, **change}.items() if value is not None}

    assert await refused(diary, body, supportsAttachments="true") == (400, reason)


@pytest.mark.parametrize(
    ("reminders", "reason"),
    [
        ({"useDefault": True, "overrides": [{"method": "popup", "minutes": 1}]},
         "cannotUseDefaultRemindersAndSpecifyOverride"),
        ({"useDefault": False, "overrides": [{"method": "popup", "minutes": 1}] * 6}, "invalid"),
        ({"useDefault": False, "overrides": [{"method": "popup", "minutes": 40321}]}, "invalid"),
        ({"useDefault": False, "overrides": [{"method": "popup", "minutes": -1}]}, "invalid"),
        ({"useDefault": False, "overrides": [{"method": "pigeon", "minutes": 1}]}, "invalid"),
        ({"useDefault": False, "overrides": [{"method": "popup"}]}, "required"),
    ],
)  # fmt: skip
async def test_impossible_reminders_are_refused(diary: Diary, reminders: Any, reason: str) -> None:
    assert await refused(diary, {**HOUR, "reminders": reminders}) == (400, reason)


async def test_a_given_id_is_kept_and_taken_for_ever(diary: Diary) -> None:
    made = await diary.insert(id="cafe0123456789abcdefv")
    again = await refused(diary, {**HOUR, "id": made["id"]})
    await diary.delete(made["id"])

    assert made["iCalUID"] == "cafe0123456789abcdefv@google.com"
    assert again == (409, "duplicate")
    assert await refused(diary, {**HOUR, "id": made["id"]}) == (409, "duplicate")


async def test_a_given_ical_uid_is_kept_and_taken(diary: Diary) -> None:
    made = await diary.insert(iCalUID="own@example.net")

    assert made["iCalUID"] == "own@example.net"
    assert await refused(diary, {**HOUR, "iCalUID": "own@example.net"}) == (409, "duplicate")
    found = await diary.events(iCalUID="own@example.net")
    assert [event["id"] for event in found["items"]] == [made["id"]]


async def test_a_patch_changes_what_it_names(diary: Diary) -> None:
    made = await diary.insert(description="old", location="Bern")

    changed = await diary.patch(made["id"], {"description": "new", "location": None})

    assert changed["description"] == "new"
    assert "location" not in changed
    assert changed["summary"] == made["summary"]
    assert changed["etag"] != made["etag"]


async def test_an_update_takes_away_what_it_leaves_out(diary: Diary) -> None:
    made = await diary.insert(description="old", extendedProperties={"private": {"a": "1"}})

    changed = await diary.send("PUT", f"{EVENTS}/{made['id']}", {**HOUR, "summary": "New"})

    assert changed["summary"] == "New"
    assert "description" not in changed
    assert "extendedProperties" not in changed


async def test_a_change_of_times_raises_the_sequence(diary: Diary) -> None:
    made = await diary.insert()
    renamed = await diary.patch(made["id"], {"summary": "New"})
    moved = await diary.patch(made["id"], {"end": {"dateTime": "2026-03-02T14:00:00Z"}})
    stale = await diary.call("PUT", f"{EVENTS}/{made['id']}", json={**HOUR, "sequence": 0})

    assert (renamed["sequence"], moved["sequence"]) == (0, 1)
    assert (stale.status, stale.reason) == (400, "invalid")


async def test_a_change_to_the_same_is_none(diary: Diary) -> None:
    made = await diary.insert(description="x")
    token = await diary.sync_token()

    same = await diary.patch(made["id"], {"description": "x"})

    assert same["etag"] == made["etag"]
    assert await diary.changes(token) == []


async def test_a_wrong_etag_meets_no_condition(diary: Diary) -> None:
    made = await diary.insert()
    await diary.patch(made["id"], {"summary": "moved on"})
    headers = {"If-Match": made["etag"]}

    answers = [
        await diary.call("PATCH", f"{EVENTS}/{made['id']}", json={"summary": "x"}, headers=headers),
        await diary.call("PUT", f"{EVENTS}/{made['id']}", json=HOUR, headers=headers),
        await diary.call("DELETE", f"{EVENTS}/{made['id']}", headers=headers),
    ]

    assert [(one.status, one.reason) for one in answers] == [(412, "conditionNotMet")] * 3
    assert answers[0].json["error"]["errors"][0]["location"] == "If-Match"
    assert (await diary.event(made["id"]))["summary"] == "moved on"


async def test_the_right_etag_and_a_star_meet_the_condition(diary: Diary) -> None:
    made = await diary.insert()
    for etag in (made["etag"], "*"):
        answer = await diary.call(
            "PATCH", f"{EVENTS}/{made['id']}", json={"summary": etag}, headers={"If-Match": etag}
        )
        assert answer.status == 200


async def test_a_known_etag_is_not_sent_again(diary: Diary) -> None:
    made = await diary.insert()

    known = await diary.call(
        "GET", f"{EVENTS}/{made['id']}", headers={"If-None-Match": made["etag"]}
    )
    other = await diary.call("GET", f"{EVENTS}/{made['id']}", headers={"If-None-Match": '"1"'})

    assert (known.status, known.text, other.status) == (304, "", 200)


async def test_deleting_twice_says_so(diary: Diary) -> None:
    made = await diary.insert()
    await diary.delete(made["id"])

    again = await diary.call("DELETE", f"{EVENTS}/{made['id']}")
    never = await diary.call("DELETE", f"{EVENTS}/neverwas")

    assert (again.status, again.reason) == (410, "deleted")
    assert (never.status, never.reason) == (404, "notFound")
    assert (await diary.event(made["id"]))["status"] == "cancelled"


async def test_cancelling_by_a_patch_deletes_and_confirming_brings_back(diary: Diary) -> None:
    made = await diary.insert()

    gone = await diary.patch(made["id"], {"status": "cancelled"})
    back = await diary.patch(made["id"], {"status": "confirmed"})

    assert (gone["status"], back["status"]) == ("cancelled", "confirmed")
    assert back["summary"] == made["summary"]


async def test_reminders_move_the_etag_but_not_the_time_of_change(diary: Diary) -> None:
    made = await diary.insert()
    token = await diary.sync_token()
    reminders = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]}

    changed = await diary.patch(made["id"], {"reminders": reminders})

    assert changed["reminders"] == reminders
    assert changed["updated"] == made["updated"]
    assert changed["etag"] != made["etag"]
    assert [event["id"] for event in await diary.changes(token)] == [made["id"]]


async def test_long_keys_are_dropped_and_long_values_cut(diary: Diary) -> None:
    private = {"k" * 45: "x", "k" * 44: "v" * 1025}

    made = await diary.insert(extendedProperties={"private": private, "shared": {"a": "b"}})

    assert made["extendedProperties"] == {
        "private": {"k" * 44: "v" * 1024},
        "shared": {"a": "b"},
    }


async def test_a_null_takes_a_property_away(diary: Diary) -> None:
    made = await diary.insert(extendedProperties={"private": {"a": "1", "b": "2"}})

    changed = await diary.patch(made["id"], {"extendedProperties": {"private": {"a": None}}})

    assert changed["extendedProperties"] == {"private": {"b": "2"}}


async def test_events_are_found_by_all_of_their_properties(diary: Diary) -> None:
    both = await diary.insert(
        extendedProperties={"private": {"crm": "1", "x": "=2"}, "shared": {"s": "3"}}
    )
    await diary.insert(extendedProperties={"private": {"crm": "1"}})

    found = await diary.events(privateExtendedProperty=["crm=1", "x==2"])
    shared = await diary.events(sharedExtendedProperty="s=3")
    wrong = await diary.call("GET", EVENTS, params={"privateExtendedProperty": "crm"})

    assert [event["id"] for event in found["items"]] == [both["id"]]
    assert [event["id"] for event in shared["items"]] == [both["id"]]
    assert wrong.status == 400


async def test_events_are_found_by_words_types_and_time(diary: Diary) -> None:
    offer = await diary.insert(summary="Big offer", description="for Ann")
    focus = await diary.insert(summary="Quiet", eventType="focusTime")
    later = await diary.insert(
        start={"dateTime": "2026-05-01T08:00:00Z"}, end={"dateTime": "2026-05-01T09:00:00Z"}
    )

    async def ids(**params: Any) -> list[str]:
        return [event["id"] for event in (await diary.events(**params))["items"]]

    assert await ids(q="ann OFFER") == [offer["id"]]
    assert await ids(eventTypes="focusTime") == [focus["id"]]
    assert await ids(timeMin="2026-04-01T00:00:00Z") == [later["id"]]
    assert await ids(timeMax="2026-03-02T12:00:00Z") == []
    assert await ids(timeMax="2026-03-02T12:00:01Z") == [offer["id"], focus["id"]]
    assert await ids(orderBy="startTime", singleEvents=True, timeMin="2026-05-01T00:00:00Z") == [
        later["id"]
    ]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"timeMin": "2026-03-02T00:00:00Z", "timeMax": "2026-03-01T00:00:00Z"}, "timeRangeEmpty"),
        ({"timeMin": "2026-03-02T00:00:00"}, "badRequest"),
        ({"timeMin": "2026-03-02"}, "badRequest"),
        ({"orderBy": "startTime"}, "badRequest"),
        ({"timeZone": "Mars/Base"}, "invalid"),
        ({"pageToken": "x"}, "invalid"),
    ],
)
async def test_impossible_queries_are_refused(diary: Diary, params: Any, reason: str) -> None:
    await diary.insert()
    answer = await diary.call("GET", EVENTS, params=params)

    assert (answer.status, answer.reason) == (400, reason)


async def test_many_attendees_are_left_out_on_request(diary: Diary) -> None:
    people = [{"email": f"p{n}@example.net"} for n in range(3)]
    made = await diary.insert(attendees=[{"email": ALICE}, *people])

    few = await diary.event(made["id"], maxAttendees=2)
    all_of_them = await diary.event(made["id"], maxAttendees=4)

    assert few["attendeesOmitted"] is True
    assert [entry["email"] for entry in few["attendees"]] == [ALICE]
    assert "attendeesOmitted" not in all_of_them


async def test_attachments_need_to_be_supported(diary: Diary) -> None:
    file = {"fileUrl": "https://drive.example.net/1"}
    made = await diary.insert(attachments=[file])
    with_file = await diary.insert(attachments=[file], supportsAttachments=True)

    assert "attachments" not in made
    assert with_file["attachments"] == [file]
    assert (await diary.patch(with_file["id"], {"attachments": []}))["attachments"] == [file]


async def test_a_conference_needs_its_version(diary: Diary) -> None:
    request = {"createRequest": {"requestId": "one"}}

    without = await diary.insert(conferenceData=request)

    assert "conferenceData" not in without


async def test_a_conference_comes_into_being_after_the_answer(diary: Diary) -> None:
    request = {"createRequest": {"requestId": "one"}}
    pending = await diary.insert(conferenceData=request, conferenceDataVersion=1)
    made = await diary.event(pending["id"])
    again = await diary.patch(made["id"], {"conferenceData": request}, conferenceDataVersion=1)
    kept = await diary.patch(made["id"], {"conferenceData": None})
    gone = await diary.patch(made["id"], {"conferenceData": None}, conferenceDataVersion=1)

    assert pending["conferenceData"]["createRequest"]["status"] == {"statusCode": "pending"}
    assert made["conferenceData"]["createRequest"]["status"] == {"statusCode": "success"}
    assert made["hangoutLink"] == made["conferenceData"]["entryPoints"][0]["uri"]
    assert again["conferenceData"] == kept["conferenceData"] == made["conferenceData"]
    assert "conferenceData" not in gone
    assert "hangoutLink" not in gone


async def test_a_conference_may_fail_or_never_come(google: Google, diary: Diary) -> None:
    def request(name: str) -> Any:
        return {
            "conferenceData": {"createRequest": {"requestId": name}},
            "conferenceDataVersion": 1,
        }

    await google.control("PUT", "settings", {"conference_fails": True})
    failed = await diary.insert(**request("one"))
    await google.control("PUT", "settings", {"conference_delay_s": None})
    stuck = await diary.insert(**request("two"))

    states = [
        (await diary.event(event["id"]))["conferenceData"]["createRequest"]["status"]["statusCode"]
        for event in (failed, stuck)
    ]
    assert states == ["failure", "pending"]


async def test_the_type_of_an_event_stays(diary: Diary) -> None:
    made = await diary.insert(eventType="outOfOffice")

    answer = await diary.call("PATCH", f"{EVENTS}/{made['id']}", json={"eventType": "focusTime"})

    assert (answer.status, answer.reason) == (400, "invalid")


async def test_defaults_are_not_shown(diary: Diary) -> None:
    made = await diary.insert(
        transparency="opaque", visibility="default", guestsCanModify=False, colorId="3"
    )

    assert not {"transparency", "visibility", "guestsCanModify"} & made.keys()
    assert made["colorId"] == "3"


async def test_an_import_needs_its_uid_and_updates_what_it_finds(diary: Diary) -> None:
    body = {**HOUR, "iCalUID": "far@example.net", "organizer": {"email": "ann@example.net"}}

    missing = await diary.call("POST", f"{EVENTS}/import", json=HOUR)
    made = await diary.send("POST", f"{EVENTS}/import", {**body, "attendees": [{"email": ALICE}]})
    same = await diary.send(
        "POST",
        f"{EVENTS}/import",
        {**body, "attendees": [{"email": ALICE, "responseStatus": "accepted"}]},
    )
    shared = await diary.call("POST", f"{EVENTS}/import", json={**body, "summary": "Other"})

    assert (missing.status, missing.reason) == (400, "required")
    assert made["organizer"] == {"email": "ann@example.net"}
    assert same["id"] == made["id"]
    assert same["attendees"][0]["responseStatus"] == "accepted"
    assert (shared.status, shared.reason) == (403, "forbiddenForNonOrganizer")


async def test_an_event_moves_to_another_calendar(google: Google, diary: Diary) -> None:
    team = await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})
    made = await diary.insert()

    moved = await diary.send("POST", f"{EVENTS}/{made['id']}/move", destination=team["id"])

    assert moved["organizer"] == {"email": team["id"], "displayName": "Team", "self": True}
    assert (await diary.event(made["id"]))["status"] == "cancelled"
    there = await diary.events(team["id"])
    assert [event["id"] for event in there["items"]] == [made["id"]]


async def test_fields_choose_what_is_answered(diary: Diary) -> None:
    await diary.insert()

    page = await diary.get(EVENTS, fields="items(id,start),nextSyncToken")

    assert page.keys() == {"items", "nextSyncToken"}
    assert page["items"][0].keys() == {"id", "start"}
