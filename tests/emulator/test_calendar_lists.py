"""Calendars, the lists they are on, who may do what with them, and when people are busy."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, CALENDAR, HOUR, WEEKLY, Diary, Google, Json

LIST = "users/me/calendarList"


async def team(google: Google, role: str | None = None, *, on_list: bool = True) -> str:
    """A calendar of Alice's, shared with Bob if there is a role."""
    made = await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})
    if role is not None:
        await google.control("POST", "people", {"email": BOB})
        path = f"people/{ALICE}/calendars/{made['id']}/sharing"
        await google.control("POST", path, {"person": BOB, "role": role, "on_list": on_list})
    return str(made["id"])


async def test_everybody_has_a_calendar_of_their_own(google: Google, diary: Diary) -> None:
    await google.control("PATCH", f"people/{ALICE}", {"time_zone": "Europe/Zurich"})

    (entry,) = (await diary.get(LIST))["items"]

    assert entry["id"] == ALICE
    assert (entry["primary"], entry["accessRole"], entry["selected"]) == (True, "owner", True)
    assert entry["timeZone"] == "Europe/Zurich"
    assert (await diary.get("calendars/primary"))["id"] == ALICE
    setting = await diary.get("users/me/settings/timezone")
    assert setting["value"] == "Europe/Zurich"


async def test_a_person_can_be_created_with_a_zone(google: Google) -> None:
    carol = "carol@example.com"
    await google.control("POST", "people", {"email": carol, "time_zone": "Asia/Tokyo"})

    diary = await google.diary(email=carol)

    assert (await diary.get("calendars/primary"))["timeZone"] == "Asia/Tokyo"


async def test_a_calendar_is_made_changed_and_deleted(diary: Diary) -> None:
    made = await diary.send("POST", "calendars", {"summary": "Team", "timeZone": "Europe/Zurich"})
    path = f"calendars/{made['id']}"
    named = await diary.send("PATCH", path, {"description": "Ours"})
    replaced = await diary.send("PUT", path, {"summary": "New"})
    token = (await diary.get(LIST))["nextSyncToken"]
    await diary.send("DELETE", path)

    assert made["id"].endswith("@group.calendar.google.com")
    assert made["dataOwner"] == ALICE
    assert (named["description"], named["timeZone"]) == ("Ours", "Europe/Zurich")
    assert "description" not in replaced
    (gone,) = (await diary.get(LIST, syncToken=token))["items"]
    assert (gone["id"], gone["deleted"]) == (made["id"], True)
    assert (await diary.call("GET", f"{path}/events")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "calendars", {}, 400),
        ("POST", "calendars", {"summary": "x", "timeZone": "Mars/Base"}, 400),
        ("DELETE", "calendars/primary", None, 403),
        ("DELETE", f"{LIST}/primary", None, 403),
        ("GET", "calendars/nobody@example.com", None, 404),
        ("GET", f"{LIST}/nobody@example.com", None, 404),
        ("POST", LIST, {"id": "nobody@example.com"}, 404),
        ("POST", LIST, {}, 400),
        ("GET", "users/me/settings/mood", None, 404),
    ],
)
async def test_what_cannot_be_done_to_calendars_is_refused(
    diary: Diary, method: str, path: str, body: Any, status: int
) -> None:
    assert (await diary.call(method, path, json=body)).status == status


async def test_a_cleared_calendar_is_empty(google: Google, diary: Diary) -> None:
    await diary.insert()
    await diary.insert(**WEEKLY)
    other = await team(google)

    await diary.send("POST", "calendars/primary/clear")

    assert (await diary.events())["items"] == []
    assert (await diary.call("POST", f"calendars/{other}/clear")).status == 400


async def test_the_list_remembers_what_a_person_wants(google: Google, diary: Diary) -> None:
    path = f"{LIST}/{await team(google)}"

    renamed = await diary.send("PATCH", path, {"summaryOverride": "Us", "selected": False})
    back = await diary.send("PATCH", path, {"summaryOverride": None})
    stale = await diary.call("PATCH", path, json={}, headers={"If-Match": renamed["etag"]})
    known = await diary.call("GET", path, headers={"If-None-Match": back["etag"]})

    assert renamed["summaryOverride"] == "Us"
    assert "selected" not in renamed
    assert "summaryOverride" not in back
    assert (stale.status, known.status) == (412, 304)


async def test_hidden_and_deleted_entries_come_on_request(google: Google, diary: Diary) -> None:
    hidden, gone = await team(google), await team(google)
    await diary.send("PATCH", f"{LIST}/{hidden}", {"hidden": True})
    await diary.send("DELETE", f"calendars/{gone}")

    async def ids(**params: Any) -> set[str]:
        return {one["id"] for one in (await diary.get(LIST, **params))["items"]}

    assert await ids() == {ALICE}
    assert await ids(showHidden=True) == {ALICE, hidden}
    assert await ids(showDeleted=True, showHidden=True) == {ALICE, hidden, gone}


