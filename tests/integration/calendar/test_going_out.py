"""What the CRM does to events is in Google once, and nobody is invited unasked."""

from tests.integration.calendar.stand import Stand, at, span
from tests.support import eventually


async def test_an_event_of_the_crm_is_in_google_with_its_link(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make(title="Demo", location="Room 1", description="Bring the plan")

    assert made["state"] == "done"
    assert made["html_link"].startswith("http")
    found = await calendar.one_at_google(made["google_event_id"])
    assert (found["summary"], found["location"]) == ("Demo", "Room 1")
    (event,) = await calendar.listed()
    assert event["id"] == made["id"]


async def test_our_own_event_is_told_once_as_the_crms(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    await calendar.told(made["google_event_id"], "created")
    await calendar.quiet()

    (told,) = calendar.events("calendar.event.")
    assert told.data["origin"] == "crm"


async def test_an_event_with_guests_needs_a_word_on_invitations(calendar: Stand) -> None:
    await calendar.connect()
    answer = await calendar.call(
        "POST",
        "/v1/calendar/events",
        {"title": "x", "time": span(3), "attendees": [{"email": "bob@example.org"}]},
        headers={"Idempotency-Key": "k1"},
    )

    assert answer.status == 422
    assert "notify" in str(answer.body)
    assert await calendar.at_google() == []


async def test_invitations_go_out_once_when_they_are_asked_for(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.make(attendees=[{"email": "bob@example.org"}], notify="all")
    assert [one["to"] for one in await calendar.invitations()] == ["bob@example.org"]


async def test_nobody_is_invited_when_nobody_should_be(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.make(attendees=[{"email": "bob@example.org"}], notify="none")
    assert await calendar.invitations() == []


async def test_a_repeated_request_makes_one_event(calendar: Stand) -> None:
    await calendar.connect()
    body, headers = {"title": "Once", "time": span(3)}, {"Idempotency-Key": "same"}
    for _ in range(2):
        answer = await calendar.call("POST", "/v1/calendar/events", body, headers=headers)
        assert answer.status in {201, 202}, answer
    await calendar.quiet()
    assert len(await calendar.at_google()) == 1


async def test_a_change_of_the_crm_is_in_google_and_told_once(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    await calendar.change(made["id"], title="Longer demo", time=span(3, minutes=90))

    found = await calendar.one_at_google(made["google_event_id"])
    assert found["summary"] == "Longer demo"
    await calendar.told(made["google_event_id"], "created", "updated")
    await calendar.quiet()
    assert [one.data["origin"] for one in calendar.events("calendar.event.")] == ["crm", "crm"]


async def test_changes_of_both_sides_in_different_fields_are_both_kept(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    await calendar.google.control("PUT", "notifications", {"paused": True})
    await calendar.edit(made["google_event_id"], "change", changes={"location": "Roof"})
    await calendar.change(made["id"], title="New title")

    found = await calendar.one_at_google(made["google_event_id"])
    assert (found["summary"], found["location"]) == ("New title", "Roof")


async def test_the_same_field_changed_by_both_waits_for_a_person(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    await calendar.google.control("PUT", "notifications", {"paused": True})
    await calendar.edit(made["google_event_id"], "change", changes={"summary": "Theirs"})
    answer = await calendar.change(made["id"], status=202, title="Ours")

    assert answer["state"] == "conflict"
    assert (await calendar.one_at_google(made["google_event_id"]))["summary"] == "Theirs"
    (conflict,) = (await calendar.get("/v1/calendar/conflicts"))["items"]
    assert (conflict["ours"], conflict["theirs"]) == ({"summary": "Ours"}, {"summary": "Theirs"})
    assert conflict["base"] == {"summary": "Demo"}


async def test_a_conflict_is_written_as_a_person_chooses(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    await calendar.google.control("PUT", "notifications", {"paused": True})
    await calendar.edit(made["google_event_id"], "change", changes={"summary": "Theirs"})
    await calendar.change(made["id"], status=202, title="Ours")
    (conflict,) = (await calendar.get("/v1/calendar/conflicts"))["items"]
    answer = await calendar.call(
        "POST", f"/v1/calendar/conflicts/{conflict['id']}/resolve", {"choice": "crm"}
    )

    assert answer.status == 200, answer

    async def is_ours() -> bool:
        found = await calendar.one_at_google(made["google_event_id"])
        return bool(found["summary"] == "Ours")

    await eventually(is_ours)
    await eventually(lambda: len(calendar.events("calendar.conflict.resolved")) == 1)


async def test_a_cancelled_event_goes_from_google(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make()
    answer = await calendar.call("DELETE", f"/v1/calendar/events/{made['id']}")

    assert answer.status == 200, answer
    assert (await calendar.one_at_google(made["google_event_id"]))["status"] == "cancelled"
    await calendar.told(made["google_event_id"], "created", "cancelled")
    await calendar.quiet()
    assert calendar.events("calendar.event.cancelled")[0].data["origin"] == "crm"


async def test_one_occurrence_is_moved_alone(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    second = (await calendar.listed())[1]
    await calendar.change(second["id"], time=span(24 + 5))

    async def is_moved() -> bool:
        now = await calendar.listed()
        return len(now) == 3 and now[1]["starts_at"] != second["starts_at"]

    await eventually(is_moved)
    assert [one["title"] for one in await calendar.listed()] == ["Demo"] * 3
    assert [one for one in await calendar.at_google() if one["id"] == made["google_event_id"]]


async def test_this_and_following_becomes_two_series(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.make(recurrence=["RRULE:FREQ=DAILY;COUNT=4"])
    third = (await calendar.listed())[2]
    await calendar.change(third["id"], title="Other", scope="following")

    async def is_split() -> bool:
        titles = [one["title"] for one in await calendar.listed()]
        return titles == ["Demo", "Demo", "Other", "Other"]

    await eventually(is_split)


async def test_a_whole_series_moves_by_as_much_as_one_of_it(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    before = await calendar.listed()
    await calendar.change(before[1]["id"], time=span(24 + 4), scope="all")

    async def is_moved() -> bool:
        now = await calendar.listed()
        return len(now) == 3 and all(
            new["starts_at"] > old["starts_at"] for new, old in zip(now, before, strict=True)
        )

    await eventually(is_moved)


async def test_an_occurrence_is_cancelled_alone(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.make(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    second = (await calendar.listed())[1]
    answer = await calendar.call("DELETE", f"/v1/calendar/events/{second['id']}")

    assert answer.status == 200, answer
    left = await calendar.listed()
    assert len(left) == 2
    assert second["id"] not in {one["id"] for one in left}


async def test_an_invitation_is_accepted_for_the_person(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    await calendar.connect()
    made = await calendar.happens(
        at(3, summary="Bob's", attendees=[{"email": "alice@example.com"}]),
        person="bob@example.com",
    )
    await eventually(lambda: calendar.told_of(made["id"]) == ["created"])
    (event,) = await calendar.listed()
    answer = await calendar.call(
        "POST",
        f"/v1/calendar/events/{event['id']}/response",
        {"response": "accepted", "notify": "none"},
        headers={"Idempotency-Key": "r1"},
    )

    assert answer.status == 200, answer
    mine = await calendar.one_at_google(made["id"])
    assert [one["responseStatus"] for one in mine["attendees"] if one.get("self")] == ["accepted"]


async def test_a_colleagues_meeting_is_not_changed_by_a_guest(calendar: Stand) -> None:
    await calendar.google.add_person("bob@example.com", name="Bob")
    await calendar.connect()
    await calendar.happens(
        at(3, summary="Bob's", attendees=[{"email": "alice@example.com"}]),
        person="bob@example.com",
    )
    await eventually(lambda: len(calendar.events("calendar.event.created")) == 1)
    (event,) = await calendar.listed()
    answer = await calendar.call(
        "PATCH", f"/v1/calendar/events/{event['id']}", {"title": "Mine", "notify": "none"}
    )
    assert (answer.status, answer.body["type"].rpartition(":")[2]) == (403, "not-organizer")
