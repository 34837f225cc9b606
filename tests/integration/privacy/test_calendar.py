"""Of a person who was erased from the calendar nothing is left, in any column of any table."""

import pytest

from services.calendar.app import CONNECTIONS
from tests.integration.calendar.stand import Stand, at
from tests.integration.privacy.holding import (
    ADDRESS,
    ALIAS,
    CARL,
    NAME,
    PREFIXES,
    WORD,
    ask,
    erased,
    exported,
    look_through,
)
from tests.integration.privacy.meetings import MIRROR, PHONE, SPELLINGS, fill, guests
from tests.integration.service_stand import ALICE, Json
from tests.support import caller_token, eventually, service_caller_token

pytestmark = pytest.mark.timeout(120)

THEM: Json = {"addresses": [ADDRESS.upper(), ALIAS]}
SHOWN_AS = {
    "events": "event",
    "appointments": "appointment",
    "conflicts": "conflict",
    "writes": "change",
    "dead_items": None,
    "tenant_defaults": "settings",
    "entities": "entity",
    "entity_addresses": "entity",
    "link_work": None,
    "outbox_dead": None,
}
"""What an export calls the rows of a table; None: the payload is bytes, or shown elsewhere."""


async def test_nothing_is_left_of_a_client_who_was_erased(calendar: Stand) -> None:
    await fill(calendar)
    async with calendar.pool() as conn:
        before = await look_through(conn, only="acme")
        others = await look_through(conn, only="umbrella")
    places = before.places(SPELLINGS)
    assert set(places) >= set(SHOWN_AS) - {"dead_items", "outbox_dead"}
    assert places["events"] >= {ADDRESS, ALIAS, NAME, WORD, PHONE}

    counted = await erased(calendar, "calendar", {**THEM, "dry_run": True})
    async with calendar.pool() as conn:
        assert await look_through(conn, only="acme") == before  # a dry run changes nothing

    done = await erased(calendar, "calendar", THEM)
    await calendar.quiet()
    async with calendar.pool() as conn:
        everything = await look_through(conn)
        umbrella = await look_through(conn, only="umbrella")
    everything.rows = {
        table: [row for row in rows if "(umbrella," not in row]
        for table, rows in everything.rows.items()
    }
    assert everything.places(SPELLINGS) == {}
    assert umbrella == others
    assert done["found"] == counted["found"]
    assert done["found"] == {
        "events": 5,
        "appointments": 1,
        "changes": 3,
        "conflicts": 2,
        "settings": 1,
        "entities looked for": 1,
        "dead items": 1,
        "entities": 2,
        "unpublished events": 1,
    }
    assert done["notes"] == [
        "crm-entity:deal/big",
        "crm-entity:lead/zq",
        "events-stay-in-google",
    ]
    again = await erased(calendar, "calendar", THEM)
    assert (again["found"], again["notes"]) == ({}, [])


async def test_an_event_stays_without_the_person_and_its_time_is_still_taken(
    calendar: Stand,
) -> None:
    await fill(calendar)
    before = await calendar.listed()
    await erased(calendar, "calendar", THEM)
    after = await calendar.listed()
    assert [(one["id"], one["starts_at"]) for one in after] == [
        (one["id"], one["starts_at"]) for one in before
    ]
    by_title = {one["title"]: one for one in after}
    assert set(by_title) == {"Meeting [erased] soon", "Tip", "Fitting - [erased]", "(No title)"}
    meeting = await calendar.get(f"/v1/calendar/events/{by_title['Meeting [erased] soon']['id']}")
    assert meeting["description"] == "Write to erased@invalid"
    assert {one["email"] for one in meeting["attendees"]} == {ALICE, "bea@example.com", CARL}
    theirs = await calendar.get(f"/v1/calendar/events/{by_title['(No title)']['id']}")
    assert (theirs["location"], theirs["description"]) == ("", "")
    (row,) = await calendar.fetch("SELECT body FROM events WHERE google_id = $1", MIRROR)
    assert row["body"]["details"]["description"] == "Client: [erased], [erased]"
    (row,) = await calendar.fetch("SELECT body, version FROM appointments")
    assert row["body"]["client"] == {"name": "", "phone": "", "email": ""}
    assert (row["body"]["notes"], row["version"]) == ("", 3)
    rows = await calendar.fetch(
        "SELECT desired, state FROM writes WHERE desired ? 'attendees' ORDER BY state"
    )
    assert [row["state"] for row in rows] == ["done", "queued"]
    assert all(row["desired"]["attendees"] == [{"email": CARL}] for row in rows)


async def test_consumers_are_told_of_meetings_and_activities_again(calendar: Stand) -> None:
    await fill(calendar)
    told = len(calendar.events())
    await erased(calendar, "calendar", THEM)
    await calendar.quiet()
    new = calendar.events()[told:]
    updated = [one for one in new if one.type == "calendar.event.updated.v1"]
    assert {one.data["title"] for one in updated} == {
        "Meeting [erased] soon",
        "Fitting - [erased]",
        "(No title)",
    }
    assert {one.data["origin"] for one in updated} == {"repair"}
    activities = [one.data["activity"] for one in new if one.type == "calendar.activity.logged.v1"]
    left = {one["title"]: [ref["id"] for ref in one["entities"]] for one in activities}
    assert left == {"Meeting [erased] soon": ["big"], "(No title)": []}
    assert not any(word in str(one.data) for one in new for word in (ADDRESS, NAME, PHONE, WORD))


