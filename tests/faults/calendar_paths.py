"""The ways in and out of calendars, as `tests.faults.paths` has those of mail."""

import itertools
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import aiohttp

from libs.common.events import crm
from tests import messaging
from tests.faults.paths import ALICE, Begin, Done, Path
from tests.house.agendas import agenda_differences
from tests.house.house import House, Json
from tests.house.truth import first_seen
from tests.support import eventually

NUMBERS = itertools.count(1)
MANY = 27
GUEST = "guest@elsewhere.example"
ENDED = "SELECT state, leave FROM connections WHERE connection_id = $1"


def times(hours: int) -> Json:
    """Return when an event is, as Google has it."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": "Europe/Paris"},
        "end": {"dateTime": (start + timedelta(hours=1)).isoformat(), "timeZone": "Europe/Paris"},
    }


async def one_calendar(house: House) -> None:
    """Connect Alice, with two events that are known."""
    await house.start()
    await house.connect_calendar(ALICE)
    for name in ("first", "second"):
        await happens(house, summary=name)
    await eventually(lambda: len(house.events("calendar.event.")) == 2)
    await house.quiet()


async def happens(house: House, *, person: str = ALICE, hours: int = 3, **event: Any) -> str:
    """Let somebody put an event into their calendar; return Google's id."""
    body = {"event": {**times(hours), **event}}
    made = await house.google.control("POST", f"people/{person}/events", body)
    return str(made["id"])


async def edited(house: House, event: str, action: str, **how: Any) -> None:
    """Let Alice do something to an event in Google."""
    body = {"event": event, "action": action, **how}
    await house.google.control("POST", f"people/{ALICE}/event-edits", body)


def told(house: House, wanted: dict[str, list[str]]) -> Done:
    """Return what says whether exactly these events were told of Google's events."""

    async def done() -> bool:
        found: dict[str, list[str]] = {}
        for one in first_seen(house.events("calendar.event.")):
            found.setdefault(one.data["google_event_id"], []).append(one.type.split(".")[2])
        return all(found.get(name) == kinds for name, kinds in wanted.items())

    return done


async def notice(house: House) -> Begin:
    """Something happens in a calendar, and Google calls."""

    async def begin() -> Done:
        return told(house, {await happens(house, summary="new"): ["created"]})

    return begin


