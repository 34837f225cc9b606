"""The Google emulator, run inside the test's process on a free loopback port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from emulator.app import PUBSUB, RUNNER_OPTIONS, create_app
from emulator.config import EmulatorConfig

TIMEOUT = aiohttp.ClientTimeout(total=15)


class Emulated:
    """A running emulator: its origin, and its control API in a few words."""

    def __init__(
        self, origin: str, session: aiohttp.ClientSession, *, pubsub: str | None = None
    ) -> None:
        self.origin = origin
        self._session = session
        self._pubsub = pubsub

    @property
    def pubsub(self) -> str:
        """Where Pub/Sub's gRPC port is, as `PUBSUB_EMULATOR_HOST` has it."""
        assert self._pubsub, "this emulator was started without `pubsub_port`"
        return self._pubsub

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call `/_emulator/{path}`; return the JSON it answers, None for an empty answer."""
        url = f"{self.origin}/_emulator/{path.lstrip('/')}"
        async with self._session.request(method, url, json=body) as answer:
            text = await answer.text()
            assert answer.ok, f"{method} {path}: {answer.status} {text}"
            return await answer.json() if text else None

    async def add_person(self, email: str, **facts: Any) -> Any:
        """Create a person at Google."""
        return await self.control("POST", "people", {"email": email, **facts})

    async def deliver(self, email: str, **message: Any) -> Any:
        """Let mail arrive (fields as in the emulator's README)."""
        return await self.control("POST", f"people/{email}/messages", message)


@asynccontextmanager
async def running_emulator(**config: Any) -> AsyncIterator[Emulated]:
    """Yield an emulator that listens on loopback until the block ends."""
    # A fault may have an answer wait for minutes: at the end of the test nobody waits for it.
    app = create_app(EmulatorConfig(**config))
    runner = web.AppRunner(app, shutdown_timeout=0.5, **RUNNER_OPTIONS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            origin = f"http://127.0.0.1:{port}"
            yield Emulated(origin, session, pubsub=app[PUBSUB].address)
    finally:
        await runner.cleanup()
