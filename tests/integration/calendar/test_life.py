"""Calendars open and close as auth says."""

from typing import Any

from libs.common.events import auth as events
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from tests import messaging
from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import ALICE
from tests.support import eventually

AHEAD = 100
"""Further than the events of auth's own that may still be on their way."""


async def row(calendar: Stand) -> Any:
    (found,) = await calendar.fetch("SELECT * FROM connections")
    return found


async def auth_tells(calendar: Stand, kind: type[Event], **more: Any) -> None:
    """Publish what auth would tell of the one connection."""
    facts = await row(calendar)
    data = {
        "origin": Origin.LIVE,
        "connection_id": facts["connection_id"],
        "user_id": facts["user_id"],
        "account": {"id": facts["account_id"], "email": facts["email"]},
        "products": [{"name": "calendar", "access": "write"}],
        **more,
    }
    event = Envelope.of(
        kind.model_validate(data),
        tenant_id=facts["tenant_id"],
        aggregate_id=str(facts["connection_id"]),
        sequence=facts["event_sequence"] + AHEAD,
        time=messaging.NOON,
    )
    amqp_url = calendar.settings.amqp_url.get_secret_value()
    await messaging.send(amqp_url, event.to_json(), key=event.type)


async def feeds_are(calendar: Stand, state: str, reason: str | None = None) -> None:
    async def they_are() -> bool:
        rows = await calendar.fetch("SELECT DISTINCT state, reason FROM feeds")
        return [(one["state"], one["reason"]) for one in rows] == [(state, reason)]

    await eventually(they_are, what=f"feeds {state}")


async def disconnect(calendar: Stand, connection_id: str, query: str = "") -> None:
    answer = await calendar.auth.call("DELETE", f"/v1/connections/{connection_id}{query}")
    assert answer.status in {200, 202, 204}, answer


async def test_a_lost_event_of_auths_heals(stand: Stand) -> None:
    connected = await stand.auth.connect(products=[{"name": "calendar", "access": "write"}])
    made = await stand.happens(at(3, summary="Lunch"))
    async with stand.serving():
        await stand.told(made["id"], "created")
        assert str((await row(stand))["connection_id"]) == connected["id"]


async def test_disconnecting_closes_and_keeps_what_was_read(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await disconnect(calendar, connection_id)
    await feeds_are(calendar, "closed", "disconnected")
    assert [one["title"] for one in await calendar.listed()] == ["Lunch"]
    assert await calendar.fetch("SELECT 1 FROM watches") == []
    assert await calendar.fetch("SELECT 1 FROM channels WHERE state = 'watching'") == []
    later = await calendar.happens(at(4, summary="Later"))
    await calendar.quiet()
    assert calendar.told_of(later["id"]) == []


async def test_purging_leaves_nothing(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Zebra7", description="Zebra7"))
    await calendar.told(made["id"], "created")
    await disconnect(calendar, connection_id, "?purge=true")

    async def is_gone() -> bool:
        found = await row(calendar)
        return bool((found["purge"], found["email"]) == ("done", ""))

    await eventually(is_gone)
    await calendar.told(made["id"], "created", "cancelled")
    await calendar.quiet()
    for table in (
        "events",
        "calendars",
        "feeds",
        "signals",
        "watches",
        "reminders",
        "sync_logs",
        "link_work",
        "meeting_links",
        "dead_items",
        "writes",
    ):
        assert await calendar.fetch(f"SELECT 1 FROM {table}") == [], table  # noqa: S608 - constants
    assert await calendar.fetch("SELECT 1 FROM channels WHERE state = 'watching'") == []
    assert await calendar.listed() == []
    assert (await calendar.get("/v1/calendar/status"))["items"] == []


async def test_what_was_purged_may_come_back(calendar: Stand) -> None:
    made = await calendar.happens(at(3, summary="Lunch"))
    await disconnect(calendar, await calendar.connect(), "?purge=true")
    await calendar.told(made["id"], "created", "cancelled")

    async def is_gone() -> bool:
        return str((await row(calendar))["purge"]) == "done"

    await eventually(is_gone)
    again = await calendar.auth.connect(products=[{"name": "calendar", "access": "write"}])
    await calendar.told(made["id"], "created", "cancelled", "created")
    assert [one["title"] for one in await calendar.listed()] == ["Lunch"]
    assert again["id"]


async def test_a_grant_that_was_revoked_pauses_and_keeps_the_cursor(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await auth_tells(calendar, events.ConnectionReauthorizationRequired, products=[])
    await feeds_are(calendar, "paused", "reauthorization_required")
    assert (await calendar.feed())["cursor"]
    (one,) = (await calendar.get("/v1/calendar/status"))["items"]
    assert (one["connection_id"], one["state"]) == (connection_id, "reauthorization_required")
    answer = await calendar.call("POST", "/v1/calendar/sync", {"connection_id": connection_id})
    assert answer.status == 409
    assert answer.body["type"].endswith("reauthorization-required")


async def test_a_grant_that_is_gone_at_google_pauses_the_calendar(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.quiet()
    await calendar.google.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})
    await calendar.later(hours=2)  # the token that is held has ended by then

    async def is_in_trouble() -> bool:
        return str((await calendar.feed())["state"]) != "active"

    await eventually(is_in_trouble)  # a first refusal may be a mistake
    await calendar.later(minutes=20)

    async def is_paused() -> bool:
        feed = await calendar.feed()
        assert (feed["state"], feed["reason"]) == ("paused", "reauthorization_required"), feed
        return True

    await eventually(is_paused)


async def test_reconnecting_goes_on_where_it_stood_without_telling_twice(calendar: Stand) -> None:
    await calendar.connect()
    before = await calendar.happens(at(3, summary="Before"))
    await calendar.told(before["id"], "created")
    await auth_tells(calendar, events.ConnectionReauthorizationRequired)
    await feeds_are(calendar, "paused", "reauthorization_required")
    meanwhile = await calendar.happens(at(4, summary="Meanwhile"))
    await calendar.edit(before["id"], "change", changes={"summary": "Changed"})
    await auth_tells(calendar, events.ConnectionAuthorized)
    await calendar.told(meanwhile["id"], "created")
    await calendar.told(before["id"], "created", "updated")
    await calendar.quiet()
    assert len(await calendar.listed()) == 2
    assert len(calendar.events("calendar.event.")) == 3


async def test_reconnecting_opens_a_new_channel(calendar: Stand) -> None:
    await calendar.connect()
    await auth_tells(calendar, events.ConnectionReauthorizationRequired)
    await feeds_are(calendar, "paused", "reauthorization_required")
    await auth_tells(calendar, events.ConnectionAuthorized)

    async def is_new() -> bool:
        rows = await calendar.fetch("SELECT state FROM channels ORDER BY created_at")
        return [one["state"] for one in rows] == ["stopped", "watching"]

    await eventually(is_new)


async def test_connecting_again_after_disconnecting_has_no_doubles(calendar: Stand) -> None:
    made = await calendar.happens(at(3, summary="Lunch"))
    first = await calendar.connect()
    await calendar.told(made["id"], "created")
    await disconnect(calendar, first)
    await feeds_are(calendar, "closed", "disconnected")
    second = await calendar.connect()
    await calendar.quiet()
    found = await calendar.listed()
    assert [one["title"] for one in found] == ["Lunch"]
    assert calendar.told_of(made["id"]).count("created") == 1
    assert [one["connection_id"] for one in found[0]["copies"]] == [second]
    await calendar.edit(made["id"], "delete")
    await eventually(lambda: "cancelled" in calendar.told_of(made["id"]))
    assert await calendar.listed() == []
