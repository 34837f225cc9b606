"""A process to stop: `python -m tests.integration.common.served [fault | worker]`."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import Field

from libs.common.settings import CommonSettings, load_settings
from libs.common.web import ALL_ROLES, Access, Route, background, build_app, run


class Settings(CommonSettings):
    """As a service has them."""

    port: int = Field(default=0, validation_alias="CAUSEWAY_SERVED_PORT", description="Port")


async def slow(_request: web.Request) -> web.Response:
    """Take a second."""
    await asyncio.sleep(1)
    return web.Response(text="done")


async def forever(_app: web.Application) -> None:
    """Run until cancelled."""
    await asyncio.Event().wait()


async def stubborn(_app: web.Application) -> None:
    """Run whatever happens."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def broken(_app: web.Application) -> AsyncIterator[None]:
    """Fail to start."""
    raise ConnectionRefusedError(111, "refused")
    yield


async def late(_app: web.Application) -> AsyncIterator[None]:
    """Never finish starting."""
    print("starting", flush=True)  # noqa: T201 - what the test waits for
    await asyncio.Event().wait()
    yield


def main() -> None:
    """Serve, with the fault that was asked for."""
    settings = load_settings(Settings)
    route = Route(method="GET", path="/slow", handler=slow, access=Access.PUBLIC, summary="Slow")
    fault = sys.argv[1] if len(sys.argv) > 1 else ""
    roles = frozenset({"worker"}) if fault == "worker" else ALL_ROLES
    app = build_app(service="served", settings=settings, routes=[route], roles=roles)
    app.cleanup_ctx.append(background("forever", forever))
    if fault == "stubborn":
        app.cleanup_ctx.append(background("stubborn", stubborn))
    if fault in {"broken", "late"}:
        app.cleanup_ctx.append({"broken": broken, "late": late}[fault])
    run(app, settings)


if __name__ == "__main__":
    main()
