import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from libs.common import bus
from libs.common.events.envelope import Envelope
from tests.messaging import Proxy, note, send
from tests.servers import Servers

TYPE = "notes.note.written.v1"


async def _declare(amqp_url: str) -> None:
    async with bus.connected(amqp_url, name="test") as link:
        await bus.declare_log(link)


async def _take(events: AsyncIterator[Envelope], count: int) -> list[Envelope]:
    async with asyncio.timeout(15):
        return [await anext(events) for _ in range(count)]


async def test_the_log_is_read_from_its_beginning(amqp_url: str) -> None:
    envelopes = [note(number) for number in range(250)]
    await _declare(amqp_url)
    await send(amqp_url, *(item.to_json() for item in envelopes), key=TYPE)

    async with aclosing(bus.tail(amqp_url, from_start=True)) as events:
        assert await _take(events, len(envelopes)) == envelopes


async def test_the_log_can_be_read_again(amqp_url: str) -> None:
    envelope = note()
    await _declare(amqp_url)
    await send(amqp_url, envelope.to_json(), key=TYPE)

    for _ in range(2):
        async with aclosing(bus.tail(amqp_url, from_start=True)) as events:
            assert await _take(events, 1) == [envelope]


async def test_without_the_past_only_what_comes_is_read(amqp_url: str) -> None:
    old, new = note(1), note(2)
    await _declare(amqp_url)
    await send(amqp_url, old.to_json(), key=TYPE)

    async with aclosing(bus.tail(amqp_url)) as events:
        first = asyncio.create_task(_take(events, 1))
        while not first.done():
            await send(amqp_url, new.to_json(), key=TYPE)

    assert first.result() == [new]


async def test_only_the_wanted_types_are_read(amqp_url: str) -> None:
    other = note().model_copy(update={"type": "other.note.written.v1"})
    wanted = note()
    await _declare(amqp_url)
    await send(amqp_url, other.to_json(), wanted.to_json(), key=TYPE)

    async with aclosing(bus.tail(amqp_url, ["notes.#"], from_start=True)) as events:
        assert await _take(events, 1) == [wanted]


async def test_what_is_no_event_is_skipped(amqp_url: str) -> None:
    envelope = note()
    await _declare(amqp_url)
    await send(amqp_url, b"garbage", envelope.to_json(), key=TYPE)

    async with aclosing(bus.tail(amqp_url, from_start=True)) as events:
        assert await _take(events, 1) == [envelope]


async def test_a_lost_broker_ends_the_reading(amqp_url: str, servers: Servers) -> None:
    await _declare(amqp_url)
    await send(amqp_url, note().to_json(), key=TYPE)
    async with Proxy.before(servers.rabbit.port) as proxy:
        through = amqp_url.replace(f":{servers.rabbit.port}/", f":{proxy.port}/")
        async with aclosing(bus.tail(through, from_start=True)) as events:
            await _take(events, 1)
            proxy.cut()

            with pytest.raises(bus.BrokerLost):
                await _take(events, 1)
