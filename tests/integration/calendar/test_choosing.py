"""Which of a person's calendars are read."""

from tests.integration.calendar.stand import Stand, at
from tests.integration.calendar.test_watching import choose
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token


async def a_second(calendar: Stand, name: str = "Team") -> str:
    """Give Alice a second calendar; return Google's id."""
    wanted = {"summary": name, "time_zone": "Europe/Paris"}
    made = await calendar.google.control("POST", f"people/{ALICE}/calendars", wanted)
    return str(made["id"])


async def feed_is(calendar: Stand, resource: str, state: str) -> None:
    async def is_so() -> bool:
        rows = await calendar.fetch(
            "SELECT state FROM feeds WHERE resource = $1 AND kind = 'calendar.events'", resource
        )
        return [row["state"] for row in rows] == [state]

    await eventually(is_so, what=f"{resource} {state}")


async def primary_name(calendar: Stand) -> str:
    known = (await calendar.get("/v1/calendar/calendars"))["items"]
    return next(str(one["summary"]) for one in known if one["is_primary"])


async def test_the_primary_calendar_alone_is_read_at_first(calendar: Stand) -> None:
    second = await a_second(calendar)
    await calendar.connect()
    known = (await calendar.get("/v1/calendar/calendars"))["items"]
    assert [(one["google_id"], one["is_read"]) for one in known] == [(ALICE, True), (second, False)]
    made = await calendar.happens(at(3, summary="Elsewhere"), calendar=second)
    marker = await calendar.happens(at(3, summary="Here"))
    await calendar.told(marker["id"], "created")
    assert calendar.told_of(made["id"]) == []


async def test_a_calendar_that_is_chosen_is_read(calendar: Stand) -> None:
    second = await a_second(calendar)
    made = await calendar.happens(at(3, summary="Before"), calendar=second)
    connection_id = await calendar.connect()
    items = await choose(calendar, connection_id, await primary_name(calendar), "Team")
    assert [one["is_read"] for one in items] == [True, True]
    await calendar.told(made["id"], "created")
    later = await calendar.happens(at(4, summary="After"), calendar=second)
    await calendar.told(later["id"], "created")
    here = await calendar.happens(at(5, summary="Here"))
    await calendar.told(here["id"], "created")
    assert len((await calendar.notifications())["channels"]) == 2


async def test_of_a_calendar_that_is_chosen_no_more_events_go(calendar: Stand) -> None:
    second = await a_second(calendar)
    connection_id = await calendar.connect()
    name = await primary_name(calendar)
    await choose(calendar, connection_id, name, "Team")
    made = await calendar.happens(at(3, summary="Elsewhere"), calendar=second)
    await calendar.told(made["id"], "created")
    await choose(calendar, connection_id, name)
    await calendar.told(made["id"], "created", "cancelled")
    assert await calendar.listed() == []
    await feed_is(calendar, second, "closed")
    ignored = await calendar.happens(at(4, summary="Ignored"), calendar=second)
    marker = await calendar.happens(at(5, summary="Here"))
    await calendar.told(marker["id"], "created")
    assert calendar.told_of(ignored["id"]) == []


async def test_a_calendar_that_is_not_read_is_not_watched(calendar: Stand) -> None:
    await a_second(calendar)
    connection_id = await calendar.connect()
    name = await primary_name(calendar)
    await choose(calendar, connection_id, name, "Team")

    async def watched() -> int:
        return len((await calendar.notifications())["channels"])

    async def are_two() -> bool:
        return await watched() == 2

    async def is_one() -> bool:
        return await watched() == 1

    await eventually(are_two)
    await choose(calendar, connection_id, name)
    await eventually(is_one)


async def test_a_calendar_that_is_chosen_again_is_whole_again(calendar: Stand) -> None:
    second = await a_second(calendar)
    connection_id = await calendar.connect()
    name = await primary_name(calendar)
    await choose(calendar, connection_id, name, "Team")
    kept = await calendar.happens(at(3, summary="Kept"), calendar=second)
    await calendar.told(kept["id"], "created")
    await choose(calendar, connection_id, name)
    await calendar.told(kept["id"], "created", "cancelled")
    await choose(calendar, connection_id, name, "Team")
    await calendar.told(kept["id"], "created", "cancelled", "created")


async def test_a_calendar_that_is_taken_off_the_list_takes_its_events_along(
    calendar: Stand,
) -> None:
    second = await a_second(calendar)
    connection_id = await calendar.connect()
    await choose(calendar, connection_id, await primary_name(calendar), "Team")
    made = await calendar.happens(at(3, summary="Elsewhere"), calendar=second)
    await calendar.told(made["id"], "created")
    await calendar.google.control("DELETE", f"people/{ALICE}/calendars/{second}")
    await calendar.later(minutes=16)
    await feed_is(calendar, second, "closed")
    await calendar.told(made["id"], "created", "cancelled")
    known = (await calendar.get("/v1/calendar/calendars"))["items"]
    assert [one["google_id"] for one in known] == [ALICE]


async def test_nobody_chooses_for_others_nor_what_is_not_theirs(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    body: Json = {"connection_id": connection_id, "calendar_ids": []}
    for token in (caller_token(user="bob"), service_caller_token(tenant="other")):
        answer = await calendar.call("PUT", "/v1/calendar/calendars", body, token=token)
        assert answer.status == 404
    body["calendar_ids"] = ["5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52"]
    answer = await calendar.call("PUT", "/v1/calendar/calendars", body)
    assert (answer.status, answer.fields) == (400, ["calendar_ids[0]"])
