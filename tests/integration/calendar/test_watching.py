"""Calendars are watched without a gap, and those that cannot be are polled."""

from typing import Any

from libs.common.db import POOL
from services.calendar.app.parts import CHORES
from tests.chores import swept
from tests.integration.calendar.stand import Stand, at
from tests.integration.calendar.test_webhook import headers, raised
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually

WATCH = "/events/watch"
CHANNELS = "SELECT id, state, resource_id, last_number FROM channels ORDER BY created_at, id"


async def ours(calendar: Stand) -> list[Any]:
    return await calendar.fetch(CHANNELS)


async def are(calendar: Stand, *states: str) -> list[Any]:
    """Wait until our channels, oldest first, stand so; return them."""

    async def so() -> list[Any]:
        found = await ours(calendar)
        assert [one["state"] for one in found] == list(states), found
        return found

    return await eventually(so)


async def theirs(calendar: Stand) -> list[str]:
    return [one["id"] for one in (await calendar.notifications())["channels"]]


async def cleaned(calendar: Stand) -> None:
    await swept(calendar.app[POOL], calendar.app[CHORES])


async def choose(calendar: Stand, connection_id: str, *names: str) -> list[Json]:
    """Have just those calendars read that are called so."""
    known = (await calendar.get("/v1/calendar/calendars"))["items"]
    ids = [one["id"] for one in known if one["summary"] in names]
    assert len(ids) == len(names), known
    body = {"connection_id": connection_id, "calendar_ids": ids}
    answer = await calendar.call("PUT", "/v1/calendar/calendars", body)
    assert answer.status == 200, answer
    return list(answer.body["items"])


async def test_a_calendar_is_watched_from_the_beginning(calendar: Stand) -> None:
    await calendar.connect()
    (channel,) = await are(calendar, "watching")
    assert await theirs(calendar) == [str(channel["id"])]
    assert channel["resource_id"]


async def test_a_greeting_that_comes_before_the_answer_is_adopted(calendar: Stand) -> None:
    await calendar.notifications(early_sync=True)
    await calendar.connect()
    (channel,) = await are(calendar, "watching")
    assert channel["last_number"] >= 1
    deliveries = (await calendar.notifications())["deliveries"]
    assert [(one["state"], one["outcome"]) for one in deliveries] == [("sync", 204)]


async def test_a_change_that_is_told_before_the_answer_is_taken_in(stand: Stand) -> None:
    late = {"path_contains": WATCH, "method": "POST", "times": 1, "late_s": 2.0}
    await stand.google.control("PUT", "faults", {"rules": [late]})
    async with stand.serving():
        await stand.auth.connect(person=ALICE, products=[{"name": "calendar", "access": "write"}])

        async def is_open_at_google() -> bool:
            return bool(await theirs(stand))

        await eventually(is_open_at_google)
        (channel,) = await ours(stand)
        assert channel["state"] == "intended"
        made = await stand.happens(at(3, summary="Lunch"))

        async def is_adopted() -> bool:
            (found,) = await ours(stand)
            return found["resource_id"] is not None and found["last_number"] > 1

        await eventually(is_adopted)
        await stand.told(made["id"], "created")
        await are(stand, "watching")


async def test_a_channel_is_followed_by_the_next_before_it_ends(calendar: Stand) -> None:
    await calendar.connect()
    (first,) = await are(calendar, "watching")
    await calendar.later(days=6)
    old, new = await are(calendar, "stopped", "watching")
    assert old["id"] == first["id"]
    assert await theirs(calendar) == [str(new["id"])]
    made = await calendar.happens(at(24 * 6 + 3, summary="Lunch"))
    await calendar.told(made["id"], "created")


async def test_both_channels_live_while_one_follows_the_other(calendar: Stand) -> None:
    await calendar.connect()
    (first,) = await are(calendar, "watching")
    refused = {"path_contains": "/channels/stop", "status": 403, "reason": "forbidden"}
    await calendar.google.control("PUT", "faults", {"rules": [refused]})
    await calendar.later(days=6)
    old, new = await are(calendar, "superseded", "watching")
    await calendar.quiet()
    assert set(await theirs(calendar)) == {str(old["id"]), str(new["id"])}
    before = await raised(calendar)
    stale = headers(calendar, str(old["id"]), resource=old["resource_id"])
    assert await calendar.forge(headers=stale) == 204
    assert await raised(calendar) == before
    assert first["id"] == old["id"]


async def test_the_id_of_a_channel_is_kept_until_it_has_ended(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.later(days=6)
    await are(calendar, "stopped", "watching")
    await cleaned(calendar)
    await are(calendar, "stopped", "watching")
    await calendar.later(days=2)
    await cleaned(calendar)
    await are(calendar, "watching")


async def test_a_calendar_that_nobody_can_watch_is_polled_and_not_in_trouble(
    stand: Stand,
) -> None:
    stand.settings = stand.settings.model_copy(update={"poll_interval": 0.5})
    wanted = {"summary": "Holidays", "holidays": True}
    made = await stand.google.control("POST", f"people/{ALICE}/calendars", wanted)
    async with stand.serving():
        connection_id = await stand.connect()
        await choose(stand, connection_id, "Holidays")
        await eventually(lambda: stand.in_step(connection_id))
        day = {
            "summary": "New Year",
            "start": {"date": "2027-01-01"},
            "end": {"date": "2027-01-02"},
        }
        event = await stand.happens(day, calendar=made["id"])
        await stand.told(event["id"], "created")
        feed = await stand.feed(resource=made["id"])
        assert (feed["state"], feed["reason"]) == ("active", None)
        assert stand.events("calendar.feed.degraded") == []
        (one,) = (await stand.get("/v1/calendar/status"))["items"]
        (holidays,) = one["calendars"]
        assert (holidays["watch"], holidays["failure"]) == ("polled", "not-watchable")


async def test_without_a_channel_a_calendar_is_read_and_says_so(calendar: Stand) -> None:
    refused = {"path_contains": WATCH, "method": "POST", "status": 503, "times": 50}
    await calendar.google.control("PUT", "faults", {"rules": [refused]})
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.auth.connect(person=ALICE, products=[{"name": "calendar", "access": "write"}])
    await calendar.told(made["id"], "created")

    async def says_so() -> bool:
        feed = await calendar.feed()
        return (feed["state"], feed["reason"]) == ("degraded", "watch-failed")

    await eventually(says_so)
    await calendar.google.control("DELETE", "faults")
    await calendar.later(minutes=2)

    async def is_well() -> bool:
        return bool((await calendar.feed())["state"] == "active")

    await eventually(is_well)
    assert await theirs(calendar)


async def test_notices_that_got_lost_are_made_up_for_by_the_poll(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.notifications(drop=1000)
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.quiet()
    assert calendar.told_of(made["id"]) == []
    await calendar.later(minutes=16)
    await calendar.told(made["id"], "created")


async def test_a_process_that_stops_leaves_the_channel_to_the_next_at_once(stand: Stand) -> None:
    held = "SELECT FROM watches WHERE lease_until > now()"

    async def is_held() -> bool:
        return bool(await stand.fetch(held))

    slow = {"path_contains": WATCH, "delay_s": 60, "times": 1}
    await stand.google.control("PUT", "faults", {"rules": [slow]})
    async with stand.serving():
        await stand.auth.connect(products=[{"name": "calendar", "access": "write"}])
        await eventually(is_held)
    async with stand.serving(roles=frozenset({"web"})):
        assert not await is_held()
