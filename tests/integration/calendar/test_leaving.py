"""Who ends their calendar has none of our own events left in it, and is out soon in any case."""

from datetime import timedelta
from uuid import UUID

from libs.common.db import POOL, transaction
from services.calendar.app.parts import CONNECTIONS
from services.calendar.store import connections
from tests.integration.auth import stand as auth_stand
from tests.integration.auth.stand import ALICE
from tests.integration.calendar.stand import Stand, soon
from tests.integration.calendar.test_appointments import mirrored
from tests.support import caller_token, eventually, service_caller_token

AWAY = {"path_contains": "/events/", "method": "DELETE", "status": 503, "reason": "backendError"}
SLOW = {"path_contains": "/events/", "method": "DELETE", "delay_s": 6, "times": 1}
BOB = "bob@example.com"
MANY_WRITES = """
INSERT INTO writes (tenant_id, id, group_id, connection_id, kind, item, desired, state, due_at,
                    created_at, finished_at)
SELECT tenant_id, gen_random_uuid(), gen_random_uuid(), connection_id, kind, item, desired, 'done',
       due_at, now(), now()
  FROM writes, generate_series(1, 70)
"""
"""As if the one mirror had been changed as often as one thing may be."""
PAST = (soon() - timedelta(days=1)).isoformat()


async def leave(
    calendar: Stand, connection_id: str, query: str = "", *, token: str | None = None
) -> auth_stand.Answer:
    path = f"/v1/calendar/connections/{connection_id}{query}"
    return await calendar.call("DELETE", path, token=token)


async def has_ended(calendar: Stand, connection_id: str) -> bool:
    rows = await calendar.fetch(
        "SELECT state, leave FROM connections WHERE connection_id = $1", UUID(connection_id)
    )
    return [(row["state"], row["leave"]) for row in rows] == [("disconnected", None)]


async def over(calendar: Stand, connection_id: str) -> None:
    """Wait until the connection has ended, here and at auth."""
    await eventually(lambda: has_ended(calendar, connection_id), what="the connection is over")
    assert (await calendar.auth.show(connection_id))["state"] == "disconnected"


async def is_purged(calendar: Stand) -> bool:
    return [one["purge"] for one in await calendar.fetch("SELECT purge FROM connections")] == [
        "done"
    ]


async def is_mirrored(calendar: Stand) -> bool:
    found = await calendar.get("/v1/calendar/appointments/a1", token=service_caller_token())
    return bool(found["state"] == "mirrored")


async def is_asked_for(calendar: Stand) -> bool:
    """Say whether Google is to delete something."""
    return bool(await calendar.fetch("SELECT 1 FROM writes WHERE desired->>'op' = 'delete'"))


async def states(calendar: Stand) -> dict[str, str]:
    return {one["id"]: one["status"] for one in await calendar.at_google()}


async def test_future_appointments_go_from_google_before_the_connection_ends(
    calendar: Stand,
) -> None:
    connection_id = await calendar.connect()
    past = await mirrored(calendar, appointment_id="past", start=PAST)
    future = await mirrored(calendar)

    answer = await leave(calendar, connection_id)

    assert (answer.status, answer.body["removing"]) == (202, 1)
    await over(calendar, connection_id)
    assert await states(calendar) == {past: "confirmed", future: "cancelled"}


async def test_a_removal_that_google_is_slow_with_is_waited_for(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [{**SLOW, "delay_s": 4}]})

    await leave(calendar, connection_id)

    await over(calendar, connection_id)
    assert await states(calendar) == {google_id: "cancelled"}


