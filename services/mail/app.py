"""Composition root: the one module that knows all the others. Opens nothing itself."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from libs.common import bus, clock, db, migrate
from libs.common.bell import Bell
from libs.common.db import POOL
from libs.common.errors import AppError
from libs.common.feeds import Door, FeedKind, Runner
from libs.common.feeds.store import CHANNEL
from libs.common.google import discovery
from libs.common.google.accounts import AuthClient, ConnectedGoogle
from libs.common.google.oidc import CertStore, PushVerifier
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import client_session
from libs.common.service import Loop, build_service
from libs.common.web import ALL_ROLES, background
from services.mail import consumers
from services.mail.domain.message import Policy
from services.mail.google import Gmail
from services.mail.settings import MailSettings
from services.mail.sync.connections import Connections
from services.mail.sync.intake import Intake
from services.mail.sync.labels import LabelWriter
from services.mail.sync.mailbox import KIND, Mailbox
from services.mail.sync.repair import Repair
from services.mail.sync.watching import Watching
from services.mail.web.messages import LABELS
from services.mail.web.push import DOOR, VERIFIER
from services.mail.web.routes import ROUTES

log = structlog.get_logger(__name__)

SERVICE = "mail"
SETTINGS = web.AppKey("settings", MailSettings)
RECONCILE_RETRY_S = 5.0
RECONCILE_FAILURES: tuple[type[Exception], ...] = (AppError, *db.FAILURES)

MAILBOX = web.AppKey("mailbox", Mailbox)
CONNECTIONS = web.AppKey("connections", Connections)


def migrations() -> tuple[migrate.MigrationSet, ...]:
    """Return the sets the service's database needs, in their order."""
    return migrate.kernel("messaging"), migrate.kernel("feeds"), migrate.service(SERVICE)


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
        loops += [("feeds", _run_feeds), ("reconcile", _run_reconcile)]
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
        gmail = Gmail(ConnectedGoogle(GoogleClient(session), auth), discovery.gmail(roots))
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
    intake = Intake(pool, gmail, hash_key=settings.hash_key_bytes, now=clock.now)
    repair = Repair(pool, gmail, intake=intake)
    app[MAILBOX] = Mailbox(
        pool, gmail, intake=intake, watching=watching, repair=repair, now=clock.now
    )
    app[CONNECTIONS] = Connections(
        pool, auth, watching, policy=Policy(settings.policy), now=clock.now
    )
    app[LABELS] = LabelWriter(pool, gmail, now=clock.now)


async def _run_door(app: web.Application) -> None:
    await app[DOOR].run()


async def _run_feeds(app: web.Application) -> None:
    settings = app[SETTINGS]
    kind = FeedKind(run=app[MAILBOX].run, poll_every_s=settings.poll_interval)
    runner = Runner(
        app[POOL],
        {KIND: kind},
        bell=Bell(settings.database_url, CHANNEL),
        now=clock.now,
        concurrency=settings.feed_concurrency,
    )
    await runner.run()


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
    subscription = consumers.subscription(app[POOL], app[CONNECTIONS])
    await _declare(app, subscription)
    async with asyncio.TaskGroup() as group:
        group.create_task(bus.consume(amqp_url, subscription), name="consume")
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
