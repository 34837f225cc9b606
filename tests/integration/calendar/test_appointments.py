"""Appointments of the CRM are mirrored into Google once, and edits there come back."""

from datetime import timedelta
from typing import Any

from libs.common.db import POOL
from services.calendar.app.parts import CHORES
from tests.chores import swept
from tests.integration.calendar.stand import Stand, appointment, at, soon
from tests.integration.calendar.truth import at_rest
from tests.support import eventually, service_caller_token


async def mirrored(calendar: Stand, **changes: Any) -> str:
    """Let an appointment be mirrored, until that is told and done; return Google's event id."""
    google_id = str((await calendar.appoint(**changes))["google_event_id"])
    await eventually(lambda: "created" in calendar.told_of(google_id), what="mirrored")
    await eventually(lambda: at_rest(calendar))
    return google_id


async def test_an_appointment_appears_in_google_by_its_template(calendar: Stand) -> None:
    await calendar.connect()
    found = await calendar.one_at_google(await mirrored(calendar))

    assert found["summary"] == "[Agendamento] Corte - Bia"
    assert "Bia" in found["description"]
    assert [one["minutes"] for one in found["reminders"]["overrides"]] == [15, 60]
    assert await calendar.invitations() == []


async def test_a_new_version_changes_the_event(calendar: Stand) -> None:
    await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.appoint(version=2, service="Barba")

    async def is_changed() -> bool:
        return "Barba" in (await calendar.one_at_google(google_id))["summary"]

    await eventually(is_changed)
    assert len(await calendar.at_google()) == 1


async def test_an_older_version_is_refused(calendar: Stand) -> None:
    await calendar.connect()
    await mirrored(calendar, version=3)
    answer = await calendar.appoint(version=2, service="Old", status=409)
    assert answer["type"].endswith("stale-version")


async def test_a_cancelled_appointment_goes_and_comes_back_as_another_event(
    calendar: Stand,
) -> None:
    await calendar.connect()
    first = await mirrored(calendar)
    answer = await calendar.call(
        "DELETE", "/v1/calendar/appointments/a1?version=2", token=service_caller_token()
    )
    assert answer.status == 200, answer

    async def is_gone() -> bool:
        return bool((await calendar.one_at_google(first))["status"] == "cancelled")

    await eventually(is_gone)
    second = await mirrored(calendar, version=3)
    assert second != first


async def test_what_a_person_drags_in_google_comes_back(calendar: Stand) -> None:
    await calendar.connect()
    google_id = await mirrored(calendar)
    later = soon() + timedelta(hours=7)
    await calendar.edit(
        google_id, "drag", start={"dateTime": later.isoformat(), "timeZone": "America/Sao_Paulo"}
    )

    await eventually(lambda: len(calendar.events("calendar.appointment.changed")) == 1)
    (told,) = calendar.events("calendar.appointment.changed")
    assert told.data["appointment_id"] == "a1"
    assert told.data["changes"]["start"] == later.isoformat()


async def test_what_the_crm_changes_is_not_told_back(calendar: Stand) -> None:
    await calendar.connect()
    await mirrored(calendar)
    await calendar.appoint(version=2, service="Barba")
    await calendar.quiet()
    assert calendar.events("calendar.appointment.changed") == []


async def test_an_event_deleted_in_google_is_told_as_cancelled_and_stays_away(
    calendar: Stand,
) -> None:
    await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.edit(google_id, "delete")

    await eventually(lambda: len(calendar.events("calendar.appointment.changed")) == 1)
    assert calendar.events("calendar.appointment.changed")[0].data["cancelled"] is True


async def test_an_appointment_of_somebody_unconnected_waits(calendar: Stand) -> None:
    made = await calendar.appoint()
    assert (made["state"], made["reason"]) == ("not_mirrored", "not-connected")


async def test_a_user_keeps_no_appointments_of_colleagues(calendar: Stand) -> None:
    body = appointment(professional={"user_id": "eve", "name": "Eve"})
    answer = await calendar.call("PUT", "/v1/calendar/appointments/a1", body)
    assert answer.status == 403


async def test_a_drag_and_a_new_title_are_both_kept(calendar: Stand) -> None:
    await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.control("PUT", "notifications", {"paused": True})
    moved = at(30)
    await calendar.edit(google_id, "drag", start=moved["start"])
    await calendar.appoint(version=2, service="Barba")

    async def is_changed() -> bool:
        return "Barba" in (await calendar.one_at_google(google_id))["summary"]

    await eventually(is_changed)
    found = await calendar.one_at_google(google_id)
    assert found["start"]["dateTime"][:13] != appointment()["start"][:13]


async def test_appointments_from_before_the_connection_are_mirrored_after_it(
    calendar: Stand,
) -> None:
    await calendar.appoint()
    await calendar.connect()

    async def is_there() -> bool:
        return len(await calendar.at_google()) == 1

    await eventually(is_there)


async def test_a_reconnected_calendar_has_no_second_event(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await calendar.disconnect(connection_id)
    await calendar.connect()

    async def is_mirrored() -> bool:
        found = await calendar.get("/v1/calendar/appointments/a1", token=service_caller_token())
        return bool(found["state"] == "mirrored")

    await eventually(is_mirrored)
    await calendar.quiet()
    confirmed = [one for one in await calendar.at_google() if one["status"] == "confirmed"]
    assert len(confirmed) == 1


async def test_an_event_by_the_crms_own_events_is_mirrored_once(calendar: Stand) -> None:
    await calendar.connect()
    await calendar.crm_says("scheduled", **appointment())

    async def is_there() -> bool:
        return len(await calendar.at_google()) == 1

    await eventually(is_there)
    await calendar.crm_says("cancelled", appointment_id="a1", version=2)

    async def is_gone() -> bool:
        return [one["status"] for one in await calendar.at_google()] == ["cancelled"]

    await eventually(is_gone)


async def test_a_changed_template_is_seen_in_google(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    path = f"/v1/calendar/connections/{connection_id}/settings"
    settings = await calendar.get(path)
    wanted = {**settings["own"], "prefix": "[CRM]"} if "own" in settings else {"prefix": "[CRM]"}
    answer = await calendar.call("PUT", path, wanted)
    assert answer.status == 200, answer

    async def is_restyled() -> bool:
        found = await calendar.one_at_google(google_id)
        return bool(found["summary"].startswith("[CRM]"))

    await eventually(is_restyled)


async def test_appointments_of_long_ago_are_forgotten(calendar: Stand) -> None:
    await calendar.appoint(appointment_id="old", start="2020-01-01T10:00:00Z")
    await calendar.appoint(appointment_id="new")
    async with calendar.pool() as conn:
        await conn.execute("UPDATE appointments SET updated_at = updated_at - interval '1 year'")
    await swept(calendar.app[POOL], calendar.app[CHORES])
    rows = await calendar.fetch("SELECT appointment_id FROM appointments")
    assert [row["appointment_id"] for row in rows] == ["new"]
