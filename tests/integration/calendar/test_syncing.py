"""Whatever becomes of tokens, pages and workers: nothing is lost, and nothing told twice."""

from collections import Counter
from typing import Any

import pytest

from tests.integration.calendar.stand import Stand, at
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually, service_caller_token

LIST = {"path_contains": f"/calendars/{ALICE}/events", "method": "GET"}


async def expire(calendar: Stand, calendar_id: str | None = ALICE) -> None:
    await calendar.google.control("POST", f"people/{ALICE}/sync-tokens", {"calendar": calendar_id})


async def faults(calendar: Stand, *rules: Json) -> None:
    await calendar.google.control("PUT", "faults", {"rules": list(rules)})


async def poll(calendar: Stand) -> None:
    """Let a poll come due."""
    await calendar.later(minutes=16)


def resynced(calendar: Stand) -> list[dict[str, Any]]:
    return [one.data for one in calendar.events("calendar.feed.resynced")]


async def happen(calendar: Stand, count: int) -> list[str]:
    """Let so many events happen, and wait until they are told; return their ids."""
    made = await calendar.happens(at(3, summary="Daily"), count=count)
    ids = list(made.get("ids") or [made["id"]])
    await all_told(calendar, ids)
    return ids


async def all_told(calendar: Stand, ids: list[str]) -> None:
    """Wait until each event was told as created, once."""

    def are() -> bool:
        told = calendar.events("calendar.event.created")
        assert len(told) >= len(ids), len(told)
        return True

    await eventually(are)
    # A relay that ends between publishing and noting it publishes again: the id says so.
    created = {one.id: one for one in calendar.events("calendar.event.created")}.values()
    assert Counter(one.data["google_event_id"] for one in created) == Counter(ids)


async def test_after_a_token_has_expired_all_is_read_again_and_told_once(
    calendar: Stand,
) -> None:
    await calendar.connect()
    kept, changed, gone = await happen(calendar, 3)
    await calendar.notifications(paused=True)
    await expire(calendar)
    await calendar.edit(changed, "change", changes={"summary": "Changed"})
    await calendar.edit(gone, "delete")
    new = await calendar.happens(at(8, summary="New"))
    await calendar.notifications(paused=False)
    await poll(calendar)

    await calendar.told(new["id"], "created")
    await calendar.told(changed, "created", "updated")
    await calendar.told(gone, "created", "cancelled")
    await calendar.told(kept, "created")
    await eventually(lambda: resynced(calendar))
    (told,) = resynced(calendar)
    assert told["reason"] == "gap"
    assert told["counts"]["listed"] == 3
    assert told["counts"]["removed"] == 1
    origins = {
        one.data["google_event_id"]: one.data["origin"]
        for one in calendar.events("calendar.event.")
    }
    assert origins[new["id"]] == origins[changed] == origins[gone] == "repair"


async def test_after_the_list_of_calendars_has_expired_it_is_read_again(calendar: Stand) -> None:
    await calendar.connect()
    made = await calendar.google.control(
        "POST", f"people/{ALICE}/calendars", {"summary": "Gone soon"}
    )
    await poll(calendar)

    async def names() -> set[str]:
        found = (await calendar.get("/v1/calendar/calendars"))["items"]
        return {one["summary"] for one in found}

    async def is_there() -> bool:
        return "Gone soon" in await names()

    await eventually(is_there)
    await expire(calendar, None)
    await calendar.google.control("DELETE", f"people/{ALICE}/calendars/{made['id']}")
    await poll(calendar)

    async def is_gone() -> bool:
        return "Gone soon" not in await names()

    await eventually(is_gone)


async def test_many_deletions_found_by_a_comparison_wait_for_a_person(calendar: Stand) -> None:
    await calendar.connect()
    ids = await happen(calendar, 70)
    await calendar.notifications(paused=True)
    await expire(calendar)
    for one in ids[:60]:
        await calendar.edit(one, "delete")
    await poll(calendar)

    async def held() -> list[Json]:
        return list((await calendar.get("/v1/calendar/holds?state=open"))["items"])

    (hold,) = await eventually(held)
    assert (hold["kind"], hold["affected"], hold["total"]) == ("mass-deletion", 60, 70)

    async def is_shown() -> bool:
        feed = await calendar.feed("calendar.audit")
        return (feed["state"], feed["reason"]) == ("degraded", "held-deletions")

    await eventually(is_shown)
    assert calendar.events("calendar.event.cancelled") == []
    answer = await calendar.call("POST", f"/v1/calendar/holds/{hold['id']}/approve")
    assert answer.status == 200, answer
    await eventually(lambda: len(calendar.events("calendar.event.cancelled")) == 60)
    await eventually(lambda: [one["counts"]["removed"] for one in resynced(calendar)] == [60])