async def test_all_appointments_go_where_that_is_asked_for(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    past = await mirrored(calendar, appointment_id="past", start=PAST)
    future = await mirrored(calendar)

    await leave(calendar, connection_id, "?remove_events=all")

    await over(calendar, connection_id)
    assert await states(calendar) == {past: "cancelled", future: "cancelled"}


async def test_no_appointment_goes_where_that_is_asked_for(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)

    answer = await leave(calendar, connection_id, "?remove_events=none")

    assert answer.body["removing"] == 0
    await over(calendar, connection_id)
    assert await states(calendar) == {google_id: "confirmed"}


async def test_other_products_of_the_connection_stay(calendar: Stand) -> None:
    both = [{"name": name, "access": "write"} for name in ("calendar", "mail")]
    connection_id = await calendar.connect(products=both)

    await leave(calendar, connection_id)

    async def only_mail() -> bool:
        shown = await calendar.auth.show(connection_id)
        return [one["name"] for one in shown["products"]] == ["mail"]

    await eventually(only_mail)


async def test_what_was_read_goes_where_that_is_asked_for(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)

    await leave(calendar, connection_id, "?purge=true")

    await eventually(lambda: is_purged(calendar), what="purged")
    assert await calendar.fetch("SELECT 1 FROM events") == []


async def test_nothing_is_written_into_a_calendar_that_somebody_leaves(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await leave(calendar, connection_id)

    answer = await calendar.appoint(appointment_id="late")
    refused = await calendar.make(status=409, title="Late")

    assert (answer["google_event_id"], answer["reason"]) == (None, "connection-ending")
    assert refused["type"].endswith("connection-ending")


async def test_status_says_by_when_a_connection_ends(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})

    answer = await leave(calendar, connection_id)

    (one,) = (await calendar.get("/v1/calendar/status"))["items"]
    assert one["ends_by"] == answer.body["ends_by"]


async def test_a_connection_ends_in_time_though_google_is_away(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    first = await leave(calendar, connection_id)
    again = await leave(calendar, connection_id)
    assert again.body["ends_by"] == first.body["ends_by"]
    await eventually(lambda: is_asked_for(calendar))

    await calendar.later(minutes=11)

    await over(calendar, connection_id)
    assert await states(calendar) == {google_id: "confirmed"}


async def test_a_connection_that_may_not_write_ends_at_once(calendar: Stand) -> None:
    connection_id = await calendar.connect(products=[{"name": "calendar", "access": "read"}])

    answer = await leave(calendar, connection_id)

    assert answer.body["removing"] == 0
    await over(calendar, connection_id)


async def test_leaving_again_after_the_end_changes_nothing(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await leave(calendar, connection_id)
    await over(calendar, connection_id)

    answer = await leave(calendar, connection_id)

    assert (answer.status, answer.body["removing"], answer.body["left"]) == (202, 0, 0)
    await over(calendar, connection_id)


async def confirmed_after_connecting_again(calendar: Stand) -> list[str]:
    """Connect again, and return the events that stand at Google once all is mirrored."""
    await calendar.google.control("PUT", "faults", {"rules": []})
    await calendar.connect()

    await eventually(lambda: is_mirrored(calendar), what="mirrored again")
    await calendar.quiet()
    return [one for one, status in (await states(calendar)).items() if status == "confirmed"]


async def test_who_connects_again_has_their_appointments_as_other_events(
    calendar: Stand,
) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await leave(calendar, connection_id)
    await over(calendar, connection_id)

    (again,) = await confirmed_after_connecting_again(calendar)

    assert again != google_id


async def test_what_could_not_be_removed_is_not_made_twice(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await leave(calendar, connection_id)
    await eventually(lambda: is_asked_for(calendar))
    await calendar.later(minutes=11)
    await over(calendar, connection_id)

    assert await confirmed_after_connecting_again(calendar) == [google_id]


async def test_who_connects_again_meanwhile_has_no_second_event(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await leave(calendar, connection_id)

    assert len(await confirmed_after_connecting_again(calendar)) == 1


async def test_a_mirror_queued_by_who_did_not_know_goes_as_well(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar, appointment_id="first")
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await leave(calendar, connection_id)
    late = await late_mirror(calendar, connection_id)
    await calendar.google.control("PUT", "faults", {"rules": []})

    await over(calendar, connection_id)

    assert "confirmed" not in (await states(calendar)).values(), late


async def late_mirror(calendar: Stand, connection_id: str) -> str:
    """Let an appointment be mirrored as by a process that read the connection before."""
    where = UUID(connection_id)
    async with transaction(calendar.app[POOL]) as conn:
        known = await connections.find_connection(conn, "acme", where)
        await conn.execute("UPDATE connections SET leave = NULL WHERE connection_id = $1", where)
    google_id = str((await calendar.appoint(appointment_id="late"))["google_event_id"])
    async with transaction(calendar.app[POOL]) as conn:
        assert known is not None
        assert known.leave is not None
        await conn.execute(
            "UPDATE connections SET leave = $2 WHERE connection_id = $1",
            where,
            known.leave.stored(),
        )
    return google_id


async def test_who_consents_to_the_same_connection_again_stays(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await leave(calendar, connection_id)

    link = await calendar.auth.call("POST", f"/v1/connections/{connection_id}/reauthorize", {})
    async with auth_stand.browser() as person:
        await person.consent(link.body["connect_url"], person=ALICE)
    await calendar.google.control("PUT", "faults", {"rules": []})

    async def stays() -> bool:
        rows = await calendar.fetch("SELECT state, leave FROM connections")
        return [(row["state"], row["leave"]) for row in rows] == [("active", None)]

    await eventually(stays)

    async def is_there() -> bool:
        return list((await states(calendar)).values()).count("confirmed") == 1

    await eventually(is_there, what="mirrored again")


async def test_a_connection_auth_knows_nothing_of_holds_nobody_up(calendar: Stand) -> None:
    lost = await calendar.connect()
    await calendar.google.add_person(BOB, name="Bob")
    kept = await calendar.connect(person=BOB)
    await calendar.auth.fetch("DELETE FROM connections WHERE id = $1", UUID(lost))
    await leave(calendar, lost, "?purge=true")

    await leave(calendar, kept)

    await eventually(lambda: has_ended(calendar, kept))
    assert not await has_ended(calendar, lost)
    await calendar.app[CONNECTIONS].reconcile()
    assert await has_ended(calendar, lost)
    rows = await calendar.fetch(
        "SELECT purge FROM connections WHERE connection_id = $1", UUID(lost)
    )
    assert [row["purge"] for row in rows] == ["done"]


async def test_a_deletion_that_google_is_slow_with_is_no_persons_edit(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [SLOW]})
    await leave(calendar, connection_id)

    async def is_under_way() -> bool:
        return bool(await calendar.fetch("SELECT 1 FROM writes WHERE state = 'sending'"))

    await eventually(is_under_way)
    await calendar.connect()

    async def is_another() -> bool:
        found = await states(calendar)
        return found[google_id] == "cancelled" and "confirmed" in found.values()

    await eventually(is_another, what="the deletion came, and another event")
    await calendar.quiet()
    assert calendar.events("calendar.appointment.changed") == []
    assert await is_mirrored(calendar)


async def test_asking_again_takes_nothing_back(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await calendar.make(title="On its way")
    await leave(calendar, connection_id, "?remove_events=none&purge=true")

    await leave(calendar, connection_id)

    await eventually(lambda: is_purged(calendar), what="purged")
    assert (await states(calendar))[google_id] == "confirmed"


async def test_a_paused_calendar_is_not_left_with_its_events_in_it(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    path = f"/v1/calendar/connections/{connection_id}/settings"
    assert (await calendar.call("PUT", path, {"enabled": False})).status == 200

    refused = await leave(calendar, connection_id)
    taken = await leave(calendar, connection_id, "?remove_events=none")

    assert (refused.status, refused.problem) == (409, "connection-paused")
    assert taken.status == 202
    await over(calendar, connection_id)


async def test_a_calendar_that_somebody_leaves_is_not_paused(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await calendar.google.control("PUT", "faults", {"rules": [AWAY]})
    await leave(calendar, connection_id)

    path = f"/v1/calendar/connections/{connection_id}/settings"
    answer = await calendar.call("PUT", path, {"enabled": False})

    assert (answer.status, answer.problem) == (409, "connection-ending")


async def test_what_was_read_goes_also_when_that_is_asked_for_after_the_end(
    calendar: Stand,
) -> None:
    connection_id = await calendar.connect()
    await leave(calendar, connection_id)
    await over(calendar, connection_id)

    await leave(calendar, connection_id, "?purge=true")

    await eventually(lambda: is_purged(calendar), what="purged")


async def test_what_was_changed_often_is_removed_all_the_same(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.fetch(MANY_WRITES)

    await leave(calendar, connection_id)

    await over(calendar, connection_id)
    assert await states(calendar) == {google_id: "cancelled"}


async def test_appointments_go_where_else_the_person_is_connected(calendar: Stand) -> None:
    first = await calendar.connect()
    google_id = await mirrored(calendar)
    await calendar.google.add_person(BOB, name="Bob")
    await calendar.connect(person=BOB)

    await leave(calendar, first)

    await eventually(lambda: has_ended(calendar, first))
    assert (await states(calendar))[google_id] == "cancelled"

    async def is_there() -> bool:
        return [one["status"] for one in await calendar.at_google(BOB)] == ["confirmed"]

    await eventually(is_there)


async def test_an_appointment_says_that_nobody_is_connected_any_more(calendar: Stand) -> None:
    connection_id = await calendar.connect()
    await mirrored(calendar)
    await leave(calendar, connection_id)
    await over(calendar, connection_id)

    found = await calendar.get("/v1/calendar/appointments/a1", token=service_caller_token())

    assert found["reason"] == "not-connected"


async def test_somebody_elses_connection_cannot_be_ended(calendar: Stand) -> None:
    connection_id = await calendar.connect()

    for token in (caller_token(user="bob"), service_caller_token(tenant="umbrella")):
        assert (await leave(calendar, connection_id, token=token)).status == 404
    assert (await calendar.auth.show(connection_id))["state"] == "active"


async def test_a_removal_that_is_not_known_is_refused(calendar: Stand) -> None:
    answer = await leave(calendar, await calendar.connect(), "?remove_events=some")
    assert (answer.status, answer.fields) == (400, ["remove_events"])
