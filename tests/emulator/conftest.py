"""An emulator that refuses to give an answer the discovery documents do not describe."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from emulator.config import Switches
from tests.emulated import running_emulator
from tests.emulator.google import ALICE, TOPIC, Channel, Diary, Google, Mail, Receiver, Rolodex


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    switches = Switches(check_answers=True)
    async with (
        running_emulator(people=(ALICE,), topics=(TOPIC,), switches=switches) as emulated,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
    ):
        yield Google(emulated, session)


@pytest.fixture
async def mail(google: Google) -> Mail:
    return await google.mailbox()


@pytest.fixture
async def diary(google: Google) -> Diary:
    return await google.diary()


@pytest.fixture
async def rolodex(google: Google) -> Rolodex:
    return await google.rolodex()


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    made = Channel()
    app = web.Application()
    app.router.add_post("/calendar", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/calendar"
    yield made
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/push", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/push"
    yield made
    await runner.cleanup()
