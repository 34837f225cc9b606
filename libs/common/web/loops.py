"""Background loops that live as long as the application, and come back when they die."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from aiohttp import web

from libs.common import bus
from libs.common.web import metrics

FIRST_DELAY_S = 1.0
MAX_DELAY_S = 30.0
STEADY_S = 60.0
"""A loop that lived this long starts again from the first delay."""
STOP_S = 3.0
"""How long loops may take to end, all together."""

Loop = Callable[[web.Application], Awaitable[None]]

log = structlog.stdlib.get_logger(__name__)


class _Loops:
    """The application's loops, ended together so that stopping takes as long as the slowest."""

    def __init__(self) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    async def stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        for task in self.tasks.values():
            task.cancel()
        _, left = await asyncio.wait(self.tasks.values(), timeout=STOP_S)
        for name, task in self.tasks.items():
            if task in left:
                log.error("task_would_not_stop", name=name)


LOOPS = web.AppKey("loops", _Loops)


def background(
    name: str, factory: Loop, *, first_delay_s: float = FIRST_DELAY_S
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return a cleanup context that keeps `factory(app)` running.

    It should never return: when it does, or raises, that is logged (`task_crashed`),
    counted, and it is started again after 1 s, then 2, 4, ... at most 30. Add it after the
    contexts of what it uses; at the end all loops are cancelled together, before those close.

    Args:
        name: a constant for logs and metrics.
        factory: called with the application for each start.
        first_delay_s: seconds before the first restart.
    """

    async def context(app: web.Application) -> AsyncIterator[None]:
        if LOOPS not in app:
            app[LOOPS] = _Loops()
        loops = app[LOOPS]
        loops.tasks[name] = asyncio.create_task(
            _supervise(app, name, factory, first_delay_s), name=name
        )
        yield
        await loops.stop()

    return context


async def _supervise(app: web.Application, name: str, factory: Loop, first_delay_s: float) -> None:
    delay = first_delay_s
    while True:
        started = time.monotonic()
        failure: BaseException | None = None
        try:
            await factory(app)
        except asyncio.CancelledError as exc:
            if bus.was_cancelled():
                raise
            failure = exc  # a library's own, such as aio-pika's when its connection dies
        except Exception as exc:  # noqa: BLE001 - a process loop survives every defect
            failure = exc
        if time.monotonic() - started > STEADY_S:
            delay = first_delay_s
        metrics.LOOP_CRASHES.labels(name).inc()
        error = "returned" if failure is None else type(failure).__name__
        log.error("task_crashed", name=name, error=error, retry_in_s=delay, exc_info=failure)
        await asyncio.sleep(delay)
        delay = min(delay * 2, MAX_DELAY_S)
