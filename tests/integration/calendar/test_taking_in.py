"""What happens in Google Calendar is here within moments, and told once."""

from tests.integration.calendar.stand import Stand, at
from tests.support import eventually


async def test_an_event_from_before_is_there_after_connecting(calendar: Stand) -> None:
    made = await calendar.happens(at(3, summary="Kick-off", location="Room 1"))
    await calendar.connect()

    (event,) = await calendar.listed()
    assert event["title"] == "Kick-off"
    assert event["location"] == "Room 1"
    await calendar.told(made["id"], "created")
    (told,) = calendar.events("calendar.event.")
    assert told.data["origin"] == "backfill"


async def test_a_new_event_is_told_by_a_notice(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))

    await calendar.told(made["id"], "created")
    (told,) = calendar.events("calendar.event.created")
    assert told.data["origin"] == "live"
    assert told.data["title"] == "Lunch"


async def test_an_edit_is_told_once(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await calendar.edit(made["id"], "change", changes={"summary": "Late lunch"})

    await calendar.told(made["id"], "created", "updated")
    assert [one["title"] for one in await calendar.listed()] == ["Late lunch"]


async def test_a_deleted_event_is_cancelled(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await calendar.edit(made["id"], "delete")

    await calendar.told(made["id"], "created", "cancelled")
    assert await calendar.listed() == []


async def test_a_series_is_expanded_and_an_occurrence_that_was_moved_is_where_it_went(
    calendar: Stand,
) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Daily", recurrence=["RRULE:FREQ=DAILY;COUNT=4"]))
    await calendar.told(made["id"], "created")
    before = await calendar.listed()
    assert len(before) == 4
    second = before[1]
    instance = f"{made['id']}_{second['occurrence']}"
    moved = at(24 + 5)
    await calendar.edit(instance, "drag", start=moved["start"])

    async def is_moved() -> bool:
        now = await calendar.listed()
        return len(now) == 4 and now[1]["starts_at"] != second["starts_at"]

    await eventually(is_moved)
    after = await calendar.listed()
    assert after[1]["id"] == second["id"]
    assert [one["id"] for one in after] == [one["id"] for one in before]
