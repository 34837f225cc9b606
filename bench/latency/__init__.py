"""From a push to the event at a consumer: p50 and p95 at 50 a second.

The candidate is the product as it runs: mail's web process; its worker, relay and consumer process;
auth; and the emulator as Google, each a process of its own. Every push is for another mailbox, in
which one new message lies: it was delivered before, with Google's own pushes held back. The clock
starts when the push, as Pub/Sub sends it, is handed to the web process, and stops in the
callback of a consumer of `mail.message.received.v1`. Within lies all that a push sets going: the
check and the commit at the door, waking and claiming, history.list and messages.get with the
emulator's time to answer, reading the message, the commit of row, cursor and event, the relay.

Beside: an INSERT with a NOTIFY, committed; a process that listens and publishes with a confirm
(`bench/latency/floor.py`); the callback of the same consumer, through an equal quorum queue and
the log. Its clock starts before the INSERT. CPU is that of mail's two processes.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import asyncpg
import orjson
import uvloop
from aio_pika.abc import AbstractIncomingMessage

from bench.latency.floor import CHANNEL
from bench.latency.stage import TIMEOUT, Stage, staged
from bench.processes import cpu_s, environment, serving
from bench.relay.events import BODY_BYTES, Measured
from bench.rows import Row, middle
from libs.common import bus
from libs.common.events.base import Event
from libs.common.events.mail import MessageReceived
from tests import databases
from tests.servers import Servers

VHOST = "bench-latency"
MAILBOXES = 100
RATE = 50
"""Pushes a second."""
WAIT_S = 60.0
ACCEPTED = 204
LETTER = "Dear colleague,\n\nplease find our offer below.\n\n" + "A line of text.\n" * 40
MILLI, MICRO = 1e3, 1e6

MAKE_FLOOR = "CREATE TABLE facts (id bigint PRIMARY KEY, body bytea NOT NULL)"
INSERT = """
WITH added AS (INSERT INTO facts (id, body) VALUES ($1, $2))
SELECT pg_notify($3, $1::text)
"""

Send = Callable[[int], Coroutine[None, None, None]]
"""Sets off number n."""


@dataclass
class Stopwatch:
    """When things were set off, and when they arrived at the consumer."""

    started: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)

    def start(self, key: str) -> None:
        """Start the clock of `key`."""
        self.started[key] = time.perf_counter()

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Stop the clock of what a message is about."""
        now = time.perf_counter()
        if message.routing_key == Measured.type:
            self.arrived[str(message.message_id)] = now
        else:
            data = orjson.loads(message.body)["data"]
            self.arrived[data.get("google_message_id") or data["google_event_id"]] = now

    async def times(self) -> list[float]:
        """Return all times in milliseconds, sorted, once everything arrived."""
        async with asyncio.timeout(WAIT_S):
            while not self.started.keys() <= self.arrived.keys():  # noqa: ASYNC110 - ours alone
                await asyncio.sleep(0.01)
        times = [(self.arrived[key] - at) * MILLI for key, at in self.started.items()]
        self.started.clear()
        return sorted(times)


def run(servers: Servers, *, rounds: int) -> list[Row]:
    """Measure both ways in turn."""
    servers.rabbit.add_vhost(VHOST)
    try:
        with staged(servers, VHOST) as stage:
            database_url = asyncio.run(floor_database(servers))
            arguments = ["bench.latency.floor", database_url, stage.amqp_url]
            return _run(servers, stage, arguments, rounds)
    finally:
        servers.rabbit.delete_vhost(VHOST)


def _run(servers: Servers, stage: Stage, floor: list[str], rounds: int) -> list[Row]:
    log = servers.directory / "latency-floor.log"
    # RabbitMQ's port is open already: that the floor listens shows when it answers.
    with serving(floor, environment(), log=log, port=servers.rabbit.port):
        found = uvloop.run(_measure(stage, floor[1], rounds))
    rows = []
    for name, bound in (("p50", 2.5), ("p95", 3.0), ("p99", None)):
        mail, bare = (middle([one[name] for one in found[arm]]) for arm in ("mail", "floor"))
        what = f"push to event, {name}"
        rows.append(Row("latency", what, mail, "ms", floor=bare, bound=bound))
    cpu = middle([one["cpu_us"] for one in found["mail"]])
    return [*rows, Row("latency", "CPU of mail's processes", cpu, "us/push")]


