"""Leaving without a lost request: first say so, go on answering, end only then.

A balancer learns late that a process ends. Until it has, requests still come, also on connections
it keeps open: they are answered, and each answer closes its connection.
"""

import asyncio

from aiohttp import hdrs, web

_DRAINING: web.AppKey[asyncio.Event] = web.AppKey("draining", asyncio.Event)


def prepare(app: web.Application) -> None:
    """Make `app` able to drain; before it is started."""
    app[_DRAINING] = asyncio.Event()
    app.on_response_prepare.append(_hang_up)


def is_draining(app: web.Application) -> bool:
    """Return whether requests should go elsewhere from now on."""
    draining = app.get(_DRAINING)
    return draining is not None and draining.is_set()


async def drain(app: web.Application, delay_s: float) -> None:
    """Say for `delay_s` seconds that requests should go elsewhere, and answer those that come."""
    app[_DRAINING].set()
    await asyncio.sleep(delay_s)


async def _hang_up(request: web.Request, response: web.StreamResponse) -> None:
    if request.app[_DRAINING].is_set():
        response.force_close()
        response.headers[hdrs.CONNECTION] = "close"
