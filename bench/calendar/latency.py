"""From a notice to the event at a consumer: p50, p95 and p99 at 50 a second.

As `bench.latency`, whose stage and whose floor these are: the product as it runs, with the emulator
as Google, and beside it an INSERT with a NOTIFY, published by a process that listens. Every notice
is for another person's calendar, in which one new meeting lies: it was made before, with Google's
own notices held back. The clock starts when the notice, as Google sends it, is handed to
calendar's web process, and stops in the callback of a consumer of `calendar.event.created.v1`.
Within lies all that a notice sets going: token and channel at the door, waking and claiming,
events.list with the emulator's time to answer, the commit of rows, cursor and event, the relay.

Requests to Google are counted by the emulator, from the first notice to the last event.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
import uvloop

from bench.calendar.house import calls, meeting, watched, webhook
from bench.latency import (
    ACCEPTED,
    MAILBOXES,
    MICRO,
    Inserts,
    Stopwatch,
    at_rate,
    consuming,
    floor_database,
    percentiles,
)
from bench.latency.stage import TIMEOUT, Stage, staged
from bench.processes import cpu_s, environment, serving
from bench.rows import Row, middle
from libs.common.events.calendar import EventCreated
from tests import databases
from tests.servers import Servers

BENCH = "calendar-latency"
VHOST = "bench-calendar-latency"
FIRST_NUMBER = 1_000
"""Above what Google has numbered its own notices."""

Found = dict[str, list[dict[str, float]]]


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both ways in turn."""
    servers.rabbit.add_vhost(VHOST)
    try:
        with staged(servers, VHOST) as stage:
            database_url = asyncio.run(floor_database(servers))
            arguments = ["bench.latency.floor", database_url, stage.amqp_url]
            log = servers.directory / "calendar-latency-floor.log"
            # RabbitMQ's port is open already: that the floor listens shows when it answers.
            with serving(arguments, environment(), log=log, port=servers.rabbit.port):
                return _rows(uvloop.run(_measure(stage, database_url, rounds)))
    finally:
        servers.rabbit.delete_vhost(VHOST)


def _rows(found: Found) -> list[Row]:
    def of(arm: str, name: str) -> float:
        return middle([one[name] for one in found[arm]])

    rows = [
        Row(
            bench=BENCH,
            name=f"notice to event, {name}",
            value=of("calendar", name),
            unit="ms",
            floor=of("floor", name),
            bound=bound,
        )
        for name, bound in (("p50", 2.5), ("p95", 3.0), ("p99", None))
    ]
    asked = of("calendar", "requests")
    rows.append(Row(BENCH, "requests to Google a notice", asked, "requests", floor=1.0, bound=1.1))
    return [*rows, Row(BENCH, "CPU of calendar's processes", of("calendar", "cpu_us"), "us/notice")]


async def _measure(stage: Stage, database_url: str, rounds: int) -> Found:
    watch, pids = Stopwatch(), stage.pids_of("calendar")
    found: Found = {"calendar": [], "floor": []}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(consuming(stage.amqp_url, watch, EventCreated))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        conn = await stack.enter_async_context(databases.connected(database_url))
        inserts = Inserts(conn, watch)
        await inserts.await_listener()
        notices = await Notices.ready(stage, session, watch)
        for number in range(-1, rounds):
            await notices.deliver()
            for arm in ("calendar", "floor") if number % 2 else ("floor", "calendar"):
                cpu, asked = cpu_s(*pids), sum((await calls(stage, session)).values())
                await at_rate(notices.send if arm == "calendar" else inserts.send)
                times = await watch.times()
                cpu = cpu_s(*pids) - cpu
                asked = sum((await calls(stage, session)).values()) - asked
                if number >= 0:
                    costs = {"cpu_us": cpu / MAILBOXES * MICRO, "requests": asked / MAILBOXES}
                    found[arm].append(percentiles(times) | costs)
    return found


@dataclass
class Notices:
    """The product's notices."""

    stage: Stage
    session: aiohttp.ClientSession = field(repr=False)
    watch: Stopwatch
    people: list[str]
    headers: dict[str, dict[str, str]] = field(repr=False)
    number: int = FIRST_NUMBER
    events: dict[str, str] = field(default_factory=dict)
    """The one that waits in each calendar."""

    @classmethod
    async def ready(
        cls, stage: Stage, session: aiohttp.ClientSession, watch: Stopwatch
    ) -> "Notices":
        """Return notices for calendars that are connected; Google's own are held back."""
        people = [f"person{number}@customer.example" for number in range(MAILBOXES)]
        await stage.connect(session, people)
        headers = await watched(stage, session, people)
        await stage.control(session, "PUT", "notifications", {"paused": True})
        return cls(stage, session, watch, people, headers)

    async def deliver(self) -> None:
        """Lay a new meeting into every calendar."""
        self.number += 1
        for number, person in enumerate(self.people):
            path, body = f"people/{person}/events", {"event": meeting(number)}
            answer = await self.stage.control(self.session, "POST", path, body)
            self.events[person] = answer["id"]

    async def send(self, number: int) -> None:
        """Hand the notice for one calendar to the web process."""
        person = self.people[number]
        headers = {**self.headers[person], "X-Goog-Message-Number": str(self.number)}
        self.watch.start(self.events[person])
        async with self.session.post(webhook(self.stage), headers=headers) as answer:
            if answer.status != ACCEPTED:
                raise RuntimeError(f"a notice was answered {answer.status}")
