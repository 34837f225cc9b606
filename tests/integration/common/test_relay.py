import asyncio

import pytest
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import PublishError
from prometheus_client import REGISTRY

from libs.common import bus, db, outbox
from libs.common.bus.topology import EXCHANGE
from libs.common.events.envelope import Envelope
from libs.common.migrate import kernel
from libs.common.relay import Prepare, Relay
from tests.databases import NewDatabase, connected
from tests.messaging import Proxy, depth, listening, note, running
from tests.servers import Servers
from tests.support import eventually

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def database(new_database: NewDatabase) -> str:
    return await new_database(kernel("messaging"))


def relay(
    database: str,
    amqp_url: str,
    *,
    poll_s: float = 0.1,
    prepare: Prepare = bus.declare_log,
    declare_every_s: float = 60,
) -> Relay:
    return Relay(
        database,
        amqp_url,
        service="notes",
        poll_s=poll_s,
        backoff=bus.Backoff(first_s=0.02, ceiling_s=0.1),
        prepare=prepare,
        declare_every_s=declare_every_s,
    )


async def _empty(database: str) -> bool:
    async with connected(database) as conn:
        return await outbox.list_oldest(conn, 1) == []


async def _waiting(database: str, count: int) -> bool:
    async with connected(database) as conn:
        return len(await outbox.list_oldest(conn, 10)) == count


async def _has_log(amqp_url: str) -> bool:
    return await depth(amqp_url, bus.LOG_STREAM) >= 0


async def test_an_event_arrives_as_the_wire_says(database: str, amqp_url: str) -> None:
    envelope = note(text="hello")
    async with connected(database) as conn:
        await outbox.append(conn, envelope, traceparent=TRACE)

    async with listening(amqp_url) as seen, running(relay(database, amqp_url).run()):
        await eventually(lambda: seen)

    (message,) = seen
    assert Envelope.from_json(message.body) == envelope
    assert message.exchange == "crm.events"
    assert message.routing_key == "notes.note.written.v1"
    assert message.content_type == "application/cloudevents+json"
    assert message.message_id == str(envelope.id)
    assert message.delivery_mode == 2
    assert message.headers == {"traceparent": TRACE}


async def test_events_are_published_in_the_order_of_their_ids(database: str, amqp_url: str) -> None:
    envelopes = [note(number) for number in range(1200)]
    async with connected(database) as conn:
        await outbox.append(conn, *envelopes)

    async with listening(amqp_url) as seen, running(relay(database, amqp_url).run()):
        await eventually(lambda: len(seen) == len(envelopes))
        await eventually(lambda: _empty(database))

    assert [message.message_id for message in seen] == [str(item.id) for item in envelopes]


async def test_what_is_confirmed_is_deleted(database: str, amqp_url: str) -> None:
    async with connected(database) as conn:
        await outbox.append(conn, note())

        async with running(relay(database, amqp_url).run()):
            await eventually(lambda: _empty(database))


async def test_an_idle_relay_is_woken_by_the_commit(database: str, amqp_url: str) -> None:
    slow = relay(database, amqp_url, poll_s=30)

    async with listening(amqp_url) as seen, running(slow.run()), connected(database) as conn:
        await outbox.append(conn, note())
        await eventually(lambda: len(seen) == 1)
        await eventually(lambda: _empty(database))
        await outbox.append(conn, note())
        await eventually(lambda: len(seen) == 2)


async def test_an_event_whose_notification_got_lost_is_found(database: str, amqp_url: str) -> None:
    async with listening(amqp_url) as seen, running(relay(database, amqp_url).run()):
        async with connected(database) as conn:
            await outbox.append(conn, note())
            await eventually(lambda: len(seen) == 1)
            await eventually(lambda: _idle(conn))
            await conn.execute(
                "INSERT INTO outbox (event_id, type, body) VALUES (gen_random_uuid(), 'a.b', '')"
            )

        await eventually(lambda: len(seen) == 2)


async def _idle(conn: db.Connection) -> bool:
    """Say whether the relay has looked after the last event was gone, and found nothing."""
    looked = (
        "SELECT NOT EXISTS (SELECT FROM outbox) AND EXISTS ("
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'notes.relay' AND state = 'idle' AND query = $1)"
    )
    return bool(await conn.fetchval(looked, outbox.LIST_OLDEST))


