"""What a mail process does in the background, by role."""

from aiohttp import web

from libs.common import clock
from libs.common.background import consume, reconcile_for_ever, runner
from libs.common.connections import telling
from libs.common.db import POOL
from libs.common.feeds import FeedKind
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
    SERVICE,
    SETTINGS,
    WORK,
)
from services.mail.sync import feeds
from services.mail.sync.telling import tell_of_feed
from services.mail.web.entities import LINKER
from services.mail.web.privacy import DESK

IDLE_S = 3600.0


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
    await runner(app, settings, kinds, concurrency=settings.feed_concurrency).run()


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
    concurrency = settings.background_concurrency
    await runner(app, settings, kinds, concurrency=concurrency, background=True).run()


async def _run_housekeeping(app: web.Application) -> None:
    every_s = app[SETTINGS].housekeeping_interval
    mine = app[CHORES]
    await keep_house(app[POOL], mine, every_s=every_s, now=clock.now)


async def _run_privacy(app: web.Application) -> None:
    await Worker(app[POOL], app[DESK], now=clock.now).run()


async def _run_reconcile(app: web.Application) -> None:
    mine, every_s = app[CONNECTIONS], app[SETTINGS].reconcile_interval
    await reconcile_for_ever(mine, every_s=every_s)


async def _run_consumer(app: web.Application) -> None:
    mine = app[CONNECTIONS]
    await consume(
        app[SETTINGS].amqp_url,
        telling.subscription(app[POOL], mine, queue=consumers.QUEUE),
        consumers.directory_subscription(app[POOL], app[LINKER]),
        consumers.contacts_subscription(app[POOL], app[LINKER]),
        service=SERVICE,
        following=mine,
    )
