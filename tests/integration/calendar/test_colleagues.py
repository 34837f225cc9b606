"""One meeting, however many colleagues have it; and tenants that never see each other."""

from uuid import UUID

from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token

BOB = "bob@example.com"
SERVICE = service_caller_token()


async def both(calendar: Stand) -> tuple[str, str]:
    """Connect Alice and Bob, users of one tenant; return their connections."""
    await calendar.google.add_person(BOB, name="Bob")
    alice = await calendar.connect()
    return alice, await calendar.connect(person=BOB, token=caller_token(user="bob"))


async def a_meeting(calendar: Stand) -> str:
    """Let Alice meet with Bob, and wait until both copies are here."""
    made = await calendar.happens(at(3, summary="Talk", attendees=[{"email": BOB}]))

    async def has_two() -> bool:
        found = await calendar.listed(token=SERVICE)
        return len(found) == 1 and len(found[0]["copies"]) == 2

    await eventually(has_two)
    await calendar.quiet()
    return str(made["id"])


def told(calendar: Stand) -> list[str]:
    return [one.type.split(".")[2] for one in calendar.events("calendar.event.")]


async def test_a_meeting_of_two_colleagues_is_one_with_two_copies(calendar: Stand) -> None:
    alice, bob = await both(calendar)
    await a_meeting(calendar)
    (meeting,) = await calendar.listed(token=SERVICE)
    assert {one["connection_id"] for one in meeting["copies"]} == {alice, bob}
    assert {one["user_id"] for one in meeting["copies"]} == {"ada", "bob"}
    assert told(calendar).count("created") == 1
    assert {one.data["event_id"] for one in calendar.events("calendar.event.")} == {meeting["id"]}
    numbers = [int(one.sequence) for one in calendar.events("calendar.event.")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_each_colleague_sees_their_own_copy(calendar: Stand) -> None:
    alice, bob = await both(calendar)
    await a_meeting(calendar)
    (hers,) = await calendar.listed()
    (his,) = await calendar.listed(token=caller_token(user="bob"))
    assert hers["id"] == his["id"]
    assert [one["connection_id"] for one in hers["copies"]] == [alice]
    assert [one["connection_id"] for one in his["copies"]] == [bob]


async def test_a_meeting_that_its_organizer_cancels_is_cancelled_once(calendar: Stand) -> None:
    await both(calendar)
    made = await a_meeting(calendar)
    await calendar.edit(made, "delete")
    await eventually(lambda: "cancelled" in told(calendar))
    await calendar.quiet()
    assert told(calendar).count("cancelled") == 1
    assert told(calendar)[-1] == "cancelled"
    assert await calendar.listed(token=SERVICE) == []


async def test_a_meeting_that_one_leaves_goes_on(calendar: Stand) -> None:
    _, bob = await both(calendar)
    made = await a_meeting(calendar)
    before = told(calendar)
    await calendar.edit(made, "delete", person=BOB)

    async def is_alone() -> bool:
        (meeting,) = await calendar.listed(token=SERVICE)
        return bob not in {one["connection_id"] for one in meeting["copies"]}

    await eventually(is_alone)
    await calendar.quiet()
    after = told(calendar)[len(before) :]
    assert after
    assert set(after) == {"updated"}


async def test_an_answer_of_a_colleague_is_told(calendar: Stand) -> None:
    await both(calendar)
    made = await a_meeting(calendar)
    await calendar.edit(made, "respond", person=BOB, response="declined")

    async def is_told() -> bool:
        last = calendar.events("calendar.event.")[-1].data
        return {one["email"]: one["response"] for one in last["attendees"]}.get(BOB) == "declined"

    await eventually(is_told)
    (meeting,) = await calendar.listed(token=SERVICE)
    assert {one["email"]: one["response"] for one in meeting["attendees"]}[BOB] == "declined"


async def test_two_colleagues_who_are_read_at_once_tell_once(calendar: Stand) -> None:
    await calendar.google.add_person(BOB, name="Bob")
    ids = []
    for hour in range(10):
        event = at(3 + hour, summary="Talk", attendees=[{"email": BOB}])
        ids.append((await calendar.happens(event))["id"])
    async with calendar.beside():
        await both_connect(calendar)

        async def are_whole() -> bool:
            found = await calendar.listed(token=SERVICE)
            return [len(one["copies"]) for one in found] == [2] * 10

        await eventually(are_whole)
        await calendar.quiet()
    assert told(calendar).count("created") == 10


async def both_connect(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.connect(person=BOB, token=caller_token(user="bob"))


async def test_two_tenants_with_one_account_have_a_meeting_each_and_one_channel(
    calendar: Stand,
) -> None:
    await calendar.connect()
    other = caller_token(tenant="other")
    await calendar.connect(token=other)
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created", "created")
    assert {one.tenantid for one in calendar.events("calendar.event.")} == {"acme", "other"}
    (mine,), (theirs,) = await calendar.listed(), await calendar.listed(token=other)
    assert mine["id"] != theirs["id"]
    foreign = await calendar.call("GET", f"/v1/calendar/events/{theirs['id']}")
    assert foreign.status == 404
    assert len((await calendar.notifications())["channels"]) == 1


async def test_the_channel_of_a_shared_account_outlives_one_of_its_connections(
    calendar: Stand,
) -> None:
    connection_id = await calendar.connect()
    other = caller_token(tenant="other")
    await calendar.connect(token=other)
    answer = await calendar.auth.call("DELETE", f"/v1/connections/{connection_id}")
    assert answer.status in {200, 202, 204}, answer

    async def is_over() -> bool:
        rows = await calendar.fetch(
            "SELECT state FROM feeds WHERE connection_id = $1", UUID(connection_id)
        )
        return {row["state"] for row in rows} == {"closed"}

    await eventually(is_over)
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    (one,) = calendar.events("calendar.event.")
    assert one.tenantid == "other"
    assert len((await calendar.notifications())["channels"]) == 1


async def test_a_private_copy_does_not_hide_what_a_colleague_shows(calendar: Stand) -> None:
    await both(calendar)
    made = await a_meeting(calendar)
    changes: Json = {"visibility": "private"}
    await calendar.edit(made, "change", person=BOB, changes=changes)
    await calendar.quiet()
    (meeting,) = await calendar.listed(token=SERVICE)
    assert meeting["title"] == "Talk"
    assert ALICE in {one["email"] for one in meeting["attendees"]} | {meeting["organizer"]["email"]}
