"""What the CRM does to calendars is done once, whatever Google, notices or workers do meanwhile."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
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
from tests.integration.calendar.stand import Stand, appointment, at, span, standing
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
}
COMMON = {"answer-lost", "request-slow", "rate-limit-403"}
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
