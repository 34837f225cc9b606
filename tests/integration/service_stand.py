"""A service under test: on a loopback port, with auth, Google and a broker around it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiohttp
import orjson
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import test_utils, web

from libs.common.db import POOL, Connection
from libs.common.events.envelope import Envelope
from libs.common.settings import ServiceSettings
from libs.common.web import ALL_ROLES
from tests import messaging
from tests.emulated import Emulated
from tests.integration.auth import stand as auth_stand
from tests.support import bearer, caller_token, eventually

ALICE = "alice@example.com"
TIMEOUT = aiohttp.ClientTimeout(total=20)

Json = dict[str, Any]


class NoAuth:
    """Stands where no test may need auth."""

    def __getattr__(self, name: str) -> Any:
        """Refuse whatever is asked for."""
        raise AssertionError(f"this stand has no auth service ({name})")


@dataclass
class ServiceStand:
    """The running services and those around them."""

    create: ClassVar[Callable[..., web.Application]]
    queue: ClassVar[str]
    """In which it hears of connections."""
    settings: ServiceSettings
    google: Emulated
    auth: auth_stand.Stand
    session: aiohttp.ClientSession
    published: list[AbstractIncomingMessage]
    """Whatever left through the broker."""
    apps: list[web.Application] = field(default_factory=list)
    roles: frozenset[str] = ALL_ROLES
    """What the service of the moment does."""

    @property
    def app(self) -> web.Application:
        """The service of the moment."""
        return self.apps[-1]

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.settings.port}"

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> auth_stand.Answer:
        """Call the API, by default as the user ada of the tenant acme."""
        given = {**bearer(token or caller_token()), **(headers or {})}
        url = f"{self.origin}{path}"
        async with self.session.request(method, url, json=body, headers=given) as response:
            raw = await response.read()
            is_json = "json" in response.content_type
            return auth_stand.Answer(
                response.status, orjson.loads(raw) if raw and is_json else raw, response.headers
            )

    async def get(self, path: str, *, token: str | None = None) -> Json:
        """Return what a GET answers; it must succeed."""
        answer = await self.call("GET", path, token=token)
        assert answer.status == 200, answer
        return dict(answer.body)

    def events(self, kind: str = "") -> list[Envelope]:
        """Return the published events whose type begins so, in the order they came."""
        all_of_them = [Envelope.from_json(message.body) for message in self.published]
        return [one for one in all_of_them if one.type.startswith(kind)]

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """Look into the database."""
        async with self.app[POOL].acquire() as conn:
            return list(await conn.fetch(sql, *args))

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[Connection]:
        """Yield a connection to the service's database."""
        async with self.app[POOL].acquire() as conn:
            yield conn

    async def quiet(self) -> None:
        """Wait until no feed runs or is due, and nothing waits to be published."""

        async def is_quiet() -> bool:
            (row,) = await self.fetch(
                "SELECT (SELECT count(*) FROM signals WHERE running OR due_at <= now())"
                " + (SELECT count(*) FROM outbox) AS busy"
            )
            return bool(row["busy"] == 0)

        await eventually(is_quiet)

    @asynccontextmanager
    async def running(self, *, roles: frozenset[str] = ALL_ROLES) -> AsyncIterator[None]:
        """Run the service until the block ends."""
        async with started(type(self).create, self.settings, roles) as app:
            self.apps.append(app)
            self.roles = roles
            yield

    async def hears(self, queue: str | None = None) -> None:
        """Wait until what comes to a queue (of connections) is taken in at once.

        What is published earlier is sent again half a minute later, in the midst of a test.
        """
        if "consumer" in self.roles:
            url, name = self.settings.amqp_url.get_secret_value(), queue or self.queue
            await eventually(lambda: messaging.listeners(url, name), what=f"a consumer of {name}")

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Run one more replica of all that works in the background."""
        more = self.settings.model_copy(update={"port": test_utils.unused_port()})
        roles = frozenset({"worker", "relay", "consumer"})
        async with started(type(self).create, more, roles):
            yield


@asynccontextmanager
async def started(
    create: Callable[..., web.Application], settings: ServiceSettings, roles: frozenset[str]
) -> AsyncIterator[web.Application]:
    """Yield the service, serving until the block ends."""
    app = create(settings, roles=roles)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", settings.port).start()
        yield app
    finally:
        await runner.cleanup()
