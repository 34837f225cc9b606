import asyncio
from uuid import UUID

import asyncpg
import orjson
import pytest
import structlog
from aio_pika.abc import AbstractIncomingMessage

from libs.common import bus, db, inbox
from libs.common.bus.topology import Handler
from libs.common.errors import NotFound, Transient
from libs.common.events.envelope import Envelope
from libs.common.migrate import kernel
from tests.databases import NewDatabase, connected
from tests.messaging import Proxy, Recorder, depth, note, running, send, take_all
from tests.servers import Servers
from tests.support import eventually

QUEUE = "reader.notes"
DEAD = "reader.notes.dead"
TYPE = "notes.note.written.v1"
QUICK = bus.RetryPolicy(delays_s=(0.05, 0.1), transient_attempts=5)


def subscription(
    handler: Handler, *, types: tuple[str, ...] = ("notes.#",), timeout_s: float = 30
) -> bus.Subscription:
    return bus.Subscription(queue=QUEUE, types=types, handler=handler, timeout_s=timeout_s)


async def _ready(amqp_url: str, queue: str = QUEUE) -> None:
    await eventually(lambda: _exists(amqp_url, queue))
    # Bound, too: what is sent from now on is kept.
    async with bus.connected(amqp_url, name="test") as link:
        await bus.topology.declare_subscription(link, subscription(Recorder()), QUICK)


async def _exists(amqp_url: str, queue: str) -> bool:
    return await depth(amqp_url, queue) >= 0


async def _publish(amqp_url: str, *envelopes: Envelope) -> None:
    await send(amqp_url, *(envelope.to_json() for envelope in envelopes), key=TYPE)


async def _dead(amqp_url: str, count: int = 1) -> list[AbstractIncomingMessage]:
    async def arrived() -> bool:
        return await depth(amqp_url, DEAD) >= count

    await eventually(arrived)
    return await take_all(amqp_url, DEAD)


async def test_events_are_handled_in_order(amqp_url: str) -> None:
    handler, envelopes = Recorder(), [note(number) for number in range(100)]
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, *envelopes)
        await eventually(lambda: len(handler.handled) == len(envelopes))

    assert handler.handled == envelopes


async def test_only_the_types_of_the_subscription_arrive(amqp_url: str) -> None:
    handler = Recorder()
    wanted = subscription(handler, types=(TYPE,))
    async with running(bus.consume(amqp_url, wanted, retry=QUICK)):
        await eventually(lambda: _exists(amqp_url, QUEUE))
        async with bus.connected(amqp_url, name="test") as link:
            await bus.topology.declare_subscription(link, wanted, QUICK)
            await bus.declare_log(link)
        await send(amqp_url, note().to_json(), key="other.note.written.v1")
        last = note()
        await _publish(amqp_url, last)
        await eventually(lambda: handler.handled)

    assert handler.handled == [last]


async def test_a_handled_event_is_gone(amqp_url: str) -> None:
    handler = Recorder()
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, note())
        await eventually(lambda: handler.handled)

    assert await take_all(amqp_url, QUEUE) == []


async def test_an_event_nobody_finished_comes_again(amqp_url: str) -> None:
    begun, handler, envelope = asyncio.Event(), Recorder(), note()

    async def never(_envelope: Envelope) -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    async with running(bus.consume(amqp_url, subscription(never), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, envelope)
        await begun.wait()

    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await eventually(lambda: handler.handled)

    assert handler.handled == [envelope]


async def test_a_failing_event_is_retried_then_given_up_while_others_flow_on(
    amqp_url: str,
) -> None:
    bad, good = note(1), [note(number) for number in range(2, 12)]
    handler = Recorder(failing={bad.id: ValueError("content that must not leak")})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, bad, *good)
        (dead,) = await _dead(amqp_url)

    assert handler.attempts.count(bad.id) == 3
    assert handler.handled == good
    assert Envelope.from_json(dead.body) == bad


async def test_a_dead_letter_says_what_happened_to_it(amqp_url: str) -> None:
    bad = note()
    handler = Recorder(failing={bad.id: ValueError("content that must not leak")})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, bad)
        (dead,) = await _dead(amqp_url)

    assert dead.headers["x-attempts"] == 3
    assert dead.headers["x-failure"] == "ValueError"
    assert dead.headers["x-routing-key"] == TYPE
    assert dead.delivery_mode == 2
    assert "must not leak" not in repr(dead.headers)


