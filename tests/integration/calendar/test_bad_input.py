"""What makes no sense is refused, by field; nothing is written here or at Google."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.auth.stand import Answer
from tests.integration.calendar.stand import Stand, appointment, at, soon, span
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

EVENTS = "/v1/calendar/events"
GUEST = {"email": "bob@example.org"}
WRITTEN = """
SELECT (SELECT count(*) FROM writes) AS writes, (SELECT count(*) FROM appointments) AS appointments,
       (SELECT count(*) FROM meeting_links) AS links
"""
NOT_THERE = str(uuid4())


def popup(minutes: int) -> Json:
    return {"method": "popup", "minutes": minutes}


def when(start: object, end: object, **more: object) -> Json:
    """Return a body whose only fault may be its time."""
    return {"time": {"start": start, "end": end, **more}}


def rule(text: str) -> Json:
    return {"recurrence": [text]}


def in_hours(hours: float) -> str:
    return (soon() + timedelta(hours=hours)).isoformat()


BAD_FIELDS: Sequence[tuple[Json, str]] = [
    (when(in_hours(3), in_hours(2)), "time"),
    (when(in_hours(3), in_hours(3)), "time"),
    (when("2026-12-24", "2026-12-24"), "time"),
    (when("2026-12-24", in_hours(3)), "time"),
    (when(in_hours(3), in_hours(4), zone="Mars/Olympus"), "time.zone"),
    (when(in_hours(3), in_hours(4), zone=""), "time.zone"),
    (when("2026-12-24T09:00:00", "2026-12-24T10:00:00"), "time.start"),
    (when("tomorrow", in_hours(4)), "time.start"),
    (when("0001-01-01T00:00:00+14:00", "0001-01-02T00:00:00+14:00"), "time"),
    (when("9999-12-31T23:00:00-12:00", "9999-12-31T23:30:00-12:00"), "time"),
    (when("0001-01-01", "0001-01-02"), "time"),
    ({"reminders": [popup(one) for one in range(6)]}, "reminders"),
    ({"reminders": [popup(-1)]}, "reminders[0].minutes"),
    ({"reminders": [popup(40_321)]}, "reminders[0].minutes"),
    ({"reminders": [{"method": "sms", "minutes": 1}]}, "reminders[0].method"),
    (rule("RRULE:FREQ=SOMETIMES"), "recurrence"),
    (rule("RRULE:FREQ=HOURLY"), "recurrence"),
    (rule("RRULE:FREQ=DAILY;COUNT=0"), "recurrence"),
    (rule("RRULE:FREQ=DAILY;UNTIL=20200101T000000Z"), "recurrence"),
    (rule("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "recurrence"),
    (rule("EXDATE:20261224T090000Z"), "recurrence"),
    (rule("DTSTART:20261224T090000Z"), "recurrence"),
    (rule("every day"), "recurrence"),
    ({"attendees": [{}], "notify": "none"}, "attendees[0].email"),
    ({"attendees": [{"email": ""}], "notify": "none"}, "attendees[0].email"),
    ({"attendees": [{"email": "Bob"}], "notify": "none"}, "attendees[0].email"),
    (
        {
            "attendees": [{"email": f"guest{one}@example.org"} for one in range(201)],
            "notify": "none",
        },
        "attendees",
    ),
    ({"title": "x" * 1_025}, "title"),
    ({"location": "x" * 1_025}, "location"),
    ({"description": "x" * 8_193}, "description"),
    ({"title": "a\0b"}, "title"),
    ({"visibility": "secret"}, "visibility"),
    ({"transparency": "glass"}, "transparency"),
    ({"notify": "some"}, "notify"),
    ({"entities": [{"type": "lead", "id": ""}]}, "entities[0].id"),
    ({"colour": "red"}, "colour"),
]


async def make(calendar: Stand, body: Json, **how: Any) -> Answer:
    """Try to make an event; `body` changes one that would be."""
    headers = {"Idempotency-Key": uuid4().hex}
    given = {"title": "Demo", "time": span(3), **body}
    return await calendar.call("POST", EVENTS, given, headers=headers, **how)


def refused(answer: Answer, field: str, *, status: int = 400) -> str | None:
    """Return what is wrong with a refusal; None: it names the field as it should."""
    said = f"{field}: {answer.status} {answer.body}"
    if answer.status != status or "problem+json" not in answer.headers["Content-Type"]:
        return said
    fields = [one["field"] for one in answer.body.get("errors", [])]
    return (
        None
        if any(one == field or one.startswith((f"{field}.", f"{field}[")) for one in fields)
        else said
    )


async def written(calendar: Stand) -> Json:
    """Return how much there is of what refusals must not leave."""
    (row,) = await calendar.fetch(WRITTEN)
    return dict(row)


NOTHING = {"writes": 0, "appointments": 0, "links": 0}


async def test_an_event_with_a_bad_field_is_not_made(calendar: Stand) -> None:
    await calendar.connect()
    wrong = [refused(await make(calendar, body), field) for body, field in BAD_FIELDS]

    assert [one for one in wrong if one] == []
    assert await written(calendar) == NOTHING
    assert await calendar.at_google() == []


async def test_an_event_with_a_bad_field_is_not_changed(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    before, at_google = await written(calendar), await calendar.at_google()
    wrong = [
        refused(await calendar.call("PATCH", f"{EVENTS}/{made['id']}", body), field)
        for body, field in [*BAD_FIELDS, ({"scope": "some", "title": "x"}, "scope"), ({}, "body")]
    ]

    assert [one for one in wrong if one] == []
    assert await written(calendar) == before
    assert await calendar.at_google() == at_google


async def test_what_is_left_out_of_a_new_event_is_named(calendar: Stand) -> None:
    await calendar.connect()
    headers = {"Idempotency-Key": "k"}
    for missing in ("title", "time"):
        body = {"title": "Demo", "time": span(3)}
        del body[missing]
        answer = await calendar.call("POST", EVENTS, body, headers=headers)
        assert refused(answer, missing) is None
    assert await written(calendar) == NOTHING


async def test_where_an_event_goes_has_to_be_theirs(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    mine = await calendar.connect()
    other = await calendar.auth.connect(
        person="bob@example.com",
        token=caller_token(user="eve"),
        products=[{"name": "calendar", "access": "write"}],
    )

    async def theirs() -> str | None:
        found = await calendar.get("/v1/calendar/calendars", token=caller_token(user="eve"))
        return found["items"][0]["id"] if found["items"] else None

    foreign = await eventually(theirs)
    for calendar_id in (foreign, NOT_THERE):
        assert refused(await make(calendar, {"calendar_id": calendar_id}), "calendar_id") is None
    assert refused(await make(calendar, {"calendar_id": "primary"}), "calendar_id") is None
    for connection_id in (other["id"], NOT_THERE):
        assert (await make(calendar, {"connection_id": connection_id})).status == 404
    nobodys = await make(calendar, {}, token=service_caller_token())
    assert refused(nobodys, "connection_id") is None
    abroad = service_caller_token(tenant="other")
    assert (await make(calendar, {"connection_id": mine}, token=abroad)).status == 404
    assert await written(calendar) == NOTHING


async def test_a_meeting_with_guests_needs_a_word_on_invitations(calendar: Stand) -> None:
    await calendar.connect()
    assert refused(await make(calendar, {"attendees": [GUEST]}), "notify", status=422) is None
    assert await written(calendar) == NOTHING
    made = await calendar.make(attendees=[GUEST], notify="none")
    path = f"{EVENTS}/{made['id']}"
    before = await written(calendar)
    for method, where, body in (
        ("PATCH", path, {"title": "Other"}),
        ("PATCH", path, {"attendees": []}),
        ("DELETE", path, None),
    ):
        assert refused(await calendar.call(method, where, body), "notify", status=422) is None
    assert await written(calendar) == before
    assert await calendar.invitations() == []


async def test_a_key_is_good_for_one_request(calendar: Stand) -> None:
    await calendar.connect()
    headers = {"Idempotency-Key": "k"}
    body = {"title": "Demo", "time": span(3)}
    first = await calendar.call("POST", EVENTS, body, headers=headers)
    again = await calendar.call("POST", EVENTS, {**body, "title": "Other"}, headers=headers)

    assert (first.status, again.status) == (201, 409)
    assert [one["summary"] for one in await calendar.at_google()] == ["Demo"]
    assert (await written(calendar))["writes"] == 1


async def test_an_occurrence_that_does_not_exist_is_not_there(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    before = await written(calendar)
    for name in (
        f"{made['id']}_20200101T000000Z",
        f"{made['id']}_20200101",
        f"{made['id']}_99999999T999999Z",
        f"{made['id']}_x",
        NOT_THERE,
        "x",
    ):
        path = f"{EVENTS}/{name}"
        changed = await calendar.call("PATCH", path, {"title": "Other"})
        cancelled = await calendar.call("DELETE", path)
        answered = await calendar.call(
            "POST",
            f"{path}/response",
            {"response": "accepted"},
            headers={"Idempotency-Key": uuid4().hex},
        )
        assert (changed.status, cancelled.status, answered.status) == (404, 404, 404), name
    assert await written(calendar) == before


async def test_one_occurrence_does_not_recur_differently(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    second = (await calendar.listed())[1]
    before = await written(calendar)
    answer = await calendar.call(
        "PATCH", f"{EVENTS}/{second['id']}", rule("RRULE:FREQ=WEEKLY;COUNT=2")
    )
    whole_days = await calendar.call(
        "PATCH",
        f"{EVENTS}/{second['id']}",
        {**when("2026-12-24", "2026-12-25"), "scope": "all"},
    )

    assert refused(answer, "recurrence") is None
    assert refused(whole_days, "time") is None
    assert await written(calendar) == before


async def test_nobody_changes_events_of_somebody_else(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    before = await written(calendar)
    for token in (
        caller_token(user="eve"),
        caller_token(tenant="other"),
        service_caller_token(tenant="other"),
    ):
        for method, path, body in (
            ("PATCH", f"{EVENTS}/{made['id']}", {"title": "Other"}),
            ("DELETE", f"{EVENTS}/{made['id']}", None),
            ("GET", f"{EVENTS}/{made['id']}", None),
            ("GET", f"/v1/calendar/writes/{made['write_id']}", None),
        ):
            answer = await calendar.call(method, path, body, token=token)
            assert answer.status == 404, (method, path, answer)
    assert await written(calendar) == before


async def test_a_guest_changes_only_what_is_their_own(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    await calendar.connect()
    made = await calendar.happens(
        at(3, summary="Bob's", attendees=[{"email": "alice@example.com"}]), person="bob@example.com"
    )
    await eventually(lambda: calendar.told_of(made["id"]) == ["created"])
    (event,) = await calendar.listed()
    path = f"{EVENTS}/{event['id']}"
    for body in ({"title": "Mine"}, {"time": span(5)}, {"attendees": [GUEST]}, {"meet": True}):
        answer = await calendar.call("PATCH", path, {**body, "notify": "none"})
        assert (answer.status, slug(answer)) == (403, "not-organizer")
    assert await written(calendar) == NOTHING
    own = await calendar.call("PATCH", path, {"transparency": "transparent", "notify": "none"})
    assert (own.status, own.body["state"]) == (200, "done")


async def test_what_was_changed_since_it_was_seen_is_not_changed(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    path = f"{EVENTS}/{made['id']}"
    seen = {"If-Match": (await calendar.call("GET", path)).headers["ETag"]}
    first = await calendar.call("PATCH", path, {"title": "First"}, headers=seen)
    before = await written(calendar)
    second = await calendar.call("PATCH", path, {"title": "Second"}, headers=seen)
    third = await calendar.call("DELETE", path, headers=seen)

    assert (first.status, second.status, third.status) == (200, 412, 412)
    assert slug(second) == "precondition-failed"
    assert await written(calendar) == before


async def test_nobody_answers_for_somebody_who_is_not_invited(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    before = await written(calendar)
    path = f"{EVENTS}/{made['id']}/response"
    for body, status, field in (
        ({"response": "accepted"}, 409, None),
        ({"response": "needsAction"}, 400, "response"),
        ({"response": "maybe"}, 400, "response"),
        ({}, 400, "response"),
    ):
        headers = {"Idempotency-Key": uuid4().hex}
        answer = await calendar.call("POST", path, body, headers=headers)
        assert answer.status == status, answer
        assert field is None or refused(answer, field) is None
    assert await written(calendar) == before


async def test_a_calendar_that_may_only_be_read_is_not_written(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    await calendar.happens(at(3, summary="Bob's"), person="bob@example.com")
    sharing = {"person": "alice@example.com", "role": "reader"}
    await calendar.google.control(
        "POST", "people/bob@example.com/calendars/primary/sharing", sharing
    )
    connection_id = await calendar.connect()
    known = (await calendar.get("/v1/calendar/calendars"))["items"]
    (shared,) = [one for one in known if not one["is_writable"]]
    chosen = {"connection_id": connection_id, "calendar_ids": [one["id"] for one in known]}
    assert (await calendar.call("PUT", "/v1/calendar/calendars", chosen)).status == 200

    async def is_read() -> Json | None:
        found = await calendar.listed()
        return found[0] if found else None

    event = await eventually(is_read)
    assert event is not None
    made = await make(calendar, {"calendar_id": shared["id"]})
    changed = await calendar.call("PATCH", f"{EVENTS}/{event['id']}", {"title": "Mine"})
    deleted = await calendar.call("DELETE", f"{EVENTS}/{event['id']}")

    for answer in (made, changed, deleted):
        assert (answer.status, slug(answer)) == (403, "read-only-calendar")
    assert await written(calendar) == NOTHING


async def test_a_connection_that_may_only_read_writes_nothing(calendar: Stand) -> None:
    await calendar.connect(products=[{"name": "calendar", "access": "read"}])
    answer = await make(calendar, {})

    assert (answer.status, slug(answer)) == (403, "read-only-connection")
    assert (await calendar.appoint())["reason"] == "read-only-connection"
    assert await written(calendar) == {**NOTHING, "appointments": 1}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"direction": "from_google"}, "direction-from-google"),
        ({"enabled": False}, "connection-paused"),
    ],
    ids=["from-google", "disabled"],
)
async def test_settings_that_let_nothing_out_let_nothing_out(
    calendar: Stand, settings: Json, reason: str
) -> None:
    connection_id = await calendar.connect()
    made = await calendar.make()
    before = await written(calendar)
    path = f"/v1/calendar/connections/{connection_id}/settings"
    assert (await calendar.call("PUT", path, settings)).status == 200
    answers = [
        await make(calendar, {}),
        await calendar.call("PATCH", f"{EVENTS}/{made['id']}", {"title": "Other"}),
        await calendar.call("DELETE", f"{EVENTS}/{made['id']}"),
    ]

    assert [(one.status, slug(one)) for one in answers] == [(409, reason)] * 3
    assert (await calendar.appoint())["reason"] == reason
    assert await written(calendar) == {**before, "appointments": 1}


BAD_APPOINTMENTS: Sequence[tuple[Json, str]] = [
    ({"start": "2026-12-24T09:00:00"}, "start"),
    ({"start": "soon"}, "start"),
    ({"start": "9999-12-31T23:00:00Z"}, "start"),
    ({"duration": 0}, "duration"),
    ({"duration": -30}, "duration"),
    ({"duration": 7 * 24 * 60 + 1}, "duration"),
    ({"duration": "45"}, "duration"),
    ({"zone": "Mars/Olympus"}, "zone"),
    ({"version": 0}, "version"),
    ({"service": ""}, "service"),
    ({"service": "x" * 1_001}, "service"),
    ({"notes": "x" * 8_001}, "notes"),
    ({"status": "lost"}, "status"),
    ({"professional": {"name": "Ada"}}, "professional.user_id"),
    ({"professional": {"user_id": ""}}, "professional.user_id"),
    ({"client": None}, "client"),
    ({"room": "1"}, "room"),
]


async def test_an_appointment_with_a_bad_field_is_not_kept(calendar: Stand) -> None:
    await calendar.connect()
    path = "/v1/calendar/appointments/a1"
    wrong = [
        refused(
            await calendar.call("PUT", path, appointment(**one), token=service_caller_token()),
            field,
        )
        for one, field in BAD_APPOINTMENTS
    ]
    other = await calendar.call(
        "PUT", "/v1/calendar/appointments/a2", appointment(), token=service_caller_token()
    )

    assert [one for one in wrong if one] == []
    assert refused(other, "appointment_id") is None
    assert await written(calendar) == NOTHING
    assert await calendar.at_google() == []


async def test_a_stale_version_changes_nothing(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.appoint(version=3)
    before = await written(calendar)
    for version, service in ((2, "Corte"), (3, "Barba")):
        answer = await calendar.appoint(version=version, service=service, status=409)
        assert answer["type"].endswith("stale-version")
    stale = await calendar.call(
        "DELETE", "/v1/calendar/appointments/a1?version=2", token=service_caller_token()
    )
    assert (stale.status, slug(stale)) == (409, "stale-version")
    assert (await calendar.appoint(version=3))["state"] == "mirrored"
    assert await written(calendar) == before


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"title_template": "{service} {colour}"}, "title_template"),
        ({"title_template": "{service"}, "title_template"),
        ({"title_template": "{service.__class__}"}, "title_template"),
        ({"body_template": "{colour}"}, "body_template"),
        ({"reminder_minutes": [1, 2, 3, 4, 5, 6]}, "reminder_minutes"),
        ({"reminder_minutes": [40_321]}, "reminder_minutes"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"target_calendar_id": NOT_THERE}, "target_calendar_id"),
        ({"conflict_policy": "oldest"}, "conflict_policy"),
        ({"direction": "sideways"}, "direction"),
    ],
)
async def test_settings_that_could_not_be_followed_are_refused(
    calendar: Stand, settings: Json, field: str
) -> None:
    connection_id = await calendar.connect()
    path = f"/v1/calendar/connections/{connection_id}/settings"
    before = await calendar.get(path)

    assert refused(await calendar.call("PUT", path, settings), field) is None
    assert await calendar.get(path) == before


def slug(answer: Answer) -> str:
    """Return the last part of a problem's type."""
    return str(answer.body["type"].rpartition(":")[2])
