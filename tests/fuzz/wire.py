"""One HTTP exchange by hand: with what no client library would send."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

ANSWER_WITHIN_S = 60.0
"""The service's own limits are shorter; a busy machine is not."""


@dataclass(frozen=True)
class Answer:
    """What came back; status 0: the connection was closed without a word."""

    status: int
    head: bytes
    body: bytes


async def exchange(
    port: int,
    line: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes = b"",
    *,
    length: bytes | None = None,
    hang_up: bool = False,
) -> Answer:
    """Send one request; return the answer.

    Args:
        port: on loopback.
        line: such as `GET /path`.
        headers: as they are; Host and Connection are added.
        body: sent as it is.
        length: of the header Content-Length; None: the true one.
        hang_up: close our side at once, which ends a body that was announced to be longer.
    """
    said = str(len(body)).encode() if length is None else length
    fields = [(b"Host", b"x"), (b"Connection", b"close"), (b"Content-Length", said), *headers]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            request = line + b" HTTP/1.1\r\n" + head + b"\r\n" + body
            raw = await _talk(reader, writer, request, hang_up=hang_up)
    finally:
        writer.close()
    return _answer(raw)


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, *, hang_up: bool
) -> bytes:
    try:
        writer.write(request)
        await writer.drain()
        if hang_up:
            writer.write_eof()
        return await reader.read()
    except ConnectionError:  # it was refused before it was sent
        return b""


def _answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        return _answer(body)
    return Answer(int(head.split(b" ", 2)[1]) if head else 0, head, body)
