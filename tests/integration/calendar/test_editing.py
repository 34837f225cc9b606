"""Edits of the CRM in detail: what they keep, what they say, and who wins against whom."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from libs.common.events.crm import EntityUpserted, envelope_of
from tests import messaging
from tests.integration.calendar.stand import Stand, at, soon, span
from tests.integration.calendar.truth import all_right
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually

EVENTS = "/v1/calendar/events"
GUEST = {"email": "guest@example.org"}
BOB = "bob@example.com"
PARIS = ZoneInfo("Europe/Paris")


async def settings(calendar: Stand, connection_id: str, **wanted: Any) -> None:
    path = f"/v1/calendar/connections/{connection_id}/settings"
    answer = await calendar.call("PUT", path, wanted)
    assert answer.status == 200, answer


async def shown(calendar: Stand, made: Json) -> Json:
    return await calendar.get(f"{EVENTS}/{made['id']}")


async def test_a_meet_room_that_was_asked_for_appears_and_is_told(calendar: Stand) -> None:
    await calendar.google.control("PUT", "settings", {"conference_delay_s": 1})
    await calendar.connect()
    made = await calendar.make(meet=True)
    assert (await shown(calendar, made))["meet_link"] is None

    async def has_room() -> str | None:
        link: str | None = (await shown(calendar, made))["meet_link"]
        return link

    link = await eventually(has_room)
    await calendar.told(made["google_event_id"], "created", "updated")
    assert calendar.events("calendar.event.updated")[0].data["meet_link"] == link
    gone = await calendar.change(made["id"], meet=False)
    assert gone["state"] == "done"
    assert (await shown(calendar, made))["meet_link"] is None
    assert "conferenceData" not in await calendar.one_at_google(made["google_event_id"])


async def test_whole_days_end_before_their_end(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    today = soon().date()
    days = {"start": str(today + timedelta(2)), "end": str(today + timedelta(4))}
    made = await calendar.make(time=days)

    found = await calendar.one_at_google(made["google_event_id"])
    assert (found["start"], found["end"]) == ({"date": days["start"]}, {"date": days["end"]})
    longer = {**days, "end": str(today + timedelta(5))}
    await calendar.change(made["id"], time=longer)
    found = await calendar.one_at_google(made["google_event_id"])
    assert found["end"] == {"date": longer["end"]}
    assert (await shown(calendar, made))["time"] == {**longer, "all_day": True, "zone": None}
    await all_right(calendar, {ALICE: connection_id})


async def test_days_become_hours_and_hours_days(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.make(time=span(3))
    day = soon().date() + timedelta(2)
    days = {"start": str(day), "end": str(day + timedelta(1))}
    await calendar.change(made["id"], time=days)
    found = await calendar.one_at_google(made["google_event_id"])
    assert (found["start"], found["end"]) == ({"date": days["start"]}, {"date": days["end"]})
    await calendar.change(made["id"], time=span(5))
    found = await calendar.one_at_google(made["google_event_id"])
    assert "date" not in found["start"]
    assert found["start"]["timeZone"] == "Europe/Paris"
    await all_right(calendar, {ALICE: connection_id})


async def test_whoever_answered_keeps_their_answer_when_guests_come(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    connection_id = await calendar.connect()
    made = await calendar.make(attendees=[{"email": BOB}], notify="none")
    await calendar.edit(made["google_event_id"], "respond", person=BOB, response="accepted")
    await eventually(lambda: calendar.told_of(made["google_event_id"]) == ["created", "updated"])
    both = [{"email": BOB}, GUEST]
    await calendar.change(made["id"], attendees=both, notify="none")
    await calendar.change(made["id"], title="Other", notify="none")

    found = await calendar.one_at_google(made["google_event_id"])
    answers = {one["email"]: one["responseStatus"] for one in found["attendees"]}
    assert (answers[BOB], answers[GUEST["email"]]) == ("accepted", "needsAction")
    await all_right(calendar, {ALICE: connection_id})


async def test_an_answer_that_nobody_knows_of_yet_is_kept(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    await calendar.connect()
    made = await calendar.make(attendees=[{"email": BOB}], notify="none")
    await calendar.notifications(paused=True)
    await calendar.edit(made["google_event_id"], "respond", person=BOB, response="declined")
    await calendar.change(made["id"], attendees=[{"email": BOB}, GUEST], notify="none")

    found = await calendar.one_at_google(made["google_event_id"])
    answers = {one["email"]: one["responseStatus"] for one in found["attendees"]}
    assert (answers[BOB], answers[GUEST["email"]]) == ("declined", "needsAction")


async def test_a_series_keeps_its_time_of_day_when_clocks_change(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    # Clocks in Paris change on the last Sundays of March and October: within 30 weeks, once.
    start = datetime.combine(soon().date() + timedelta(1), datetime.min.time(), tzinfo=PARIS)
    nine = start.replace(hour=9)
    time = {
        "start": nine.astimezone(UTC).isoformat(),
        "end": (nine + timedelta(hours=1)).astimezone(UTC).isoformat(),
        "zone": "Europe/Paris",
    }
    made = await calendar.make(time=time, recurrence=["RRULE:FREQ=WEEKLY;COUNT=30"])
    eleven = nine.replace(hour=11).astimezone(ZoneInfo("America/Sao_Paulo"))
    moved = {
        "start": eleven.isoformat(),
        "end": (eleven + timedelta(hours=1)).isoformat(),
        "zone": "Europe/Paris",
    }
    await calendar.change(made["id"], time=moved)
    end = (nine + timedelta(weeks=31)).astimezone(UTC)
    found = await calendar.listed(f"?to={end:%Y-%m-%dT%H:%M:%SZ}&limit=100")
    walls = {
        datetime.fromisoformat(one["starts_at"]).astimezone(PARIS).strftime("%H:%M")
        for one in found
    }
    assert (len(found), walls) == (30, {"11:00"})
    offsets = {
        datetime.fromisoformat(one["starts_at"]).astimezone(PARIS).utcoffset() for one in found
    }
    assert len(offsets) == 2
    await all_right(calendar, {ALICE: connection_id})


async def test_whom_an_event_concerns_by_the_crm_has_it_as_an_activity(calendar: Stand) -> None:
    lead = EntityUpserted(entity_type="lead", entity_id="l1", version=1, emails=())
    told = envelope_of(lead, tenant_id="acme", time=soon())
    url = calendar.settings.amqp_url.get_secret_value()
    await messaging.send(url, told.to_json(), key=told.type)
    await calendar.connect()
    made = await calendar.make(entities=[{"type": "lead", "id": "l1"}])

    await eventually(lambda: len(calendar.events("calendar.activity.logged")) == 1)
    (logged,) = calendar.events("calendar.activity.logged")
    assert logged.data["activity"]["entities"] == [{"type": "lead", "id": "l1"}]
    assert logged.data["activity"]["event_id"] == made["id"]
    listed = await calendar.listed("?entity_type=lead&entity_id=l1")
    assert [one["id"] for one in listed] == [made["id"]]
    other = await calendar.make(title="Other")
    await calendar.change(other["id"], entities=[{"type": "lead", "id": "l1"}])

    async def is_logged() -> bool:
        found = await calendar.listed("?entity_type=lead&entity_id=l1")
        return {one["id"] for one in found} == {made["id"], other["id"]}

    await eventually(is_logged)
    await eventually(lambda: len(calendar.events("calendar.activity.logged")) == 2)


async def test_what_became_of_a_change_can_be_asked(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    path = f"/v1/calendar/writes/{made['write_id']}"
    assert await calendar.get(path) == made
    await calendar.google.control(
        "PUT", "faults", {"rules": [{"path_contains": "/events/", "method": "PATCH", "delay_s": 1}]}
    )
    answer = await calendar.call("PATCH", f"{EVENTS}/{made['id']}?wait=0", {"title": "Other"})
    assert (answer.status, answer.body["state"]) == (202, answer.body["state"])
    assert answer.headers["Location"] == f"/v1/calendar/writes/{answer.body['write_id']}"
    ended = await calendar.get(f"{answer.headers['Location']}?wait=20")
    assert (ended["state"], ended["id"]) == ("done", made["id"])
    assert (await calendar.call("GET", f"/v1/calendar/writes/{uuid4()}")).status == 404


async def test_an_invitation_to_a_series_is_answered_for_one_occurrence(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    connection_id = await calendar.connect()
    series = at(
        3, summary="B", attendees=[{"email": ALICE}], recurrence=["RRULE:FREQ=DAILY;COUNT=3"]
    )
    made = await calendar.happens(series, person=BOB)
    await calendar.told(made["id"], "created")
    second = (await calendar.listed())[1]
    answer = await calendar.call(
        "POST",
        f"{EVENTS}/{second['id']}/response",
        {"response": "declined", "notify": "none"},
        headers={"Idempotency-Key": "r"},
    )
    assert (answer.status, answer.body["state"]) == (200, "done"), answer

    def mine(one: Json) -> str:
        (found,) = [each["response"] for each in one["attendees"] if each["email"] == ALICE]
        return str(found)

    async def is_answered() -> bool:
        answers = [mine(one) for one in await calendar.listed()]
        return answers == ["needsAction", "declined", "needsAction"]

    await eventually(is_answered)
    await all_right(calendar, {ALICE: connection_id})


async def both_changed(calendar: Stand, connection_id: str, policy: str) -> Json:
    """Let both sides change a title, each to another; return the CRM's answer."""
    await settings(calendar, connection_id, conflict_policy=policy)
    made = await calendar.make()
    await calendar.notifications(paused=True)
    await calendar.edit(made["google_event_id"], "change", changes={"summary": "Theirs"})
    answer = await calendar.call("PATCH", f"{EVENTS}/{made['id']}", {"title": "Ours"})
    await calendar.notifications(paused=False)
    return dict(answer.body)


