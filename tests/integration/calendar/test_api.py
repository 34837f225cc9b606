"""What callers read: windows, pages, bad questions, other people's things."""

from typing import Any

import pytest

from services.calendar.sync import showing
from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

WINDOW = "from=2027-03-01T00:00:00Z&to=2027-05-01T00:00:00Z"


def on(day: str, start: str = "09:00", end: str = "10:00", **more: Any) -> Json:
    return {
        "start": {"dateTime": f"{day}T{start}:00Z"},
        "end": {"dateTime": f"{day}T{end}:00Z"},
        **more,
    }


async def in_spring(calendar: Stand, *events: Json) -> list[str]:
    """Connect, let events happen, and wait for them; return Google's ids."""
    await calendar.connect()
    ids = [(await calendar.happens(one))["id"] for one in events]
    for one in ids:
        await calendar.told(one, "created")
    return [str(one) for one in ids]


async def test_events_come_in_pages_by_time_each_once(calendar: Stand) -> None:
    weekly = on(
        "2027-03-01",
        summary="Weekly",
        recurrence=["RRULE:FREQ=WEEKLY;COUNT=5"],
    )
    weekly["start"]["timeZone"] = weekly["end"]["timeZone"] = "UTC"
    await in_spring(
        calendar,
        weekly,
        on("2027-03-08", summary="At the same time"),
        on("2027-03-10", summary="Between"),
    )
    seen: list[Json] = []
    query = f"{WINDOW}&limit=2"
    while True:
        page = await calendar.get(f"/v1/calendar/events?{query}")
        assert len(page["items"]) <= 2
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        query = f"{WINDOW}&limit=2&cursor={page['next_cursor']}"
    assert len({one["id"] for one in seen}) == len(seen) == 7
    starts = [one["starts_at"] for one in seen]
    assert starts == sorted(starts)


async def test_a_window_has_what_overlaps_it_and_not_what_touches_it(calendar: Stand) -> None:
    await in_spring(
        calendar,
        on("2027-03-10", "09:00", "10:00", summary="Before"),
        on("2027-03-10", "09:30", "10:30", summary="Into"),
        on("2027-03-10", "10:15", "10:45", summary="Within"),
        on("2027-03-10", "11:00", "12:00", summary="After"),
    )
    query = "?from=2027-03-10T10:00:00Z&to=2027-03-10T11:00:00Z"
    assert [one["title"] for one in await calendar.listed(query)] == ["Into", "Within"]
    zoned = "?from=2027-03-10T11:00:00%2B01:00&to=2027-03-10T12:00:00%2B01:00"
    assert [one["title"] for one in await calendar.listed(zoned)] == ["Into", "Within"]


async def test_an_event_says_all_that_is_known_of_it(calendar: Stand) -> None:
    (google_id,) = await in_spring(
        calendar,
        on(
            "2027-03-10",
            summary="Review",
            description="All of it",
            location="Room 1",
            attendees=[{"email": "eve@elsewhere.example", "displayName": "Eve"}],
        ),
    )
    (listed,) = await calendar.listed(f"?{WINDOW}")
    one = await calendar.get(f"/v1/calendar/events/{listed['id']}")
    assert one == listed
    assert one["title"] == "Review"
    assert one["description"] == "All of it"
    assert one["location"] == "Room 1"
    (guest,) = [found for found in one["attendees"] if not found["organizer"]]
    assert (guest["email"], guest["name"], guest["response"]) == (
        "eve@elsewhere.example",
        "Eve",
        "needsAction",
    )
    assert one["html_link"].startswith("http")
    assert one["copies"][0]["google_event_id"] == google_id
    answer = await calendar.call("GET", f"/v1/calendar/events/{listed['id']}")
    assert answer.headers["ETag"] == one["etag"]


async def test_events_are_chosen_by_calendar_and_connection(calendar: Stand) -> None:
    await in_spring(calendar, on("2027-03-10", summary="Lunch"))
    (primary,) = (await calendar.get("/v1/calendar/calendars"))["items"]
    other = "5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52"
    for name, value in (
        ("calendar_id", primary["id"]),
        ("connection_id", primary["connection_id"]),
    ):
        assert len(await calendar.listed(f"?{WINDOW}&{name}={value}")) == 1
        assert await calendar.listed(f"?{WINDOW}&{name}={other}") == []


BAD = (
    ("from=2027-03-01T00:00:00Z&to=2027-02-01T00:00:00Z", "to"),
    ("from=2027-03-01T00:00:00Z&to=2027-03-01T00:00:00Z", "to"),
    ("from=2027-03-01T00:00:00Z&to=2037-03-01T00:00:00Z", "to"),
    ("from=2027-03-01T00:00:00", "from"),
    ("from=2027-03-01", "from"),
    ("to=1772323200", "to"),
    ("to=never", "to"),
    ("from=9999-12-31T00:00:00Z", "from"),
    ("limit=0", "limit"),
    ("limit=1000", "limit"),
    ("cursor=nonsense", "cursor"),
    ("calendar_id=primary", "calendar_id"),
    ("entity_type=deal", "entity_id"),
    ("entity_id=42", "entity_type"),
    ("colour=red", "colour"),
    ("limit=1&limit=2", "limit"),
)


