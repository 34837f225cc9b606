"""Notifications pulled from Pub/Sub: taken in as pushes are, acknowledged after the commit.

Any number of processes may pull the same subscription: Pub/Sub hands each message to one of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog
from prometheus_client import Counter, Gauge, Histogram

from libs.common.bus import Backoff
from libs.common.db import FAILURES
from libs.common.errors import AppError, RateLimited
from services.mail.domain.push import Pulled, Settling, settlings
from services.mail.sync.inward.notices import Notices

log = structlog.get_logger(__name__)

LANES = 2
"""While one lane waits for the disk, the other's messages are on their way."""
BATCH = 100
"""Messages a lane takes at a time: what is held at most, and given back at the end."""
WORK_TIMEOUT_S = 8.0
"""Less than Pub/Sub's shortest deadline: what takes longer is given back."""
STOP_TIMEOUT_S = 2.0
UNDERWAY_S = 0.3
"""At the end messages may be on their way: given up, they would only come after their deadline."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
NOT_TAKEN: tuple[type[Exception], ...] = (AppError, *FAILURES)
QUICK_S = 0.5
"""An empty answer that came sooner was not waited for: the next is not asked for at once."""

PULLS = Counter(
    "causeway_mail_pulls_total",
    "Requests for notifications, by outcome: messages, empty, or the error's name.",
    ["outcome"],
)
PULLED = Counter(
    "causeway_mail_pulled_total",
    "Pulled notifications: acked, returned (they come again), or unsettled (Pub/Sub was away).",
    ["end"],
)
AGE = Histogram(
    "causeway_mail_pulled_age_seconds",
    "Seconds between a notification's publication and its acknowledgement.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
UP = Gauge("causeway_mail_pull_up", "1 while Pub/Sub answered our last request, 0 since it failed.")

T = TypeVar("T")


class Source(Protocol):
    """The subscription; `google.pulled` has the real one."""

    async def pull(self, most: int) -> Sequence[Pulled]:
        """Return what waits, or comes within some time."""

    async def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Have them never come again."""

    async def give_back(self, ack_ids: Sequence[str]) -> None:
        """Have them come again soon."""


Open = Callable[[], AbstractAsyncContextManager[Source]]


