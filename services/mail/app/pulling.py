"""Pulling, in a process that also takes pushes: its loop, its readiness, its end."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from libs.common import clock, db
from libs.common.web import Health, background
from libs.common.web.health import CHECKS
from services.mail.app.parts import SETTINGS
from services.mail.sync.inward.pulling import Puller
from services.mail.web.push import NOTICES

PULLER = web.AppKey("puller", Puller)


def pull_too(app: web.Application, subscription: str) -> None:
    """Have `app` pull from the subscription; call it after the contexts of what it uses."""
    # It costs half a second and some 30 MB, which only those who pull should pay.
    from services.mail.google import pulled  # noqa: PLC0415 - see above

    async def part(app: web.Application) -> AsyncIterator[None]:
        app[PULLER] = Puller(
            partial(pulled.opened, subscription, emulator=app[SETTINGS].pubsub_emulator_host),
            app[NOTICES],
            database_answers=partial(db.ping, app[db.POOL]),
            now=clock.now,
        )
        yield

    app.cleanup_ctx.append(part)
    app.cleanup_ctx.append(background("puller", _run))
    app.on_shutdown.append(_stop)  # before the loops are cancelled, among them the door's
    checks = app[CHECKS]
    app[CHECKS] = {**checks, "pubsub": _pubsub_answers}


async def _run(app: web.Application) -> None:
    await app[PULLER].run()


async def _stop(app: web.Application) -> None:
    await app[PULLER].stop()


async def _pubsub_answers(app: web.Application) -> Health:
    """Check that notifications can be pulled; without them, polls still find the mail."""
    return Health.OK if app[PULLER].is_up else Health.DEGRADED
