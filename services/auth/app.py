"""Composition root: the one module that knows all the others."""

from collections.abc import AsyncIterator

from aiohttp import web

from libs.common import clock, migrate
from libs.common.db import POOL
from libs.common.google.roots import GoogleRoots
from libs.common.google.wire import client_session
from libs.common.housekeeping import keep_house
from libs.common.privacy.web import DESK as PRIVACY
from libs.common.privacy.worker import Worker
from libs.common.restored import Restorable
from libs.common.service import build_service
from libs.common.web import ALL_ROLES, background
from services.auth.domain.rules import AlarmRule
from services.auth.domain.sealing import Keyring
from services.auth.domain.urls import ReturnUrls
from services.auth.google import Client, GoogleAuth
from services.auth.settings import AuthSettings
from services.auth.sync.context import Context
from services.auth.sync.health import HealthDesk
from services.auth.sync.housekeeping import chores
from services.auth.sync.privacy import DESK
from services.auth.sync.refresh import Refresher
from services.auth.sync.worker import run_worker
from services.auth.web.keys import CONTEXT, HEALTH, REFRESHER
from services.auth.web.routes import ROUTES

SERVICE = "auth"
SETTINGS = web.AppKey("settings", AuthSettings)
RESTORABLE = Restorable(counters=[("connections", "sequence")])


def migrations() -> tuple[migrate.MigrationSet, ...]:
    """Return the sets the service's database needs, in their order."""
    return (
        migrate.kernel("messaging"),
        migrate.kernel("http"),
        migrate.kernel("privacy"),
        migrate.service(SERVICE),
    )


def create_app(settings: AuthSettings, *, roles: frozenset[str] = ALL_ROLES) -> web.Application:
    """Wire the service. Opens nothing: resources live in cleanup contexts."""
    app = build_service(
        service=SERVICE,
        settings=settings,
        routes=ROUTES,
        migrations=migrations(),
        roles=roles,
    )
    app[SETTINGS] = settings
    app[PRIVACY] = DESK
    app.cleanup_ctx.append(_tools)
    if "worker" in roles:
        app.cleanup_ctx.append(background("worker", _work))
        app.cleanup_ctx.append(background("housekeeping", _keep_house))
        app.cleanup_ctx.append(background("privacy", _erase))
    return app


async def _tools(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    async with client_session() as session:
        client = Client(
            id=settings.google_client_id,
            secret=settings.google_client_secret.get_secret_value(),
            redirect_uri=settings.redirect_uri,
        )
        app[CONTEXT] = context = Context(
            pool=app[POOL],
            google=GoogleAuth(session, GoogleRoots.from_settings(settings), client),
            keyring=Keyring(settings.keys),
            return_urls=ReturnUrls(settings.return_urls),
            alarm=AlarmRule(settings.alarm_minimum),
            settings=settings,
        )
        app[REFRESHER] = refresher = Refresher(context)
        app[HEALTH] = HealthDesk(context)
        yield
        await refresher.close()


async def _work(app: web.Application) -> None:
    await run_worker(app[CONTEXT], app[REFRESHER])


async def _erase(app: web.Application) -> None:
    await Worker(app[POOL], app[PRIVACY], now=clock.now).run()


async def _keep_house(app: web.Application) -> None:
    settings = app[SETTINGS]
    every_s = settings.housekeeping_interval
    await keep_house(app[POOL], chores(settings), every_s=every_s, now=clock.now)
