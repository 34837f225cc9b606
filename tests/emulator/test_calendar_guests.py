"""Events that several people have: copies, answers, rights, and the mails about them."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, HOUR, WEEKLY, Answer, Diary, Google, Json

ANN = "ann@example.net"
CAROL = "carol@example.com"
EVENTS = "calendars/primary/events"
SECOND = "20260309T080000Z"


@pytest.fixture
async def bob(google: Google) -> Diary:
    return await google.diary(email=BOB)


async def meeting(diary: Diary, *guests: str, **fields: Any) -> Json:
    return await diary.insert(attendees=[{"email": email} for email in guests], **fields)


async def answer_of(diary: Diary, event_id: str, email: str) -> str:
    event = await diary.event(event_id)
    return next(str(e["responseStatus"]) for e in event["attendees"] if e["email"] == email)


async def accept(diary: Diary, event: Json, response: str = "accepted") -> Json:
    attendees = [
        {**entry, "responseStatus": response} if entry["email"] == diary.email else entry
        for entry in event["attendees"]
    ]
    return await diary.patch(event["id"], {"attendees": attendees})


async def put(diary: Diary, event_id: str, body: Any) -> Answer:
    return await diary.call("PUT", f"{EVENTS}/{event_id}", json=body)


async def mails(google: Google, **wanted: str) -> list[tuple[str, str]]:
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    found = await google.control("GET", f"invitations?{query}")
    return [(one["kind"], one["to"]) for one in found["invitations"]]


async def test_a_guest_gets_a_copy_of_their_own(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, ANN, summary="Offer")

    copy = await bob.event(made["id"])

    assert copy["iCalUID"] == made["iCalUID"]
    assert copy["summary"] == "Offer"
    assert copy["organizer"] == {"email": ALICE}
    assert copy["creator"] == {"email": ALICE}
    assert copy["attendees"] == [
        {"email": BOB, "responseStatus": "needsAction", "self": True},
        {"email": ANN, "responseStatus": "needsAction"},
    ]
    assert made["organizer"] == {"email": ALICE, "self": True}
    assert copy["etag"] != made["etag"]


async def test_the_organizers_changes_reach_the_copies(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB)
    token = await bob.sync_token()

    await diary.patch(made["id"], {"location": "Bern"})

    (copy,) = await bob.changes(token)
    assert copy["location"] == "Bern"


async def test_what_is_private_stays_in_its_copy(diary: Diary, bob: Diary) -> None:
    made = await meeting(
        diary, BOB, extendedProperties={"private": {"a": "1"}, "shared": {"s": "2"}}
    )
    mine = {"extendedProperties": {"private": {"b": "3"}}, "colorId": "5"}
    await bob.patch(made["id"], mine)

    await diary.patch(made["id"], {"summary": "New", "colorId": "7"})

    copy, own = await bob.event(made["id"]), await diary.event(made["id"])
    assert copy["extendedProperties"] == {"private": {"b": "3"}, "shared": {"s": "2"}}
    assert own["extendedProperties"] == {"private": {"a": "1"}, "shared": {"s": "2"}}
    assert (copy["colorId"], own["colorId"]) == ("5", "7")


async def test_an_answer_flows_back_to_organizer_and_guests(
    google: Google, diary: Diary, bob: Diary
) -> None:
    carol = await google.diary(email=CAROL)
    made = await meeting(diary, BOB, CAROL)
    token = await diary.sync_token()

    await accept(bob, await bob.event(made["id"]))

    assert [event["id"] for event in await diary.changes(token)] == [made["id"]]
    for seen_by in (diary, bob, carol):
        assert await answer_of(seen_by, made["id"], BOB) == "accepted"


async def test_a_guest_who_deletes_declines(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB)

    await bob.delete(made["id"])
    await diary.patch(made["id"], {"summary": "Changed"})

    assert await answer_of(diary, made["id"], BOB) == "declined"
    assert (await bob.event(made["id"]))["status"] == "cancelled"
    assert (await diary.event(made["id"]))["status"] == "confirmed"


async def test_an_organizer_who_deletes_cancels_all_copies(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB)
    token = await bob.sync_token()

    await diary.delete(made["id"])

    assert [event["status"] for event in await bob.changes(token)] == ["cancelled"]


async def test_a_guest_who_is_taken_off_loses_the_copy(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB)

    await diary.patch(made["id"], {"attendees": []})
    gone = await bob.event(made["id"])
    await diary.patch(made["id"], {"attendees": [{"email": BOB}]})

    assert gone["status"] == "cancelled"
    assert (await bob.event(made["id"]))["status"] == "confirmed"


async def test_a_guests_patch_stays_local_and_is_lost(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, summary="Official")

    local = await bob.patch(made["id"], {"summary": "Mine"})
    untouched = await diary.event(made["id"])
    await diary.patch(made["id"], {"location": "Bern"})

    assert local["summary"] == "Mine"
    assert untouched["etag"] == made["etag"]
    assert (await bob.event(made["id"]))["summary"] == "Official"


async def test_a_guest_cannot_replace_what_is_shared(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, location="Bern")
    copy = await bob.event(made["id"])

    other = await put(bob, made["id"], {**copy, "summary": "Mine"})
    left_out = await put(bob, made["id"], {n: v for n, v in copy.items() if n != "location"})
    same = await put(bob, made["id"], {**copy, "colorId": "4"})
    answered = [{**copy["attendees"][0], "responseStatus": "tentative"}]
    answer = await put(bob, made["id"], {**copy, "attendees": answered})

    assert [(one.status, one.reason) for one in (other, left_out)] == [
        (403, "forbiddenForNonOrganizer")
    ] * 2
    assert (same.status, answer.status) == (200, 200)
    assert await answer_of(diary, made["id"], BOB) == "tentative"


async def test_guests_may_modify_if_the_organizer_lets_them(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, guestsCanModify=True)
    copy = await bob.event(made["id"])

    answer = await put(bob, made["id"], {**copy, "summary": "Ours"})

    assert answer.status == 200
    assert (await diary.event(made["id"]))["summary"] == "Ours"


async def test_guests_may_be_kept_from_seeing_each_other(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, ANN, guestsCanSeeOtherGuests=False)

    copy = await bob.event(made["id"])

    assert [entry["email"] for entry in copy["attendees"]] == [BOB]


async def test_a_guest_can_be_invited_by_an_alias(google: Google, diary: Diary, bob: Diary) -> None:
    await google.control("POST", f"people/{BOB}/aliases", {"email": "sales@example.com"})

    made = await meeting(diary, "Sales@example.com")

    copy = await bob.event(made["id"])
    assert copy["attendees"] == [
        {"email": "sales@example.com", "responseStatus": "needsAction", "self": True}
    ]


async def test_more_than_200_guests_get_no_copies(diary: Diary, bob: Diary) -> None:
    crowd = [f"guest{number}@example.net" for number in range(200)]

    made = await meeting(diary, BOB, *crowd)

    answer = await bob.call("GET", f"{EVENTS}/{made['id']}")
    assert answer.status == 404


async def test_one_instance_can_be_answered_alone(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, **WEEKLY)
    instance = await bob.event(f"{made['id']}_{SECOND}")

    await accept(bob, instance, "declined")

    assert await answer_of(diary, instance["id"], BOB) == "declined"
    assert await answer_of(diary, made["id"], BOB) == "needsAction"
    assert [event["id"] for event in (await diary.events())["items"]] == [
        made["id"],
        instance["id"],
    ]


async def test_an_exception_reaches_the_guests(diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, BOB, **WEEKLY)
    instance_id = f"{made['id']}_{SECOND}"

    await diary.patch(instance_id, {"summary": "Special"})
    special = await bob.event(instance_id)
    await diary.delete(instance_id)

    assert (special["summary"], special["recurringEventId"]) == ("Special", made["id"])
    assert (await bob.event(instance_id))["status"] == "cancelled"


async def test_one_instance_can_have_more_guests(diary: Diary, bob: Diary) -> None:
    made = await diary.insert(**WEEKLY)
    instance_id = f"{made['id']}_{SECOND}"

    await diary.patch(instance_id, {"attendees": [{"email": BOB}]})

    assert [event["id"] for event in (await bob.events())["items"]] == [instance_id]
    assert [event["id"] for event in (await bob.events(singleEvents=True))["items"]] == [
        instance_id
    ]


async def test_a_team_calendar_is_an_organizer_of_its_own(
    google: Google, diary: Diary, bob: Diary
) -> None:
    team = await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})

    made = await diary.insert(team["id"], attendees=[{"email": ALICE}, {"email": BOB}])

    assert made["organizer"] == {"email": team["id"], "displayName": "Team", "self": True}
    assert made["creator"] == {"email": ALICE}
    for guest in (diary, bob):
        copy = await guest.event(made["id"])
        assert copy["organizer"] == {"email": team["id"], "displayName": "Team"}


@pytest.mark.parametrize(
    ("wish", "invited"),
    [("all", {ANN, BOB}), ("externalOnly", {ANN}), ("none", set()), (None, set())],
)
async def test_invitations_go_to_whom_the_caller_wants(
    google: Google, diary: Diary, bob: Diary, wish: str | None, invited: set[str]
) -> None:
    assert await bob.events()
    made = await meeting(diary, BOB, ANN, ALICE, **({"sendUpdates": wish} if wish else {}))

    assert {to for _, to in await mails(google, event=made["id"])} == invited


async def test_every_mail_is_counted_by_kind(google: Google, diary: Diary, bob: Diary) -> None:
    made = await meeting(diary, ANN, sendUpdates="all")
    await diary.patch(made["id"], {"summary": "New"}, sendUpdates="all")
    await diary.patch(made["id"], {"colorId": "3"}, sendUpdates="all")
    both = {"attendees": [{"email": ANN}, {"email": BOB}]}
    await diary.patch(made["id"], both, sendUpdates="all")
    await diary.patch(made["id"], {"summary": "Silent"})
    await bob.delete(made["id"], sendUpdates="all")
    await diary.patch(made["id"], {"attendees": [{"email": BOB}]}, sendUpdates="all")
    await diary.delete(made["id"], sendUpdates="all")

    assert await mails(google, to=ANN) == [
        ("invitation", ANN),
        ("update", ANN),
        ("update", ANN),
        ("cancellation", ANN),
    ]
    assert ("invitation", BOB) in await mails(google, to=BOB)
    assert await mails(google, kind="response") == [("response", ALICE)]
    await google.control("DELETE", "invitations")
    assert await mails(google) == []


async def test_the_older_parameter_sends_to_all(google: Google, diary: Diary) -> None:
    body = {**HOUR, "attendees": [{"email": ANN}]}
    await diary.send("POST", EVENTS, body, sendNotifications=True)

    assert await mails(google) == [("invitation", ANN)]


async def test_a_person_answers_in_their_own_calendar(
    google: Google, diary: Diary, bob: Diary
) -> None:
    made = await meeting(diary, BOB)
    edit = {"event": made["id"], "action": "respond", "response": "accepted", "comment": "Yes!"}

    await google.control("POST", f"people/{BOB}/event-edits", edit)

    event = await diary.event(made["id"])
    assert event["attendees"][0]["responseStatus"] == "accepted"
    assert event["attendees"][0]["comment"] == "Yes!"
    assert await mails(google, kind="response") == [("response", ALICE)]
    assert (await bob.event(made["id"]))["attendees"][0]["responseStatus"] == "accepted"


async def test_a_stranger_invites_a_person(google: Google, diary: Diary) -> None:
    event = {
        **HOUR,
        "iCalUID": "far@example.net",
        "organizer": {"email": ANN, "displayName": "Ann"},
        "attendees": [{"email": ALICE}],
    }

    made = await google.control("POST", f"people/{ALICE}/events", {"event": event})

    found = await diary.event(made["id"])
    assert found["organizer"] == {"email": ANN, "displayName": "Ann"}
    assert found["attendees"][0]["self"] is True
    accepted = await accept(diary, found)
    assert accepted["attendees"][0]["responseStatus"] == "accepted"


async def test_reminders_are_each_persons_own(google: Google, diary: Diary, bob: Diary) -> None:
    team = await google.control("POST", f"people/{ALICE}/calendars", {"summary": "Team"})
    path = f"people/{ALICE}/calendars/{team['id']}/sharing"
    await google.control("POST", path, {"person": BOB, "role": "writer"})
    made = await diary.insert(team["id"])
    own = {"useDefault": False, "overrides": [{"method": "email", "minutes": 10}]}

    await bob.send("PATCH", f"calendars/{team['id']}/events/{made['id']}", {"reminders": own})

    mine = await diary.get(f"calendars/{team['id']}/events/{made['id']}")
    theirs = await bob.get(f"calendars/{team['id']}/events/{made['id']}")
    assert (mine["reminders"], theirs["reminders"]) == ({"useDefault": True}, own)


async def test_a_new_address_keeps_calendar_and_role(google: Google, diary: Diary) -> None:
    made = await diary.insert()
    token = await diary.sync_token()

    await google.control("PATCH", f"people/{ALICE}", {"email": "alice@new.example.com"})

    changed = await diary.patch(made["id"], {"summary": "Still mine"})
    assert changed["organizer"] == {"email": ALICE, "self": True}
    entries = (await diary.get("users/me/calendarList"))["items"]
    assert [(one["id"], one["primary"]) for one in entries] == [("alice@new.example.com", True)]
    answer = await diary.call("GET", EVENTS, params={"syncToken": token})
    assert answer.status == 410


async def test_answers_still_flow_after_the_organizer_got_a_new_address(
    google: Google, diary: Diary, bob: Diary
) -> None:
    made = await meeting(diary, BOB)
    await google.control("PATCH", f"people/{ALICE}", {"email": "alice@new.example.com"})

    await accept(bob, await bob.event(made["id"]))

    assert await answer_of(diary, made["id"], BOB) == "accepted"


async def test_a_guest_from_elsewhere_answers(google: Google, diary: Diary) -> None:
    made = await meeting(diary, ANN)
    edit = {"event": made["id"], "action": "respond", "guest": ANN, "response": "tentative"}

    await google.control("POST", f"people/{ALICE}/event-edits", edit)

    assert await answer_of(diary, made["id"], ANN) == "tentative"
    assert await mails(google) == []


async def test_what_is_imported_invites_nobody(diary: Diary, bob: Diary) -> None:
    body = {**HOUR, "iCalUID": "own@example.net", "attendees": [{"email": BOB}]}

    made = await diary.send("POST", f"{EVENTS}/import", body)

    assert made["organizer"]["self"] is True
    assert (await bob.events())["items"] == []
