"""What a mail process does in the background, by role."""

import asyncio

import structlog
from aiohttp import web

from libs.common import bus, clock, db
from libs.common.bell import Bell
from libs.common.db import POOL
from libs.common.errors import AppError
from libs.common.feeds import FeedKind, Runner
from libs.common.feeds.store import CHANNEL, PAYLOADS
from libs.common.housekeeping import keep_house
from libs.common.privacy.worker import Worker
from libs.common.service import Loop
from services.mail import consumers
from services.mail.app.parts import (
    BACKGROUND,
    CHORES,
    CONNECTIONS,
    DOOR,
    MAILBOX,
    OUTBOUND,
    SETTINGS,
    WORK,
)
from services.mail.sync import feeds
from services.mail.sync.telling import tell_of_feed
from services.mail.web.entities import LINKER
from services.mail.web.privacy import DESK

log = structlog.get_logger(__name__)

RECONCILE_RETRY_S = 5.0
IDLE_S = 3600.0
RECONCILE_FAILURES: tuple[type[Exception], ...] = (AppError, *db.FAILURES)


def loops_of(roles: frozenset[str]) -> list[tuple[str, Loop]]:
    """Return the loops of a process with these roles, by name."""
    loops: list[tuple[str, Loop]] = []
    if "web" in roles:
        loops.append(("door", _run_door))
    if "worker" in roles:
        loops += [
            ("feeds", _run_feeds),
            ("background", _run_background),
            ("reconcile", _run_reconcile),
            ("housekeeping", _run_housekeeping),
            ("privacy", _run_privacy),
        ]
    if "consumer" in roles:
        loops.append(("consumer", _run_consumer))
    return loops


async def _run_door(app: web.Application) -> None:
    await app[DOOR].run()


async def _run_feeds(app: web.Application) -> None:
    settings, tell = app[SETTINGS], tell_of_feed
    live = FeedKind(app[MAILBOX].run, poll_every_s=settings.poll_interval, on_change=tell)
    write = FeedKind(app[OUTBOUND].run, poll_every_s=IDLE_S, on_change=tell)
    kinds = {feeds.LIVE: live, feeds.WRITE: write}
    await _runner(app, kinds, settings.feed_concurrency).run()


async def _run_background(app: web.Application) -> None:
    """Run what takes long apart from what must not wait."""
    settings, tell, background = app[SETTINGS], tell_of_feed, app[BACKGROUND]
    kinds = {
        feeds.BACKFILL: FeedKind(background.run, poll_every_s=IDLE_S, on_change=tell),
        feeds.REPAIR: FeedKind(background.run, poll_every_s=IDLE_S, on_change=tell),
        feeds.AUDIT: FeedKind(
            background.audit, poll_every_s=settings.audit_interval, on_change=tell
        ),
        feeds.WORK: FeedKind(app[WORK].run, poll_every_s=IDLE_S, on_change=tell),
    }
    await _runner(app, kinds, settings.background_concurrency, background=True).run()


def _runner(
    app: web.Application,
    kinds: dict[str, FeedKind],
    concurrency: int,
    *,
    background: bool = False,
) -> Runner:
    return Runner(
        app[POOL],
        kinds,
        bell=Bell(app[SETTINGS].database_url, CHANNEL, payload=PAYLOADS[background]),
        now=clock.now,
        concurrency=concurrency,
        background=background,
    )


async def _run_housekeeping(app: web.Application) -> None:
    every_s = app[SETTINGS].housekeeping_interval
    mine = app[CHORES]
    await keep_house(app[POOL], mine, every_s=every_s, now=clock.now)


async def _run_privacy(app: web.Application) -> None:
    await Worker(app[POOL], app[DESK], now=clock.now).run()


async def _run_reconcile(app: web.Application) -> None:
    while True:
        await _reconcile(app)
        await asyncio.sleep(app[SETTINGS].reconcile_interval)


async def _reconcile(app: web.Application) -> None:
    """Return once it was done."""
    while True:
        try:
            return await app[CONNECTIONS].reconcile()
        except RECONCILE_FAILURES as exc:
            log.warning("reconcile_failed", error=type(exc).__name__)
        await asyncio.sleep(RECONCILE_RETRY_S)


async def _run_consumer(app: web.Application) -> None:
    amqp_url = app[SETTINGS].amqp_url
    subscriptions = (
        consumers.subscription(app[POOL], app[CONNECTIONS]),
        consumers.directory_subscription(app[POOL], app[LINKER]),
    )
    for subscription in subscriptions:
        await _declare(app, subscription)
    async with asyncio.TaskGroup() as group:
        group.create_task(bus.consume(amqp_url, *subscriptions), name="consume")
        # What was told before our queue was there is in nobody's queue: it has to be asked for.
        group.create_task(_reconcile(app), name="reconcile")


async def _declare(app: web.Application, subscription: bus.Subscription) -> None:
    """Return once the broker has our queue; it is waited for."""
    backoff = bus.Backoff()
    while True:
        try:
            async with bus.connected(app[SETTINGS].amqp_url, name="mail.declare") as connection:
                return await bus.declare_subscription(connection, subscription, bus.RetryPolicy())
        except bus.BrokerLost as exc:
            log.warning("queue_not_declared", cause=exc.data.get("cause"))
        await backoff.wait()
