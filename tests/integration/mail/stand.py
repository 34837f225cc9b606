"""Mail under test: the whole service on a loopback port, auth, Google and a broker around it."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import aiohttp
from aiohttp import test_utils

from libs.common.events.envelope import Envelope
from libs.common.web import ALL_ROLES
from services.mail.app import create_app
from services.mail.consumers import QUEUE
from services.mail.settings import MailSettings
from tests import messaging
from tests.emulated import Emulated
from tests.integration.auth import stand as auth_stand
from tests.integration.service_stand import (
    ALICE,
    TIMEOUT,
    Json,
    NoAuth,
    ServiceStand,
)
from tests.support import (
    CALLER_AUDIENCE,
    CALLER_ISSUER,
    CALLER_KEY,
    SERVICE_KEY,
    eventually,
)

TOPIC = "projects/causeway/topics/gmail"
SUBSCRIPTION = "projects/causeway/subscriptions/mail"
AUDIENCE = "https://causeway.test/push"
PUSHER = "pusher@causeway.iam.gserviceaccount.com"
HASH_KEY = base64.b64encode(os.urandom(32)).decode()

LIVE_FEED = """
SELECT state, last_sync_at FROM feeds WHERE connection_id = $1 AND kind = 'mail.live'
"""


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


@dataclass
class Stand(ServiceStand):
    """The running services and those around them."""

    create = staticmethod(create_app)
    queue = QUEUE
    settings: MailSettings

    @property
    def webhook(self) -> str:
        """Where pushes go."""
        return f"{self.origin}/webhooks/google/gmail"

    async def connect(self, *, person: str = ALICE, **wish: Any) -> str:
        """Connect a mailbox and wait until it is watched and in step; return the id."""
        await self.hears()
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
        return super().events(kind)

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

    @asynccontextmanager
    async def serving(self, *, roles: frozenset[str] = ALL_ROLES) -> AsyncIterator["Stand"]:
        """Run the mail service until the block ends."""
        async with self.running(roles=roles):
            yield self


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
        nobody = cast("auth_stand.Stand", NoAuth())
        stand = Stand(settings, google, nobody, session, published=[])
        async with stand.serving(roles=frozenset({"web"})):
            yield stand
