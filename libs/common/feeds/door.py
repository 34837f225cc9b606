"""Where pushes knock: one statement and one commit for all that wait.

No linger: a flush starts as soon as a lane is free, so that load makes the batches. There are two
lanes: while one waits for the disk, the other's knocks are on their way. Each knock is answered
only after its commit.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from libs.common.db import FAILURES, Connection, Pool
from libs.common.errors import Transient
from libs.common.feeds import store

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

log = structlog.get_logger(__name__)

MOST_WAITING = 10_000
LANES = 2
FLUSH_TIMEOUT_S = 2.0
ACQUIRE_TIMEOUT_S = 2.0

Knock = tuple[str, asyncio.Future[bool]]


class Door:
    """Raises the signals of feeds for concurrent callers in shared commits."""

    def __init__(
        self, pool: Pool, *, now: Callable[[], datetime], most_waiting: int = MOST_WAITING
    ) -> None:
        """Use up to two connections of `pool`; `run` must be running for knocks to end."""
        self._pool = pool
        self._now = now
        self._most_waiting = most_waiting
        self._waiting: list[Knock] = []
        self._knocked = asyncio.Event()

    async def knock(self, address: str) -> bool:
        """Raise the signals of the feeds called `address`; True once that is committed.

        False means that no feed has this address.

        Raises:
            Transient: too many are waiting, or whether it was committed is not known. Google
                delivers such a push again.
        """
        if len(self._waiting) >= self._most_waiting:
            raise Transient("Too many pushes are waiting.")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((address, done))
        self._knocked.set()
        return await done

    async def run(self) -> None:
        """Flush for ever; on cancellation every waiting knock ends as `Transient`."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(LANES):
                    group.create_task(self._serve(_Lane(self._pool, now=self._now)))
        finally:
            for _, done in self._waiting:
                _fail(done)
            self._waiting.clear()

    async def _serve(self, lane: "_Lane") -> None:
        try:
            while True:
                await self._knocked.wait()
                self._knocked.clear()
                batch, self._waiting = self._waiting, []
                if batch:  # else the other lane took them
                    await lane.flush(batch)
                if not self._waiting:
                    await lane.let_go()
        finally:
            await lane.let_go()


class _Lane:
    """Flushes one batch at a time."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now
        self._conn: PoolConnectionProxy[asyncpg.Record] | None = None

    async def flush(self, batch: list[Knock]) -> None:
        """Answer every knock of the batch."""
        try:
            await self._raise_for(batch)
        except FAILURES as exc:
            log.warning("push_flush_failed", knocks=len(batch), error=type(exc).__name__)
            for knock in batch:
                if not knock[1].done():  # else whoever knocked has given up
                    await self._flush_alone(knock)
        except asyncio.CancelledError:
            for _, done in batch:
                _fail(done)
            raise

    async def _flush_alone(self, knock: Knock) -> None:
        try:
            await self._raise_for([knock])
        except FAILURES:
            _fail(knock[1])

    async def _raise_for(self, batch: list[Knock]) -> None:
        addresses = sorted({address for address, _ in batch})
        try:
            known = await store.raise_signals(
                await self._connection(), addresses, now=self._now(), timeout_s=FLUSH_TIMEOUT_S
            )
        except FAILURES:
            await self.let_go()
            raise
        for address, done in batch:
            if not done.done():
                done.set_result(address in known)

    async def _connection(self) -> Connection:
        """Return our connection, kept while knocks come: taking one costs as much as a flush."""
        if self._conn is None:
            self._conn = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        return self._conn

    async def let_go(self) -> None:
        """Give the connection back."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(*FAILURES):  # the pool then throws it away
                await self._pool.release(conn)


def _fail(done: asyncio.Future[bool]) -> None:
    if not done.done():
        done.set_exception(Transient("Whether the push was recorded is not known."))