async def test_many_deletions_that_google_tells_of_are_taken_in(calendar: Stand) -> None:
    await calendar.connect()
    ids = await happen(calendar, 60)
    for one in ids:
        await calendar.edit(one, "delete")
    await eventually(lambda: len(calendar.events("calendar.event.cancelled")) == 60)


async def test_deletions_of_which_nothing_but_the_id_is_said_are_cancellations(
    calendar: Stand,
) -> None:
    await calendar.google.control("PUT", "settings", {"bare_cancellations": True})
    await calendar.connect()
    (one,) = await happen(calendar, 1)
    await calendar.edit(one, "delete")
    await calendar.told(one, "created", "cancelled")


@pytest.mark.parametrize("pages", ["short", "empty"])
async def test_pages_that_are_short_or_empty_are_read_to_the_end(stand: Stand, pages: str) -> None:
    made = await stand.happens(at(3, summary="Daily"), count=300)
    await stand.google.control("PUT", "settings", {"calendar_pages": pages})
    async with stand.serving():
        await stand.connect()
        await all_told(stand, made["ids"])
        more = await stand.happens(at(4, summary="More"))
        await stand.told(more["id"], "created")


async def test_when_a_page_has_died_the_list_is_read_from_the_top(stand: Stand) -> None:
    made = await stand.happens(at(3, summary="Daily"), count=300)
    dead = {**LIST, "after": 1, "times": 1, "status": 400, "reason": "invalid"}
    await faults(stand, dead)
    async with stand.serving():
        await stand.connect()
        await all_told(stand, made["ids"])
        await stand.quiet()
        assert len(stand.events("calendar.event.")) == 300


async def test_an_event_that_cannot_be_read_is_left_behind_and_tried_again_on_demand(
    calendar: Stand,
) -> None:
    await calendar.connect()
    await calendar.quiet()
    await calendar.notifications(paused=True)
    bad = await calendar.happens(at(3, summary="Unreadable"))
    good = await calendar.happens(at(4, summary="Readable"))
    events = [one for one in await calendar.at_google() if one["id"] in {bad["id"], good["id"]}]
    for one in events:
        if one["id"] == bad["id"]:
            one["start"] = {"dateTime": "yesterday"}
    token = await _token(calendar)
    page = {"kind": "calendar#events", "items": events, "nextSyncToken": token}
    await faults(calendar, {**LIST, "times": 1, "status": 200, "body": page})
    await poll(calendar)
    await calendar.told(good["id"], "created")
    (item,) = (await calendar.get("/v1/calendar/dead-items"))["items"]
    assert (item["item"], item["kind"], item["cause"]) == (
        bad["id"],
        "calendar.event",
        "unreadable",
    )
    assert calendar.told_of(bad["id"]) == []
    await eventually(lambda: calendar.events("calendar.feed.degraded"))

    answer = await calendar.call("POST", f"/v1/calendar/dead-items/{item['id']}/replay")
    assert answer.status == 202, answer
    await calendar.told(bad["id"], "created")
    assert (await calendar.get("/v1/calendar/dead-items"))["items"] == []
    await eventually(lambda: calendar.events("calendar.feed.recovered"))


async def _token(calendar: Stand) -> str:
    """Return the sync token that the calendar's feed holds."""
    (row,) = await calendar.fetch(
        "SELECT cursor::jsonb->>'token' AS token FROM feeds WHERE kind = 'calendar.events'"
    )
    return str(row["token"])


async def test_google_failing_for_a_while_loses_nothing(calendar: Stand) -> None:
    await calendar.connect()
    await faults(
        calendar,
        {**LIST, "times": 2, "status": 503},
        {**LIST, "times": 1, "garbage": True},
        {**LIST, "times": 1, "truncate": 20},
        {**LIST, "times": 1, "drop": True},
    )
    await happen(calendar, 2)


