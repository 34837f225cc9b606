"""Calendar's quota, batches, faults and whatever is unfriendly."""

from typing import Any

import aiohttp
import pytest

from tests.emulator.google import (
    ALICE,
    BOB,
    CALENDAR,
    HOUR,
    WEEKLY,
    Answer,
    Diary,
    Google,
    Mail,
    authorization,
    decide,
    exchange,
)

EVENTS = "calendars/primary/events"


async def batch(diary: Diary, *calls: str) -> Answer:
    parts = "".join(
        f"--b\r\nContent-Type: application/http\r\nContent-ID: <c{number}>\r\n\r\n{call}\r\n\r\n"
        for number, call in enumerate(calls)
    )
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    body = f"{parts}--b--".encode()
    return await diary.call("POST", "/batch/calendar/v3", data=body, headers=headers)


async def test_every_request_counts_one(google: Google, diary: Diary) -> None:
    made = await diary.insert()
    await diary.event(made["id"])
    await diary.events()

    usage = (await google.control("GET", "usage"))["people"][ALICE]

    assert usage["apis"] == {"calendar": 3}
    assert usage["methods"]["calendar.events.get"] == {"units": 1, "calls": 1}


@pytest.mark.parametrize("status", [403, 429])
async def test_a_persons_minute_is_bounded(google: Google, diary: Diary, status: int) -> None:
    limits = {"calendar_requests_per_minute": 2, "quota_status": status}
    await google.control("PUT", "settings", limits)
    await diary.events()
    await diary.events()

    refused = await diary.call("GET", EVENTS)
    await google.control("PUT", "clock", {"offset_s": 61})
    allowed = await diary.call("GET", EVENTS)

    assert (refused.status, refused.reason) == (status, "userRateLimitExceeded")
    assert refused.json["error"]["errors"][0]["domain"] == "usageLimits"
    assert allowed.status == 200


async def test_everybodys_minute_is_bounded(google: Google, diary: Diary) -> None:
    bob = await google.diary(email=BOB)
    await google.control("PUT", "settings", {"calendar_project_requests_per_minute": 1})
    await diary.events()

    refused = await bob.call("GET", EVENTS)

    assert (refused.status, refused.reason) == (403, "rateLimitExceeded")


async def test_mail_and_calendar_have_budgets_of_their_own(
    google: Google, diary: Diary, mail: Mail
) -> None:
    limits = {"calendar_requests_per_minute": 1, "units_per_minute": 5}
    await google.control("PUT", "settings", limits)
    await diary.events()

    assert (await mail.call("GET", "messages")).status == 200
    assert (await mail.call("GET", "messages")).status == 403
    assert (await diary.call("GET", EVENTS)).status == 403


async def test_calendars_own_limits_forbid_writing(google: Google, diary: Diary) -> None:
    await google.control("PUT", "settings", {"calendar_usage_limits_exceeded": True})

    written = await diary.call("POST", EVENTS, json=HOUR)

    assert (written.status, written.reason) == (403, "quotaExceeded")
    assert (await diary.call("GET", EVENTS)).status == 200


async def test_a_batch_reads_and_writes_and_counts_every_part(google: Google, diary: Diary) -> None:
    made = await diary.insert()
    path = f"/calendar/v3/{EVENTS}/{made['id']}"
    body = '{"summary": "From a batch"}'

    answer = await batch(
        diary,
        f"PATCH {path} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}",
        f"GET {path} HTTP/1.1",
        f"GET /calendar/v3/{EVENTS}/neverwas HTTP/1.1",
    )

    assert answer.status == 200
    assert answer.text.count("From a batch") == 2
    assert "HTTP/1.1 404" in answer.text
    assert "Content-ID: <response-c2>" in answer.text
    assert (await google.control("GET", "usage"))["people"][ALICE]["apis"] == {"calendar": 4}


async def test_a_batch_holds_fifty_calls(diary: Diary) -> None:
    call = f"GET /calendar/v3/{EVENTS} HTTP/1.1"

    full, over = await batch(diary, *[call] * 50), await batch(diary, *[call] * 51)

    assert (full.status, over.status) == (200, 400)


async def test_an_answer_can_be_lost_after_the_event_was_made(google: Google, diary: Diary) -> None:
    rule = {"path_contains": "/events", "method": "POST", "times": 1, "lose_answer": True}
    await google.control("PUT", "faults", {"rules": [rule]})

    with pytest.raises(aiohttp.ClientConnectionError):
        await diary.insert(id="cafe0123456789")
    again = await diary.call("POST", EVENTS, json={**HOUR, "id": "cafe0123456789"})

    assert (again.status, again.reason) == (409, "duplicate")
    assert (await diary.event("cafe0123456789"))["summary"] == "Meeting"


