"""The load generator of both arms: `python -m bench.intake.load PORT REQUESTS ANSWER`.

A file of finished requests, 64 connections, and on each the next request as soon as the last is
answered. What it found is written to ANSWER as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import uvloop

from bench.intake.pushes import read

CONNECTIONS = 64
NO_CONTENT = b"204"
STATUS = slice(9, 12)  # of "HTTP/1.1 204 No Content"


class Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], times: list[float], seen: Counter[str]) -> None:
        self._requests, self._times, self._seen = requests, times, seen
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._sent_at = 0.0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write to."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so: no server of ours hangs up."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        if self._transport:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take the answer; an answer with a body ends the measurement."""
        self._buffer += data
        if not self._buffer.endswith(b"\r\n\r\n"):
            if b"\r\n\r\n" in self._buffer:
                self._seen[self._buffer[STATUS].decode()] += 1
                self.done.set_result(None)
            return
        self._times.append(time.perf_counter() - self._sent_at)
        self._seen[self._buffer[STATUS].decode()] += 1
        self._buffer = b""
        self.send()


async def _measure(port: int, requests: list[bytes]) -> dict[str, object]:
    loop, times, seen = asyncio.get_running_loop(), list[float](), Counter[str]()
    source = iter(requests)
    senders = [
        (await loop.create_connection(lambda: Sender(source, times, seen), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    started = time.perf_counter()
    for sender in senders:
        sender.send()
    await asyncio.gather(*(sender.done for sender in senders))
    seconds = time.perf_counter() - started
    times.sort()
    return {
        "seconds": seconds,
        "statuses": dict(seen),
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


def main(port: str, requests: str, answer: str) -> None:
    """Send everything; write what was found."""
    prepared = list(read(Path(requests)))
    found = uvloop.run(_measure(int(port), prepared))
    Path(answer).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
