"""What a calendar process does in the background, by role."""

from aiohttp import web

from libs.common import clock
from libs.common.background import consume, reconcile_for_ever, runner
from libs.common.connections import telling
from libs.common.db import POOL
from libs.common.feeds import FeedKind
from libs.common.housekeeping import keep_house
from libs.common.privacy.worker import Worker
from libs.common.service import Loop
from services.calendar import consumers
from services.calendar.app.parts import (
    AUDITS,
    CHORES,
    CONNECTIONS,
    DOOR,
    LINKER,
    LISTS,
    OUTBOUND,
    READER,
    REMINDERS,
    SERVICE,
    SETTINGS,
    WORK,
)
from services.calendar.sync import feeds
from services.calendar.sync.measuring import measure_for_ever
from services.calendar.sync.telling import tell_of_feed
from services.calendar.web.appointments import APPOINTMENTS
from services.calendar.web.leaving import LEAVING
from services.calendar.web.privacy import DESK

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
            ("reminders", _run_reminders),
            ("leaving", _run_leaving),
            ("privacy", _run_privacy),
            ("measuring", _run_measuring),
        ]
    if "consumer" in roles:
        loops.append(("consumer", _run_consumer))
    return loops


async def _run_door(app: web.Application) -> None:
    await app[DOOR].run()


async def _run_feeds(app: web.Application) -> None:
    settings, tell = app[SETTINGS], tell_of_feed
    kinds = {
        feeds.LIST: FeedKind(app[LISTS].run, settings.list_interval, on_change=tell),
        feeds.WRITE: FeedKind(app[OUTBOUND].run, IDLE_S, on_change=tell),
        feeds.EVENTS: FeedKind(app[READER].run, settings.poll_interval, on_change=tell),
    }
    await runner(app, settings, kinds, concurrency=settings.feed_concurrency).run()


async def _run_background(app: web.Application) -> None:
    """Run what takes long apart from what must not wait."""
    settings, tell = app[SETTINGS], tell_of_feed
    kinds = {
        feeds.AUDIT: FeedKind(app[AUDITS].run, settings.audit_interval, on_change=tell),
        feeds.WORK: FeedKind(app[WORK].run, IDLE_S, on_change=tell),
    }
    concurrency = settings.background_concurrency
    await runner(app, settings, kinds, concurrency=concurrency, background=True).run()


async def _run_reminders(app: web.Application) -> None:
    await app[REMINDERS].tell_for_ever()


async def _run_leaving(app: web.Application) -> None:
    await app[LEAVING].leave_for_ever()


async def _run_measuring(app: web.Application) -> None:
    await measure_for_ever(app[POOL], now=clock.now)


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
        consumers.appointments_subscription(app[POOL], app[APPOINTMENTS]),
        service=SERVICE,
        following=mine,
    )
