"""Mail under test: the whole service on a loopback port, auth, Google and a broker around it."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import aiohttp
import orjson
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import test_utils, web

from libs.common.db import POOL, Connection
from libs.common.events.envelope import Envelope
from libs.common.web import ALL_ROLES
from services.mail.app import create_app
from services.mail.settings import MailSettings
from tests import messaging
from tests.emulated import Emulated
from tests.integration.auth import stand as auth_stand
from tests.support import (
    CALLER_AUDIENCE,
    CALLER_ISSUER,
    CALLER_KEY,
    SERVICE_KEY,
    bearer,
    caller_token,
    eventually,
)

ALICE = "alice@example.com"
TOPIC = "projects/causeway/topics/gmail"
SUBSCRIPTION = "projects/causeway/subscriptions/mail"
AUDIENCE = "https://causeway.test/push"
PUSHER = "pusher@causeway.iam.gserviceaccount.com"
TIMEOUT = aiohttp.ClientTimeout(total=20)
HASH_KEY = base64.b64encode(os.urandom(32)).decode()

LIVE_FEED = """
SELECT state, last_sync_at FROM feeds WHERE connection_id = $1 AND kind = 'mail.live'
"""

Json = dict[str, Any]


def feed_of(status: Json, kind: str = "mail.live") -> Json:
    """Return one feed out of a mailbox's status."""
    (found,) = [feed for feed in status["feeds"] if feed["kind"] == kind]
    return dict(found)


def settings_for(database_url: str, amqp_url: str, google: str, **overrides: Any) -> MailSettings:
    """Return settings of a service on a port of its own; `overrides` by field name."""
    port = test_utils.unused_port()
    given: Json = {
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
        "database_url": database_url,
        "amqp_url": amqp_url,
        "google_origin": google,
        "service_key": SERVICE_KEY,
        "caller_key": CALLER_KEY,
        "caller_issuer": CALLER_ISSUER,
        "caller_audience": CALLER_AUDIENCE,
        "push_audience": AUDIENCE,
        "push_service_account": PUSHER,
        "gmail_topic": TOPIC,
        "policy": "all",
        "backfill_days": 0,
        "hash_key": HASH_KEY,
        **overrides,
    }
    return MailSettings(**given)


class _NoAuth:
    """Stands where no test may need auth."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this stand has no auth service ({name})")


@dataclass
class Stand:
    """The running services and those around them."""

    settings: MailSettings
    google: Emulated
    auth: auth_stand.Stand
    session: aiohttp.ClientSession
    published: list[AbstractIncomingMessage]
    """Whatever left through the broker."""
    apps: list[web.Application] = field(default_factory=list)

    @property
    def app(self) -> web.Application:
        """The mail service of the moment."""
        return self.apps[-1]

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def webhook(self) -> str:
        """Where pushes go."""
        return f"{self.origin}/webhooks/google/gmail"

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> auth_stand.Answer:
        """Call the API, by default as the user ada of the tenant acme."""
        headers = bearer(token or caller_token())
        url = f"{self.origin}{path}"
        async with self.session.request(method, url, json=body, headers=headers) as response:
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

    async def connect(self, *, person: str = ALICE, **wish: Any) -> str:
        """Connect a mailbox and wait until it is watched and in step; return the id."""
        connection = await self.auth.connect(person=person, **wish)
        await eventually(lambda: self.in_step(connection["id"]))
        return str(connection["id"])

    async def in_step(self, connection_id: str) -> bool:
        """Say whether the mailbox was read at least once and is watched."""
        rows = await self.fetch(LIVE_FEED, UUID(connection_id))
        return bool(rows) and all(row["last_sync_at"] and row["state"] == "active" for row in rows)

    async def status(self, connection_id: str, *, token: str | None = None) -> Json | None:
        """Return one mailbox's status, None while there is none."""
        items = (await self.get("/v1/mail/status", token=token))["items"]
        found = [one for one in items if one["connection_id"] == connection_id]
        return dict(found[0]) if found else None

    async def messages(self, query: str = "", *, token: str | None = None) -> list[Json]:
        """Return a page of messages."""
        return list((await self.get(f"/v1/mail/messages{query}", token=token))["items"])

    async def deliver(self, email: str = ALICE, **message: Any) -> Json:
        """Let mail arrive at Google."""
        message.setdefault("from", "bob@example.org")
        return dict(await self.google.deliver(email, **message))

    async def edit(self, message: str, action: str, **more: Any) -> None:
        """Let the person change something in Gmail."""
        body = {"message": message, "action": action, **more}
        await self.google.control("POST", f"people/{ALICE}/edits", body)

    async def forge(self, **push: Any) -> int:
        """Send one push at once; return the status it was answered with."""
        body = {
            "endpoint": self.webhook,
            "service_account": PUSHER,
            "audience": AUDIENCE,
            "data": {"emailAddress": ALICE, "historyId": 1},
            **push,
        }
        return int((await self.google.control("POST", "pushes", body))["status"])

    def events(self, kind: str = "mail.") -> list[Envelope]:
        """Return the published events whose type begins so, in the order they came."""
        all_of_them = [Envelope.from_json(message.body) for message in self.published]
        return [one for one in all_of_them if one.type.startswith(kind)]

    def types(self, google_id: str | None = None) -> list[str]:
        """Return the short names of the events on messages, of one if it is named."""
        return [
            one.type.split(".")[2]
            for one in self.events("mail.message.")
            if google_id in (None, one.data["google_message_id"])
        ]

    async def told(self, *types: str, google_id: str | None = None) -> None:
        """Wait until exactly these events came out."""
        await eventually(
            lambda: self.types(google_id) == list(types), what=f"events {types}, not {self.types()}"
        )

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
    async def serving(self, *, roles: frozenset[str] = ALL_ROLES) -> AsyncIterator["Stand"]:
        """Run the mail service until the block ends."""
        async with started(self.settings, roles) as app:
            self.apps.append(app)
            yield self

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[None]:
        """Run one more replica of all that works in the background."""
        more = self.settings.model_copy(update={"port": test_utils.unused_port()})
        async with started(more, frozenset({"worker", "relay", "consumer"})):
            yield


