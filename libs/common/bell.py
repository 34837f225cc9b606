"""A bell that Postgres rings: it wakes an idle loop, and is never the only thing that does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
from pydantic import SecretStr

from libs.common import db

log = structlog.get_logger(__name__)


class Bell:
    """Rings on every NOTIFY of one channel; between rings `wait` returns after a time-out."""

    def __init__(self, database_url: str | SecretStr, channel: str) -> None:
        """Listen on `channel` through a connection of its own, once `listening` is entered."""
        self._url = database_url
        self._channel = channel
        self._rung = asyncio.Event()
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Bell"]:
        """Listen while inside; a lost connection is made again by the next `wait`."""
        try:
            yield self
        finally:
            if self._conn is not None and not self._conn.is_closed():
                self._conn.terminate()

    async def wait(self, timeout_s: float) -> None:
        """Return when the bell rings, or after `timeout_s` seconds."""
        await self._listen()
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()

    def ring(self) -> None:
        """Ring for this process's own waiter alone."""
        self._rung.set()

    async def _listen(self) -> None:
        if self._conn is not None and not self._conn.is_closed():
            return
        try:
            self._conn = await db.connect(self._url, application_name=f"bell:{self._channel}")
            await self._conn.add_listener(self._channel, self._ring)
            self._rung.set()  # something may have happened while nobody listened
        except db.FAILURES as exc:
            log.warning("bell_not_listening", channel=self._channel, error=type(exc).__name__)

    def _ring(self, *_: object) -> None:
        self._rung.set()