async def changes(house: House, *, forgotten: bool = False) -> Begin:
    """An event is made, one is moved, one goes, one of a series is cancelled; then Google calls.

    Args:
        house: where.
        forgotten: Google forgets the token before it calls.
    """
    moved, gone = [await happens(house, summary=name) for name in ("moved", "gone")]
    series = await happens(house, summary="daily", recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    known = {name: ["created"] for name in (moved, gone, series)}
    await eventually(told(house, known), timeout_s=60)
    await house.quiet()
    await house.google.control("PUT", "notifications", {"paused": True})

    async def begin() -> Done:
        new = await happens(house, summary="new")
        await edited(house, moved, "drag", start=times(9)["start"])
        await edited(house, gone, "delete")
        if forgotten:
            await house.google.control("POST", f"people/{ALICE}/sync-tokens", {"action": "expire"})
        await house.google.control("PUT", "notifications", {})
        return told(
            house,
            {
                new: ["created"],
                moved: ["created", "updated"],
                gone: ["created", "cancelled"],
            },
        )

    return begin


async def first_sight(house: House) -> Begin:
    """Somebody with a calendar connects."""
    house.agendas.clear()  # those before were found right
    person = f"person{next(NUMBERS)}@example.com"
    await house.google.add_person(person, name="Person")
    body = {"event": {**times(3), "summary": "old"}, "count": MANY}
    await house.google.control("POST", f"people/{person}/events", body)

    async def begin() -> Done:
        connection_id = await house.connect_calendar(person, user=person, settled=False)

        async def done() -> bool:
            if not await house.agenda_in_step(connection_id):
                return False
            mine = [
                one
                for one in first_seen(house.events("calendar.event.created."))
                if one.data["connection_id"] == connection_id
            ]
            return len(mine) == MANY

        return done

    return begin


def planned(title: str) -> Json:
    """Return an event that the CRM wants, with a guest who is to hear of it."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=5)
    return {
        "title": title,
        "time": {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()},
        "attendees": [{"email": GUEST}],
        "notify": "all",
    }


async def submission(house: House) -> Begin:
    """An event is taken in; who gets no answer asks again."""
    number, wire = next(NUMBERS), house.wires["calendar-web", "inbound"]
    key, made, body = f"key-{number}", list[str](), planned(f"submitted {number}")
    house.invited.append(GUEST)

    async def attempt() -> None:
        with suppress(aiohttp.ClientError):
            status, said = await house.call_calendar(
                "POST", "/v1/calendar/events?wait=0", body, key=key, origin=wire.url
            )
            assert status in {201, 202}, said
            made.append(said["google_event_id"])

    async def begin() -> Done:
        await attempt()

        async def done() -> bool:
            if not made:
                await attempt()
            return bool(made) and await told(house, {made[0]: ["created"]})()

        return done

    return begin


async def making(house: House) -> Begin:
    """An event with a guest goes out, and its invitation with it."""
    key = f"key-{next(NUMBERS)}"

    async def begin() -> Done:
        house.invited.append(GUEST)
        status, said = await house.call_calendar(
            "POST", "/v1/calendar/events?wait=0", planned("made"), key=key
        )
        assert status in {201, 202}, said
        return told(house, {said["google_event_id"]: ["created"]})

    return begin


async def changing(house: House) -> Begin:
    """An event that a person has is changed from the CRM."""
    google_id = await happens(house, summary="to be changed")
    await eventually(told(house, {google_id: ["created"]}), timeout_s=60)
    await house.quiet()
    (event_id,) = [
        one.aggregate_id
        for one in first_seen(house.events("calendar.event."))
        if one.data["google_event_id"] == google_id
    ]

    async def begin() -> Done:
        path = f"/v1/calendar/events/{event_id}?wait=0"
        status, said = await house.call_calendar("PATCH", path, {"title": "changed"})
        assert status in {200, 202}, said
        return told(house, {google_id: ["created", "updated"]})

    return begin


async def appointing(house: House) -> Begin:
    """The CRM tells of an appointment by an event."""
    number = next(NUMBERS)

    async def begin() -> Done:
        event = crm.AppointmentScheduled.model_validate(_appointment(f"a{number}"))
        envelope = crm.appointment_envelope(event, tenant_id="acme", time=datetime.now(UTC))
        await messaging.send(house.amqp_url, envelope.to_json(), key=envelope.type)
        return partial(_is_mirrored, house, f"a{number}")

    return begin


async def cancelling(house: House) -> Begin:
    """An appointment is cancelled in the CRM."""
    name = f"a{next(NUMBERS)}"
    path = f"/v1/calendar/appointments/{name}"
    status, said = await house.call_calendar("PUT", path, _appointment(name))
    assert status == 200, said
    await eventually(partial(_is_mirrored, house, name), timeout_s=60)
    await house.quiet()

    async def begin() -> Done:
        status, answer = await house.call_calendar("DELETE", path)
        assert status == 200, answer
        return told(house, {said["google_event_id"]: ["created", "cancelled"]})

    return begin


async def leaving(house: House) -> Begin:
    """Somebody ends their calendar, from which an appointment has to go first."""
    house.agendas.clear()  # those before were found right
    number = next(NUMBERS)
    user, name = f"user{number}", f"a{number}"
    connection_id = await house.connect_calendar(f"{user}@example.com", user=user)
    path = f"/v1/calendar/appointments/{name}"
    status, said = await house.call_calendar("PUT", path, _appointment(name, user), user=user)
    assert status == 200, said
    await eventually(partial(_is_mirrored, house, name), timeout_s=60)
    await house.quiet()

    async def begin() -> Done:
        path = f"/v1/calendar/connections/{connection_id}"
        status, answer = await house.call_calendar("DELETE", path, user=user)
        assert status == 202, answer
        is_told = told(house, {said["google_event_id"]: ["created", "cancelled"]})

        async def done() -> bool:
            return await is_told() and await _has_ended(house, connection_id)

        return done

    return begin


async def _has_ended(house: House, connection_id: str) -> bool:
    assert house.calendar_db
    row = await house.calendar_db.fetchrow(ENDED, UUID(connection_id))
    return row is not None and (row["state"], row["leave"]) == ("disconnected", None)


def _appointment(name: str, user: str = "ada") -> Json:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=7)
    return {
        "appointment_id": name,
        "version": 1,
        "service": "Corte",
        "duration": 30,
        "start": start.isoformat(),
        "client": {"name": "Bia"},
        "professional": {"user_id": user, "name": "Ada"},
    }


async def _is_mirrored(house: House, name: str) -> bool:
    return any(
        one.data.get("appointment_id") == name
        for one in first_seen(house.events("calendar.event.created."))
    )


def _path(name: str, program: str, stage: Any, prepare: Any, **environment: str) -> Path:
    return Path(
        name,
        program,
        stage,
        prepare,
        right=agenda_differences,
        calendars=True,
        environment=environment,
    )


PATHS = (
    # A notice that nobody answers is lost: Google does not send it again, so that the poll has to.
    _path(
        "calendar notice",
        "calendar-web",
        one_calendar,
        notice,
        CAUSEWAY_CALENDAR_POLL_INTERVAL="5",
    ),
    _path("calendar changes", "calendar-worker", one_calendar, changes),
    _path("calendar first sight", "calendar-worker", House.start, first_sight),
    _path("calendar gap", "calendar-worker", one_calendar, partial(changes, forgotten=True)),
    _path("submit an event", "calendar-web", one_calendar, submission),
    _path("make an event", "calendar-worker", one_calendar, making),
    _path("change an event", "calendar-worker", one_calendar, changing),
    _path("cancel an appointment", "calendar-worker", one_calendar, cancelling),
    _path("end a calendar", "calendar-worker", House.start, leaving),
    _path("consume an appointment", "calendar-consumer", one_calendar, appointing),
    _path("publish a meeting", "calendar-relay", one_calendar, notice),
)