async def test_a_fault_can_be_for_calendar_alone(google: Google, diary: Diary, mail: Mail) -> None:
    rule = {"path_prefix": "/calendar/v3/", "status": 503}
    await google.control("PUT", "faults", {"rules": [rule]})

    assert (await diary.call("GET", EVENTS)).status == 503
    assert (await mail.call("GET", "profile")).status == 200


async def test_an_expired_token_is_none(google: Google, diary: Diary) -> None:
    await google.control("POST", f"people/{ALICE}/grants", {"action": "expire_access"})

    answer = await diary.call("GET", EVENTS)

    assert (answer.status, answer.reason) == (401, "authError")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", EVENTS, {**HOUR, "unheardOf": 1}),
        ("POST", EVENTS, {**HOUR, "attendees": "all"}),
        ("POST", EVENTS, {**HOUR, "extendedProperties": {"private": {"a": 1}}}),
        ("POST", EVENTS, {**HOUR, "start": {"dateTime": "0001-01-01T00:00:00+23:59"}}),
        ("POST", EVENTS, {**HOUR, "start": {"dateTime": "0001-01-01T00:00:00Z"}}),
        ("POST", EVENTS, {**HOUR, "start": {"dateTime": "9999-99-99T00:00:00Z"}}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY;COUNT=99999999999"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY;INTERVAL=-1"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY;BYDAY=XX"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RRULE:"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RRULE:FREQ"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RDATE:20269999"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RDATE;TZID=Mars/Base:20260302T090000"]}),
        ("POST", EVENTS, {**WEEKLY, "recurrence": ["RDATE:20260302T999999Z"]}),
        ("GET", f"{EVENTS}?maxResults=-1", None),
        ("GET", f"{EVENTS}?timeMin=0001-01-01T00:00:00%2B14:00&timeMax=x", None),
        ("GET", f"{EVENTS}?fields=items(unheardOf)", None),
    ],
)
async def test_unfriendly_requests_are_bad_requests(
    diary: Diary, method: str, path: str, body: Any
) -> None:
    answer = await diary.call(method, path, json=body)

    assert answer.status == 400, answer.text


@pytest.mark.parametrize(
    "path",
    [
        f"{EVENTS}?timeMin=0001-01-01T00:00:00Z",
        f"{EVENTS}?timeMax=9999-12-31T23:59:59Z&singleEvents=true&maxResults=2500",
        f"{EVENTS}?timeMin=9998-12-31T23:59:59Z&singleEvents=true",
        f"{EVENTS}?timeMin=9998-12-31T23:59:59Z&singleEvents=true&orderBy=startTime",
        f"{EVENTS}?orderBy=updated&showDeleted=true&showHiddenInvitations=true",
    ],
)
async def test_extreme_times_are_looked_into(diary: Diary, path: str) -> None:
    await diary.insert(**{**WEEKLY, "recurrence": ["RRULE:FREQ=DAILY"]})
    await diary.insert(start={"date": "0002-01-01"}, end={"date": "9998-12-31"})

    assert (await diary.call("GET", path)).status == 200


@pytest.mark.parametrize("event_id", ["x_20269999", "x_20260302", "_", "x_20260302T999999Z", "%2F"])
async def test_ids_of_instances_that_never_were_are_not_found(diary: Diary, event_id: str) -> None:
    assert (await diary.call("GET", f"{EVENTS}/{event_id}")).status == 404


async def test_a_consent_to_a_calendar_scope_reaches_events(google: Google) -> None:
    scope = f"{CALENDAR}.events"
    query = authorization(scope=f"openid email {scope} {CALENDAR}.calendarlist.readonly")
    page = await google.request("GET", "/o/oauth2/v2/auth", params=query)

    back = await decide(google, page.text, scope=[scope])
    tokens = (await exchange(google, back["code"])).json
    diary = Diary(google, tokens["access_token"], ALICE)

    assert "View and edit events on all your calendars" in page.text
    assert (await diary.insert())["status"] == "confirmed"
    answer = await diary.call("GET", "users/me/calendarList")
    assert (answer.status, answer.reason) == (403, "insufficientPermissions")
    details = answer.json["error"]["details"][0]["metadata"]
    assert details["service"] == "calendar-json.googleapis.com"


async def test_a_null_inside_an_array_means_unset(diary: Diary) -> None:
    made = await diary.insert()
    guest = {"email": BOB, "comment": None}

    changed = await diary.patch(made["id"], {"attendees": [guest]})

    assert changed["attendees"] == [{"email": BOB, "responseStatus": "needsAction"}]


async def test_half_a_character_is_no_reason_to_fail(diary: Diary) -> None:
    properties = {"private": {"\ud800": "\ud800"}}

    made = await diary.insert(summary="\ud800", extendedProperties=properties)

    assert made["summary"] == "?"
