"""Composition root: the one module that knows all the others. Opens nothing itself."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from libs.common import bus, clock, db, migrate
from libs.common.bell import Bell
from libs.common.db import POOL
from libs.common.errors import AppError
from libs.common.feeds import Door, Feed, FeedKind, Runner
from libs.common.feeds.holds import open_hold
from libs.common.feeds.store import CHANNEL
from libs.common.google import discovery
from libs.common.google.accounts import AuthClient, ConnectedGoogle
from libs.common.google.oidc import CertStore, PushVerifier
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import client_session
from libs.common.housekeeping import keep_house
from libs.common.quota import Budgets, Ledger
from libs.common.service import Loop, build_service
from libs.common.web import ALL_ROLES, background
from services.mail import consumers
from services.mail.domain.connection import Connection
from services.mail.domain.message import Content, Policy
from services.mail.google import Gmail
from services.mail.settings import MailSettings
from services.mail.sync import feeds
from services.mail.sync.asking import Asking
from services.mail.sync.background import Background
from services.mail.sync.connections import Connections
from services.mail.sync.downloads import GmailDownloader
from services.mail.sync.fetching import Fetcher, IsKnown
from services.mail.sync.housekeeping import chores
from services.mail.sync.intake import Intake
from services.mail.sync.label_names import LabelNames
from services.mail.sync.labels import LabelWriter
from services.mail.sync.link_work import LinkWork
from services.mail.sync.linking import Linker
from services.mail.sync.mailbox import Mailbox
from services.mail.sync.telling import tell_of_feed
from services.mail.sync.watching import Watching
from services.mail.sync.work import Work
from services.mail.web.attachments import DOWNLOADER
from services.mail.web.connections import LEDGER
from services.mail.web.entities import LINKER
from services.mail.web.messages import LABELS
from services.mail.web.push import DOOR, VERIFIER
from services.mail.web.routes import ROUTES
from services.mail.web.sync import ASKING

log = structlog.get_logger(__name__)

SERVICE = "mail"
SETTINGS = web.AppKey("settings", MailSettings)
RECONCILE_RETRY_S = 5.0
IDLE_S = 3600.0
RECONCILE_FAILURES: tuple[type[Exception], ...] = (AppError, *db.FAILURES)

MAILBOX = web.AppKey("mailbox", Mailbox)
BACKGROUND = web.AppKey("background", Background)
WORK = web.AppKey("work", Work)
CONNECTIONS = web.AppKey("connections", Connections)


def migrations() -> tuple[migrate.MigrationSet, ...]:
    """Return the sets the service's database needs, in their order."""
    return (
        migrate.kernel("messaging"),
        migrate.kernel("http"),
        migrate.kernel("feeds"),
        migrate.kernel("quota"),
        migrate.kernel("directory"),
        migrate.service(SERVICE),
    )


def create_app(settings: MailSettings, *, roles: frozenset[str] = ALL_ROLES) -> web.Application:
    """Wire the service for `roles`; resources live in cleanup contexts."""
    app = build_service(
        service=SERVICE,
        settings=settings,
        routes=ROUTES,
        migrations=migrations(),
        roles=roles,
    )
    app[SETTINGS] = settings
    app.cleanup_ctx.append(_google)
    for name, loop in _loops(roles):
        app.cleanup_ctx.append(background(name, loop))
    return app


def _loops(roles: frozenset[str]) -> list[tuple[str, Loop]]:
    loops: list[tuple[str, Loop]] = []
    if "web" in roles:
        loops.append(("door", _run_door))
    if "worker" in roles:
        loops += [
            ("feeds", _run_feeds),
            ("background", _run_background),
            ("reconcile", _run_reconcile),
            ("housekeeping", _run_housekeeping),
        ]
    if "consumer" in roles:
        loops.append(("consumer", _run_consumer))
    return loops


async def _google(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    pool, roots = app[POOL], GoogleRoots.from_settings(settings)
    async with client_session() as session:
        auth = AuthClient(
            session, settings.auth_url, settings.service_key.get_secret_value(), caller=SERVICE
        )
        app[LEDGER] = ledger = Ledger(pool, _budgets(settings), now=clock.now)
        google = ConnectedGoogle(GoogleClient(session), auth)
        gmail = Gmail(google, discovery.gmail(roots), ledger)
        _wire(app, pool, gmail, auth)
        app[VERIFIER] = PushVerifier(
            CertStore(session, roots.certs_url, roots.jwks_url),
            audience=settings.push_audience,
            service_account=settings.push_service_account,
        )
        app[DOOR] = Door(pool, now=clock.now)
        yield
        await auth.close()


def _wire(app: web.Application, pool: db.Pool, gmail: Gmail, auth: AuthClient) -> None:
    settings = app[SETTINGS]
    watching = Watching(
        pool, gmail, topic=settings.gmail_topic, every=settings.watch_every, now=clock.now
    )
    linker = app[LINKER] = Linker(hash_key=settings.hash_key_bytes, now=clock.now)
    fetcher = Fetcher(pool, gmail, is_known=_is_known(pool, linker))
    intake = Intake(pool, fetcher, linker, now=clock.now)
    names = LabelNames(pool, now=clock.now)
    app[MAILBOX] = Mailbox(
        pool, gmail, intake=intake, watching=watching, names=names, now=clock.now
    )
    app[BACKGROUND] = Background(pool, gmail, fetcher=fetcher, intake=intake, now=clock.now)
    links = LinkWork(pool, linker, fetch=fetcher.fetch_whole, hold=_hold, now=clock.now)
    app[WORK] = Work(pool, fetcher, intake=intake, links=links, now=clock.now)
    app[ASKING] = Asking(pool, gmail, now=clock.now)
    app[CONNECTIONS] = Connections(
        pool,
        auth,
        watching,
        policy=Policy(settings.policy),
        backfill_days=settings.backfill_days,
        audit_every=settings.audit_every,
        now=clock.now,
    )
    app[LABELS] = LabelWriter(pool, gmail, now=clock.now)
    app[DOWNLOADER] = GmailDownloader(gmail)


async def _run_door(app: web.Application) -> None:
    await app[DOOR].run()


def _is_known(pool: db.Pool, linker: Linker) -> IsKnown:
    async def is_known(connection: Connection, people: Content) -> bool:
        async with pool.acquire() as conn:
            return bool(await linker.match(conn, connection, people))

    return is_known


async def _hold(
    conn: db.Connection, feed: Feed, *, kind: str, subject: str, affected: int, total: int
) -> None:
    await open_hold(
        conn, feed, kind=kind, subject=subject, affected=affected, total=total, now=clock.now()
    )


def _budgets(settings: MailSettings) -> Budgets:
    return Budgets(
        account_per_minute=settings.units_per_minute,
        project_per_minute=settings.project_units_per_minute,
        project_per_day=settings.project_units_per_day,
        backfill_per_day=settings.backfill_units_per_day,
    )


async def _run_feeds(app: web.Application) -> None:
    settings, tell = app[SETTINGS], tell_of_feed
    live = FeedKind(app[MAILBOX].run, poll_every_s=settings.poll_interval, on_change=tell)
    await _runner(app, {feeds.LIVE: live}, settings.feed_concurrency).run()


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
        bell=Bell(app[SETTINGS].database_url, CHANNEL),
        now=clock.now,
        concurrency=concurrency,
        background=background,
    )


async def _run_housekeeping(app: web.Application) -> None:
    settings = app[SETTINGS]
    mine = chores(settings, now=clock.now)
    await keep_house(app[POOL], mine, every_s=settings.housekeeping_interval, now=clock.now)


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
