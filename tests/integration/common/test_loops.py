import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import REGISTRY

from libs.common.web import background
from libs.common.web.loops import Loop
from tests.support import eventually


@asynccontextmanager
async def running(**loops: Loop) -> AsyncIterator[None]:
    app = web.Application()
    for name, factory in loops.items():
        app.cleanup_ctx.append(background(name, factory, first_delay_s=0.01))
    server = TestServer(app)
    await server.start_server()
    try:
        yield
    finally:
        await server.close()


async def test_a_loop_that_dies_is_logged_counted_and_started_again() -> None:
    starts = 0

    async def unlucky(_app: web.Application) -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise ConnectionResetError
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        async with running(unlucky=unlucky):
            await eventually(lambda: starts == 3)

    crashes = [line for line in logs if line["event"] == "task_crashed"]
    assert [line["error"] for line in crashes] == ["ConnectionResetError"] * 2
    assert [line["retry_in_s"] for line in crashes] == [0.01, 0.02]
    assert REGISTRY.get_sample_value("causeway_background_crashes_total", {"name": "unlucky"}) == 2


async def test_a_loop_that_returns_is_started_again() -> None:
    starts = 0

    async def brief(_app: web.Application) -> None:
        nonlocal starts
        starts += 1

    async with running(brief=brief):
        await eventually(lambda: starts > 2)


async def test_a_cancellation_nobody_asked_for_is_a_crash() -> None:
    starts = 0

    async def betrayed(_app: web.Application) -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise asyncio.CancelledError  # as aio-pika does when its connection dies
        await asyncio.Event().wait()

    async with running(betrayed=betrayed):
        await eventually(lambda: starts == 2)


async def test_loops_are_ended_together() -> None:
    ended: list[str] = []

    def lasting(name: str, *, waits_for: int) -> Loop:
        async def loop(_app: web.Application) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await eventually(lambda: len(ended) >= waits_for)
                ended.append(name)

        return loop

    # "last" was added last and would be ended first and alone, if they were not together.
    async with running(first=lasting("first", waits_for=0), last=lasting("last", waits_for=1)):
        pass

    assert ended == ["first", "last"]
