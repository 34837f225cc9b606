import asyncio
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support import CALLER_KEY, SERVICE_KEY

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "CAUSEWAY_AMQP_URL": "amqp://127.0.0.1/",
    "CAUSEWAY_PUBLIC_URL": "http://127.0.0.1",
    "CAUSEWAY_SERVICE_KEY": SERVICE_KEY,
    "CAUSEWAY_CALLER_KEY": CALLER_KEY,
    "CAUSEWAY_CALLER_ISSUER": "i",
    "CAUSEWAY_CALLER_AUDIENCE": "a",
    "CAUSEWAY_SERVED_PORT": "0",
}
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COV")}
Serve = Callable[..., Awaitable[Process]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    started: list[Process] = []

    async def start(*arguments: str, **changes: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.common.served",
            *arguments,
            cwd=ROOT,
            env=ENVIRONMENT | COVERAGE | changes,
            stdout=PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: Process, event: str) -> dict[str, Any]:
    """Return the first log line with this event."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while raw := await process.stdout.readline():
            line: dict[str, Any] = json.loads(raw)
            if line["event"] == event:
                return line
    raise AssertionError(f"the log ended without {event}")


async def end(process: Process) -> tuple[int | None, float]:
    """Return the exit status, and seconds it took after SIGTERM."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 15)
    return process.returncode, time.monotonic() - began


async def test_a_process_answers_and_ends_at_once_when_asked(serve: Serve) -> None:
    process = await serve()
    port = (await line_of(process, "serving"))["port"]
    url = f"http://127.0.0.1:{port}/healthz"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200

    status, took = await end(process)

    assert status == 0
    assert took < 3


async def test_a_request_under_way_is_still_answered(serve: Serve) -> None:
    process = await serve()
    port = (await line_of(process, "serving"))["port"]
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        trace = asyncio.Event()
        config = aiohttp.TraceConfig()
        config.on_request_headers_sent.append(lambda *_: _set(trace))
        async with aiohttp.ClientSession(trace_configs=[config]) as traced:
            answer = group.create_task(traced.get(f"http://127.0.0.1:{port}/slow"))
            await trace.wait()
            async with session.get(f"http://127.0.0.1:{port}/healthz") as alive:
                assert alive.status == 200  # so the request before it has arrived
            status, _ = await end(process)
            text = await (await answer).text()

    assert (status, text) == (0, "done")


async def _set(event: asyncio.Event) -> None:
    event.set()


async def test_a_draining_process_answers_hangs_up_and_says_it_is_not_ready(serve: Serve) -> None:
    process = await serve(CAUSEWAY_DRAIN_DELAY="60")
    origin = f"http://127.0.0.1:{(await line_of(process, 'serving'))['port']}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{origin}/readyz") as before:
            assert "Connection" not in before.headers
        process.send_signal(signal.SIGTERM)
        await line_of(process, "draining")
        async with session.get(f"{origin}/healthz") as answer:
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
        async with session.get(f"{origin}/readyz") as ready:
            assert (ready.status, (await ready.json())["checks"]["draining"]) == (503, "down")

    status, took = await end(process)  # asked again, it does not wait for the rest

    assert status == 0
    assert took < 3


async def test_who_takes_no_requests_does_not_drain(serve: Serve) -> None:
    process = await serve("worker", CAUSEWAY_DRAIN_DELAY="60")
    await line_of(process, "serving")

    status, took = await end(process)

    assert status == 0
    assert took < 3


async def test_what_will_not_end_is_ended_within_ten_seconds(serve: Serve) -> None:
    process = await serve("stubborn")
    await line_of(process, "serving")

    _, took = await end(process)

    assert took < 10


async def test_a_start_that_fails_is_one_line_and_status_one(serve: Serve) -> None:
    process = await serve("broken")

    line = await line_of(process, "start_failed")

    assert (line["error"], "exception" in line) == ("[Errno 111] refused", False)
    assert await process.wait() == 1


async def test_a_taken_port_is_named(serve: Serve) -> None:
    first = await serve()
    port = (await line_of(first, "serving"))["port"]

    second = await serve(CAUSEWAY_SERVED_PORT=str(port))

    assert str(port) in (await line_of(second, "start_failed"))["error"]
    assert await second.wait() == 1


async def test_a_process_that_is_still_starting_ends_too(serve: Serve) -> None:
    process = await serve("late")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"starting\n"

    status, took = await end(process)

    assert (status, took < 6) == (0, True)


async def test_wrong_settings_end_the_process_before_it_starts(serve: Serve) -> None:
    process = await serve(CAUSEWAY_PUBLIC_URL="")

    assert await process.wait() == 2
