"""Works on requests about people: step by step, each in a transaction of its own.

A step and the place it came to commit together, under the lock of the request's row: a process that
dies repeats at most the step it was at, and two never work on one request at once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from libs.common.db import Connection, Pool, transaction
from libs.common.errors import AppError
from libs.common.privacy import store
from libs.common.privacy.model import Desk, Request, State

IDLE_S = 1.0
FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 300.0
MOST_FAILURES = 20
"""Of one step, in a row; with the pauses between them that is about an hour and a half."""

STEPS = Counter("causeway_privacy_steps_total", "Steps of exports and erasures.", ["outcome"])

log = structlog.stdlib.get_logger(__name__)


class Worker:
    """Takes up the requests of one service."""

    def __init__(self, pool: Pool, desk: Desk, *, now: Callable[[], datetime]) -> None:
        """Work by the parts of `desk`."""
        self._pool = pool
        self._desk = desk
        self._now = now

    async def run(self) -> None:
        """Work until cancelled; a database that is away ends the run, and the loop begins anew."""
        while True:
            if not await self.step():
                await asyncio.sleep(IDLE_S)

    async def step(self) -> bool:
        """Do one step of the request that is due longest; False: none is.

        Raises:
            Transient, TimeoutError, asyncpg.PostgresError: the database is away.
        """
        taken: Request | None = None
        try:
            async with transaction(self._pool) as conn:
                taken = await store.take_due(conn, now=self._now())
                if taken is not None:
                    await self._advance(conn, taken)
        except Exception as exc:
            if taken is None:
                raise  # otherwise: one request must not keep the others waiting
            await self._failed(taken, exc)
        else:
            STEPS.labels("ok" if taken else "idle").inc()
        return taken is not None

    async def _advance(self, conn: Connection, request: Request) -> None:
        now, is_under_way = self._now(), request.place is not None
        part = self._desk.turn(request.part, is_under_way=is_under_way)
        person = request.person
        if part is None or person is None:
            await store.finish_request(conn, request, State.DONE, now=now)
            log.info("privacy_request_done", request_id=str(request.id), kind=request.kind.value)
            return
        if part.name != request.part:  # whatever the last one noted is not this one's
            request = replace(request, part=part.name, place=None)
        step = await part.step(conn, request, person)
        due_at = now + timedelta(seconds=step.wait_s)
        await store.note_step(conn, request, step, part=part.name, due_at=due_at)

    async def _failed(self, request: Request, exc: Exception) -> None:
        """Try the step again later, or give the request up."""
        STEPS.labels("failed").inc()
        reason = exc.slug if isinstance(exc, AppError) else "internal"
        log.warning(
            "privacy_step_failed",
            request_id=str(request.id),
            part=request.part,
            error=type(exc).__name__,
            failures=request.failures + 1,
        )
        wait_s = min(FIRST_RETRY_S * 2**request.failures, LONGEST_RETRY_S)
        async with transaction(self._pool) as conn:
            if request.failures + 1 >= MOST_FAILURES:
                await store.finish_request(
                    conn, request, State.FAILED, now=self._now(), reason=reason
                )
                return
            due_at = self._now() + timedelta(seconds=wait_s)
            await store.note_failure(conn, request, due_at=due_at, reason=reason)
