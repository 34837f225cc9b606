"""Is the process alive, and can it do its work?"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

import structlog
from aiohttp import web
from prometheus_client import Gauge
from pydantic import SecretStr

from libs.common import bus, db, migrate
from libs.common.web.draining import is_draining
from libs.common.web.requests import reply

CHECK_TIMEOUT_S = 3.0
BROKER_REMEMBERED_S = 2.0

BROKER_UP = Gauge("causeway_broker_up", "1 while the broker took a connection when last asked.")

log = structlog.stdlib.get_logger(__name__)


class Health(StrEnum):
    """What a check found."""

    OK = "ok"
    DEGRADED = "degraded"
    """Something is missing, but requests can be answered."""
    DOWN = "down"
    """Requests should go elsewhere."""


Check = Callable[[web.Application], Awaitable[Health]]
"""Looks at one thing; an exception, or no answer within 3 seconds, counts as DOWN."""

CHECKS: web.AppKey[Mapping[str, Check]] = web.AppKey("checks", Mapping)


async def show_alive(_request: web.Request) -> web.Response:
    """GET /healthz: the process answers."""
    return reply({"status": "ok"})


async def show_ready(request: web.Request) -> web.Response:
    """GET /readyz: 200 while requests can be answered, 503 otherwise; and why."""
    checks = request.app[CHECKS]
    found = await asyncio.gather(
        *(_look(request.app, name, check) for name, check in checks.items())
    )
    states = dict(zip(checks, found, strict=True))
    if is_draining(request.app):
        states["draining"] = Health.DOWN
    worst = next((h for h in (Health.DOWN, Health.DEGRADED) if h in states.values()), Health.OK)
    body = {"status": worst, "checks": states}
    return reply(body, status=503 if worst is Health.DOWN else 200)


async def _look(app: web.Application, name: str, check: Check) -> Health:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check(app)
    except Exception as exc:  # noqa: BLE001 - whatever a check raises is the finding
        log.warning("check_failed", check=name, error=type(exc).__name__)
        return Health.DOWN


async def database_answers(app: web.Application) -> Health:
    """Check that the pool's database answers."""
    await db.ping(app[db.POOL])
    return Health.OK


def broker_answers(amqp_url: SecretStr) -> Check:
    """Return the check that the broker takes connections.

    Without it events wait in the outbox and requests are answered all the same: DEGRADED.
    """
    return _Broker(amqp_url).look


class _Broker:
    """Asks every 2 seconds at most: anybody may ask us, and an answer costs a connection."""

    def __init__(self, amqp_url: SecretStr) -> None:
        self._amqp_url = amqp_url
        self._asking = asyncio.Lock()
        self._found = Health.DEGRADED
        self._good_until = 0.0

    async def look(self, _app: web.Application) -> Health:
        async with self._asking:
            if asyncio.get_running_loop().time() >= self._good_until:
                self._found = await self._ask()
                self._good_until = asyncio.get_running_loop().time() + BROKER_REMEMBERED_S
        return self._found

    async def _ask(self) -> Health:
        try:
            await bus.ping(self._amqp_url)
        except bus.BrokerLost:
            BROKER_UP.set(0)
            return Health.DEGRADED
        BROKER_UP.set(1)
        return Health.OK


def migrated(*sets: migrate.MigrationSet) -> Check:
    """Return the check that the database has every migration of `sets`.

    Once it was seen to have them it is not asked again: migrations only go forward.
    """
    return _Migrated(sets).look


class _Migrated:
    def __init__(self, sets: tuple[migrate.MigrationSet, ...]) -> None:
        self._sets = sets
        self._done = False

    async def look(self, app: web.Application) -> Health:
        if not self._done:
            try:
                async with app[db.POOL].acquire() as conn:
                    self._done = not await migrate.pending(conn, *self._sets)
            except migrate.MigrationError as exc:
                log.warning("schema_unusable", problem=exc.slug)
        return Health.OK if self._done else Health.DOWN
