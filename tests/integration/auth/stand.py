"""Auth under test: the whole application on a loopback port, a CRM and browsers around it."""

import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
from aiohttp import test_utils, web
from yarl import URL

from libs.common import clock, db, service_tokens
from libs.common.events.envelope import Envelope
from services.auth.app import create_app
from services.auth.settings import AuthSettings
from services.auth.sync.housekeeping import chores
from services.auth.sync.worker import look
from services.auth.web.keys import CONTEXT, REFRESHER
from tests.chores import swept
from tests.support import (
    CALLER_AUDIENCE,
    CALLER_ISSUER,
    CALLER_KEY,
    SERVICE_KEY,
    bearer,
    caller_token,
    service_caller_token,
)

RETURN_URL = "https://crm.test/google/done"
ALICE = "alice@example.com"
MAIL = "https://www.googleapis.com/auth/gmail."
SEALING_KEYS = "one:" + base64.b64encode(b"1" * 32).decode()
TIMEOUT = aiohttp.ClientTimeout(total=20)
FORM_FIELD = re.compile(r'name="request" value="([^"]+)"')
BOX = re.compile(r'name="scope" value="([^"]+)"')

Json = dict[str, Any]
Later = Callable[[float], None]


def settings_for(database_url: str, google: str, **overrides: Any) -> AuthSettings:
    """Return settings of a service on a port of its own; `overrides` by field name."""
    port = test_utils.unused_port()
    given: Json = {
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "database_url": database_url,
        "amqp_url": "amqp://guest:guest@127.0.0.1:1/",
        "google_origin": google,
        "google_client_id": "emulator-client.apps.googleusercontent.com",
        "google_client_secret": "emulator-secret",
        "service_key": SERVICE_KEY,
        "caller_key": CALLER_KEY,
        "caller_issuer": CALLER_ISSUER,
        "caller_audience": CALLER_AUDIENCE,
        "sealing_keys": SEALING_KEYS,
        "return_urls": (RETURN_URL, "http://localhost:3000/app"),
        **overrides,
    }
    return AuthSettings(**given)


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    body: Any
    headers: Any = field(repr=False)

    @property
    def problem(self) -> str:
        """The slug of the problem."""
        return str(self.body["type"]).rpartition(":")[2]

    @property
    def fields(self) -> list[str]:
        """The fields a problem names."""
        return [error["field"] for error in self.body.get("errors", [])]


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    raw = await response.read()
    is_json = "json" in response.content_type
    return Answer(response.status, orjson.loads(raw) if is_json else raw, response.headers)