@pytest.mark.parametrize(
    ("policy", "state", "title"),
    [
        ("google", "done", "Theirs"),
        ("crm", "done", "Ours"),
        ("newest", "done", "Ours"),
        ("manual", "conflict", "Theirs"),
    ],
)
async def test_who_wins_is_what_the_settings_say(
    calendar: Stand, policy: str, state: str, title: str
) -> None:
    connection_id = await calendar.connect()
    answer = await both_changed(calendar, connection_id, policy)
    await all_right(calendar, {ALICE: connection_id})

    assert answer["state"] == state
    assert (await calendar.one_at_google(answer["google_event_id"]))["summary"] == title
    open_ones = (await calendar.get("/v1/calendar/conflicts?state=open"))["items"]
    assert len(open_ones) == (policy == "manual")


async def test_a_conflict_is_over_when_the_crm_wants_what_google_has(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    answer = await both_changed(calendar, connection_id, "manual")
    assert answer["state"] == "conflict"
    await eventually(lambda: "updated" in calendar.told_of(answer["google_event_id"]))
    await calendar.change(answer["id"], title="Third")

    assert (await calendar.one_at_google(answer["google_event_id"]))["summary"] == "Third"
    (found,) = (await calendar.get("/v1/calendar/conflicts"))["items"]
    assert found["state"] == "resolved"
    await eventually(lambda: len(calendar.events("calendar.conflict.resolved")) == 1)
    assert calendar.events("calendar.conflict.resolved")[0].data["resolution"] == "obsolete"
    again = await calendar.call(
        "POST",
        f"/v1/calendar/conflicts/{found['id']}/resolve",
        {"choice": "crm"},
        headers={"Idempotency-Key": "k"},
    )
    assert again.status == 409
    await all_right(calendar, {ALICE: connection_id})


@pytest.mark.parametrize("choice", ["crm", "google"])
async def test_a_deletion_against_an_edit_waits_for_a_person(calendar: Stand, choice: str) -> None:
    connection_id = await calendar.connect()
    made = await calendar.make()
    await calendar.notifications(paused=True)
    await calendar.edit(made["google_event_id"], "change", changes={"summary": "Theirs"})
    answer = await calendar.call("DELETE", f"{EVENTS}/{made['id']}")
    await calendar.notifications(paused=False)

    assert (answer.status, answer.body["state"]) == (202, "conflict")
    (found,) = (await calendar.get("/v1/calendar/conflicts?state=open"))["items"]
    assert found["ours"] == {"deleted": True}
    assert found["theirs"] == {"deleted": False, "summary": "Theirs"}
    resolved = await calendar.call(
        "POST",
        f"/v1/calendar/conflicts/{found['id']}/resolve",
        {"choice": choice},
        headers={"Idempotency-Key": "k"},
    )
    assert resolved.status == 200, resolved
    status = "cancelled" if choice == "crm" else "confirmed"

    async def is_so() -> bool:
        return bool((await calendar.one_at_google(made["google_event_id"]))["status"] == status)

    await eventually(is_so)
    await all_right(calendar, {ALICE: connection_id})


@pytest.mark.parametrize("how", [{"lose_answer": True}, {"late_s": 0.7}], ids=["lost", "late"])
async def test_what_is_left_to_a_person_is_not_forgotten_with_an_answer(
    calendar: Stand, how: Json
) -> None:
    connection_id = await calendar.connect()
    made = await calendar.make()
    await calendar.notifications(paused=True)
    await calendar.edit(made["google_event_id"], "change", changes={"summary": "Theirs"})
    # The first meets the edit; of the second, nobody hears in time.
    rule = {"path_contains": "/events/", "method": "PATCH", "after": 1, "times": 1, **how}
    await calendar.google.control("PUT", "faults", {"rules": [rule]})
    body = {"title": "Ours", "location": "Roof"}
    await calendar.call("PATCH", f"{EVENTS}/{made['id']}?wait=0", body)

    async def is_written() -> bool:
        found = await calendar.one_at_google(made["google_event_id"])
        return found.get("location") == "Roof"

    await eventually(is_written)
    await calendar.notifications(paused=False)

    async def is_open() -> Json | None:
        found = (await calendar.get("/v1/calendar/conflicts?state=open"))["items"]
        return found[0] if found else None

    found = await eventually(is_open, timeout_s=60)
    assert found is not None
    assert (found["ours"], found["theirs"]) == ({"summary": "Ours"}, {"summary": "Theirs"})
    await all_right(calendar, {ALICE: connection_id})


async def test_what_goes_out_and_comes_in_is_logged_once_each(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    rule = {"path_contains": "/events", "method": "POST", "times": 1, "late_s": 0.7}
    await calendar.google.control("PUT", "faults", {"rules": [rule]})
    made = await calendar.make()
    await all_right(calendar, {ALICE: connection_id})
    await calendar.edit(made["google_event_id"], "change", changes={"summary": "Theirs"})
    await calendar.told(made["google_event_id"], "created", "updated")
    lines = (await calendar.get("/v1/calendar/sync-logs"))["items"]
    assert sorted((one["direction"], one["action"], one["status"]) for one in lines) == [
        ("from_google", "update", "success"),
        ("to_google", "create", "success"),
    ]


async def test_an_appointment_moves_with_its_professional(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    mine = await calendar.connect()
    first = (await calendar.appoint())["google_event_id"]

    eve = caller_token(user="eve")
    theirs = await calendar.auth.connect(
        person=BOB, token=eve, products=[{"name": "calendar", "access": "write"}]
    )
    await eventually(lambda: calendar.in_step(theirs["id"]))
    moved = await calendar.appoint(version=2, professional={"user_id": "eve", "name": "Eve"})
    assert moved["connection_id"] == theirs["id"]

    async def is_moved() -> bool:
        here = [one["status"] for one in await calendar.at_google() if one["id"] == first]
        there = [one["status"] for one in await calendar.at_google(BOB)]
        return (here, there) == (["cancelled"], ["confirmed"])

    await eventually(is_moved)
    await all_right(calendar, {ALICE: mine, BOB: theirs["id"]})
    assert calendar.events("calendar.appointment.changed") == []
