"""Reminders of our own: each told once, whoever tells it, and at the time that holds."""

from datetime import datetime, timedelta

from libs.common import clock
from tests.integration.calendar.stand import Stand
from tests.integration.service_stand import Json
from tests.support import eventually

ROWS = "SELECT minutes, starts_at FROM reminders WHERE told_at IS NULL ORDER BY due_at"


def starting(start: datetime, **more: object) -> Json:
    end = start + timedelta(hours=1)
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
        "summary": "Review",
        **more,
    }


def in_hours(hours: float) -> datetime:
    return (clock.now() + timedelta(hours=hours)).replace(second=0, microsecond=0)


def told(stand: Stand) -> list[int]:
    return [one.data["minutes"] for one in stand.events("calendar.reminder.due")]


async def laid_out(stand: Stand, *minutes: int, start: datetime | None = None) -> None:
    """Wait until just these are to be told (of a meeting that starts then)."""

    async def are() -> bool:
        rows = await stand.fetch(ROWS)
        assert [row["minutes"] for row in rows] == list(minutes), rows
        assert start is None or {row["starts_at"] for row in rows} == {start}, rows
        return True

    await eventually(are)


async def a_meeting(stand: Stand, hours: float = 3, **more: object) -> Json:
    made = await stand.happens(starting(in_hours(hours), **more))
    await stand.told(made["id"], "created")
    await laid_out(stand, 60, 15)
    return made


async def test_reminders_are_told_when_they_are_due_and_once(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await a_meeting(calendar)
    assert told(calendar) == []
    await calendar.later(hours=2, minutes=2)
    await eventually(lambda: told(calendar) == [60])
    await calendar.later(minutes=45)
    await eventually(lambda: told(calendar) == [60, 15])
    await calendar.later(hours=2)
    await calendar.quiet()
    assert told(calendar) == [60, 15]
    one = calendar.events("calendar.reminder.due")[0].data
    (event,) = calendar.events("calendar.event.created")
    assert one["event_id"] == event.data["event_id"]
    assert one["google_event_id"] == made["id"]
    assert (one["connection_id"], one["user_id"], one["title"]) == (connection_id, "ada", "Review")


async def test_two_workers_tell_a_reminder_once(calendar: Stand) -> None:
    await calendar.connect()
    await a_meeting(calendar)
    async with calendar.beside(), calendar.beside():
        await calendar.later(hours=2, minutes=50)
        await eventually(lambda: len(told(calendar)) >= 2)
        await calendar.quiet()
    assert sorted(told(calendar)) == [15, 60]


async def test_what_fell_due_while_nobody_was_there_is_told_afterwards_once(stand: Stand) -> None:
    async with stand.serving():
        await stand.connect()
        await a_meeting(stand)
    await stand.later(hours=2, minutes=2)
    async with stand.serving():
        await eventually(lambda: told(stand) == [60])
    async with stand.serving():
        await stand.quiet()
        assert told(stand) == [60]


async def test_a_reminder_that_falls_due_before_it_is_laid_out_is_told(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.happens(starting(clock.now() + timedelta(minutes=59, seconds=45)))
    await eventually(lambda: told(calendar) == [60])
    await laid_out(calendar, 15)


async def test_a_meeting_that_has_begun_is_not_reminded_of(stand: Stand) -> None:
    async with stand.serving():
        await stand.connect()
        await a_meeting(stand)
    await stand.later(hours=4)
    async with stand.serving():
        await laid_out(stand)
        await stand.quiet()
        assert told(stand) == []


async def test_a_meeting_that_is_moved_is_reminded_of_at_its_new_time(calendar: Stand) -> None:
    await calendar.connect()
    made = await a_meeting(calendar)
    start = in_hours(6)
    await calendar.edit(made["id"], "drag", start={"dateTime": start.isoformat()})
    await laid_out(calendar, 60, 15, start=start)
    await calendar.later(hours=2, minutes=30)
    await calendar.quiet()
    assert told(calendar) == []
    await calendar.later(hours=2, minutes=32)
    await eventually(lambda: told(calendar) == [60])


async def test_a_meeting_that_is_moved_after_its_reminder_is_reminded_of_again(
    calendar: Stand,
) -> None:
    await calendar.connect()
    made = await a_meeting(calendar)
    await calendar.later(hours=2, minutes=2)
    await eventually(lambda: told(calendar) == [60])
    start = in_hours(5)
    await calendar.edit(made["id"], "drag", start={"dateTime": start.isoformat()})
    await laid_out(calendar, 60, 15, start=start)
    await calendar.later(hours=4, minutes=2)
    await eventually(lambda: told(calendar) == [60, 60])


async def test_a_meeting_that_is_cancelled_is_not_reminded_of(calendar: Stand) -> None:
    await calendar.connect()
    made = await a_meeting(calendar)
    await calendar.edit(made["id"], "delete")
    await calendar.told(made["id"], "created", "cancelled")
    await laid_out(calendar)
    await calendar.later(hours=2, minutes=50)
    await calendar.quiet()
    assert told(calendar) == []


async def test_each_occurrence_is_reminded_of_where_it_is(calendar: Stand) -> None:
    await calendar.connect()
    start = in_hours(3)
    event = starting(start, recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    made = await calendar.happens(event)
    await calendar.told(made["id"], "created")
    await laid_out(calendar, 60, 15, 60, 15)
    second = start + timedelta(days=1)
    instance = f"{made['id']}_{second:%Y%m%dT%H%M%SZ}"
    moved = second + timedelta(hours=5)
    await calendar.edit(instance, "drag", start={"dateTime": moved.isoformat()})

    async def is_moved() -> bool:
        rows = await calendar.fetch(ROWS)
        return [row["starts_at"] for row in rows] == [start, start, moved, moved]

    await eventually(is_moved)
    await calendar.later(days=1, hours=7, minutes=10)
    await eventually(lambda: told(calendar) == [60])
    last = calendar.events("calendar.reminder.due")[-1].data
    assert last["event_id"].endswith(f"_{second:%Y%m%dT%H%M%SZ}")


async def test_of_a_private_meeting_the_reminder_says_nothing(calendar: Stand) -> None:
    await calendar.connect()
    await a_meeting(calendar, visibility="private")
    await calendar.later(hours=2, minutes=2)
    await eventually(lambda: told(calendar) == [60])
    assert calendar.events("calendar.reminder.due")[0].data["title"] == "(Busy)"


async def test_who_is_switched_off_is_not_reminded(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await a_meeting(calendar)
    path = f"/v1/calendar/connections/{connection_id}/settings"
    await calendar.call("PUT", path, {"enabled": False})
    await calendar.later(hours=2, minutes=50)

    async def are_done() -> bool:
        return await calendar.fetch(ROWS) == []

    await eventually(are_done)
    await calendar.quiet()
    assert told(calendar) == []
