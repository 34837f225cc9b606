"""Composition root: the one room that knows all the others. Opens nothing itself."""

from aiohttp import web

from libs.common import migrate
from libs.common.connections import telling
from libs.common.events import contacts, crm
from libs.common.restored import Restorable
from libs.common.service import build_service
from libs.common.web import ALL_ROLES, background
from services.calendar import consumers
from services.calendar.app.loops import loops_of
from services.calendar.app.parts import CONNECTIONS, SERVICE, SETTINGS, parts
from services.calendar.settings import CalendarSettings
from services.calendar.web.routes import ROUTES

__all__ = ["CONNECTIONS", "RESTORABLE", "SERVICE", "create_app", "migrations"]

RESTORABLE = Restorable(
    counters=[
        ("meetings", "sequence"),
        ("meetings", "activity_sequence"),
        ("feeds", "sequence"),
        ("appointments", "sequence"),
        ("conflicts", "sequence"),
    ],
    has_feeds=True,
    has_writes=True,
    queues={
        consumers.QUEUE: tuple(telling.BY_TYPE),
        consumers.DIRECTORY_QUEUE: tuple(crm.BY_TYPE),
        consumers.CONTACTS_QUEUE: tuple(contacts.CONTACTS_BY_TYPE),
        consumers.APPOINTMENTS_QUEUE: tuple(crm.APPOINTMENTS_BY_TYPE),
    },
)


def migrations() -> tuple[migrate.MigrationSet, ...]:
    """Return the sets the service's database needs, in their order."""
    return (
        migrate.kernel("messaging"),
        migrate.kernel("http"),
        migrate.kernel("feeds"),
        migrate.kernel("quota"),
        migrate.kernel("directory"),
        migrate.kernel("writes"),
        migrate.kernel("privacy"),
        migrate.service(SERVICE),
    )


def create_app(settings: CalendarSettings, *, roles: frozenset[str] = ALL_ROLES) -> web.Application:
    """Wire the service for `roles`; resources live in cleanup contexts."""
    app = build_service(
        service=SERVICE,
        settings=settings,
        routes=ROUTES,
        migrations=migrations(),
        roles=roles,
    )
    app[SETTINGS] = settings
    app.cleanup_ctx.append(parts)
    for name, loop in loops_of(roles):
        app.cleanup_ctx.append(background(name, loop))
    return app
