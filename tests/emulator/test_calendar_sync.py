"""Lists of events and what changed since: the rules of Google's sync tokens."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, HOUR, WEEKLY, Diary, Google


async def test_the_sync_token_stands_only_on_the_last_page(diary: Diary) -> None:
    for number in range(5):
        await diary.insert(summary=f"Meeting {number}")

    first = await diary.get("calendars/primary/events", maxResults=3)
    last = await diary.get(
        "calendars/primary/events", maxResults=3, pageToken=first["nextPageToken"]
    )

    assert (len(first["items"]), len(last["items"])) == (3, 2)
    assert "nextSyncToken" not in first
    assert "nextPageToken" not in last
    assert last["nextSyncToken"]


async def test_a_sync_token_brings_what_changed_and_nothing_else(diary: Diary) -> None:
    kept, changed, gone = [await diary.insert(summary=name) for name in ("kept", "one", "two")]
    token = await diary.sync_token()

    await diary.patch(changed["id"], {"summary": "changed"})
    await diary.delete(gone["id"])
    found = await diary.changes(token)

    assert [(e["id"], e["status"]) for e in found] == [
        (changed["id"], "confirmed"),
        (gone["id"], "cancelled"),
    ]
    assert kept["id"] not in {event["id"] for event in found}


async def test_a_sync_without_changes_is_empty_and_gives_a_token(diary: Diary) -> None:
    token = await diary.sync_token()

    page = await diary.events(syncToken=token)

    assert page["items"] == []
    assert page["nextSyncToken"]


async def test_changes_come_in_pages_and_a_change_meanwhile_is_not_lost(diary: Diary) -> None:
    token = await diary.sync_token()
    made = [await diary.insert(summary=f"{n}") for n in range(5)]
    first = await diary.get("calendars/primary/events", syncToken=token, maxResults=2)

    await diary.patch(made[0]["id"], {"summary": "again"})
    rest = await diary.events(syncToken=token, maxResults=2, pageToken=first["nextPageToken"])

    seen = [event["id"] for event in [*first["items"], *rest["items"]]]
    assert set(seen) == {event["id"] for event in made}
    assert rest["items"][-1]["summary"] == "again"
    assert await diary.changes(rest["nextSyncToken"]) == []


async def test_what_changes_between_the_pages_of_a_full_list_follows(diary: Diary) -> None:
    made = [await diary.insert(summary=f"{n}") for n in range(4)]
    first = await diary.get("calendars/primary/events", maxResults=2)

    await diary.patch(made[0]["id"], {"summary": "changed meanwhile"})
    await diary.delete(made[1]["id"])
    last = await diary.get(
        "calendars/primary/events", maxResults=2, pageToken=first["nextPageToken"]
    )
    found = await diary.changes(last["nextSyncToken"])

    assert {event["id"] for event in found} == {made[0]["id"], made[1]["id"]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iCalUID", "x@google.com"),
        ("orderBy", "updated"),
        ("privateExtendedProperty", "a=b"),
        ("sharedExtendedProperty", "a=b"),
        ("q", "x"),
        ("timeMin", "2026-01-01T00:00:00Z"),
        ("timeMax", "2026-01-01T00:00:00Z"),
        ("updatedMin", "2026-01-01T00:00:00Z"),
        ("showDeleted", "false"),
    ],
)
async def test_some_parameters_exclude_a_sync_token(diary: Diary, name: str, value: str) -> None:
    token = await diary.sync_token()
    params = {"syncToken": token, name: value}

    answer = await diary.call("GET", "calendars/primary/events", params=params)

    assert answer.status == 400
    assert answer.json["error"]["errors"][0]["location"] == name
    assert "status" not in answer.json["error"]


async def test_the_other_parameters_must_stay_the_same(diary: Diary) -> None:
    token = await diary.sync_token(maxAttendees=3)

    other = await diary.call(
        "GET", "calendars/primary/events", params={"syncToken": token, "maxAttendees": "4"}
    )

    assert other.status == 400
    assert await diary.changes(token, maxAttendees=3, maxResults=10) == []


@pytest.mark.parametrize(
    "params",
    [
        {"orderBy": "updated"},
        {"orderBy": "startTime", "singleEvents": "true"},
        {"q": "x"},
        {"iCalUID": "x"},
    ],
)
async def test_some_first_queries_bring_no_sync_token(diary: Diary, params: Any) -> None:
    page = await diary.get("calendars/primary/events", **params)

    assert "nextSyncToken" not in page


async def test_a_first_query_may_be_bounded_by_time(diary: Diary) -> None:
    await diary.insert(summary="old")
    token = await diary.sync_token(timeMin="2026-06-01T00:00:00Z")

    await diary.insert(summary="new")

    assert [event["summary"] for event in await diary.changes(token)] == ["new"]


@pytest.mark.parametrize("token", ["nonsense", "WyJzIl0", "", "äöü", "1" * 5000])
async def test_an_unknown_sync_token_asks_for_a_full_sync(diary: Diary, token: str) -> None:
    answer = await diary.call("GET", "calendars/primary/events", params={"syncToken": token})

    assert answer.status == 410
    assert answer.json == {
        "error": {
            "code": 410,
            "message": "Sync token is no longer valid, a full sync is required.",
            "errors": [
                {
                    "message": "Sync token is no longer valid, a full sync is required.",
                    "domain": "calendar",
                    "reason": "fullSyncRequired",
                    "locationType": "parameter",
                    "location": "syncToken",
                }
            ],
        }
    }


async def test_sync_tokens_can_be_expired(google: Google, diary: Diary) -> None:
    token = await diary.sync_token()
    await google.control("POST", f"people/{ALICE}/sync-tokens", {"action": "expire"})

    answer = await diary.call("GET", "calendars/primary/events", params={"syncToken": token})

    assert (answer.status, answer.reason) == (410, "fullSyncRequired")
    assert await diary.changes(await diary.sync_token()) == []


async def test_sync_tokens_age(google: Google, diary: Diary) -> None:
    token = await diary.sync_token()
    await google.control("PUT", "settings", {"sync_token_ttl_s": 60, "access_token_ttl_s": 9999})
    await google.control("PUT", "clock", {"offset_s": 61})

    answer = await diary.call("GET", "calendars/primary/events", params={"syncToken": token})

    assert (answer.status, answer.reason) == (410, "fullSyncRequired")


async def test_a_token_of_another_calendar_is_none(google: Google, diary: Diary) -> None:
    bob = await google.diary(email=BOB)
    token = await bob.sync_token()

    answer = await diary.call("GET", "calendars/primary/events", params={"syncToken": token})

    assert (answer.status, answer.reason) == (410, "fullSyncRequired")


async def test_changes_too_long_ago_are_not_known(diary: Diary) -> None:
    answer = await diary.call(
        "GET", "calendars/primary/events", params={"updatedMin": "2020-01-01T00:00:00Z"}
    )

    assert (answer.status, answer.reason) == (410, "updatedMinTooLongAgo")
    assert answer.json["error"]["errors"][0]["domain"] == "calendar"


async def test_a_lower_bound_of_changes_brings_deletions_too(diary: Diary) -> None:
    gone = await diary.insert()
    await diary.delete(gone["id"])

    found = await diary.events(updatedMin=gone["updated"])

    assert [event["status"] for event in found["items"]] == ["cancelled"]


async def test_a_page_token_of_another_query_is_refused(diary: Diary) -> None:
    for _ in range(3):
        await diary.insert()
    page = await diary.get("calendars/primary/events", maxResults=1)
    params = {"pageToken": page["nextPageToken"], "q": "x"}

    answer = await diary.call("GET", "calendars/primary/events", params=params)

    assert (answer.status, answer.reason) == (400, "invalid")


async def test_pages_hold_at_most_2500_and_250_unless_asked(google: Google, diary: Diary) -> None:
    made = {"event": HOUR, "count": 2600}
    await google.control("POST", f"people/{ALICE}/events", made)

    plain = await diary.get("calendars/primary/events")
    most = await diary.get("calendars/primary/events", maxResults=9999)
    none = await diary.call("GET", "calendars/primary/events", params={"maxResults": "0"})

    assert (len(plain["items"]), len(most["items"]), none.status) == (250, 2500, 400)


@pytest.mark.parametrize("pages", ["short", "empty"])
async def test_pages_may_come_short_or_empty(google: Google, diary: Diary, pages: str) -> None:
    made = [(await diary.insert())["id"] for _ in range(5)]
    await google.control("PUT", "settings", {"calendar_pages": pages})

    first = await diary.get("calendars/primary/events", maxResults=4)
    everything = await diary.events(maxResults=4)
    changes = await diary.changes(everything["nextSyncToken"])

    assert len(first["items"]) == {"short": 2, "empty": 0}[pages]
    assert [event["id"] for event in everything["items"]] == made
    assert changes == []


async def test_deleted_events_are_listed_on_request(diary: Diary) -> None:
    gone = await diary.insert()
    await diary.delete(gone["id"])

    assert (await diary.events())["items"] == []
    found = (await diary.events(showDeleted=True))["items"]
    assert [(event["id"], event["status"]) for event in found] == [(gone["id"], "cancelled")]


async def test_bare_cancellations_hold_what_is_guaranteed(google: Google, diary: Diary) -> None:
    gone = await diary.insert()
    token = await diary.sync_token()
    await google.control("PUT", "settings", {"bare_cancellations": True})
    await diary.delete(gone["id"])

    (event,) = await diary.changes(token)

    assert event.keys() == {"kind", "etag", "id", "status"}


async def test_singles_of_a_sync_are_instances(diary: Diary) -> None:
    token = await diary.sync_token(singleEvents=True)
    await diary.insert(**WEEKLY)

    found = await diary.changes(token, singleEvents=True)

    assert len(found) == 10
    assert all("recurringEventId" in event for event in found)


async def test_a_changed_role_ends_the_sync(google: Google) -> None:
    bob = await google.diary(email=BOB)
    own = await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})
    path = f"people/{ALICE}/calendars/{own['id']}/sharing"
    await google.control("POST", path, {"person": BOB, "role": "reader"})
    token = (await bob.events(own["id"]))["nextSyncToken"]
    await google.control("POST", path, {"person": BOB, "role": "writer"})

    answer = await bob.call("GET", f"calendars/{own['id']}/events", params={"syncToken": token})

    assert (answer.status, answer.reason) == (410, "fullSyncRequired")
