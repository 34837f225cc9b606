"""Small real servers that answer what the emulator cannot: broken, odd and recorded answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from libs.common.google.wire import RetryPolicy

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]

QUICK = RetryPolicy(attempts=3, total_s=5, wait_initial_s=0.01, wait_max_s=0.02, wait_jitter_s=0)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Yield the origin of a server that answers every request with `handler`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
