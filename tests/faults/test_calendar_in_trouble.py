"""What the CRM does to calendars is done once, whatever Google, notices or workers do meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from libs.common import clock
from libs.common.events.envelope import Envelope
from services.auth.app import migrations as auth_migrations
from services.calendar.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.faults.recovering import rare
from tests.integration.calendar.stand import Stand, appointment, at, soon, span, standing
from tests.integration.calendar.truth import all_right, at_rest, google_shows, service_token
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

EVENTS = "/v1/calendar/events"
BOB = "bob@example.com"
GUEST = [{"email": "guest@example.org"}]
DAILY = ["RRULE:FREQ=DAILY;COUNT=4"]
TIMEOUT_S, SETTLE_S = 1.0, 1.2
LATE_S = 1.4
"""Longer than Google is waited for, and not as long as it may still act."""
MOST_REQUESTS = 3
"""For one change: it fails or gets lost, perhaps meets another edit, and is made."""
UNTOUCHED = 1_000_000
WRITES = "/calendar/v3/calendars/"
Rule = dict[str, Any]
Trouble = Callable[[str, str], Awaitable[None]]
"""Begins, for what is asked next: a method, and an event that a person may edit meanwhile."""


@dataclass
class Asked:
    """What should come of something that was asked for."""

    ours: list[str]
    """Google's ids of the events that it is about."""
    shown: list[tuple[str, int]]
    """Titles of what takes place then, and how often."""
    mails: list[str] = field(default_factory=list)
    """Kinds of the mails that Google sends."""
    requests: int = 1
    """Changes that it takes."""
    title: str = ""
    """Words that the titles share."""