async def test_questions_that_make_no_sense_are_refused_by_name(calendar: Stand) -> None:
    for query, field in BAD:
        answer = await calendar.call("GET", f"/v1/calendar/events?{query}")
        assert (answer.status, answer.fields) == (400, [field]), query
        assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_ids_that_name_nothing_are_not_there(calendar: Stand) -> None:
    (_,) = await in_spring(calendar, on("2027-03-10", summary="Lunch"))
    (one,) = await calendar.listed(f"?{WINDOW}")
    for name in (
        "5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52",
        f"{one['id']}_20270311T090000Z",
        f"{one['id']}_nonsense",
        "primary",
        "%00",
    ):
        answer = await calendar.call("GET", f"/v1/calendar/events/{name}")
        assert answer.status in {400, 404}, name


async def test_a_person_sees_their_own_and_a_service_its_tenants(calendar: Stand) -> None:
    await in_spring(calendar, on("2027-03-10", summary="Lunch"))
    (one,) = await calendar.listed(f"?{WINDOW}")
    path = f"/v1/calendar/events/{one['id']}"
    for token in (caller_token(user="bob"), service_caller_token(tenant="other")):
        assert await calendar.listed(f"?{WINDOW}", token=token) == []
        assert (await calendar.call("GET", path, token=token)).status == 404
        assert (await calendar.get("/v1/calendar/calendars", token=token))["items"] == []
    assert (await calendar.get(path, token=service_caller_token()))["title"] == "Lunch"


async def test_without_a_token_nothing_is_answered(calendar: Stand) -> None:
    for path in ("events", "calendars", "status", "sync-logs", "settings", "availability"):
        async with calendar.session.get(f"{calendar.origin}/v1/calendar/{path}") as answer:
            assert answer.status == 401, path


async def test_every_route_is_documented(calendar: Stand) -> None:
    paths = (await calendar.get("/openapi.json"))["paths"]
    for path in (
        "/v1/calendar/events",
        "/v1/calendar/connections/{id}/settings",
        "/v1/calendar/settings",
        "/v1/calendar/status",
        "/v1/calendar/sync-logs",
        "/v1/calendar/availability",
        "/v1/calendar/activities",
        "/v1/calendar/sync",
    ):
        assert path in paths


# When people are free.

DAY = "from=2027-03-10T08:00:00Z&to=2027-03-10T18:00:00Z"
BOB = "bob@example.com"


def times(intervals: list[Json]) -> list[tuple[str, str]]:
    return [(one["start"][11:16], one["end"][11:16]) for one in intervals]


