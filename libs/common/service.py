"""What every service process is: a command line, and an application on a database of its own."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from aiohttp import web

from libs.common import log
from libs.common.db import database
from libs.common.migrate import MigrationSet, migrate
from libs.common.relay import Relay
from libs.common.restored import Restorable, put_right
from libs.common.settings import ServiceSettings
from libs.common.web import (
    ALL_ROLES,
    Route,
    background,
    broker_answers,
    build_app,
    database_answers,
    migrated,
    run,
)

S = TypeVar("S", bound=ServiceSettings)
S_contra = TypeVar("S_contra", bound=ServiceSettings, contravariant=True)

Loop = Callable[[web.Application], Awaitable[None]]


class CreateApp(Protocol[S_contra]):
    """Wires a service."""

    def __call__(self, settings: S_contra, *, roles: frozenset[str]) -> web.Application:
        """Return the application for `roles`; it opens nothing yet."""
        ...


def build_service(
    *,
    service: str,
    settings: ServiceSettings,
    routes: Sequence[Route],
    migrations: Sequence[MigrationSet],
    roles: frozenset[str],
) -> web.Application:
    """Return what all services start from: see `build_app`; with pool, relay and readiness.

    Args:
        migrations: what the service's database must have before it is ready.
    """
    app = build_app(
        service=service,
        settings=settings,
        routes=routes,
        roles=roles,
        checks={
            "database": database_answers,
            "migrations": migrated(*migrations),
            "broker": broker_answers(settings.amqp_url),
        },
    )
    app.cleanup_ctx.append(
        database(
            settings.database_url,
            size=settings.pool_size,
            statement_timeout_s=settings.statement_timeout,
            application_name=f"causeway-{service}",
        )
    )
    if "relay" in roles:
        app.cleanup_ctx.append(background("relay", _relay(service, settings)))
    return app


def _relay(service: str, settings: ServiceSettings) -> Loop:
    async def carry(_app: web.Application) -> None:
        await Relay(settings.database_url, settings.amqp_url, service=service).run()

    return carry


def main(
    service: str,
    *,
    settings: Callable[[], S],
    create_app: CreateApp[S],
    migrations: Sequence[MigrationSet],
    restorable: Restorable,
) -> None:
    """Do what the command line says: serve some roles, or put the database right.

    Args:
        settings: reads them, or ends the process saying what is wrong.
        restorable: what is put right after a restore.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=("serve", "migrate", "restored"),
        default="serve",
        help="serve; bring the schema up to date; or go on from a restored backup (serve)",
    )
    parser.add_argument(
        "--roles",
        type=_roles,
        default=ALL_ROLES,
        help=f"what this process does, between commas: {', '.join(sorted(ALL_ROLES))} (all)",
    )
    parser.add_argument(
        "--phase",
        choices=("all", "pre", "post"),
        default="all",
        help="which migrations: before the new code runs, or once no old code is left (all)",
    )
    parser.add_argument(
        "--since",
        type=_moment,
        help="when the backup that was restored was made, as 2026-11-24T03:00Z",
    )
    given = parser.parse_args()
    read = settings()
    if given.command == "serve":
        run(create_app(read, roles=given.roles), read)
        return
    log.configure(read.log_format, read.log_level, service=service, role=given.command)
    if given.command == "migrate":
        asyncio.run(migrate(read.database_url, *migrations, phase=given.phase))
        return
    asyncio.run(put_right(read.database_url, read.amqp_url, restorable, since=given.since))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a date and time (ISO 8601)") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("must name its time zone, such as Z")
    return moment


def _roles(text: str) -> frozenset[str]:
    roles = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not roles or not roles <= ALL_ROLES:
        raise argparse.ArgumentTypeError(f"choose among {', '.join(sorted(ALL_ROLES))}")
    return roles
