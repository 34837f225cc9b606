"""What the processes of all services do in the background, besides their own work."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web
from pydantic import SecretStr

from libs.common import bus, clock, db
from libs.common.bell import Bell
from libs.common.connections import Following
from libs.common.db import POOL
from libs.common.errors import AppError
from libs.common.feeds import FeedKind, Runner
from libs.common.feeds.store import CHANNEL, PAYLOADS
from libs.common.settings import ServiceSettings

log = structlog.get_logger(__name__)

RECONCILE_RETRY_S = 5.0
RECONCILE_FAILURES: tuple[type[Exception], ...] = (AppError, *db.FAILURES)


def runner(
    app: web.Application,
    settings: ServiceSettings,
    kinds: Mapping[str, FeedKind],
    *,
    concurrency: int,
    background: bool = False,
) -> Runner:
    """Return what runs the feeds of these kinds.

    Args:
        app: has the pool.
        settings: of the service, whose database's bell is listened to.
        kinds: how feeds are run, by kind.
        concurrency: how many of them run at a time.
        background: those whose runs take long, and only those.
    """
    return Runner(
        app[POOL],
        kinds,
        bell=Bell(settings.database_url, CHANNEL, payload=PAYLOADS[background]),
        now=clock.now,
        concurrency=concurrency,
        background=background,
    )


async def reconcile_for_ever(following: Following[Any], *, every_s: float) -> None:
    """Keep connections as auth lists them, every `every_s` seconds."""
    while True:
        await reconcile(following)
        await asyncio.sleep(every_s)


async def reconcile(following: Following[Any]) -> None:
    """Bring connections in line with auth's list; return once it was done."""
    while True:
        try:
            return await following.reconcile()
        except RECONCILE_FAILURES as exc:
            log.warning("reconcile_failed", error=type(exc).__name__)
        await asyncio.sleep(RECONCILE_RETRY_S)


async def consume(
    amqp_url: SecretStr,
    *subscriptions: bus.Subscription,
    service: str,
    following: Following[Any],
) -> None:
    """Take in events for ever; what was told before our queues were there, ask auth for."""
    for subscription in subscriptions:
        await _declare(amqp_url, subscription, service=service)
    async with asyncio.TaskGroup() as group:
        group.create_task(bus.consume(amqp_url, *subscriptions), name="consume")
        group.create_task(reconcile(following), name="reconcile")


async def _declare(amqp_url: SecretStr, subscription: bus.Subscription, *, service: str) -> None:
    """Return once the broker has our queue; it is waited for."""
    backoff = bus.Backoff()
    while True:
        try:
            async with bus.connected(amqp_url, name=f"{service}.declare") as connection:
                return await bus.declare_subscription(connection, subscription, bus.RetryPolicy())
        except bus.BrokerLost as exc:
            log.warning("queue_not_declared", cause=exc.data.get("cause"))
        await backoff.wait()