async def _measure(
    stage: Stage, database_url: str, rounds: int
) -> dict[str, list[dict[str, float]]]:
    watch = Stopwatch()
    found: dict[str, list[dict[str, float]]] = {"mail": [], "floor": []}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(consuming(stage.amqp_url, watch))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        conn = await stack.enter_async_context(databases.connected(database_url))
        inserts = Inserts(conn, watch)
        await inserts.await_listener()
        pushes = await Pushes.ready(stage, session, watch)
        for number in range(-1, rounds):
            await pushes.deliver()
            for arm in ("mail", "floor") if number % 2 else ("floor", "mail"):
                cpu = cpu_s(*stage.pids)
                await at_rate(pushes.send if arm == "mail" else inserts.send)
                times = await watch.times()
                cpu = cpu_s(*stage.pids) - cpu
                if number >= 0:
                    found[arm].append(percentiles(times) | {"cpu_us": cpu / MAILBOXES * MICRO})
    return found


def percentiles(times: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of sorted times."""
    return {f"p{part}": times[len(times) * part // 100] for part in (50, 95, 99)}


async def at_rate(send: Send) -> None:
    """Set off one per mailbox, evenly, whether or not the ones before are done."""
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(MAILBOXES):
            await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
            group.create_task(send(number))


@asynccontextmanager
async def consuming(
    amqp_url: str, watch: Stopwatch, product: type[Event] = MessageReceived
) -> AsyncIterator[None]:
    """Consume both kinds of events, each from a queue like any service's."""
    async with bus.connected(amqp_url, name="bench.consumer") as connection:
        await bus.declare_log(connection)
        for event in (product, Measured):
            queue = f"bench.{event.type.partition('.')[0]}"
            subscription = bus.Subscription(queue=queue, types=(event.type,), handler=_nothing)
            await bus.declare_subscription(connection, subscription, bus.RetryPolicy())
            channel = await connection.channel()
            await (await channel.get_queue(queue)).consume(watch.take, no_ack=True)
        yield


async def _nothing(_envelope: object) -> None:
    """Stand where a handler is asked for."""


class Inserts:
    """The floor's facts."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", watch: Stopwatch) -> None:
        self._conn, self._watch = conn, watch
        self._last = 0
        self._free = asyncio.Lock()

    async def await_listener(self) -> None:
        """Return once what is inserted arrives at the consumer."""
        async with asyncio.timeout(WAIT_S):
            while not self._watch.arrived:
                await self.send(0)
                await asyncio.sleep(0.1)
        self._watch.started.clear()

    async def send(self, _number: int) -> None:
        """Insert one."""
        self._last += 1
        number = self._last
        self._watch.start(str(number))
        async with self._free:
            await self._conn.execute(INSERT, number, b"x" * BODY_BYTES, CHANNEL)


@dataclass
class Pushes:
    """The product's pushes."""

    stage: Stage
    session: aiohttp.ClientSession = field(repr=False)
    watch: Stopwatch
    people: list[str]
    authorization: str = field(repr=False)
    messages: dict[str, str] = field(default_factory=dict)
    """The one that waits in each mailbox."""

    @classmethod
    async def ready(
        cls, stage: Stage, session: aiohttp.ClientSession, watch: Stopwatch
    ) -> "Pushes":
        """Return pushes for mailboxes that are connected; Google's own are held back."""
        people = [f"person{number}@customer.example" for number in range(MAILBOXES)]
        await stage.connect(session, people)
        authorization = await stage.push_token(session)
        await stage.control(session, "PUT", "pushes", {"paused": True})
        return cls(stage, session, watch, people, authorization)

    async def deliver(self) -> None:
        """Lay a new message into every mailbox."""
        letter = {"from": "Bob <bob@example.org>", "subject": "An offer", "text": LETTER}
        for person in self.people:
            path = f"people/{person}/messages"
            answer = await self.stage.control(self.session, "POST", path, letter)
            self.messages[person] = answer["id"]

    async def send(self, number: int) -> None:
        """Hand the push for one mailbox to the web process."""
        person = self.people[number]
        body = _push(person, number)
        headers = {"Authorization": self.authorization, "Content-Type": "application/json"}
        self.watch.start(self.messages[person])
        async with self.session.post(self.stage.webhook, data=body, headers=headers) as answer:
            if answer.status != ACCEPTED:
                raise RuntimeError(f"a push was answered {answer.status}")


def _push(person: str, number: int) -> bytes:
    notice = orjson.dumps({"emailAddress": person, "historyId": 10_000_000 + number})
    message = {"data": base64.b64encode(notice).decode(), "messageId": str(number)}
    return orjson.dumps({"message": message, "subscription": "projects/bench/subscriptions/gmail"})


async def floor_database(servers: Servers) -> str:
    """Return the address of a new database for the floor."""
    async with databases.connected(servers.postgres.url()) as admin:
        url = servers.postgres.url(await databases.create(admin, servers.postgres.url, ()))
    async with databases.connected(url) as conn:
        await conn.execute(MAKE_FLOOR)
    return url
