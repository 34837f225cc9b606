"""How connections stand, and what went which way."""

from libs.common import clock
from libs.common.db import POOL
from services.calendar.sync.measuring import measure_once
from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token


async def status(calendar: Stand, *, token: str | None = None) -> list[Json]:
    return list((await calendar.get("/v1/calendar/status", token=token))["items"])


async def test_the_status_says_how_calendars_are_kept_in_step(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await calendar.quiet()

    (one,) = await status(calendar)
    assert one["connection_id"] == connection_id
    assert (one["state"], one["access"], one["paused"]) == ("active", "write", False)
    assert one["settings"]["direction"] == "bidirectional"
    assert one["events"] == 1
    assert one["dead_items"] == one["open_conflicts"] == 0
    assert one["last_day"] == {"succeeded": 1, "failed": 0, "success_rate": 1.0}
    assert one["quota"]["minute"] > 0
    assert one["last_sync_at"]
    (primary,) = one["calendars"]
    assert (primary["google_id"], primary["watch"], primary["failure"]) == (ALICE, "watched", None)
    assert primary["expires_at"]
    kinds = {feed["kind"]: feed for feed in one["feeds"]}
    assert {feed["summary"] for feed in kinds.values()} == {"in step"}
    assert kinds["calendar.events"]["calendar_id"] == primary["calendar_id"]


async def test_the_status_says_in_words_why_a_calendar_stands_still(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    path = f"/v1/calendar/connections/{connection_id}/settings"
    await calendar.call("PUT", path, {"enabled": False})

    (one,) = await status(calendar)
    assert one["paused"] is True
    words = "paused: somebody switched it off; it goes on from where it stands"
    assert {feed["summary"] for feed in one["feeds"]} == {words}


async def test_the_status_is_of_ones_own_and_a_service_sees_its_tenants(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    assert await status(calendar, token=caller_token(user="bob")) == []
    assert await status(calendar, token=service_caller_token(tenant="other")) == []
    (one,) = await status(calendar, token=service_caller_token())
    assert one["connection_id"] == connection_id


async def test_the_log_has_a_line_for_whatever_was_taken_in(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await calendar.edit(made["id"], "change", changes={"summary": "Late lunch"})
    await calendar.told(made["id"], "created", "updated")
    await calendar.edit(made["id"], "delete")
    await calendar.told(made["id"], "created", "updated", "cancelled")

    lines = (await calendar.get("/v1/calendar/sync-logs"))["items"]
    assert [one["action"] for one in lines] == ["delete", "update", "create"]
    (event,) = calendar.events("calendar.event.created")
    for line in lines:
        assert line["connection_id"] == connection_id
        assert line["event_id"] == event.data["event_id"]
        assert line["google_event_id"] == made["id"]
        assert (line["direction"], line["status"], line["error"]) == (
            "from_google",
            "success",
            None,
        )


async def test_the_log_is_filtered_and_paged(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await calendar.happens(at(3, summary="Daily"), count=5)
    await eventually(lambda: len(calendar.events("calendar.event.created")) == 5)
    first = calendar.events("calendar.event.created")[0].data["event_id"]

    async def count(query: str) -> int:
        return len((await calendar.get(f"/v1/calendar/sync-logs?{query}"))["items"])

    assert await count("action=create&direction=from_google&status=success") == 5
    assert await count("action=delete") == 0
    assert await count("direction=to_google") == 0
    assert await count("status=error") == 0
    assert await count(f"event_id={first}") == 1
    assert await count("appointment_id=1") == 0
    assert await count(f"connection_id={connection_id}") == 5
    assert await count("connection_id=5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52") == 0
    assert await count("since=2000-01-01T00:00:00Z") == 5
    assert await count("since=2100-01-01T00:00:00Z") == 0
    seen: list[str] = []
    query = "limit=2"
    while True:
        page = await calendar.get(f"/v1/calendar/sync-logs?{query}")
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query = f"limit=2&cursor={page['next_cursor']}"
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 5


async def test_the_log_is_of_ones_own(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    path = "/v1/calendar/sync-logs"
    for query in ("", f"?connection_id={connection_id}"):
        for token in (caller_token(user="bob"), service_caller_token(tenant="other")):
            assert (await calendar.get(f"{path}{query}", token=token))["items"] == []
        assert len((await calendar.get(f"{path}{query}", token=service_caller_token()))["items"])


async def test_bad_filters_of_the_log_are_named(calendar: Stand) -> None:
    for query, field in (
        ("direction=up", "direction"),
        ("action=make", "action"),
        ("status=fine", "status"),
        ("since=yesterday", "since"),
        ("since=2026-11-26T09:00:00", "since"),
        ("connection_id=1", "connection_id"),
        ("cursor=x", "cursor"),
    ):
        answer = await calendar.call("GET", f"/v1/calendar/sync-logs?{query}")
        assert (answer.status, answer.fields) == (400, [field]), query


async def test_gauges_say_how_the_whole_service_stands(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await measure_once(calendar.app[POOL], now=clock.now())
    metrics = (await calendar.call("GET", "/metrics")).body.decode()
    assert "causeway_calendar_active_connections 1.0" in metrics
    assert "causeway_calendar_success_ratio 1.0" in metrics
    assert "causeway_calendar_last_sync_timestamp_seconds " in metrics
