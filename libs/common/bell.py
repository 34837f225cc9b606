"""A bell that Postgres rings: it wakes an idle loop, and is never the only thing that does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog
from pydantic import SecretStr

from libs.common import db

CHECK_EVERY_S = 30.0
ANSWER_S = 2.0
"""How long the server may take to say that it is still there."""

log = structlog.get_logger(__name__)


class Bell:
    """Rings on a NOTIFY of one channel; between rings `wait` returns after a time-out."""

    def __init__(
        self,
        database_url: str | SecretStr,
        channel: str,
        *,
        payload: str | None = None,
        check_every_s: float = CHECK_EVERY_S,
    ) -> None:
        """Listen on `channel` through a connection of its own, once `listening` is entered.

        With a `payload` it rings for that one, and for notifications without any.
        Every `check_every_s` seconds the server is asked whether it is still there: who only
        listens never learns that a network has lost the connection.
        """
        self._url = database_url
        self._channel = channel
        self._payloads = None if payload is None else ("", payload)
        self._check_every_s = check_every_s
        self._check_at = 0.0
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
        try:
            if not await self._hears():
                self._conn = await db.connect(self._url, application_name=f"bell:{self._channel}")
                await self._conn.add_listener(self._channel, self._hear)
                self._rung.set()  # something may have happened while nobody listened
        except db.FAILURES as exc:
            log.warning("bell_not_listening", channel=self._channel, error=type(exc).__name__)

    async def _hears(self) -> bool:
        """Say whether there is a connection, which had an answer not long ago."""
        if self._conn is None or self._conn.is_closed():
            return False
        if time.monotonic() < self._check_at:
            return True
        self._check_at = time.monotonic() + self._check_every_s
        try:
            await self._conn.execute("SELECT 1", timeout=ANSWER_S)
        except db.FAILURES:
            self._conn.terminate()
            return False
        return True

    def _hear(self, _conn: object, _pid: int, _channel: str, payload: object) -> None:
        if self._payloads is None or payload in self._payloads:
            self._rung.set()