async def two_people(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    await calendar.connect()
    await calendar.connect(person=BOB, token=caller_token(user="bob"))
    for person, event in (
        ("alice@example.com", on("2027-03-10", "09:00", "10:00", summary="Secret")),
        ("alice@example.com", on("2027-03-10", "09:30", "11:00", summary="Secret")),
        (BOB, on("2027-03-10", "10:00", "12:00", summary="Secret", visibility="private")),
        (BOB, on("2027-03-10", "15:00", "16:00", summary="Secret", transparency="transparent")),
    ):
        made = await calendar.happens(event, person=person)
        await calendar.told(made["id"], "created")


async def available(calendar: Stand, query: str, **how: Any) -> Json:
    return await calendar.get(f"/v1/calendar/availability?{query}", **how)


async def test_people_are_busy_and_free_together(calendar: Stand) -> None:
    await two_people(calendar)
    found = await available(calendar, f"users=ada,bob,eve&{DAY}&shortest=90")
    busy = {one["user_id"]: times(one["busy"]) for one in found["users"]}
    assert busy == {"ada": [("09:00", "11:00")], "bob": [("10:00", "12:00")]}
    assert found["unknown"] == ["eve"]
    assert times(found["free"]) == [("12:00", "18:00")]
    assert "Secret" not in str(found)
    every = await available(calendar, f"users=ada,bob&{DAY}", token=caller_token(user="bob"))
    assert times(every["free"]) == [("08:00", "09:00"), ("12:00", "18:00")]


async def test_what_was_declined_and_what_repeats_counts_as_it_is(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    await calendar.connect(person=BOB, token=caller_token(user="bob"))
    talk = on("2027-03-10", summary="Talk", attendees=[{"email": BOB}])
    made = await calendar.happens(talk)
    daily = on("2027-03-08", "14:00", "15:00", recurrence=["RRULE:FREQ=DAILY;COUNT=4"])
    daily["start"]["timeZone"] = daily["end"]["timeZone"] = "UTC"
    await calendar.happens(daily, person=BOB)

    async def busy(*wanted: tuple[str, str]) -> None:
        async def is_so() -> bool:
            found = await available(calendar, f"users=bob&{DAY}")
            return [times(one["busy"]) for one in found["users"]] == [list(wanted)]

        await eventually(is_so, what=f"busy {wanted}")

    await busy(("09:00", "10:00"), ("14:00", "15:00"))
    await calendar.edit(made["id"], "respond", person=BOB, response="declined")
    await busy(("14:00", "15:00"))


async def test_people_of_other_tenants_are_unknown(calendar: Stand) -> None:
    await two_people(calendar)
    found = await available(
        calendar, f"users=ada,bob&{DAY}", token=service_caller_token(tenant="other")
    )
    assert found == {"users": [], "unknown": ["ada", "bob"], "free": []}


async def test_questions_on_free_time_that_make_no_sense_are_refused_by_name(
    calendar: Stand,
) -> None:
    for query, field in (
        (f"users=&{DAY}", "users"),
        (f"users=ada,,bob&{DAY}", "users"),
        ("users=" + ",".join(f"u{one}" for one in range(21)) + f"&{DAY}", "users"),
        (f"{DAY}", "users"),
        ("users=ada&from=2027-03-10T08:00:00Z", "to"),
        ("users=ada&from=2027-03-10T08:00:00Z&to=2027-03-10T07:00:00Z", "to"),
        ("users=ada&from=2027-03-10T08:00:00Z&to=2028-03-10T08:00:00Z", "to"),
        ("users=ada&from=2027-03-10T08:00:00&to=2027-03-10T09:00:00Z", "from"),
        (f"users=ada&{DAY}&shortest=-1", "shortest"),
    ):
        answer = await calendar.call("GET", f"/v1/calendar/availability?{query}")
        assert (answer.status, answer.fields) == (400, [field]), query


# Asking for a comparison.


async def test_a_comparison_that_was_asked_for_repairs_what_differs(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lost"))
    await calendar.told(made["id"], "created")
    await calendar.quiet()
    async with calendar.pool() as conn:
        await conn.execute("DELETE FROM events")
    assert await calendar.listed() == []
    body = {"connection_id": connection_id}
    answer = await calendar.call("POST", "/v1/calendar/sync?wait=30", body)
    assert answer.status == 202, answer
    assert answer.body["state"] == "done"
    assert answer.body["facts"]["added"] == 1
    assert answer.headers["Location"] == f"/v1/calendar/jobs/{answer.body['id']}"
    assert [one["title"] for one in await calendar.listed()] == ["Lost"]
    await eventually(lambda: calendar.events("calendar.feed.resynced"))
    assert calendar.events("calendar.feed.resynced")[0].data["reason"] == "request"


async def test_asking_for_more_of_the_past_takes_it_in(calendar: Stand) -> None:
    old = await calendar.happens(at(-24 * 20, summary="Old"))
    connection_id = await calendar.connect()
    assert calendar.told_of(old["id"]) == []
    body = {"connection_id": connection_id, "days_back": 30}
    answer = await calendar.call("POST", "/v1/calendar/sync?wait=30", body)
    assert (answer.status, answer.body["state"]) == (202, "done"), answer
    await calendar.told(old["id"], "created")


async def test_asking_twice_with_one_key_is_asking_once(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    body, key = {"connection_id": connection_id}, {"Idempotency-Key": "once"}
    first = await calendar.call("POST", "/v1/calendar/sync", body, headers=key)
    again = await calendar.call("POST", "/v1/calendar/sync", body, headers=key)
    assert first.body["id"] == again.body["id"]


async def test_what_cannot_be_compared_says_why(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    body = {"connection_id": connection_id}
    for token in (caller_token(user="bob"), service_caller_token(tenant="other")):
        answer = await calendar.call("POST", "/v1/calendar/sync", body, token=token)
        assert answer.status == 404
    path = f"/v1/calendar/connections/{connection_id}/settings"
    await calendar.call("PUT", path, {"enabled": False})
    answer = await calendar.call("POST", "/v1/calendar/sync", body)
    assert answer.status == 409
    assert answer.body["type"].endswith("connection-paused")
    for wrong in ({"days_back": -1}, {"days_forward": 4000}):
        answer = await calendar.call("POST", "/v1/calendar/sync", {**body, **wrong})
        assert (answer.status, answer.fields) == (400, list(wrong))


async def test_a_window_has_all_of_many_series(
    calendar: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few occurrences are looked at in one go."""
    monkeypatch.setattr(showing, "MOST_OCCURRENCES", 5)
    daily = on("2027-03-01", summary="Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=20"])
    daily["start"]["timeZone"] = daily["end"]["timeZone"] = "UTC"
    await in_spring(calendar, daily, on("2027-04-20", summary="Later"))

    shown: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await calendar.get(f"/v1/calendar/events?{WINDOW}&limit=3{cursor}")
        shown += [one["starts_at"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert len(shown) == len({*shown}) == 21
    assert shown == sorted(shown)