@asynccontextmanager
async def started(settings: MailSettings, roles: frozenset[str]) -> AsyncIterator[web.Application]:
    """Yield the service, serving until the block ends."""
    app = create_app(settings, roles=roles)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", settings.port).start()
        yield app
    finally:
        await runner.cleanup()


async def subscribe(google: Emulated, endpoint: str) -> None:
    """Set Pub/Sub up as an operator would."""
    push = {
        "pushEndpoint": endpoint,
        "oidcToken": {"serviceAccountEmail": PUSHER, "audience": AUDIENCE},
    }
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        for name, body in (
            (TOPIC, {}),
            (SUBSCRIPTION, {"topic": TOPIC, "pushConfig": push, "ackDeadlineSeconds": 10}),
        ):
            async with session.put(f"{google.origin}/v1/{name}", json=body) as answer:
                assert answer.ok, await answer.text()


@asynccontextmanager
async def standing(
    *,
    mail_url: str,
    auth_url: str,
    amqp_url: str,
    google: Emulated,
    **overrides: Any,
) -> AsyncIterator[Stand]:
    """Yield everything but the mail service itself: see `Stand.serving`.

    Among `overrides`, `auth_roles` says what auth does.
    """
    auth_roles = overrides.pop("auth_roles", frozenset({"web", "relay"}))
    auth_settings = auth_stand.settings_for(
        auth_url, google.origin, amqp_url=amqp_url, worker_interval=0.2
    )
    overrides.setdefault("auth_url", f"http://127.0.0.1:{auth_settings.port}")
    settings = settings_for(mail_url, amqp_url, google.origin, **overrides)
    await google.add_person(ALICE, name="Alice")
    async with AsyncExitStack() as stack:
        published = await stack.enter_async_context(messaging.listening(amqp_url))
        auth = await stack.enter_async_context(auth_stand.running(auth_settings, roles=auth_roles))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        stand = Stand(settings, google, auth, session, published)
        await subscribe(google, stand.webhook)
        yield stand


@asynccontextmanager
async def standing_alone(*, mail_url: str, google: Emulated) -> AsyncIterator[Stand]:
    """Yield the web role alone, without auth and broker: nothing moves but what a request moves."""
    settings = settings_for(mail_url, "amqp://guest:guest@127.0.0.1:1/", google.origin)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        nobody = cast("auth_stand.Stand", _NoAuth())
        stand = Stand(settings, google, nobody, session, published=[])
        async with stand.serving(roles=frozenset({"web"})):
            yield stand