class Puller:
    """Pulls for ever, until it is told to stop.

    Args:
        opened: opens the subscription.
        notices: takes notifications in.
        database_answers: raises one of `db.FAILURES` while the database is away.
        now: the clock.
    """

    def __init__(
        self,
        opened: Open,
        notices: Notices,
        *,
        database_answers: Callable[[], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._open = opened
        self._notices = notices
        self._database_answers = database_answers
        self._now = now
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()
        self.is_up = True
        """False since Pub/Sub failed, until it answers again."""

    async def run(self) -> None:
        """Pull until cancelled; after `stop` only wait for that."""
        self._ended.clear()
        try:
            async with AsyncExitStack() as stack:
                source = await self._connected(stack)
                if source is not None:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(LANES):
                            group.create_task(self._serve(source))
        finally:
            self._ended.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Ask for nothing more, and finish what is here; at most 2 seconds."""
        self._stopping.set()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._ended.wait()
        except TimeoutError:
            log.warning("pull_not_finished")  # cancelled next, it gives the rest back

    async def _connected(self, stack: AsyncExitStack) -> Source | None:
        """Return the subscription once it can be opened; None when we are to stop."""
        backoff = _backoff()
        while not self._stopping.is_set():
            try:
                return await stack.enter_async_context(self._open())
            except AppError as exc:
                self._failed(exc)
            await self._unless_stopping(backoff.wait())
        return None

    async def _serve(self, source: Source) -> None:
        backoff = _backoff()
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            try:
                pulled = await self._unless_stopping(source.pull(BATCH), grace_s=UNDERWAY_S)
            except AppError as exc:
                self._failed(exc)
                await self._unless_stopping(_waited(backoff, exc))
                continue
            if pulled is None:
                return
            self._answered(pulled)
            if not pulled:
                took_s = asyncio.get_running_loop().time() - began
                await self._unless_stopping(asyncio.sleep(max(0.0, QUICK_S - took_s)))
            elif await self._take(source, pulled):
                backoff.reset()
            else:
                await self._unless_stopping(self._database_back(backoff))

    async def _take(self, source: Source, pulled: Sequence[Pulled]) -> bool:
        """Settle a batch; return whether all of it was committed."""
        work = {
            asyncio.create_task(self._commit(settling)): settling for settling in settlings(pulled)
        }
        try:
            await asyncio.wait(work, timeout=WORK_TIMEOUT_S)
        finally:  # also when cancelled: then what is not committed by now is given back
            done = [one for task, one in work.items() if _is_done(task)]
            left = [one for task, one in work.items() if not _is_done(task)]
            for task in work:
                task.cancel()
            await asyncio.shield(self._settle(source, done, left))
        for task in work:
            if task.done() and (defect := task.exception()) is not None:
                raise defect
        return not left

    async def _commit(self, settling: Settling) -> bool:
        """Return whether the notification is taken in, durably."""
        try:
            if settling.push is None:
                await self._notices.put_aside(settling.pulled[0].data)
            else:
                await self._notices.take(settling.push, count=len(settling.pulled))
        except NOT_TAKEN as exc:
            log.warning("notification_not_taken", error=type(exc).__name__)
            return False
        return True

    async def _settle(
        self, source: Source, done: Sequence[Settling], left: Sequence[Settling]
    ) -> None:
        """Acknowledge what was committed and give the rest back."""
        await asyncio.gather(
            self._told(source.acknowledge, done, end="acked"),
            self._told(source.give_back, left, end="returned"),
        )

    async def _told(
        self,
        tell: Callable[[Sequence[str]], Awaitable[None]],
        settled: Sequence[Settling],
        *,
        end: str,
    ) -> None:
        messages = [one for settling in settled for one in settling.pulled]
        if not messages:
            return
        try:
            await tell([one.ack_id for one in messages])
        except AppError as exc:  # their deadline passes, and they come again: no harm
            self._failed(exc)
            PULLED.labels("unsettled").inc(len(messages))
            return
        PULLED.labels(end).inc(len(messages))
        if end == "acked":
            self._observe(messages)

    def _observe(self, acknowledged: Sequence[Pulled]) -> None:
        now = self._now()
        for one in acknowledged:
            if one.published_at is not None:
                AGE.observe(max(0.0, (now - one.published_at).total_seconds()))

    async def _database_back(self, backoff: Backoff) -> None:
        """Wait until the database answers: what is pulled before would count as failed."""
        while True:
            await backoff.wait()
            try:
                return await self._database_answers()
            except FAILURES:
                continue

    async def _unless_stopping(
        self, work: Coroutine[Any, Any, T], *, grace_s: float = 0.0
    ) -> T | None:
        """Return what `work` does; once we are to stop give it up, `grace_s` later: None."""
        task = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if grace_s and not task.done():
                await asyncio.wait({task}, timeout=grace_s)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            stopping.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)

    def _answered(self, pulled: Sequence[Pulled]) -> None:
        PULLS.labels("messages" if pulled else "empty").inc()
        if not self.is_up:
            log.info("pull_works_again")
        self.is_up = True
        UP.set(1)

    def _failed(self, exc: AppError) -> None:
        PULLS.labels(exc.slug).inc()
        log.warning("pull_failed", error=type(exc).__name__, cause=exc.slug)
        self.is_up = False
        UP.set(0)


def _backoff() -> Backoff:
    return Backoff(first_s=FIRST_WAIT_S, ceiling_s=LONGEST_WAIT_S)


async def _waited(backoff: Backoff, exc: AppError) -> None:
    if isinstance(exc, RateLimited):
        await asyncio.sleep(exc.retry_after_s)
    await backoff.wait()


def _is_done(task: asyncio.Task[bool]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and task.result()