async def test_what_was_erased_comes_back_with_no_comparison(calendar: Stand) -> None:
    await fill(calendar)
    await erased(calendar, "calendar", THEM)
    await calendar.fetch(
        "UPDATE signals s SET due_at = now(), generation = generation + 1 FROM feeds f"
        " WHERE f.tenant_id = s.tenant_id AND f.id = s.feed_id"
        " AND f.kind IN ('calendar.audit', 'calendar.events') AND s.tenant_id = 'acme'"
    )
    await calendar.quiet()
    async with calendar.pool() as conn:
        held = await look_through(conn, only="acme")
    assert held.places(SPELLINGS) == {}


async def test_what_is_under_way_at_google_is_waited_for(calendar: Stand) -> None:
    await fill(calendar)
    sending = "SET state = 'sending', epoch = 1, deadline = now() + interval '1 hour'"
    await calendar.fetch(f"UPDATE writes {sending} WHERE state = 'queued'")
    answer = await ask(calendar, "calendar", "erasures", THEM)

    async def waits() -> bool:
        found = await calendar.get(answer.headers["Location"], token=service_caller_token())
        return bool(found["part"] == "writes" and found["state"] == "running")

    await eventually(waits)
    (row,) = await calendar.fetch("SELECT desired FROM writes WHERE state = 'sending'")
    assert ADDRESS in str(row["desired"])
    await calendar.fetch(
        "UPDATE writes SET state = 'queued', epoch = NULL, deadline = NULL WHERE state = 'sending'"
    )

    async def is_done() -> bool:
        found = await calendar.get(answer.headers["Location"], token=service_caller_token())
        return bool(found["state"] == "done")

    await eventually(is_done)
    assert ADDRESS not in str(await calendar.fetch("SELECT desired FROM writes"))


async def test_whatever_the_database_holds_of_a_client_is_shown(calendar: Stand) -> None:
    await fill(calendar)
    async with calendar.pool() as conn:
        places = (await look_through(conn, only="acme")).places({ADDRESS, ALIAS, NAME})
    lines = await exported(calendar, "calendar", THEM)
    shown: dict[str, str] = {}
    for one in lines:
        if "record" in one:
            shown[one["record"]] = shown.get(one["record"], "") + str(one["data"]).lower()
    for table, needles in places.items():
        if (kind := SHOWN_AS[table]) is not None:
            assert {one for one in needles if one.lower() not in shown[kind]} == set(), table
    assert ADDRESS in shown["dead item"]
    assert "otto@umbrella.example" not in str(lines)


async def test_nothing_is_left_of_a_user_who_was_erased(calendar: Stand) -> None:
    ids = await fill(calendar)
    user: Json = {"user_id": "ada"}
    rows = await calendar.fetch(
        "SELECT account_id FROM connections WHERE user_id = 'ada' AND tenant_id = 'acme'"
    )
    accounts = {str(row["account_id"]) for row in rows}
    kinds = {one.get("record") for one in await exported(calendar, "calendar", user)}
    assert kinds >= {
        *("connection", "calendar", "watch", "channel", "feed", "event", "appointment"),
        *("conflict", "line of the sync log", "change", "hold", "dead item", "entity owned"),
    }
    counted = await erased(calendar, "calendar", {**user, "dry_run": True})
    done = {name: await erased(calendar, name, user) for name in ("auth", "calendar")}
    await calendar.quiet()
    assert counted["found"]["connections"] == 1
    assert counted["found"]["events of theirs"] == 4
    assert done["calendar"]["found"]["entities owned"] == 1
    async with calendar.pool() as conn:
        held = await look_through(conn)
    held.rows = {t: [r for r in rows if "(umbrella," not in r] for t, rows in held.rows.items()}
    del held.rows["events"]  # colleagues' copies name whom they meet: see `--address`
    left = held.places({"user:ada", ",ada,", '"ada"', ALICE, ids["ada"], *accounts})
    assert left == {"connections": {ids["ada"]}, "quota_usage": accounts}
    rows = await calendar.fetch("SELECT connection_id FROM events")
    assert ids["ada"] not in {str(row["connection_id"]) for row in rows}


async def test_a_late_event_brings_no_erased_calendar_back(calendar: Stand) -> None:
    await fill(calendar)
    await erased(calendar, "calendar", {"user_id": "ada"})  # auth still knows and lists it
    await calendar.app[CONNECTIONS].reconcile()
    rows = await calendar.fetch(
        "SELECT email, user_id FROM connections WHERE erased_at IS NOT NULL"
    )
    assert [tuple(row) for row in rows] == [("", "")]
    made = await calendar.happens(at(9, summary="Later", attendees=guests(CARL)))
    await calendar.quiet()
    assert not await calendar.fetch("SELECT 1 FROM events WHERE google_id = $1", made["id"])


async def test_only_services_may_ask_and_only_about_their_tenant(calendar: Stand) -> None:
    for path in ("exports", "erasures"):
        answer = await ask(calendar, "calendar", path, THEM, caller_token())
        assert (answer.status, answer.problem) == (403, "wrong-caller")
    mine = await ask(calendar, "calendar", "erasures", {**THEM, "dry_run": True})
    assert mine.headers["Location"].startswith(PREFIXES["calendar"])
    foreign = service_caller_token(tenant="umbrella")
    assert (await calendar.call("GET", mine.headers["Location"], token=foreign)).status == 404
