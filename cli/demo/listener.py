"""The CRM's side of the story: a queue of its own on the exchange of domain events."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from libs.common import bus
from libs.common.errors import InvalidInput
from libs.common.events.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event and the moment it came out of RabbitMQ (Unix seconds)."""

    envelope: Envelope
    at: float

    @property
    def google_message_id(self) -> str | None:
        """Gmail's id of the message the event is about, if it is about one."""
        value: Any = self.envelope.data.get("google_message_id")
        return value if isinstance(value, str) else None


Match = Callable[[Arrival], bool]


def of_kind(kind: str, *, message: str | None = None) -> Match:
    """Return what matches events of a type, about one of Gmail's messages if `message` is given."""

    def match(arrival: Arrival) -> bool:
        right_message = message is None or arrival.google_message_id == message
        return arrival.envelope.type == kind and right_message

    return match


class Listener:
    """Every event since it began to listen."""

    def __init__(self, on_event: Callable[[Arrival], None]) -> None:
        self.arrivals: list[Arrival] = []
        self._on_event = on_event
        self._news = asyncio.Condition()

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Keep one delivery and wake whoever waits for it."""
        now = time.time()
        await message.ack()
        try:
            arrival = Arrival(Envelope.from_json(message.body), now)
        except InvalidInput:
            return
        async with self._news:
            self.arrivals.append(arrival)
            self._news.notify_all()
        self._on_event(arrival)

    async def wait(self, match: Match, *, timeout_s: float) -> Arrival | None:
        """Return the first event, past or coming, that matches; None after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while True:
                    for arrival in self.arrivals:
                        if match(arrival):
                            return arrival
                    await self._news.wait()
        except TimeoutError:
            return None


@asynccontextmanager
async def listening(
    amqp_url: str, *, on_event: Callable[[Arrival], None]
) -> AsyncIterator[Listener]:
    """Yield a listener whose queue lives as long as the block.

    Raises:
        BrokerLost: RabbitMQ is away.
    """
    listener = Listener(on_event)
    async with bus.connected(amqp_url, name="causeway.demo") as connection:
        await bus.declare_log(connection)
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True, timeout=15)
        await queue.bind(bus.EXCHANGE, routing_key="#", timeout=15)
        await queue.consume(listener.take, timeout=15)
        yield listener
