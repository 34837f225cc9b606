"""Wires: TCP hops on loopback that read what goes by, and can hold it, slow it or cut it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from tests.house.points import Point, Way
from tests.house.protocols import (
    Amqp,
    HttpAnswers,
    HttpRequests,
    HttpTalk,
    PostgresAnswers,
    PostgresRequests,
    PostgresTalk,
    Reader,
)

SIZE = 65_536


def readers(protocol: str) -> tuple[Reader, Reader]:
    """Return readers for what a client sends and for what it gets."""
    match protocol:
        case "postgresql":
            postgres = PostgresTalk()
            return PostgresRequests(postgres), PostgresAnswers(postgres)
        case "amqp":
            return Amqp(), Amqp()
        case _:
            http = HttpTalk()
            return HttpRequests(http), HttpAnswers(http)


@dataclass
class Wire:
    """A hop in front of `target`, an address of the kind the settings have.

    `inbound`: the process under watch is behind it, and not in front.
    """

    name: str
    target: str
    passes: Callable[[Point], bool] = lambda _point: True
    inbound: bool = False
    delay_s: float = 0.0
    """How long every piece from the server is held."""
    refuses: bool = False
    _held: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _far: set[asyncio.StreamWriter] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        """The target's address, through this wire."""
        parts = urlsplit(self.target)
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{self.port}" if login else f"127.0.0.1:{self.port}"
        return urlunsplit(parts._replace(netloc=netloc))

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Wire"]:
        """Listen while inside."""
        self._held.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.cut()  # what was accepted and not served yet

    def cut(self) -> None:
        """Break every connection without a goodbye; new ones may come."""
        for writer in list(self._open):
            writer.transport.abort()

    def hold(self) -> None:
        """Let nothing through, and say nothing: a network that swallows."""
        self._held.clear()

    def release(self) -> None:
        """Let through what was held, and all that follows."""
        self._held.set()

    def swallow(self, *, noticed_s: float) -> None:
        """Lose the connections there are for good: neither end is told; new ones are well.

        Args:
            noticed_s: after so long the far end finds out by itself, as a server does that
                asks whether its client is still there. The near end has to, too.
        """
        self._held.clear()
        self._held = asyncio.Event()
        self._held.set()
        for writer in self._far:
            asyncio.get_running_loop().call_later(noticed_s, writer.transport.abort)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self.refuses:
                with contextlib.suppress(OSError):  # nobody is there
                    await self._serve(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._reach()
        asked, answered = readers(urlsplit(self.target).scheme)
        sent, got = (Way.GOT, Way.SENT) if self.inbound else (Way.SENT, Way.GOT)
        self._open.add(far_writer)
        self._far.add(far_writer)
        held = self._held
        try:
            await asyncio.gather(
                self._pump(reader, far_writer, asked, sent, held),
                self._pump(far_reader, writer, answered, got, held),
            )
        finally:
            self._open.discard(far_writer)
            self._far.discard(far_writer)
            far_writer.transport.abort()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.target)
        return await asyncio.open_connection(parts.hostname, parts.port)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        pieces: Reader,
        way: Way,
        held: asyncio.Event,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(SIZE):
                if self.delay_s and way is Way.GOT:
                    await asyncio.sleep(self.delay_s)
                await held.wait()
                passing, whole = self._passing(data, pieces, way)
                sink.write(passing)
                await sink.drain()
                if not whole:
                    break
        await held.wait()  # an end does not get through either
        sink.transport.abort()

    def _passing(self, data: bytes, pieces: Reader, way: Way) -> tuple[bytes, bool]:
        """Return the bytes that may go on, and whether that is all: after a refusal nothing is."""
        passing = bytearray()
        for piece, label, kind in pieces.feed(data):
            if label is not None and not self.passes(Point(self.name, way, label, kind)):
                return bytes(passing), False
            passing += piece
        return bytes(passing), True


@dataclass
class Fork(Wire):
    """A hop before several that are alike: a connection goes to the next of them that takes it."""

    others: list[str] = field(default_factory=list)
    """Beside `target`, which moves on."""

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in self.others:
            self.others.append(self.target)
            self.target = self.others.pop(0)
            with contextlib.suppress(OSError):
                return await super()._reach()
        return await super()._reach()
