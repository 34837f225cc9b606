"""One change by the CRM: requests to Google, and our CPU beside the same by hand.

A person's calendar holds 50 events that the CRM made. The title of each is changed through the API
(`PATCH /v1/calendar/events/{id}`), one after the other; the whole product runs, with the emulator
as Google, which tells of every change by notice, ours among them. It is over when nothing is due
any more, and what is told of it has left.

The least that a change must cost is one events.patch, and one events.list for the notice it causes.
The floor of CPU is a script with the same requests and rows by hand, one change after the other
(`bench.calendar.handpatch`): the patch with its etag, the page, the rows that follow, the cursor.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp

from bench.calendar import handpatch
from bench.calendar.diary import add_diary, diary, prepare
from bench.calendar.house import calls, meeting, watched
from bench.calendar.sync import process
from bench.house.product import house
from bench.latency.stage import TIMEOUT, Stage, staged
from bench.processes import cpu_s
from bench.rows import Row, middle
from cli import tokens
from libs.common.db import Pool, open_pool
from services.calendar.app import migrations
from tests.servers import Servers

BENCH = "calendar-write"
VHOST = "bench-calendar-write"
WHO, OTHER = "ada@customer.example", "bea@customer.example"
EVENTS = 50
LONGEST_S = 120
CALM_S = 2.0
POLL_S = 0.1
MILLI = 1e3
SCOPES = {"scopes": ["https://www.googleapis.com/auth/calendar"]}
BUSY = """
SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= now())
     + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM writes WHERE finished_at IS NULL)
"""


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both ways in turn."""
    servers.rabbit.add_vhost(VHOST)
    try:
        with staged(servers, VHOST) as stage, house(servers) as place, process() as other:
            floor = place.database(*migrations())
            asyncio.run(prepare(floor))
            asyncio.run(add_diary(floor, diary(1, EVENTS)))
            ids, granted = asyncio.run(_prepare(stage))
            costs, hand = [], []
            for number in range(-1, rounds):
                found = asyncio.run(_change(stage, ids, number))
                used = other.submit(
                    handpatch.run, floor, stage.google, granted, EVENTS, number
                ).result()
                if number >= 0:
                    costs.append(found)
                    hand.append(used / EVENTS * MILLI)
            return _rows(costs, hand)
    finally:
        servers.rabbit.delete_vhost(VHOST)


def _rows(costs: list[dict[str, float]], hand: list[float]) -> list[Row]:
    def of(name: str) -> float:
        return middle([one[name] for one in costs])

    return [
        Row(
            bench=BENCH,
            name="patches a change",
            value=of("patches"),
            unit="requests",
            floor=1.0,
            bound=1.0,
            note=f"{EVENTS} changes a round",
        ),
        Row(
            bench=BENCH,
            name="all requests to Google a change",
            value=of("requests"),
            unit="requests",
            floor=2.0,
            bound=1.1,
            note="the patch, and a page for the notice of it",
        ),
        Row(
            bench=BENCH,
            name="CPU a change, all of calendar's processes",
            value=of("cpu"),
            unit="ms",
            floor=middle(hand),
            note="floor: the same requests and rows by hand",
        ),
    ]


async def _prepare(stage: Stage) -> tuple[list[str], str]:
    """Let the CRM make events, and another calendar have as many; return ids, and its token."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        await stage.connect(session, [WHO])
        await watched(stage, session, [WHO])
        await stage.control(session, "POST", "people", {"email": OTHER})
        for number in range(EVENTS):
            body = {"event": meeting(number)}
            await stage.control(session, "POST", f"people/{OTHER}/events", body)
        granted = await stage.control(session, "POST", f"people/{OTHER}/tokens", SCOPES)
        ids = [await _make(stage, session, number) for number in range(EVENTS)]
        await _rest(stage)
        return ids, granted["access_token"]


async def _make(stage: Stage, session: aiohttp.ClientSession, number: int) -> str:
    given = meeting(number)
    body = {
        "title": given["summary"],
        "description": given["description"],
        "time": {
            "start": given["start"]["dateTime"],
            "end": given["end"]["dateTime"],
            "zone": "Europe/Paris",
        },
    }
    headers = {**_headers(stage), "Idempotency-Key": uuid4().hex}
    async with session.post(f"{_events(stage)}?wait=15", json=body, headers=headers) as answer:
        answer.raise_for_status()
        return str((await answer.json())["id"])


async def _change(stage: Stage, ids: list[str], number: int) -> dict[str, float]:
    pids, headers = stage.pids_of("calendar"), _headers(stage)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        cpu, before = cpu_s(*pids), await calls(stage, session)
        for one in ids:
            body = {"title": f"Offer {number} of {one[:8]}"}
            url = f"{_events(stage)}/{one}?wait=15"
            async with session.patch(url, json=body, headers=headers) as answer:
                answer.raise_for_status()
        await _rest(stage)
        cpu, after = cpu_s(*pids) - cpu, await calls(stage, session)
    spent = {name: count - before.get(name, 0) for name, count in after.items()}
    return {
        "patches": spent.get("calendar.events.patch", 0) / len(ids),
        "requests": sum(spent.values()) / len(ids),
        "cpu": cpu / len(ids) * MILLI,
    }


def _events(stage: Stage) -> str:
    return f"{stage.state.url('calendar', 'web')}/v1/calendar/events"


def _headers(stage: Stage) -> dict[str, str]:
    now, user = datetime.now(UTC), WHO.partition("@")[0]
    token = tokens.issue(stage.environments, user=user, tenant="acme", now=now)
    return {"Authorization": f"Bearer {token}"}


async def _rest(stage: Stage) -> None:
    """Return when nothing has been due or waiting for a while."""
    pool = await open_pool(stage.environments["calendar/web"]["CAUSEWAY_CALENDAR_DATABASE_URL"])
    try:
        await _calm(lambda: _busy(pool))
    finally:
        await pool.close()


async def _busy(pool: Pool) -> bool:
    return bool(await pool.fetchval(BUSY))


async def _calm(is_busy: Callable[[], Awaitable[bool]]) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LONGEST_S):
        since = loop.time()
        while loop.time() - since < CALM_S:
            if await is_busy():
                since = loop.time()
            await asyncio.sleep(POLL_S)
