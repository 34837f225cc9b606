import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp


@asynccontextmanager
async def emulator_process(*options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """An emulator as a user starts it, and the origin it says it listens on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emulator", "--port", "0", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield process, json.loads(line)["origin"]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_command_serves_and_stops_on_sigterm() -> None:
    options = ("--person", "alice@example.com", "--topic", "projects/proj-one/topics/gmail")
    async with emulator_process(*options) as (process, origin):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(f"{origin}/_emulator/people") as answer,
        ):
            people = (await answer.json())["people"]
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 5) == 0
        assert [p["email"] for p in people] == ["alice@example.com"]


async def test_the_front_page_says_where_everything_is() -> None:
    async with (
        emulator_process() as (_process, origin),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.get(origin) as answer,
    ):
        shown = await answer.json()
        assert shown["control"] == f"{origin}/_emulator"
        assert re.fullmatch(r"127\.0\.0\.1:\d+", shown["pubsub"])
