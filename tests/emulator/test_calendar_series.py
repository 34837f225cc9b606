"""Events that recur: their instances, exceptions and ends."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, WEEKLY, Diary, Google

EVENTS = "calendars/primary/events"
SECOND = "20260309T080000Z"


async def starts(diary: Diary, event_id: str, **params: Any) -> list[str]:
    page = await diary.get(f"{EVENTS}/{event_id}/instances", **params)
    return [one["start"].get("dateTime") or one["start"]["date"] for one in page["items"]]


async def test_a_list_holds_the_series_or_its_instances(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)

    plain = (await diary.events())["items"]
    singles = (await diary.events(singleEvents=True))["items"]

    assert [event["id"] for event in plain] == [made["id"]]
    assert plain[0]["recurrence"] == WEEKLY["recurrence"]
    assert len(singles) == 10
    assert singles[1]["id"] == f"{made['id']}_{SECOND}"
    assert singles[1]["recurringEventId"] == made["id"]
    assert "recurrence" not in singles[1]
    assert singles[1]["iCalUID"] == made["iCalUID"]
    assert singles[1]["originalStartTime"] == singles[1]["start"]


async def test_instances_follow_the_clock_of_their_zone(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)

    found = await starts(diary, made["id"], timeZone="Europe/Zurich")

    assert found[3:5] == ["2026-03-23T09:00:00+01:00", "2026-03-30T09:00:00+02:00"]


async def test_an_instance_is_found_by_its_id_alone(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)

    second = await diary.event(f"{made['id']}_{SECOND}")
    never = await diary.call("GET", f"{EVENTS}/{made['id']}_20260310T080000Z")

    assert second["start"]["dateTime"] == "2026-03-09T08:00:00Z"
    assert never.status == 404


async def test_a_changed_instance_is_an_exception_of_its_series(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    token = await diary.sync_token()
    instance_id = f"{made['id']}_{SECOND}"

    moved = await diary.patch(
        instance_id,
        {
            "start": {"dateTime": "2026-03-10T08:00:00Z"},
            "end": {"dateTime": "2026-03-10T09:00:00Z"},
        },
    )

    assert moved["id"] == instance_id
    assert moved["originalStartTime"]["dateTime"] == "2026-03-09T08:00:00Z"
    assert [event["id"] for event in await diary.changes(token)] == [instance_id]
    assert [event["id"] for event in (await diary.events())["items"]] == [made["id"], instance_id]
    found = await starts(diary, made["id"])
    assert len(found) == 10
    assert "2026-03-10T08:00:00Z" in found
    assert "2026-03-09T08:00:00Z" not in found


async def test_a_deleted_instance_leaves_a_cancelled_exception(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    token = await diary.sync_token()
    instance_id = f"{made['id']}_{SECOND}"

    await diary.delete(instance_id)
    (event,) = await diary.changes(token)
    again = await diary.call("DELETE", f"{EVENTS}/{instance_id}")

    assert event == {
        "kind": "calendar#event",
        "etag": event["etag"],
        "id": instance_id,
        "status": "cancelled",
        "recurringEventId": made["id"],
        "originalStartTime": {"dateTime": "2026-03-09T08:00:00Z", "timeZone": "Europe/Zurich"},
    }
    assert again.status == 410
    listed = (await diary.events())["items"]
    assert [one["id"] for one in listed] == [made["id"], instance_id]
    assert len((await diary.events(singleEvents=True))["items"]) == 9
    assert len(await starts(diary, made["id"])) == 9


async def test_deleting_a_series_takes_its_exceptions_along(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    instance_id = f"{made['id']}_{SECOND}"
    await diary.patch(instance_id, {"summary": "Special"})
    token = await diary.sync_token()

    await diary.delete(made["id"])

    found = {event["id"]: event["status"] for event in await diary.changes(token)}
    assert found == {made["id"]: "cancelled", instance_id: "cancelled"}
    assert (await diary.events())["items"] == []


async def test_a_shortened_series_drops_its_later_exceptions(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    early, late = f"{made['id']}_{SECOND}", f"{made['id']}_20260330T070000Z"
    for instance_id in (early, late):
        await diary.patch(instance_id, {"summary": "Special"})
    token = await diary.sync_token()

    await diary.patch(made["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;UNTIL=20260315T235959Z"]})

    found = {event["id"]: event["status"] for event in await diary.changes(token)}
    assert found == {made["id"]: "confirmed", late: "cancelled"}
    assert [event["id"] for event in (await diary.events())["items"]] == [made["id"], early]
    assert len(await starts(diary, made["id"])) == 2
    longer = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"]}
    await diary.patch(made["id"], longer)
    assert (await diary.event(late))["status"] == "confirmed"
    assert len(await starts(diary, made["id"])) == 10


async def test_a_series_that_moves_loses_its_exceptions(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    await diary.patch(f"{made['id']}_{SECOND}", {"summary": "Special"})

    await diary.patch(
        made["id"],
        {
            "start": {"dateTime": "2026-03-02T11:00:00", "timeZone": "Europe/Zurich"},
            "end": {"dateTime": "2026-03-02T12:00:00", "timeZone": "Europe/Zurich"},
        },
    )

    found = (await diary.events(singleEvents=True))["items"]
    assert {event["summary"] for event in found} == {"Weekly"}
    assert found[0]["start"]["dateTime"] == "2026-03-02T10:00:00Z"


async def test_a_series_of_days_has_ids_of_days(diary: Diary) -> None:
    made = await diary.insert(
        start={"date": "2026-03-02"},
        end={"date": "2026-03-04"},
        recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"],
    )

    found = (await diary.events(singleEvents=True))["items"]

    assert [event["id"] for event in found] == [f"{made['id']}_20260302", f"{made['id']}_20260309"]
    assert found[1]["end"] == {"date": "2026-03-11"}
    assert found[1]["originalStartTime"] == {"date": "2026-03-09"}


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        (["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Europe/Zurich:20260303T090000"], [2, 4]),
        (["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260303T080000Z"], [2, 4]),
        (["RRULE:FREQ=DAILY;COUNT=2", "RDATE;TZID=Europe/Zurich:20260320T090000"], [2, 3, 20]),
        (["RDATE:20260305T080000Z,20260306T080000Z"], [2, 5, 6]),
        (["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"], [3, 5]),
        (["RRULE:FREQ=DAILY;UNTIL=20260304"], [2, 3, 4]),
        (["RRULE:FREQ=DAILY;UNTIL=20260304T080000Z"], [2, 3, 4]),
        (["RRULE:FREQ=DAILY;UNTIL=20260304T075959Z"], [2, 3]),
        (["rrule:freq=daily;count=2"], [2, 3]),
    ],
)
async def test_lines_make_the_occurrences_they_say(
    diary: Diary, lines: list[str], days: list[int]
) -> None:
    made = await diary.insert(**{**WEEKLY, "recurrence": lines})

    found = await starts(diary, made["id"])

    assert [int(start[8:10]) for start in found] == days


async def test_an_endless_series_is_expanded_for_two_years(diary: Diary) -> None:
    made = await diary.insert(**{**WEEKLY, "recurrence": ["RRULE:FREQ=WEEKLY"]})

    bounded = await starts(diary, made["id"], timeMax="2026-04-01T00:00:00Z")
    endless = await diary.events(singleEvents=True)

    assert len(bounded) == 5
    assert 50 < len(endless["items"]) < 160
    assert endless["nextSyncToken"]


async def test_instances_come_in_pages_and_by_their_original_start(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    path = f"{EVENTS}/{made['id']}/instances"

    first = await diary.get(path, maxResults=4)
    second = await diary.get(path, maxResults=4, pageToken=first["nextPageToken"])
    one = await diary.get(path, originalStart="2026-03-09T09:00:00+01:00")

    assert [len(page["items"]) for page in (first, second, one)] == [4, 4, 1]
    assert one["items"][0]["id"].endswith(SECOND)
    assert "nextSyncToken" not in second


async def test_instances_in_order_page_through_several_series(diary: Diary) -> None:
    for hour in (15, 9):
        zone = {"timeZone": "UTC"}
        await diary.insert(
            start={"dateTime": f"2026-03-02T{hour:02}:00:00", **zone},
            end={"dateTime": f"2026-03-02T{hour + 1:02}:00:00", **zone},
            recurrence=["RRULE:FREQ=DAILY;COUNT=3"],
        )

    found = await diary.events(singleEvents=True, orderBy="startTime", maxResults=2)
    plain = await diary.events(singleEvents=True, maxResults=2)

    times = [event["start"]["dateTime"] for event in found["items"]]
    assert len(times) == 6
    assert times == sorted(times)
    assert {event["id"] for event in plain["items"]} == {event["id"] for event in found["items"]}
    assert len(plain["items"]) == 6


async def test_a_series_is_found_by_the_time_of_any_instance(diary: Diary) -> None:
    await diary.insert(**WEEKLY)

    async def found(**params: Any) -> int:
        return len((await diary.events(**params))["items"])

    assert await found(timeMin="2026-05-04T07:30:00Z") == 1
    assert await found(timeMin="2026-05-04T08:00:00Z") == 0
    assert await found(timeMax="2026-03-02T08:00:00Z") == 0


async def test_an_instance_has_no_recurrence_of_its_own(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)

    answer = await diary.call(
        "PATCH", f"{EVENTS}/{made['id']}_{SECOND}", json={"recurrence": WEEKLY["recurrence"]}
    )

    assert (answer.status, answer.reason) == (400, "invalid")


async def test_a_deleted_series_leaves_half_a_year_of_cancelled_instances(
    google: Google, diary: Diary
) -> None:
    made = await diary.insert(**{**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY"]})
    token = await diary.sync_token(singleEvents=True)
    await google.control("PUT", "clock", {"offset_s": 0})

    await diary.delete(made["id"])
    found = await diary.changes(token, singleEvents=True)

    assert {event["status"] for event in found} == {"cancelled"}
    assert 1 < len(found) <= 185


async def test_this_and_following_is_two_series(google: Google, diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    token = await diary.sync_token()
    edit = {
        "event": f"{made['id']}_20260323T080000Z",
        "action": "change",
        "scope": "following",
        "changes": {"summary": "Renamed"},
    }

    await google.control("POST", f"people/{ALICE}/event-edits", edit)
    ended, begun = await diary.changes(token)

    assert ended["id"] == made["id"]
    assert ended["recurrence"] == ["RRULE:FREQ=WEEKLY;UNTIL=20260323T075959Z"]
    assert begun["id"] == f"{made['id']}_R20260323T080000"
    assert begun["iCalUID"] == f"{made['id']}_R20260323T080000@google.com"
    assert begun["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=7"]
    assert begun["summary"] == "Renamed"
    assert len(await starts(diary, ended["id"])) == 3
    assert len(await starts(diary, begun["id"])) == 7


async def test_deleting_this_and_following_ends_the_series(google: Google, diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    edit = {"event": f"{made['id']}_{SECOND}", "action": "delete", "scope": "following"}

    await google.control("POST", f"people/{ALICE}/event-edits", edit)

    assert len(await starts(diary, made["id"])) == 1


async def test_dragging_one_instance_can_move_the_series(google: Google, diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    edit = {
        "event": f"{made['id']}_{SECOND}",
        "action": "drag",
        "scope": "series",
        "start": {"dateTime": "2026-03-09T12:00:00+01:00"},
    }

    await google.control("POST", f"people/{ALICE}/event-edits", edit)

    found = await starts(diary, made["id"])
    assert found[:2] == ["2026-03-02T11:00:00Z", "2026-03-09T11:00:00Z"]
    assert len(found) == 10


async def test_words_are_looked_for_in_instances_and_exceptions(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    instance_id = f"{made['id']}_{SECOND}"
    await diary.patch(instance_id, {"summary": "Special"})

    special = await diary.events(singleEvents=True, q="special")
    weekly = await diary.events(singleEvents=True, q="weekly")

    assert [event["id"] for event in special["items"]] == [instance_id]
    assert len(weekly["items"]) == 9


async def test_a_sync_of_singles_names_a_changed_instance_once(diary: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    token = await diary.sync_token(singleEvents=True)
    instance_id = f"{made['id']}_{SECOND}"
    await diary.patch(instance_id, {"summary": "Special"})
    await diary.patch(made["id"], {"location": "Bern"})

    found = [event["id"] for event in await diary.changes(token, singleEvents=True)]

    assert len(found) == len(set(found)) == 10