async def test_nothing_is_deleted_while_the_broker_is_away(
    database: str, amqp_url: str, servers: Servers
) -> None:
    async with connected(database) as conn, Proxy.before(servers.rabbit.port) as proxy:
        through = amqp_url.replace(f":{servers.rabbit.port}/", f":{proxy.port}/")
        proxy.accepts = False
        async with listening(amqp_url) as seen, running(relay(database, through).run()):
            await outbox.append(conn, note())
            await eventually(lambda: _lag() > 0.3)
            assert len(await outbox.list_oldest(conn, 10)) == 1
            assert not seen

            proxy.accepts = True

            await eventually(lambda: seen)


async def test_connections_that_die_while_publishing_lose_nothing(
    database: str, amqp_url: str, servers: Servers
) -> None:
    envelopes = [note(number) for number in range(3000)]
    async with connected(database) as conn, Proxy.before(servers.rabbit.port) as proxy:
        through = amqp_url.replace(f":{servers.rabbit.port}/", f":{proxy.port}/")
        await outbox.append(conn, *envelopes)
        async with listening(amqp_url) as seen, running(relay(database, through).run()):
            for count in (100, 900, 2100):
                # mypy cannot infer a lambda that binds the loop's variable
                await eventually(lambda count=count: len(seen) >= count)  # type: ignore[misc]
                proxy.cut()
            await eventually(lambda: _empty(database), timeout_s=30)

    assert {message.message_id for message in seen} == {str(item.id) for item in envelopes}


async def test_of_two_relays_one_works(database: str, amqp_url: str) -> None:
    first, second = relay(database, amqp_url), relay(database, amqp_url)

    async with listening(amqp_url) as seen, running(first.run(), second.run()):
        await eventually(lambda: _lock_holder(database))
        async with connected(database) as conn:
            await outbox.append(conn, *(note(number) for number in range(700)))
        await eventually(lambda: _empty(database))
        await eventually(lambda: len(seen) >= 700)

    assert len(seen) == 700


async def test_the_other_relay_takes_over_when_the_first_loses_its_connection(
    database: str, amqp_url: str
) -> None:
    first, second = relay(database, amqp_url), relay(database, amqp_url)

    async with listening(amqp_url) as seen, running(first.run(), second.run()):
        holder = await eventually(lambda: _lock_holder(database))
        async with connected(database) as conn:
            await conn.execute("SELECT pg_terminate_backend($1)", holder)
            await outbox.append(conn, note())

        await eventually(lambda: seen)
        successor = await eventually(lambda: _lock_holder(database))

    assert successor != holder
    assert len(seen) == 1


async def test_a_relay_outlives_its_database_connection(database: str, amqp_url: str) -> None:
    async with listening(amqp_url) as seen, running(relay(database, amqp_url).run()):
        holder = await eventually(lambda: _lock_holder(database))
        async with connected(database) as conn:
            await conn.execute("SELECT pg_terminate_backend($1)", holder)
            await outbox.append(conn, note())

        await eventually(lambda: seen)


async def test_a_stopped_relay_leaves_the_lock(database: str, amqp_url: str) -> None:
    async with running(relay(database, amqp_url).run()):
        await eventually(lambda: _lock_holder(database))

    async def is_free() -> bool:
        return await _lock_holder(database) is None

    await eventually(is_free)


async def test_an_unsendable_event_goes_aside_and_others_flow_on(
    database: str, amqp_url: str
) -> None:
    before = _buried("unsendable")
    async with connected(database) as conn:
        await conn.execute(
            "INSERT INTO outbox (event_id, type, body) VALUES (gen_random_uuid(), $1, 'x')",
            "a." * 200,
        )
        await outbox.append(conn, note())
        async with listening(amqp_url) as seen, running(relay(database, amqp_url).run()):
            await eventually(lambda: seen)
            await eventually(lambda: _empty(database))

        assert await conn.fetchval("SELECT reason FROM outbox_dead") == "unsendable"
    assert _buried("unsendable") == before + 1


async def test_an_unroutable_event_goes_aside_and_others_flow_on(
    database: str, amqp_url: str
) -> None:
    async with connected(database) as conn, listening(amqp_url, key="notes.#") as seen:
        await _without_log(amqp_url)
        await conn.execute(
            "INSERT INTO outbox (event_id, type, body) VALUES (gen_random_uuid(), 'a.b', 'x')"
        )
        await outbox.append(conn, note())
        async with running(relay(database, amqp_url, prepare=_nothing).run()):
            await eventually(lambda: seen)
            await eventually(lambda: _empty(database))

        assert await _dead(conn) == ["a.b unroutable"]


