"""Who ends their calendar has none of our own events left in it, and is out soon in any case."""

from datetime import timedelta
from uuid import UUID

from libs.common.db import POOL, transaction
from services.calendar.store import connections
from tests.integration.auth import stand as auth_stand
from tests.integration.calendar.stand import Stand, soon
from tests.integration.calendar.test_appointments import mirrored
from tests.support import caller_token, eventually, service_caller_token

AWAY = {"path_contains": "/events/", "method": "DELETE", "status": 503, "reason": "backendError"}
PAST = (soon() - timedelta(days=1)).isoformat()


async def leave(
    calendar: Stand, connection_id: str, query: str = "", *, token: str | None = None
) -> auth_stand.Answer:
    path = f"/v1/calendar/connections/{connection_id}{query}"
    return await calendar.call("DELETE", path, token=token)


async def over(calendar: Stand, connection_id: str) -> None:
    """Wait until the connection has ended, here and at auth."""

    async def is_over() -> bool:
        rows = await calendar.fetch(
            "SELECT state, leave FROM connections WHERE connection_id = $1", UUID(connection_id)
        )
        return [(row["state"], row["leave"]) for row in rows] == [("disconnected", None)]

    await eventually(is_over, what="the connection is over")
    assert (await calendar.auth.show(connection_id))["state"] == "disconnected"


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

    async def is_gone() -> bool:
        rows = await calendar.fetch("SELECT purge FROM connections")
        return [row["purge"] for row in rows] == ["done"]

    await eventually(is_gone)
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

    async def is_mirrored() -> bool:
        found = await calendar.get("/v1/calendar/appointments/a1", token=service_caller_token())
        return bool(found["state"] == "mirrored")

    await eventually(is_mirrored, what="mirrored again")
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


async def test_somebody_elses_connection_cannot_be_ended(calendar: Stand) -> None:
    connection_id = await calendar.connect()

    for token in (caller_token(user="bob"), service_caller_token(tenant="umbrella")):
        assert (await leave(calendar, connection_id, token=token)).status == 404
    assert (await calendar.auth.show(connection_id))["state"] == "active"


async def test_a_removal_that_is_not_known_is_refused(calendar: Stand) -> None:
    answer = await leave(calendar, await calendar.connect(), "?remove_events=some")
    assert (answer.status, answer.fields) == (400, ["remove_events"])
