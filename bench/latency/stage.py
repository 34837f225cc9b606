"""The product as separate processes on the bench's servers, with mailboxes connected."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from cli import tokens
from cli.demo.browser import consent
from cli.demo.crm import Crm
from cli.local.environment import PUSH_ACCOUNT, PUSH_PATH, RETURN_URL
from cli.local.process import LocalStackError
from cli.local.state import Environments, StackState
from cli.settings import SERVICES
from tests.cli.stacks import own_stack
from tests.databases import connected, run
from tests.servers import Servers

AT_ONCE = 8
WATCH_TIMEOUT_S = 60
TIMEOUT = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True)
class Stage:
    """A running stack: auth, mail and the emulator, each in processes of their own."""

    state: StackState
    environments: Environments = field(repr=False)
    amqp_url: str = field(repr=False)

    @property
    def webhook(self) -> str:
        """Where pushes go."""
        return self.state.url("mail", "web") + PUSH_PATH

    @property
    def pids(self) -> list[int]:
        """The processes of the mail service."""
        return self.pids_of("mail")

    def pids_of(self, service: str) -> list[int]:
        """Return the processes of a service."""
        return [part.pid for part in self.state.parts if part.name == service and part.pid]

    @property
    def google(self) -> str:
        """Where the emulator is."""
        return self.environments["mail/web"]["CAUSEWAY_GOOGLE_ORIGIN"]

    async def control(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None
    ) -> Any:
        """Call the emulator's control API."""
        url = f"{self.google}/_emulator/{path}"
        async with session.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def connect(self, session: aiohttp.ClientSession, people: list[str]) -> None:
        """Connect mailboxes, and wait until Google would push for each."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(person: str) -> None:
            async with slots:
                await self._connect(session, person)

        await asyncio.gather(*(one(person) for person in people))

    async def _connect(self, session: aiohttp.ClientSession, person: str) -> None:
        now, user = datetime.now(UTC), person.partition("@")[0]
        crm = Crm(
            session,
            auth_url=self.state.url("auth", "web"),
            mail_url=self.state.url("mail", "web"),
            calendar_url=self.state.url("calendar", "web"),
            token=tokens.issue(self.environments, user=user, tenant="acme", now=now),
        )
        await self.control(session, "POST", "people", {"email": person})
        url = await crm.start_connection(return_url=RETURN_URL, login_hint=person)
        told = await consent(url, return_url=RETURN_URL, person=person)
        connection = await crm.confirm(told["connection_id"], told.get("confirmation"))
        if not await crm.await_watch(connection["id"], timeout_s=WATCH_TIMEOUT_S):
            raise LocalStackError("a mailbox was not watched in time")

    async def push_token(self, session: aiohttp.ClientSession) -> str:
        """Return an Authorization header as Pub/Sub sends it, good for an hour."""
        async with _catching() as (endpoint, caught):
            audience = self.environments["mail/web"]["CAUSEWAY_PUSH_AUDIENCE"]
            wish = {"endpoint": endpoint, "service_account": PUSH_ACCOUNT, "audience": audience}
            await self.control(session, "POST", "pushes", {**wish, "data": {}})
            return await caught


@asynccontextmanager
async def _catching() -> AsyncIterator[tuple[str, "asyncio.Future[str]"]]:
    """Yield an endpoint and the Authorization header of the first request to it."""
    caught: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def catch(request: web.Request) -> web.Response:
        caught.set_result(request.headers["Authorization"])
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", catch)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", caught
    finally:
        await runner.cleanup()


@contextmanager
def staged(servers: Servers, vhost: str) -> Iterator[Stage]:
    """Yield a stack that lives as long as the block, on a virtual host that exists."""
    mark = secrets.token_hex(4)
    names = {service: f"bench_{service}_{mark}" for service in SERVICES}
    asyncio.run(_make(servers, list(names.values())))
    amqp_url = servers.rabbit.url(vhost)
    existing = {
        f"CAUSEWAY_{service.upper()}_DATABASE_URL": servers.postgres.url(name)
        for service, name in names.items()
    }
    with own_stack(**existing, CAUSEWAY_AMQP_URL=amqp_url) as stack:
        answer = stack.run("up")
        state = stack.home.running()
        if answer.returncode or state is None:
            raise LocalStackError(f"the stack does not start:\n{answer.stderr}")
        yield Stage(state, stack.home.environments(), amqp_url)


async def _make(servers: Servers, names: list[str]) -> None:
    async with connected(servers.postgres.url()) as admin:
        for name in names:
            await run(admin, "CREATE DATABASE %I", name)