async def test_each_retry_counts_its_attempt(amqp_url: str) -> None:
    bad = note()
    handler = Recorder(failing={bad.id: ValueError()})
    slow = bus.RetryPolicy(delays_s=(60,))
    async with running(bus.consume(amqp_url, subscription(handler), retry=slow)):
        await eventually(lambda: _exists(amqp_url, QUEUE))
        await _bound(amqp_url, slow)
        await _publish(amqp_url, bad)
        await eventually(lambda: _waits(amqp_url, f"{QUEUE}.retry.1m"))

    (waiting,) = await take_all(amqp_url, f"{QUEUE}.retry.1m")
    assert waiting.headers["x-attempts"] == 1


async def test_an_event_that_works_at_last_is_handled_once(amqp_url: str) -> None:
    envelope = note()
    handler = Recorder(failing={envelope.id: ValueError()})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, envelope)
        await eventually(lambda: handler.attempts)
        handler.failing.clear()
        await eventually(lambda: handler.handled)

    assert handler.handled == [envelope]
    assert await depth(amqp_url, DEAD) == 0


@pytest.mark.parametrize(
    "failure",
    [Transient("away"), ConnectionRefusedError(), asyncpg.CannotConnectNowError("starting")],
    ids=lambda failure: type(failure).__name__,
)
async def test_what_a_handler_depends_on_gets_more_time(amqp_url: str, failure: Exception) -> None:
    envelope = note()
    handler = Recorder(failing={envelope.id: failure})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, envelope)
        (dead,) = await _dead(amqp_url)

    assert handler.attempts.count(envelope.id) == 5
    assert dead.headers["x-attempts"] == 5


async def test_a_handler_that_hangs_is_a_failure(amqp_url: str) -> None:
    async def hang(_envelope: Envelope) -> None:
        await asyncio.get_running_loop().create_future()

    policy = bus.RetryPolicy(delays_s=())
    hanging = subscription(hang, timeout_s=0.05)
    async with running(bus.consume(amqp_url, hanging, retry=policy)):
        await _ready(amqp_url)
        await _publish(amqp_url, note())
        (dead,) = await _dead(amqp_url)

    assert dead.headers["x-failure"] == "TimeoutError"


@pytest.mark.parametrize(
    "body",
    [
        b"not json at all",
        b"",
        b'{"specversion": "1.0"}',
        orjson.dumps(orjson.loads(note().to_json()) | {"sequence": "one"}),
    ],
)
async def test_a_poisoned_message_ends_among_the_dead_and_others_flow_on(
    amqp_url: str, body: bytes
) -> None:
    handler, after = Recorder(), note()
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await send(amqp_url, body, key=TYPE)
        await _publish(amqp_url, after)
        (dead,) = await _dead(amqp_url)

    assert dead.body == body
    assert dead.headers["x-failure"] == "InvalidInput"
    assert handler.handled == [after]


async def test_no_content_of_a_failed_event_is_logged(amqp_url: str) -> None:
    handler = Recorder()
    with structlog.testing.capture_logs() as logs:
        async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
            await _ready(amqp_url)
            await send(amqp_url, b'{"id": "ada@example.org"}', key=TYPE)
            await _dead(amqp_url)

    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
        "event_postponed",
        "event_postponed",
        "event_dead",
    ]
    assert "ada@example.org" not in repr(logs)


async def test_a_replayed_event_is_handled_as_if_new(amqp_url: str) -> None:
    bad = note()
    handler = Recorder(failing={bad.id: ValueError()})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, bad)
        await eventually(lambda: _waits(amqp_url, DEAD))
        handler.failing.clear()

        assert await bus.dead_letters(amqp_url, QUEUE) == 1
        assert await bus.replay(amqp_url, QUEUE) == 1

        await eventually(lambda: handler.handled)
    assert handler.handled == [bad]
    assert await bus.dead_letters(amqp_url, QUEUE) == 0


async def test_a_replayed_event_that_fails_again_gets_all_its_attempts(amqp_url: str) -> None:
    bad = note()
    handler = Recorder(failing={bad.id: ValueError()})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, bad)
        await eventually(lambda: _waits(amqp_url, DEAD))

        await bus.replay(amqp_url, QUEUE)

        await eventually(lambda: handler.attempts.count(bad.id) == 6)
        (dead,) = await _dead(amqp_url)
    assert dead.headers["x-attempts"] == 3


async def test_a_replay_moves_no_more_than_asked(amqp_url: str) -> None:
    envelopes = [note(1), note(2), note(3)]
    async with bus.connected(amqp_url, name="test") as link:
        await bus.topology.declare_subscription(link, subscription(Recorder()), QUICK)
    await send(amqp_url, *(item.to_json() for item in envelopes), key=DEAD, exchange="")

    assert await bus.replay(amqp_url, QUEUE, limit=2) == 2

    back = [Envelope.from_json(message.body) for message in await take_all(amqp_url, QUEUE)]
    assert back == envelopes[:2]
    assert await bus.dead_letters(amqp_url, QUEUE) == 1