class Browser:
    """A browser with cookies of its own that never leaves a redirect unseen."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    def cookies(self) -> list[Any]:
        """Return the cookies as they are."""
        return list(self.session.cookie_jar)

    def restore(self, cookies: list[Any]) -> None:
        """Bring cookies back, as an attacker who kept them would."""
        url = URL("http://127.0.0.1/")
        self.session.cookie_jar.update_cookies({c.key: c.value for c in cookies}, url)

    async def open(self, url: str) -> Answer:
        """GET without following redirects."""
        async with self.session.get(url, allow_redirects=False) as response:
            return await _answer(response)

    async def start(self, connect_url: str) -> str:
        """Open the link; return the address at Google it leads to."""
        answer = await self.open(connect_url)
        assert answer.status == 302, answer
        return str(answer.headers["Location"])

    async def decide(
        self, google_url: str, *, person: str, allow: bool = True, without: str = "nothing"
    ) -> str:
        """Fill in Google's consent page; return the callback address it leads to.

        Boxes whose scope contains `without` are unticked.
        """
        page = await self.open(google_url)
        assert page.status == 200, page.body
        text = page.body.decode()
        found = FORM_FIELD.search(text)
        assert found is not None
        form = [("request", found[1]), ("decision", "allow" if allow else "deny")]
        form += [("scope", scope) for scope in BOX.findall(text) if without not in scope]
        form += [("person", person)]
        parts = urlsplit(google_url)
        action = f"{parts.scheme}://{parts.netloc}/o/oauth2/v2/auth/consent"
        async with self.session.post(action, data=form, allow_redirects=False) as response:
            assert response.status == 302, await response.text()
            return response.headers["Location"]

    async def consent(self, connect_url: str, *, person: str = ALICE, **how: Any) -> Json:
        """Go the whole way; return what the CRM finds in the query of its return address."""
        return await self.finish(
            await self.decide(await self.start(connect_url), person=person, **how)
        )

    async def finish(self, callback: str) -> Json:
        """Open the callback; return what the CRM finds in the query of its return address."""
        answer = await self.open(callback)
        assert answer.status == 302, answer
        location = str(answer.headers["Location"])
        assert location.startswith(RETURN_URL)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


@dataclass
class Stand:
    """The running service and those who call it."""

    app: web.Application
    settings: AuthSettings
    session: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.settings.port}"

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Answer:
        """Call the API, by default as the user ada of the tenant acme."""
        sent = {**bearer(token or caller_token()), **headers}
        url = f"{self.origin}{path}"
        async with self.session.request(method, url, json=body, headers=sent) as response:
            return await _answer(response)

    async def internal(self, method: str, path: str, body: Any = None) -> Answer:
        """Call an internal endpoint as the mail service."""
        token = service_tokens.issue(
            SERVICE_KEY, caller="mail", audience="causeway-auth", now=clock.now()
        )
        return await self.call(method, path, body, token=token)

    async def token(self, connection_id: str, **body: Any) -> Answer:
        """Ask for an access token as the mail service."""
        path = f"/internal/v1/connections/{connection_id}/token"
        return await self.internal("POST", path, {"product": "mail", **body})

    async def create(
        self,
        *,
        access: str = "write",
        product: str = "mail",
        token: str | None = None,
        **more: Any,
    ) -> Json:
        """Open a connection; return it with its link."""
        body = {"products": [{"name": product, "access": access}], "return_url": RETURN_URL}
        answer = await self.call("POST", "/v1/connections", {**body, **more}, token=token)
        assert answer.status == 201, answer
        return dict(answer.body)

    async def connect(self, *, person: str = ALICE, token: str | None = None, **wish: Any) -> Json:
        """Connect an account, confirmation included; return the connection."""
        created = await self.create(token=token, **wish)
        async with browser() as anyone:
            back = await anyone.consent(created["connect_url"], person=person)
        assert (back["connection_id"], back["status"]) == (created["id"], "pending"), back
        confirm = f"/v1/connections/{created['id']}/confirm"
        body = {"user_id": wish["user_id"]} if "user_id" in wish else None
        answer = await self.call("POST", confirm, body, token=token)
        assert answer.status == 200, answer
        return dict(answer.body)

    async def show(self, connection_id: str, *, token: str | None = None) -> Json:
        """Return the connection as its user sees it."""
        answer = await self.call("GET", f"/v1/connections/{connection_id}", token=token)
        assert answer.status == 200, answer
        return dict(answer.body)

    async def check(self, connection_id: str) -> Json:
        """Have Google asked about the connection."""
        answer = await self.call("POST", f"/v1/connections/{connection_id}/check")
        assert answer.status == 200, answer
        return dict(answer.body)

    async def work(self) -> None:
        """Let the worker look once."""
        await look(self.app[CONTEXT], self.app[REFRESHER])

    async def clean(self) -> None:
        """Let housekeeping run once."""
        await swept(self.app[db.POOL], chores(self.settings))

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        """Look into the database."""
        async with self.app[db.POOL].acquire() as conn:
            return list(await conn.fetch(sql, *args))

    async def events(self) -> list[Envelope]:
        """Return what waits in the outbox, in order."""
        rows = await self.fetch("SELECT body FROM outbox ORDER BY id")
        return [Envelope.from_json(row["body"]) for row in rows]

    async def event_types(self) -> list[str]:
        """Return the short names of what waits in the outbox."""
        return [event.type.split(".")[2] for event in await self.events()]


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Yield a browser that knows nobody."""
    jar = aiohttp.CookieJar(unsafe=True)  # loopback has no name
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=TIMEOUT) as session:
        yield Browser(session)


@asynccontextmanager
async def running(
    settings: AuthSettings, *, roles: frozenset[str] = frozenset({"web"})
) -> AsyncIterator[Stand]:
    """Yield the service, serving until the block ends."""
    app = create_app(settings, roles=roles)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", settings.port).start()
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            yield Stand(app, settings, session)
    finally:
        await runner.cleanup()


def service_token(tenant: str = "acme") -> str:
    """Return the token of a CRM service."""
    return service_caller_token(tenant=tenant)