async def test_a_lost_log_stream_is_made_again_before_anything_is_called_unroutable(
    database: str, amqp_url: str
) -> None:
    async with connected(database) as conn, running(relay(database, amqp_url).run()):
        await outbox.append(conn, note())
        await eventually(lambda: _empty(database))
        await _without_log(amqp_url)

        await outbox.append(conn, note(2))
        await eventually(lambda: _empty(database))

        assert await conn.fetchval("SELECT count(*) FROM outbox_dead") == 0


async def test_an_idle_relay_makes_a_lost_log_stream_again(database: str, amqp_url: str) -> None:
    idle = relay(database, amqp_url, poll_s=0.02, declare_every_s=1)
    async with connected(database) as conn, running(idle.run()):
        await outbox.append(conn, note())
        await eventually(lambda: _empty(database))
        await _without_log(amqp_url)

        await eventually(lambda: _has_log(amqp_url))


async def test_an_event_the_broker_refuses_for_now_is_kept_until_it_is_taken(
    database: str, amqp_url: str
) -> None:
    envelopes = [note(1), note(2)]
    async with connected(database) as conn, bus.connected(amqp_url, name="test") as link:
        await bus.declare_log(link)
        channel = await link.channel()
        full = await channel.declare_queue(
            "full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        await full.bind(bus.EXCHANGE, "notes.#")
        await outbox.append(conn, *envelopes)
        async with running(relay(database, amqp_url).run()):
            await eventually(lambda: _waiting(database, 1))
            first = await full.get(no_ack=True)  # and the other one comes
            await eventually(lambda: _empty(database))
        second = await full.get(no_ack=True)

        assert await _dead(conn) == []
    assert [first.message_id, second.message_id] == [str(item.id) for item in envelopes]


async def test_an_event_the_broker_closes_the_channel_over_goes_aside(
    database: str, amqp_url: str
) -> None:
    # RabbitMQ 3.10 takes 128 MiB and no more; the outbox's own limit is passed on purpose.
    body = bytes(134_217_729)
    async with connected(database) as conn:
        await outbox.append(conn, note(1))
        await conn.execute(
            "INSERT INTO outbox (event_id, type, body) VALUES (gen_random_uuid(), 'a.b', $1)", body
        )
        await outbox.append(conn, note(2))
        async with listening(amqp_url) as seen, running(relay(database, amqp_url).run()):
            await eventually(lambda: _empty(database), timeout_s=45)

        assert await _dead(conn) == ["a.b refused"]
    assert len({message.message_id for message in seen}) == 2


async def test_the_lag_is_told_while_the_broker_is_away(database: str, amqp_url: str) -> None:
    nowhere = amqp_url.rpartition("@")[0] + "@127.0.0.1:1/none"
    async with connected(database) as conn:
        await outbox.append(conn, note())
        async with running(relay(database, nowhere).run()):
            await eventually(lambda: _lag() > 0)


async def test_a_message_without_a_queue_is_an_error_to_whoever_publishes(amqp_url: str) -> None:
    async with bus.connected(amqp_url, name="test") as link:
        await _exchange_only(link)
        channel = await link.channel(on_return_raises=True)
        underlay = await channel.get_underlay_channel()

        with pytest.raises(PublishError):
            await underlay.basic_publish(
                b"", exchange=EXCHANGE, routing_key="nobody.listens", mandatory=True
            )


async def _dead(conn: db.Connection) -> list[str]:
    rows = await conn.fetch("SELECT type, reason FROM outbox_dead ORDER BY id")
    return [f"{row['type']} {row['reason']}" for row in rows]


async def _lock_holder(database: str) -> int | None:
    async with connected(database) as conn:
        holder: int | None = await conn.fetchval(
            "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        )
        return holder


async def _exchange_only(link: AbstractConnection) -> None:
    channel = await link.channel()
    await channel.declare_exchange(EXCHANGE, "topic", durable=True)


async def _nothing(_link: AbstractConnection) -> None:
    await asyncio.sleep(0)


async def _without_log(amqp_url: str) -> None:
    """Remove the log stream; a broker that is still starting it may leave that unanswered."""
    await eventually(lambda: _removed_log(amqp_url), timeout_s=60)


async def _removed_log(amqp_url: str) -> bool:
    try:
        async with asyncio.timeout(10), bus.connected(amqp_url, name="test") as link:
            channel = await link.channel()
            await channel.queue_delete(bus.LOG_STREAM)
    except TimeoutError:
        return False
    return True


def _lag() -> float:
    return REGISTRY.get_sample_value("causeway_outbox_lag_seconds") or 0.0


def _buried(reason: str) -> float:
    return REGISTRY.get_sample_value("causeway_outbox_dead_total", {"reason": reason}) or 0.0