async def test_the_list_is_followed_by_a_sync_token(google: Google, diary: Diary) -> None:
    token = (await diary.get(LIST))["nextSyncToken"]
    made = await team(google)
    await diary.send("PATCH", f"{LIST}/{made}", {"hidden": True})

    page = await diary.get(LIST, syncToken=token)
    later = await diary.get(LIST, syncToken=page["nextSyncToken"])

    assert [(one["id"], one["hidden"]) for one in page["items"]] == [(made, True)]
    assert later["items"] == []


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"syncToken": "nonsense"}, 410),
        ({"minAccessRole": "owner"}, 400),
        ({"showHidden": "false"}, 400),
        ({"showDeleted": "false"}, 400),
    ],
)
async def test_the_lists_tokens_have_rules_too(diary: Diary, params: Any, status: int) -> None:
    token = (await diary.get(LIST))["nextSyncToken"]

    answer = await diary.call("GET", LIST, params={"syncToken": token, **params})

    assert answer.status == status


async def test_the_list_comes_in_pages(google: Google, diary: Diary) -> None:
    made = [await team(google) for _ in range(4)]

    first = await diary.get(LIST, maxResults=3)
    second = await diary.get(LIST, maxResults=3, pageToken=first["nextPageToken"])

    found = [one["id"] for one in [*first["items"], *second["items"]]]
    assert found == [ALICE, *made]
    assert "nextSyncToken" not in first
    assert second["nextSyncToken"]


async def test_a_shared_calendar_comes_onto_the_list(google: Google) -> None:
    shared = await team(google, "reader")
    bob = await google.diary(email=BOB)

    entries = {one["id"]: one for one in (await bob.get(LIST))["items"]}
    owned = await bob.get(LIST, minAccessRole="owner")

    assert (entries[shared]["accessRole"], entries[shared]["dataOwner"]) == ("reader", ALICE)
    assert [one["id"] for one in owned["items"]] == [BOB]


async def test_a_shared_calendar_can_be_added_and_taken_off(google: Google) -> None:
    shared = await team(google, "reader", on_list=False)
    bob = await google.diary(email=BOB)
    before = await bob.call("GET", f"{LIST}/{shared}")

    added = await bob.send("POST", LIST, {"id": shared, "selected": True})
    await bob.send("DELETE", f"{LIST}/{shared}")

    assert before.status == 404
    assert (added["id"], added["selected"]) == (shared, True)
    assert (await bob.call("GET", f"{LIST}/{shared}")).status == 404


async def test_what_is_shared_no_more_is_not_found(google: Google) -> None:
    shared = await team(google, "writer")
    bob = await google.diary(email=BOB)
    await bob.insert(shared)
    token = (await bob.get(LIST))["nextSyncToken"]

    path = f"people/{ALICE}/calendars/{shared}/sharing"
    await google.control("POST", path, {"person": BOB, "role": "none"})

    assert (await bob.call("GET", f"calendars/{shared}/events")).status == 404
    (gone,) = (await bob.get(LIST, syncToken=token))["items"]
    assert (gone["id"], gone["deleted"]) == (shared, True)


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [("freeBusyReader", 403, 403), ("reader", 200, 403), ("writer", 200, 200)],
)
async def test_roles_bound_what_people_do(
    google: Google, role: str, reads: int, writes: int
) -> None:
    shared = await team(google, role)
    bob = await google.diary(email=BOB)

    metadata = await bob.call("GET", f"calendars/{shared}")
    insert = await bob.call("POST", f"calendars/{shared}/events", json=HOUR)
    delete = await bob.call("DELETE", f"calendars/{shared}")

    assert (metadata.status, insert.status, delete.status) == (reads, writes, 403)
    assert delete.reason == "requiredAccessLevel"


async def test_free_busy_readers_see_times_only(google: Google, diary: Diary) -> None:
    shared = await team(google, "freeBusyReader")
    await diary.insert(shared, summary="Secret")
    await diary.insert(shared, **{**WEEKLY, "summary": "Secret"})
    bob = await google.diary(email=BOB)

    page = await bob.events(shared)

    assert page["accessRole"] == "freeBusyReader"
    assert len(page["items"]) == 11
    assert all("start" in event and "summary" not in event for event in page["items"])
    assert (await bob.events(shared, q="Secret"))["items"] == []


