"""What a contacts process does in the background, by role."""

from aiohttp import web

from libs.common import clock
from libs.common.background import consume, reconcile_for_ever, runner
from libs.common.connections import telling
from libs.common.db import POOL
from libs.common.feeds import FeedKind
from libs.common.service import Loop
from services.contacts import consumers
from services.contacts.app.parts import (
    AUDITS,
    CONNECTIONS,
    LABELS,
    OUTBOUND,
    READER,
    SERVICE,
    SETTINGS,
    WORK,
)
from services.contacts.sync import feeds
from services.contacts.sync.measuring import measure_for_ever
from services.contacts.sync.telling import tell_of_feed

IDLE_S = 3600.0


def loops_of(roles: frozenset[str]) -> list[tuple[str, Loop]]:
    """Return the loops of a process with these roles, by name."""
    loops: list[tuple[str, Loop]] = []
    if "worker" in roles:
        loops += [
            ("feeds", _run_feeds),
            ("background", _run_background),
            ("reconcile", _run_reconcile),
            ("measuring", _run_measuring),
        ]
    if "consumer" in roles:
        loops.append(("consumer", _run_consumer))
    return loops


async def _run_feeds(app: web.Application) -> None:
    settings, tell = app[SETTINGS], tell_of_feed
    longest_s = settings.longest_poll
    kinds = {
        feeds.GROUPS: FeedKind(app[LABELS].run, longest_s, on_change=tell),
        feeds.PEOPLE: FeedKind(app[READER].run, longest_s, on_change=tell),
        feeds.WRITE: FeedKind(app[OUTBOUND].run, IDLE_S, on_change=tell),
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


async def _run_measuring(app: web.Application) -> None:
    await measure_for_ever(app[POOL], now=clock.now)


async def _run_reconcile(app: web.Application) -> None:
    mine, every_s = app[CONNECTIONS], app[SETTINGS].reconcile_interval
    await reconcile_for_ever(mine, every_s=every_s)


async def _run_consumer(app: web.Application) -> None:
    mine = app[CONNECTIONS]
    await consume(
        app[SETTINGS].amqp_url,
        telling.subscription(app[POOL], mine, queue=consumers.QUEUE),
        consumers.contacts_subscription(app[POOL]),
        service=SERVICE,
        following=mine,
    )