@pytest.fixture
async def stand(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[Stand]:
    """Everything around a calendar service that soon finds out what became of a change."""
    calendar_url = await new_database(*migrations())
    auth_url = await new_database(*auth_migrations())
    async with standing(
        calendar_url=calendar_url,
        auth_url=auth_url,
        amqp_url=amqp_url,
        google=emulator,
        write_timeout=TIMEOUT_S,
        settle_after=SETTLE_S,
    ) as made:
        await emulator.add_person(BOB, name="Bob")
        await emulator.control("PUT", "settings", {"calendar_requests_per_minute": UNTOUCHED})
        yield made
    clock.set_offset(0)


async def call(stand: Stand, method: str, path: str, body: Any = None) -> Json:
    """Ask for something, and wait for Google no longer than needed."""
    headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
    answer = await stand.call(
        method,
        path,
        body,
        headers=headers,
        token=None if "appoint" not in path else service_token(),
    )
    assert answer.status in {200, 201, 202}, answer
    return dict(answer.body)


async def made(stand: Stand, title: str, **more: Any) -> Json:
    """Have an event that everybody knows of."""
    one = await stand.make(title=title, attendees=GUEST, notify="none", **more)
    await stand.told(one["google_event_id"], "created")
    return one


async def third(stand: Stand, title: str) -> Json:
    """Return the third occurrence of a series."""
    found = [one for one in await stand.listed() if one["title"] == title]
    return found[2]


async def insert(stand: Stand, trouble: Trouble, title: str) -> Asked:
    await trouble("POST", "")
    body = {"title": title, "time": span(3), "attendees": GUEST, "notify": "all"}
    one = await call(stand, "POST", f"{EVENTS}?wait=0", body)
    return Asked([one["google_event_id"]], [(title, 1)], ["invitation"])


async def patch(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title)
    await trouble("PATCH", one["google_event_id"])
    body = {"title": f"{title} B", "notify": "all"}
    await call(stand, "PATCH", f"{EVENTS}/{one['id']}?wait=0", body)
    return Asked([one["google_event_id"]], [(f"{title} B", 1)], ["update"])


async def delete(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title)
    await trouble("DELETE", "")
    await call(stand, "DELETE", f"{EVENTS}/{one['id']}?notify=all&wait=0")
    return Asked([one["google_event_id"]], [], ["cancellation"])


async def patch_instance(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title, recurrence=DAILY)
    some = await third(stand, title)
    name = f"{one['google_event_id']}_{some['occurrence']}"
    await trouble("PATCH", name)
    body = {"title": f"{title} B", "notify": "all"}
    await call(stand, "PATCH", f"{EVENTS}/{some['id']}?wait=0", body)
    return Asked([one["google_event_id"], name], [(title, 3), (f"{title} B", 1)], ["update"])


async def delete_instance(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title, recurrence=DAILY)
    some = await third(stand, title)
    await trouble("DELETE", "")
    await call(stand, "DELETE", f"{EVENTS}/{some['id']}?notify=all&wait=0")
    return Asked([one["google_event_id"]], [(title, 3)], ["cancellation"])


async def patch_following(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title, recurrence=DAILY)
    some = await third(stand, title)
    await trouble("PATCH", one["google_event_id"])
    body = {"title": f"{title} B", "notify": "all", "scope": "following"}
    await call(stand, "PATCH", f"{EVENTS}/{some['id']}?wait=0", body)
    shown = [(title, 2), (f"{title} B", 2)]
    return Asked([one["google_event_id"]], shown, ["update", "invitation"], requests=2)


async def begin_following(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title, recurrence=DAILY)
    some = await third(stand, title)
    await trouble("POST", "")
    body = {"title": f"{title} B", "notify": "all", "scope": "following"}
    await call(stand, "PATCH", f"{EVENTS}/{some['id']}?wait=0", body)
    shown = [(title, 2), (f"{title} B", 2)]
    return Asked([one["google_event_id"]], shown, ["update", "invitation"], requests=2)


async def delete_following(stand: Stand, trouble: Trouble, title: str) -> Asked:
    one = await made(stand, title, recurrence=DAILY)
    some = await third(stand, title)
    await trouble("PATCH", one["google_event_id"])
    await call(stand, "DELETE", f"{EVENTS}/{some['id']}?notify=all&scope=following&wait=0")
    return Asked([one["google_event_id"]], [(title, 2)], ["update"])


async def respond(stand: Stand, trouble: Trouble, title: str) -> Asked:
    google_id, event = await invited(stand, title)
    await trouble("PATCH", "")
    body = {"response": "accepted", "comment": "gladly", "notify": "all"}
    await call(stand, "POST", f"{EVENTS}/{event['id']}/response?wait=0", body)
    return Asked([google_id], [(title, 1)], ["invitation", "response"])


async def respond_once(stand: Stand, trouble: Trouble, title: str) -> Asked:
    google_id, _ = await invited(stand, title, recurrence=DAILY)
    some = await third(stand, title)
    await trouble("PATCH", "")
    body = {"response": "declined", "notify": "all"}
    await call(stand, "POST", f"{EVENTS}/{some['id']}/response?wait=0", body)
    return Asked([google_id], [(title, 4)], ["invitation", "response"])


async def invited(stand: Stand, title: str, **more: Any) -> tuple[str, Json]:
    """Have somebody else invite the person."""
    event = at(3, summary=title, attendees=[{"email": ALICE}], **more)
    google_id = str((await stand.happens(event, person=BOB))["id"])
    await eventually(lambda: stand.told_of(google_id) == ["created"])
    return google_id, next(one for one in await stand.listed() if one["title"] == title)


async def appoint(stand: Stand, trouble: Trouble, title: str) -> Asked:
    await trouble("POST", "")
    return await kept(stand, title, title, version=1)


async def reappoint(stand: Stand, trouble: Trouble, title: str) -> Asked:
    before = await kept(stand, title, title, version=1)
    await eventually(lambda: at_rest(stand))
    await trouble("PATCH", before.ours[0])
    return await kept(stand, title, f"{title} B", version=2)


async def disappoint(stand: Stand, trouble: Trouble, title: str) -> Asked:
    before = await kept(stand, title, title, version=1)
    await eventually(lambda: at_rest(stand))
    await trouble("DELETE", "")
    await call(stand, "DELETE", f"/v1/calendar/appointments/{title.replace(' ', '-')}?version=2")
    return Asked(before.ours, [])


async def kept(stand: Stand, title: str, service: str, *, version: int) -> Asked:
    """Have an appointment kept."""
    body = appointment(appointment_id=title.replace(" ", "-"), service=service, version=version)
    one = await call(stand, "PUT", f"/v1/calendar/appointments/{body['appointment_id']}", body)
    return Asked([one["google_event_id"]], [(f"[Agendamento] {service} - Bia", 1)])


OPS = (
    insert,
    patch,
    delete,
    patch_instance,
    delete_instance,
    patch_following,
    begin_following,
    delete_following,
    respond,
    respond_once,
    appoint,
    reappoint,
    disappoint,
)
WAIT = {"Retry-After": "1"}
FAULTS: dict[str, Rule] = {
    "answer-lost": {"lose_answer": True},
    "request-lost": {"drop": True},
    "answer-late": {"late_s": LATE_S},
    "request-slow": {"delay_s": LATE_S},
    "answer-cut-off": {"truncate": 20},
    "garbage": {"garbage": True},
    "unavailable": {"status": 503},
    "fails": {"status": 500, "reason": "backendError"},
    "rate-limit-403": {"status": 403, "reason": "rateLimitExceeded", "headers": WAIT},
    "rate-limit-429": {"status": 429, "reason": "userRateLimitExceeded", "headers": WAIT},
    "token-expired": {"status": 401, "reason": "authError"},
    "notice-first": {"late_s": 0.7},
}
COMMON = {"answer-lost", "rate-limit-403", "notice-first"}
"""The others are for `make faults`."""


async def faults(stand: Stand, *rules: Rule) -> None:
    """Let Google misbehave; count what it is asked to change."""
    counting = [
        {"path_prefix": WRITES, "path_contains": "/events", "method": one, "after": UNTOUCHED}
        for one in ("POST", "PATCH", "DELETE")
    ]
    await stand.google.control("PUT", "faults", {"rules": [*counting, *rules]})


async def requests(stand: Stand) -> int:
    """Return how often Google was asked to change an event since the faults were set."""
    rules = (await stand.google.control("GET", "faults"))["rules"]
    return sum(one["hits"] for one in rules if one["after"] == UNTOUCHED)


async def is_as_asked(
    stand: Stand, asked: Asked, title: str, connection_id: str, *, most: int = MOST_REQUESTS
) -> None:
    """Wait until all is as it was asked for, once; what was sent, told and counted as well."""
    await all_right(stand, {ALICE: connection_id}, timeout_s=60)
    shown = Counter(
        one["title"] for one in (await google_shows(stand)).values() if title in one["title"]
    )
    assert shown == Counter(dict(asked.shown))
    mails = [one for one in await stand.invitations() if title in one["summary"]]
    assert Counter(one["kind"] for one in mails) == Counter(asked.mails)
    told = [
        (one.type, one.data["origin"])
        for one in stand.events("calendar.event.")
        if one.data["google_event_id"] in asked.ours and not is_birth(one)
    ]
    assert {origin for _, origin in told} <= {"crm"}, told
    assert await requests(stand) <= most * asked.requests
    assert stand.events("calendar.appointment.changed") == []


def is_birth(told: Envelope) -> bool:
    """Say whether it tells of an event that is new: of one that somebody else has made, too."""
    return told.type == "calendar.event.created.v1"


@pytest.mark.parametrize(
    "fault",
    [pytest.param(one, marks=() if one in COMMON else rare) for one in FAULTS],
)
async def test_whatever_google_does_a_change_is_made_and_told_once(
    stand: Stand, fault: str
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        for op in OPS:
            title = f"{op.__name__.replace('_', ' ')} {fault}"

            async def trouble(method: str, _event: str) -> None:
                rule = {"path_prefix": WRITES, "path_contains": "/events", "method": method}
                await faults(stand, {**rule, **FAULTS[fault], "times": 1})

            asked = await op(stand, trouble, title)
            await is_as_asked(stand, asked, title, connection_id)
            await stand.google.control("DELETE", "faults")


@pytest.mark.parametrize(
    "switches",
    [{"paused": True}, {"duplicate": 100}, {"reorder": 2}, {"drop": 100}],
    ids=["late", "twice", "reordered", "lost"],
)
async def test_whatever_becomes_of_notices_a_change_is_made_and_told_once(
    stand: Stand, switches: Json
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        for op in OPS[:-3]:
            title = op.__name__.replace("_", " ")

            async def trouble(_method: str, _event: str) -> None:
                await faults(stand)
                await stand.notifications(**switches)

            asked = await op(stand, trouble, title)
            await is_as_asked(stand, asked, title, connection_id, most=1)
            await stand.notifications(paused=False, drop=0, duplicate=0, reorder=0)
            await is_as_asked(stand, asked, title, connection_id, most=1)


EDITED = (patch, patch_instance, patch_following, delete_following)


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer-lost"])
async def test_what_a_person_does_meanwhile_stays_and_is_told_as_theirs(
    stand: Stand, *, lost: bool
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        for op in EDITED:
            title = op.__name__.replace("_", " ")

            async def trouble(_method: str, event: str) -> None:
                await stand.notifications(paused=True)
                await stand.edit(event, "change", changes={"location": "Roof"}, send_updates="none")
                await faults(stand, *([{**EVENT_PATCH, "after": 1, **LOST}] if lost else []))

            asked = await op(stand, trouble, title)
            await eventually(lambda: at_rest(stand))
            await stand.notifications(paused=False)
            await all_right(stand, {ALICE: connection_id})
            assert Counter(asked.mails) == Counter(
                one["kind"] for one in await stand.invitations() if title in one["summary"]
            )
            assert await requests(stand) <= MOST_REQUESTS * asked.requests
            found = await google_shows(stand)
            assert {
                one["location"] for name, one in found.items() if name.startswith(asked.ours[-1])
            } == {"Roof"}
            told = [
                one.data["origin"]
                for one in stand.events("calendar.event.")
                if one.data["google_event_id"] == asked.ours[-1]
                and not (is_birth(one) and op is not patch_instance)
            ]
            assert "live" in told, title


async def dragged(stand: Stand, google_id: str, *, hours: float) -> str:
    """Let a person drag an appointment; return where to."""
    start = soon() + timedelta(hours=hours)
    to = {"dateTime": start.isoformat(), "timeZone": "America/Sao_Paulo"}
    await stand.edit(google_id, "drag", start=to)
    return start.isoformat()


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer-lost"])
@pytest.mark.parametrize("early", [False, True], ids=["after-it", "before-it"])
async def test_a_drag_around_a_new_version_comes_back_once(
    stand: Stand, *, lost: bool, early: bool
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        before = await kept(stand, "one", "one", version=1)
        await eventually(lambda: at_rest(stand))
        (google_id,) = before.ours
        await stand.notifications(paused=True)
        start = await dragged(stand, google_id, hours=9) if early else ""
        await faults(stand, *([{**EVENT_PATCH, "after": int(early), **LOST}] if lost else []))
        await kept(stand, "one", "two", version=2)

        async def is_written() -> bool:
            return "two" in (await stand.one_at_google(google_id))["summary"]

        await eventually(is_written)
        start = start or await dragged(stand, google_id, hours=9)
        await eventually(lambda: at_rest(stand))
        await stand.notifications(paused=False)
        await eventually(lambda: len(stand.events("calendar.appointment.changed")) == 1)
        await all_right(stand, {ALICE: connection_id})
        (told,) = stand.events("calendar.appointment.changed")
        assert told.data["changes"] == {"start": start}
        found = (await google_shows(stand))[google_id]
        assert (found["title"], found["start"]) == ("[Agendamento] two - Bia", start)


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer-lost"])
async def test_a_drag_of_an_event_that_is_not_known_to_be_there_comes_back(
    stand: Stand, *, lost: bool
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        rule = {"path_prefix": WRITES, "path_contains": "/events", "method": "POST", "times": 1}
        await faults(stand, {**rule, **({"lose_answer": True} if lost else {"late_s": 0.7})})
        await stand.notifications(paused=True)
        (google_id,) = (await kept(stand, "one", "one", version=1)).ours

        async def is_there() -> bool:
            return any(one["id"] == google_id for one in await stand.at_google())

        await eventually(is_there)
        start = await dragged(stand, google_id, hours=9)
        await stand.notifications(paused=False)
        await eventually(lambda: len(stand.events("calendar.appointment.changed")) == 1)
        await all_right(stand, {ALICE: connection_id})
        (told,) = stand.events("calendar.appointment.changed")
        assert told.data["changes"] == {"start": start}


@pytest.mark.parametrize("lost", [False, True], ids=["answered", "answer-lost"])
async def test_what_is_deleted_before_it_is_known_to_be_there_stays_away(
    stand: Stand, *, lost: bool
) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        rule = {"path_prefix": WRITES, "path_contains": "/events", "method": "POST", "times": 1}
        await faults(stand, {**rule, **({"lose_answer": True} if lost else {"late_s": 0.7})})
        (google_id,) = (await kept(stand, "one", "one", version=1)).ours

        async def is_there() -> bool:
            return any(one["id"] == google_id for one in await stand.at_google())

        await eventually(is_there)
        await stand.edit(google_id, "delete")
        await eventually(lambda: len(stand.events("calendar.appointment.changed")) == 1)
        await all_right(stand, {ALICE: connection_id})
        (told,) = stand.events("calendar.appointment.changed")
        assert told.data["cancelled"]
        assert await google_shows(stand) == {}


async def test_what_is_deleted_while_it_is_changed_stays_away(stand: Stand) -> None:
    async with stand.serving():
        connection_id = await stand.connect()
        one = await made(stand, "one")
        await stand.notifications(paused=True)  # else its echo is heard before, and ends the write
        await faults(stand, {**EVENT_PATCH, "late_s": 0.7})
        await call(
            stand, "PATCH", f"{EVENTS}/{one['id']}?wait=0", {"title": "two", "notify": "none"}
        )

        async def is_written() -> bool:
            found = await stand.one_at_google(one["google_event_id"])
            return bool(found["summary"] == "two")

        await eventually(is_written)
        await stand.edit(one["google_event_id"], "delete")
        await stand.notifications(paused=False)
        await all_right(stand, {ALICE: connection_id})
        assert await stand.listed() == []


async def test_a_drag_back_comes_back_too(stand: Stand) -> None:
    async with stand.serving():
        await stand.connect()
        (google_id,) = (await kept(stand, "one", "one", version=1)).ours
        await eventually(lambda: at_rest(stand))
        told = []
        for hours in (9.0, 5.0):
            told.append(await dragged(stand, google_id, hours=hours))
            await eventually(lambda: len(stand.events("calendar.appointment.changed")) == len(told))
        assert [one.data["changes"]["start"] for one in stand.events("calendar.appointment.")] == (
            told
        )


EVENT_PATCH = {"path_prefix": WRITES, "path_contains": "/events", "method": "PATCH", "times": 1}
LOST = {"lose_answer": True}


@pytest.mark.parametrize("how", ["answer-lost", "request-lost", "answer-late"])
async def test_a_worker_that_is_restarted_meanwhile_makes_a_change_once(
    stand: Stand, how: str
) -> None:
    async with AsyncExitStack() as running:
        await running.enter_async_context(stand.serving())
        connection_id = await stand.connect()
        for op in OPS:
            title = f"{op.__name__.replace('_', ' ')} {how}"

            async def trouble(method: str, _event: str) -> None:
                rule = {"path_prefix": WRITES, "path_contains": "/events", "method": method}
                await faults(stand, {**rule, **FAULTS[how], "times": 1})

            asked = await op(stand, trouble, title)
            await eventually(lambda: was_asked(stand))
            await running.aclose()
            await running.enter_async_context(stand.serving())
            await is_as_asked(stand, asked, title, connection_id)


async def was_asked(stand: Stand) -> bool:
    """Say whether Google was asked to change something since the faults were set."""
    return await requests(stand) > 0


async def test_two_workers_make_every_change_once(stand: Stand) -> None:
    async with stand.serving(), stand.beside():
        connection_id = await stand.connect()
        await faults(
            stand,
            {**EVENT_PATCH, **LOST, "after": 1, "times": 2},
            {**EVENT_PATCH, **LOST, "method": "POST", "after": 2, "times": 2},
            {**EVENT_PATCH, "method": "DELETE", "drop": True, "after": 1},
        )

        async def nothing(_method: str, _event: str) -> None:
            """Leave the faults as they are."""

        some = [one for one in OPS if one not in {respond, respond_once}]
        asked = await asyncio.gather(
            *(op(stand, nothing, f"n{number:02} x") for number, op in enumerate(some))
        )
        for number, one in enumerate(asked):
            await is_as_asked(
                stand, one, f"n{number:02} x", connection_id, most=MOST_REQUESTS * len(OPS)
            )