async def test_readers_do_not_see_private_events(google: Google, diary: Diary) -> None:
    shared = await team(google, "reader")
    await diary.insert(shared, summary="Open")
    await diary.insert(shared, summary="Secret", visibility="private")
    bob = await google.diary(email=BOB)

    found = (await bob.events(shared))["items"]

    assert [event.get("summary") for event in found] == ["Open", None]


async def test_nobody_sees_another_persons_calendar(google: Google, diary: Diary) -> None:
    await google.control("POST", "people", {"email": BOB})

    answer = await diary.call("GET", f"calendars/{BOB}/events")

    assert (answer.status, answer.reason) == (404, "notFound")


@pytest.mark.parametrize(
    ("scope", "list_status", "insert_status", "calendars_status"),
    [
        ("", 200, 200, 200),
        (".events", 200, 200, 403),
        (".events.readonly", 200, 403, 403),
        (".readonly", 200, 403, 200),
        (".events.owned", 200, 200, 403),
        (".events.owned.readonly", 200, 403, 403),
        (".events.freebusy", 200, 403, 403),
        (".freebusy", 403, 403, 403),
        (".calendarlist.readonly", 403, 403, 200),
    ],
)
async def test_scopes_bound_what_clients_do(
    google: Google, scope: str, list_status: int, insert_status: int, calendars_status: int
) -> None:
    diary = await google.diary(f"{CALENDAR}{scope}")

    listed = await diary.call("GET", "calendars/primary/events")
    made = await diary.call("POST", "calendars/primary/events", json=HOUR)
    calendars = await diary.call("GET", LIST)

    assert [one.status for one in (listed, made, calendars)] == [
        list_status,
        insert_status,
        calendars_status,
    ]


async def test_owned_scopes_reach_no_calendar_of_others(google: Google) -> None:
    shared = await team(google, "writer")
    bob = await google.diary(f"{CALENDAR}.events.owned", email=BOB)

    assert (await bob.call("GET", f"calendars/{shared}/events")).status == 404


async def test_an_apps_own_calendars_are_all_that_its_scope_reaches(google: Google) -> None:
    diary = await google.diary(f"{CALENDAR}.app.created")

    made = await diary.send("POST", "calendars", {"summary": "App"})

    await diary.insert(made["id"])
    assert (await diary.call("GET", "calendars/primary/events")).status == 404


async def test_busy_times_are_merged_and_leave_out_what_does_not_block(
    google: Google, diary: Diary
) -> None:
    def at(start: str, end: str) -> Json:
        day = "2026-03-02T"
        return {
            "start": {"dateTime": f"{day}{start}:00Z"},
            "end": {"dateTime": f"{day}{end}:00Z"},
        }

    await diary.insert(**at("09:00", "10:00"))
    await diary.insert(**at("09:30", "11:00"))
    await diary.insert(**at("12:00", "13:00"), transparency="transparent")
    declined = [{"email": ALICE, "responseStatus": "declined"}]
    await diary.insert(**at("13:00", "14:00"), attendees=declined)
    gone = await diary.insert(**at("14:00", "15:00"))
    await diary.delete(gone["id"])
    twice = {**WEEKLY, **at("16:00", "17:00"), "recurrence": ["RDATE:20260302T180000Z"]}
    twice["start"]["timeZone"] = "UTC"
    await diary.insert(**twice)
    query = {
        "timeMin": "2026-03-02T09:15:00Z",
        "timeMax": "2026-03-02T20:00:00Z",
        "items": [{"id": "primary"}, {"id": BOB}],
    }

    found = (await diary.send("POST", "freeBusy", query))["calendars"]

    spans = [(span["start"][11:16], span["end"][11:16]) for span in found["primary"]["busy"]]
    assert spans == [("09:15", "11:00"), ("16:00", "17:00"), ("18:00", "19:00")]
    assert found[BOB]["errors"] == [{"domain": "global", "reason": "notFound"}]
    free = await google.diary(f"{CALENDAR}.freebusy")
    assert await free.send("POST", "freeBusy", {**query, "timeZone": "Europe/Zurich"})


@pytest.mark.parametrize(
    "change",
    [
        {"timeMin": "2026-03-03T00:00:00Z"},
        {"timeMin": "today"},
        {"timeZone": "Mars/Base"},
        {"timeMax": None},
        {"items": [{"id": f"c{n}"} for n in range(51)]},
    ],
)
async def test_impossible_questions_of_busy_times_are_refused(diary: Diary, change: Json) -> None:
    query = {"timeMin": "2026-03-01T00:00:00Z", "timeMax": "2026-03-02T00:00:00Z", **change}

    assert (await diary.call("POST", "freeBusy", json=query)).status == 400


async def test_settings_are_listed(diary: Diary) -> None:
    found = (await diary.get("users/me/settings"))["items"]

    assert {"timezone", "locale", "weekStart"} <= {one["id"] for one in found}