async def test_a_refusal_for_quota_is_waited_out(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.quiet()
    refusal = {**LIST, "times": 1, "status": 403, "reason": "rateLimitExceeded"}
    await faults(calendar, refusal)
    made = await calendar.happens(at(3, summary="Lunch"))

    async def is_refused() -> bool:
        (rule,) = (await calendar.google.control("GET", "faults"))["rules"]
        return bool(rule["hits"])

    await eventually(is_refused)
    await poll(calendar)
    await calendar.told(made["id"], "created")
    assert calendar.events("calendar.feed.degraded") == []


async def test_a_worker_that_ends_between_pages_is_carried_on(stand: Stand) -> None:
    made = await stand.happens(at(3, summary="Daily"), count=600)
    slow = {**LIST, "after": 1, "times": 1, "delay_s": 10}
    await faults(stand, slow)
    async with stand.serving():
        await stand.auth.connect(person=ALICE, products=[{"name": "calendar", "access": "write"}])

        async def is_on_its_way() -> bool:
            (row,) = await stand.fetch("SELECT count(*) AS n FROM events")
            return bool(0 < row["n"] < 600)

        await eventually(is_on_its_way)
    await faults(stand)
    async with stand.serving():
        await all_told(stand, made["ids"])
        await stand.quiet()
        assert len({one.id for one in stand.events("calendar.event.")}) == 600
        (row,) = await stand.fetch("SELECT count(*) AS n FROM events")
        assert row["n"] == 600


BOOM = """
CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'boom' USING ERRCODE = 'XX000'; END $$;
CREATE CONSTRAINT TRIGGER boom AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
   FOR EACH ROW WHEN (NEW.body->'details'->>'summary' = 'Boom') EXECUTE FUNCTION boom();
"""


async def test_a_commit_that_fails_leaves_neither_rows_nor_events_nor_cursor(
    calendar: Stand,
) -> None:
    await calendar.connect()
    async with calendar.pool() as conn:
        await conn.execute(BOOM)
    made = await calendar.happens(at(3, summary="Boom"))

    async def has_failed() -> bool:
        feed = await calendar.feed()
        return (feed["state"], feed["reason"]) == ("degraded", "internal")

    await eventually(has_failed)
    (row,) = await calendar.fetch("SELECT count(*) AS n FROM events")
    assert row["n"] == 0
    assert calendar.told_of(made["id"]) == []
    async with calendar.pool() as conn:
        await conn.execute("DROP TRIGGER boom ON events")
    await calendar.told(made["id"], "created")


async def test_two_workers_tell_of_each_event_once(calendar: Stand) -> None:
    await calendar.connect()
    async with calendar.beside():
        ids = [(await calendar.happens(at(3 + one, summary="One")))["id"] for one in range(20)]
        await all_told(calendar, ids)
        for one in ids:
            await calendar.edit(one, "change", changes={"summary": "Two"})
        await eventually(lambda: len(calendar.events("calendar.event.updated")) == 20)
        await calendar.quiet()
    assert len(calendar.events("calendar.event.")) == 40


async def test_what_is_read_again_tells_nothing_twice(calendar: Stand) -> None:
    await calendar.connect()
    before = await calendar.feed()
    (one,) = await happen(calendar, 1)
    await calendar.edit(one, "change", changes={"summary": "Changed"})
    await calendar.told(one, "created", "updated")
    await calendar.quiet()
    await calendar.fetch(
        "UPDATE feeds SET cursor = $1 WHERE id = $2", before["cursor"], before["id"]
    )
    await poll(calendar)

    async def has_moved() -> bool:
        return bool((await calendar.feed())["cursor"] != before["cursor"])

    await eventually(has_moved)
    await calendar.quiet()
    assert calendar.told_of(one) == ["created", "updated"]


async def test_a_calendar_is_compared_every_few_hours(calendar: Stand) -> None:
    await calendar.connect()
    lost, kept = await happen(calendar, 2)
    await calendar.quiet()
    async with calendar.pool() as conn:
        await conn.execute("DELETE FROM events WHERE google_id = $1", lost)
    await calendar.later(days=1, hours=1)
    await eventually(lambda: resynced(calendar))
    told = resynced(calendar)[0]
    assert told["reason"] == "audit"
    assert told["counts"] == {"listed": 2, "added": 1, "changed": 0, "removed": 0, "kept": 0}
    (row,) = await calendar.fetch("SELECT count(*) AS n FROM events")
    assert row["n"] == 2
    assert kept


async def test_a_foreign_service_decides_nothing(calendar: Stand) -> None:
    await calendar.connect()
    found = await calendar.get("/v1/calendar/holds", token=service_caller_token(tenant="other"))
    assert found["items"] == []
