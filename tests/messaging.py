"""What tests of events use: an event of their own, background loops, raw views of the broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from libs.common import bus
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


class NoteWritten(Event):
    """A note was written."""

    type: ClassVar[str] = "notes.note.written.v1"
    source: ClassVar[str] = "/causeway/notes"
    aggregate: ClassVar[str] = "note"

    text: str = ""


def note(number: int = 1, *, note_id: str = "n1", text: str = "") -> Envelope:
    """Return an event ready for the outbox; `number` is its sequence."""
    return Envelope.of(
        NoteWritten(origin=Origin.LIVE, text=text),
        tenant_id="acme",
        aggregate_id=note_id,
        sequence=number,
        time=NOON,
    )


@asynccontextmanager
async def running(
    *coroutines: Coroutine[Any, Any, None],
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run loops beside the body; fail if one of them ended by itself."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        ended = [task for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


@asynccontextmanager
async def listening(
    amqp_url: str, *, key: str = "#"
) -> AsyncIterator[list[AbstractIncomingMessage]]:
    """Collect what is published to the exchange, in a queue of the test's own."""
    seen: list[AbstractIncomingMessage] = []
    async with bus.connected(amqp_url, name="test") as connection:
        await bus.declare_log(connection)
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(bus.EXCHANGE, key)

        async def keep(message: AbstractIncomingMessage) -> None:
            seen.append(message)

        await queue.consume(keep, no_ack=True)
        yield seen


async def send(amqp_url: str, *bodies: bytes, key: str, exchange: str = bus.EXCHANGE) -> None:
    """Publish raw bodies, as any program could; returns after the confirms."""
    async with bus.connected(amqp_url, name="test") as connection:
        channel = await connection.channel(on_return_raises=True)
        target = (
            await channel.get_exchange(exchange, ensure=False)
            if exchange
            else channel.default_exchange
        )
        for body in bodies:
            await target.publish(
                aio_pika.Message(body, delivery_mode=2, message_id="raw"), routing_key=key
            )


async def take_all(amqp_url: str, queue: str) -> list[AbstractIncomingMessage]:
    """Return and remove what waits in a queue."""
    async with bus.connected(amqp_url, name="test") as connection:
        channel = await connection.channel()
        source = await channel.get_queue(queue)
        taken = []
        while (message := await source.get(fail=False, no_ack=True)) is not None:
            taken.append(message)
        return taken


async def listeners(amqp_url: str, queue: str) -> int:
    """Return how many consumers a queue has; 0 when there is no such queue."""
    async with bus.connected(amqp_url, name="test") as connection:
        channel = await connection.channel()
        try:
            declared = await channel.declare_queue(queue, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return 0
        return declared.declaration_result.consumer_count or 0


async def depth(amqp_url: str, queue: str) -> int:
    """Return how many messages are ready in a queue; -1 when there is no such queue."""
    async with bus.connected(amqp_url, name="test") as connection:
        channel = await connection.channel()
        try:
            declared = await channel.declare_queue(queue, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return -1
        return declared.declaration_result.message_count or 0


@dataclass
class Recorder:
    """A handler that notes what it handled, and fails where it is told to."""

    failing: dict[UUID, Exception] = field(default_factory=dict)
    handled: list[Envelope] = field(default_factory=list)
    attempts: list[UUID] = field(default_factory=list)

    async def __call__(self, envelope: Envelope) -> None:
        """Handle one event."""
        self.attempts.append(envelope.id)
        if envelope.id in self.failing:
            raise self.failing[envelope.id]
        self.handled.append(envelope)

    def ids(self) -> list[UUID]:
        """Return what was handled, in order."""
        return [envelope.id for envelope in self.handled]


class Proxy:
    """A TCP hop in front of a server whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.accepts = True

    @classmethod
    @asynccontextmanager
    async def before(cls, port: int) -> AsyncIterator["Proxy"]:
        """Yield a proxy in front of the loopback `port`."""
        proxy = cls(port)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            proxy._server.close()
            proxy.cut()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection at once, without a goodbye."""
        for writer in self._open:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.accepts:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        with self._tracked(writer, far_writer):
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    @contextlib.contextmanager
    def _tracked(self, *writers: asyncio.StreamWriter) -> Iterator[None]:
        self._open.update(writers)
        try:
            yield
        finally:
            self._open.difference_update(writers)
            for writer in writers:
                writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
