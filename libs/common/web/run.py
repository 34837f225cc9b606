"""Runs an application as a process: from settings to a clean end on SIGTERM."""

import asyncio
import gc
import os
import signal
from typing import Protocol

import structlog
import uvloop
from aiohttp import web

from libs.common import clock, log
from libs.common.errors import AppError
from libs.common.settings import LogFormat
from libs.common.web import draining
from libs.common.web.app import ROLES, SERVICE

DRAIN_S = 4.0
"""How long requests that are being answered may still take."""
STOP_S = 9.0
"""After this long the process ends whatever hangs: 10 s is what a supervisor waits."""
LEFTOVERS_S = 1.0
"""How much of that is kept for ending tasks nobody ended."""
GARBAGE = 10_000
"""New objects after which cycles among them are looked for: what some fifty requests make, not
some five."""
LINGER_S = 2.0
"""How long the rest of a refused body is read away, so that the refusal reaches the sender."""

logger = structlog.stdlib.get_logger(__name__)


class ServeSettings(Protocol):
    """What it takes to serve; every service's settings have it."""

    @property
    def host(self) -> str:
        """Address to listen on."""

    @property
    def port(self) -> int:
        """Port to listen on; 0 takes a free one (the log's `serving` says which)."""

    @property
    def drain_delay(self) -> float:
        """Seconds in which a process that ends still takes requests."""

    @property
    def log_format(self) -> LogFormat:
        """See `log.configure`."""

    @property
    def log_level(self) -> str:
        """See `log.configure`."""

    @property
    def clock_offset(self) -> float:
        """See `clock.set_offset`."""


def run(app: web.Application, settings: ServeSettings) -> None:
    """Serve `app` until SIGTERM or SIGINT, then end within 10 seconds.

    The web role first drains for `drain_delay` seconds more (a second signal ends that). Then new
    connections are refused, requests under way get 4 seconds, and the cleanup contexts run
    (background loops are cancelled first).

    Raises:
        SystemExit: 1 when the start failed, or when something would not end.
    """
    roles: frozenset[str] = app[ROLES]
    log.configure(
        settings.log_format,
        settings.log_level,
        service=app[SERVICE],
        role=",".join(sorted(roles)),
    )
    clock.set_offset(settings.clock_offset)
    gc.freeze()  # what is here by now stays: the collector need not look at it again and again
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, settings))


async def _serve(app: web.Application, settings: ServeSettings) -> None:
    signals: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, None)
    draining.prepare(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN_S, lingering_time=LINGER_S)
    asked = asyncio.create_task(signals.get())
    starting = asyncio.create_task(_start(runner, settings))
    await asyncio.wait({asked, starting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting}, timeout=DRAIN_S)
    elif starting.exception() is None:
        await asked
        if "web" in app[ROLES] and settings.drain_delay:
            await _drain(app, settings.drain_delay, again=signals)
    else:
        asked.cancel()
    logger.info("stopping")
    await _stop(runner)
    if starting.done() and not starting.cancelled() and starting.exception() is not None:
        raise SystemExit(1)


async def _start(runner: web.AppRunner, settings: ServeSettings) -> None:
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()
    except Exception as exc:
        # One line for what an operator can mend; a defect shows where it is.
        mendable = isinstance(exc, AppError | OSError)
        logger.error("start_failed", error=str(exc), exc_info=None if mendable else exc)  # noqa: TRY400 - exc_info is decided here
        raise
    # What was built until now lives as long as the process. Searched with every collection of
    # garbage, it holds up all requests for a tenth of a second, again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, *gc.get_threshold()[1:])
    host, port = runner.addresses[0][:2]
    logger.info("serving", host=host, port=port)


async def _drain(app: web.Application, delay_s: float, *, again: asyncio.Queue[None]) -> None:
    """Drain until the time is over or somebody asks again to end."""
    logger.info("draining", seconds=delay_s)
    tasks = [
        asyncio.create_task(draining.drain(app, delay_s)),
        asyncio.create_task(again.get()),
    ]
    _, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def _stop(runner: web.AppRunner) -> None:
    cleaning = asyncio.create_task(runner.cleanup())
    _, hanging = await asyncio.wait({cleaning}, timeout=STOP_S - LEFTOVERS_S)
    if leftovers := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in leftovers - {cleaning}:
            task.cancel()
        _, hanging = await asyncio.wait(leftovers, timeout=LEFTOVERS_S)
    if hanging:
        names = sorted(task.get_name() for task in hanging)
        logger.error("stop_timed_out", tasks=names)
        os._exit(1)  # cancelling what ignores cancellation would hang here for ever
    if (failure := cleaning.exception()) is not None:
        logger.error("stop_failed", exc_info=failure)
    logger.info("stopped")
