"""The emulator as an aiohttp application."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp_jinja2
import jinja2
from aiohttp import web

from emulator import serviceusage
from emulator.calendar import (
    calendar_list,
    calendars,
    events,
    freebusy,
    listing,
    settings,
    watching,
)
from emulator.config import EmulatorConfig
from emulator.contacts import batches, group_api, members, reading, turns
from emulator.contacts import listing as contact_listing
from emulator.contacts import writing as contact_writing
from emulator.control import calendar as control_calendar
from emulator.control import channels as control_channels
from emulator.control import contacts as control_contacts
from emulator.control import event_edits
from emulator.control import google as control_google
from emulator.control import http as control_http
from emulator.control import mail as control_mail
from emulator.control import people as control_people
from emulator.control import pushes as control_pushes
from emulator.gmail import account, drafts, label_api, messages, send_as, threads, writing
from emulator.oauth import authorize, identity, token, tokeninfo
from emulator.pubsub import api as pubsub_api
from emulator.pubsub.push import Pusher
from emulator.rest import documents
from emulator.rest import web as rest_web
from emulator.rest.dispatch import Dispatcher
from emulator.rest.methods import MethodTable
from emulator.world import WORLD, World

# A Gmail import may carry 150 MiB, and base64 makes a third more of it.
_MOST_BYTES: Final = 220 * 1024 * 1024

# Hand these to the AppRunner: some clients send long query strings as they are.
RUNNER_OPTIONS: Final[dict[str, Any]] = {
    "max_line_size": 65_536,
    "max_field_size": 65_536,
    "access_log": None,
}


@dataclass(slots=True)
class GrpcPort:
    """Where Pub/Sub's gRPC port is, `host:port`; None while there is none."""

    address: str | None = None


PUBSUB: Final[web.AppKey[GrpcPort]] = web.AppKey("pubsub", GrpcPort)

_SERVED: Final = (
    ("gmail", "v1"),
    ("calendar", "v3"),
    ("people", "v1"),
    ("pubsub", "v1"),
    ("serviceusage", "v1"),
)
_OPERATIONS: Final = {
    **account.OPERATIONS,
    **messages.OPERATIONS,
    **writing.OPERATIONS,
    **label_api.OPERATIONS,
    **threads.OPERATIONS,
    **drafts.OPERATIONS,
    **send_as.OPERATIONS,
    **calendar_list.OPERATIONS,
    **calendars.OPERATIONS,
    **events.OPERATIONS,
    **listing.OPERATIONS,
    **watching.OPERATIONS,
    **freebusy.OPERATIONS,
    **settings.OPERATIONS,
    **contact_listing.OPERATIONS,
    **reading.OPERATIONS,
    **contact_writing.OPERATIONS,
    **batches.OPERATIONS,
    **group_api.OPERATIONS,
    **members.OPERATIONS,
    **pubsub_api.OPERATIONS,
    **serviceusage.OPERATIONS,
}


def create_app(config: EmulatorConfig | None = None) -> web.Application:
    """Return an emulator; it opens nothing until it is started.

    Run it with `web.AppRunner(app, **RUNNER_OPTIONS)`. Every address it gives out is under the
    origin that the request came to.
    """
    world = World(config or EmulatorConfig())
    app = web.Application(
        client_max_size=_MOST_BYTES,
        middlewares=[
            rest_web.refuse_unreadable,
            control_http.errors_to_json,
            turns.one_at_a_time,
            rest_web.inject_faults,
        ],
    )
    app[WORLD], app[PUBSUB] = world, GrpcPort()
    app[control_pushes.PUSHER] = Pusher(world.pubsub, world.clock)
    app[rest_web.NOTIFIER] = world.notifier
    table = MethodTable(*(documents.load(api, version) for api, version in _SERVED))
    app[rest_web.DISPATCHER] = Dispatcher(world, table, _OPERATIONS)
    aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(Path(authorize.__file__).parent))
    app.router.add_get("/", _index)
    for module in (
        control_google,
        control_pushes,
        control_people,
        control_mail,
        control_calendar,
        event_edits,
        control_contacts,
        control_channels,
        authorize,
        token,
        identity,
        tokeninfo,
    ):
        app.router.add_routes(module.routes())
    app.router.add_routes(rest_web.routes())
    app.cleanup_ctx.append(_deliveries)
    app.cleanup_ctx.append(_grpc)
    return app


async def _index(request: web.Request) -> web.Response:
    origin = str(request.url.origin())
    return web.json_response(
        {
            "name": "Google Workspace emulator",
            "control": f"{origin}{control_http.PREFIX}",
            "openid_configuration": f"{origin}/.well-known/openid-configuration",
            "apis": f"{origin}/discovery/v1/apis",
            "pubsub": request.app[PUBSUB].address,
        }
    )


async def _deliveries(app: web.Application) -> AsyncIterator[None]:
    pusher = app[control_pushes.PUSHER]
    world = app[WORLD]
    await pusher.start()
    await world.notifier.start()
    yield
    world.watches.close()
    world.calendars.close()
    await world.notifier.close()
    await pusher.close()


async def _grpc(app: web.Application) -> AsyncIterator[None]:
    world = app[WORLD]
    if world.config.pubsub_port is None:
        yield
        return
    # It takes half a second to import: only for those who want the port.
    from emulator.pubsub.rpc import server  # noqa: PLC0415 - see above

    async with server.serving(world, world.config.pubsub_host, world.config.pubsub_port) as app[
        PUBSUB
    ].address:
        yield