async def test_an_unknown_queue_cannot_be_replayed(amqp_url: str) -> None:
    with pytest.raises(NotFound):
        await bus.replay(amqp_url, "nobody.knows")


async def test_an_event_delivered_twice_has_one_effect(
    new_database: NewDatabase, amqp_url: str
) -> None:
    url = await new_database(kernel("messaging"))
    async with connected(url) as conn:
        await conn.execute("CREATE TABLE effects (event_id uuid)")
    pool, recorder = await db.open_pool(url), Recorder()

    async def handler(envelope: Envelope) -> None:
        async with db.transaction(pool) as conn:
            if await inbox.first_time(conn, QUEUE, envelope.id):
                await conn.execute("INSERT INTO effects VALUES ($1)", envelope.id)
        await recorder(envelope)

    envelope = note()
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, envelope, envelope, envelope)
        await eventually(lambda: len(recorder.handled) == 3)

    effects: list[UUID] = [row[0] for row in await pool.fetch("SELECT event_id FROM effects")]
    await db.close_pool(pool)
    assert effects == [envelope.id]


async def test_a_consumer_outlives_its_connection(amqp_url: str, servers: Servers) -> None:
    handler, envelopes = Recorder(), [note(number) for number in range(300)]
    async with Proxy.before(servers.rabbit.port) as proxy:
        through = amqp_url.replace(f":{servers.rabbit.port}/", f":{proxy.port}/")
        async with running(bus.consume(through, subscription(handler), retry=QUICK)):
            await _ready(amqp_url)
            await _publish(amqp_url, *envelopes[:150])
            await eventually(lambda: len(handler.handled) >= 50)
            proxy.cut()
            await _publish(amqp_url, *envelopes[150:])
            await eventually(lambda: len(set(handler.ids())) == len(envelopes))

    assert set(handler.ids()) == {envelope.id for envelope in envelopes}


async def test_a_deleted_queue_is_declared_again(amqp_url: str) -> None:
    handler, envelope = Recorder(), note()
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        async with bus.connected(amqp_url, name="test") as link:
            channel = await link.channel()
            await channel.queue_delete(QUEUE)
        await _ready(amqp_url)
        await _publish(amqp_url, envelope)
        await eventually(lambda: handler.handled)

    assert handler.handled == [envelope]


async def test_a_removed_binding_is_made_again(amqp_url: str) -> None:
    handler, envelope = Recorder(), note()
    reading = bus.consume(amqp_url, subscription(handler), retry=QUICK, declare_every_s=0.05)
    async with running(reading), bus.connected(amqp_url, name="test") as link:
        await _ready(amqp_url)
        await bus.declare_log(link)
        channel = await link.channel()
        queue = await channel.get_queue(QUEUE)
        await queue.unbind(bus.EXCHANGE, "notes.#")

        async def arrived() -> bool:
            await _publish(amqp_url, envelope)
            return bool(handler.handled)

        await eventually(arrived)

    assert handler.handled[0] == envelope


async def test_a_deleted_delay_queue_does_not_lose_the_event(amqp_url: str) -> None:
    bad = note()
    handler = Recorder(failing={bad.id: ValueError()})
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        async with bus.connected(amqp_url, name="test") as link:
            channel = await link.channel()
            await channel.queue_delete(f"{QUEUE}.retry.50ms")
        await _publish(amqp_url, bad)
        (dead,) = await _dead(amqp_url)

    assert Envelope.from_json(dead.body) == bad


async def test_a_queue_that_exists_with_other_arguments_is_used_as_it_is(amqp_url: str) -> None:
    handler, envelope = Recorder(), note()
    async with bus.connected(amqp_url, name="test") as link:
        channel = await link.channel()
        await channel.declare_queue(QUEUE, durable=True)
    async with running(bus.consume(amqp_url, subscription(handler), retry=QUICK)):
        await _ready(amqp_url)
        await _publish(amqp_url, envelope)
        await eventually(lambda: handler.handled)

    assert handler.handled == [envelope]


async def test_the_broker_answers_a_ping(amqp_url: str) -> None:
    await bus.ping(amqp_url)


async def test_a_broker_that_is_away_does_not(amqp_url: str) -> None:
    nowhere = amqp_url.rpartition("@")[0] + "@127.0.0.1:1/none"

    with pytest.raises(bus.BrokerLost):
        await bus.ping(nowhere)


async def _bound(amqp_url: str, policy: bus.RetryPolicy) -> None:
    async with bus.connected(amqp_url, name="test") as link:
        await bus.topology.declare_subscription(link, subscription(Recorder()), policy)


async def _waits(amqp_url: str, queue: str) -> bool:
    return await depth(amqp_url, queue) > 0
