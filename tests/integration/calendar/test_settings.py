"""What people and tenants want of calendars acts from the moment it is said."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from services.calendar.app import CONNECTIONS
from tests.integration.calendar.stand import Stand, at, soon
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

FEED_STATES = "SELECT kind, state, reason FROM feeds WHERE connection_id = $1"


def path(connection_id: str) -> str:
    return f"/v1/calendar/connections/{connection_id}/settings"


async def put(calendar: Stand, connection_id: str, **settings: Any) -> Json:
    answer = await calendar.call("PUT", path(connection_id), settings)
    assert answer.status == 200, answer
    return dict(answer.body)


async def states(calendar: Stand, connection_id: str) -> dict[str, tuple[str, str | None]]:
    rows = await calendar.fetch(FEED_STATES, UUID(connection_id))
    return {row["kind"]: (row["state"], row["reason"]) for row in rows}


async def test_settings_have_defaults_and_are_replaced_as_a_whole(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    (primary,) = (await calendar.get("/v1/calendar/calendars"))["items"]
    before = await calendar.get(path(connection_id))
    assert before["enabled"] is True
    assert before["direction"] == "bidirectional"
    assert before["reminder_minutes"] == [15, 60]
    assert before["prefix"] is None
    assert before["effective"]["prefix"] == "[Agendamento]"
    given = {
        "enabled": True,
        "direction": "from_google",
        "sync_past_days": 3,
        "sync_future_days": 10,
        "prefix": "*",
        "title_template": "{client}",
        "body_template": "{service}",
        "include_client_info": False,
        "include_notes": True,
        "reminder_minutes": [5],
        "timezone": "Europe/Paris",
        "conflict_policy": "newest",
        "target_calendar_id": primary["id"],
    }
    changed = await put(calendar, connection_id, **given)
    assert {name: changed[name] for name in given} == given
    assert changed["effective"]["timezone"] == "Europe/Paris"
    assert await calendar.get(path(connection_id)) == changed
    again = await put(calendar, connection_id)
    assert again == before


REFUSED: list[tuple[Json, str]] = [
    ({"sync_past_days": -1}, "sync_past_days"),
    ({"sync_future_days": 4000}, "sync_future_days"),
    ({"reminder_minutes": [1, 2, 3, 4, 5, 6]}, "reminder_minutes"),
    ({"reminder_minutes": [5, 5]}, "reminder_minutes"),
    ({"reminder_minutes": [50_000]}, "reminder_minutes[0]"),
    ({"title_template": "{nobody}"}, "title_template"),
    ({"body_template": "{client!r}"}, "body_template"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"direction": "sideways"}, "direction"),
    ({"conflict_policy": "loudest"}, "conflict_policy"),
    ({"target_calendar_id": "5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52"}, "target_calendar_id"),
    ({"colour": "red"}, "colour"),
]


async def test_settings_that_cannot_be_followed_are_refused_by_name(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    before = await calendar.get(path(connection_id))
    for settings, field in REFUSED:
        answer = await calendar.call("PUT", path(connection_id), settings)
        assert (answer.status, answer.fields) == (400, [field]), settings
    assert await calendar.get(path(connection_id)) == before


async def test_a_calendar_that_may_only_be_read_is_no_target(calendar: Stand) -> None:
    await calendar.google.control(
        "POST", "people/alice@example.com/calendars", {"summary": "Days", "holidays": True}
    )
    connection_id = await calendar.connect()
    items = (await calendar.get("/v1/calendar/calendars"))["items"]
    (holidays,) = [one for one in items if not one["is_writable"]]
    answer = await calendar.call("PUT", path(connection_id), {"target_calendar_id": holidays["id"]})
    assert answer.status == 400
    assert answer.fields == ["target_calendar_id"]


async def test_settings_of_others_are_not_there(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    for token in (caller_token(user="bob"), service_caller_token(tenant="other")):
        for method, body in (("GET", None), ("PUT", {})):
            answer = await calendar.call(method, path(connection_id), body, token=token)
            assert answer.status == 404, answer
    mine = await calendar.get(path(connection_id), token=service_caller_token())
    assert mine["enabled"] is True


async def test_what_is_switched_off_stands_still_and_goes_on_where_it_was(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await put(calendar, connection_id, enabled=False)
    assert set((await states(calendar, connection_id)).values()) == {("paused", "paused")}
    made = await calendar.happens(at(3, summary="Meanwhile"))
    await calendar.quiet()
    assert calendar.told_of(made["id"]) == []
    await put(calendar, connection_id, enabled=True)
    await calendar.told(made["id"], "created")
    (told,) = calendar.events("calendar.event.")
    assert told.data["origin"] == "live"
    await eventually(lambda: calendar.events("calendar.feed.recovered"))


async def test_what_is_switched_off_stays_so_when_auth_lists_it_again(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await put(calendar, connection_id, enabled=False)
    await calendar.app[CONNECTIONS].reconcile()
    assert {state for state, _ in (await states(calendar, connection_id)).values()} == {"paused"}


async def test_to_google_alone_lets_go_of_what_was_taken_in(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await put(calendar, connection_id, direction="to_google")
    await calendar.told(made["id"], "created", "cancelled")
    assert await calendar.listed() == []
    now = await states(calendar, connection_id)
    assert now["calendar.events"] == ("closed", "not-chosen")
    assert now["calendar.audit"][0] == "closed"
    assert now["calendar.list"][0] == now["calendar.write"][0] == "active"


async def test_both_ways_again_takes_all_in_again(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    kept = await calendar.happens(at(3, summary="Kept"))
    await calendar.told(kept["id"], "created")
    await put(calendar, connection_id, direction="to_google")
    await calendar.told(kept["id"], "created", "cancelled")
    await put(calendar, connection_id, direction="bidirectional")
    await calendar.told(kept["id"], "created", "cancelled", "created")
    assert [one["title"] for one in await calendar.listed()] == ["Kept"]


async def test_from_google_alone_goes_on_reading(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await put(calendar, connection_id, direction="from_google")
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")


async def test_more_days_back_take_in_what_was_too_old(calendar: Stand) -> None:
    old = await calendar.happens(at(-24 * 20, summary="Old"))
    young = await calendar.happens(at(3, summary="Young"))
    connection_id = await calendar.connect()
    await calendar.told(young["id"], "created")
    assert calendar.told_of(old["id"]) == []
    await put(calendar, connection_id, sync_past_days=30)
    await calendar.told(old["id"], "created")
    window = f"?from={(soon() - timedelta(days=25)).isoformat().replace('+00:00', 'Z')}"
    assert [one["title"] for one in await calendar.listed(window)] == ["Old", "Young"]
    await calendar.told(young["id"], "created")


async def test_an_event_deleted_while_the_days_change_is_found_missing(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")
    await put(calendar, connection_id, enabled=False)
    await calendar.edit(made["id"], "delete")
    await put(calendar, connection_id, enabled=False, sync_past_days=3)
    await put(calendar, connection_id, enabled=True, sync_past_days=3)
    await calendar.told(made["id"], "created", "cancelled")


async def test_other_reminders_are_laid_out_at_once(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    made = await calendar.happens(at(3, summary="Lunch"))
    await calendar.told(made["id"], "created")

    async def minutes() -> list[int]:
        rows = await calendar.fetch("SELECT minutes FROM reminders ORDER BY minutes")
        return [row["minutes"] for row in rows]

    async def are(*wanted: int) -> None:
        async def so() -> bool:
            return await minutes() == list(wanted)

        await eventually(so, what=f"reminders {wanted}")

    await are(15, 60)
    await put(calendar, connection_id, reminder_minutes=[5, 30])
    await are(5, 30)


async def test_a_tenant_says_what_holds_for_all(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    service = service_caller_token()
    given = {
        "prefix": "[Termin]",
        "title_template": "{client} bei {company}",
        "body_template": "{service}",
        "variables": {"company": "ACME"},
        "timezone": "Europe/Berlin",
    }
    answer = await calendar.call("PUT", "/v1/calendar/settings", given, token=service)
    assert answer.status == 200, answer
    assert await calendar.get("/v1/calendar/settings") == given
    effective = (await calendar.get(path(connection_id)))["effective"]
    assert effective == {
        "prefix": "[Termin]",
        "title_template": "{client} bei {company}",
        "body_template": "{service}",
        "timezone": "Europe/Berlin",
    }
    other = await calendar.get("/v1/calendar/settings", token=service_caller_token(tenant="other"))
    assert other["variables"] == {}


async def test_a_person_does_not_speak_for_the_tenant(calendar: Stand) -> None:
    answer = await calendar.call("PUT", "/v1/calendar/settings", {})
    assert answer.status == 403


async def test_a_variable_that_a_template_of_somebody_has_cannot_go(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    service = service_caller_token()
    given = {"variables": {"company": "ACME"}}
    await calendar.call("PUT", "/v1/calendar/settings", given, token=service)
    await put(calendar, connection_id, title_template="{client} at {company}")
    answer = await calendar.call("PUT", "/v1/calendar/settings", {}, token=service)
    assert answer.status == 400
    assert answer.fields == ["variables"]
