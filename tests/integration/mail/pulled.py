"""A mail service that pulls, and what stands around it."""

import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import REGISTRY

from libs.common.db import POOL
from libs.common.feeds import Feed
from services.mail.app import create_app
from services.mail.settings import MailSettings
from tests.emulated import Emulated
from tests.integration.common.feeds.conftest import new_feed, opened, signal
from tests.integration.mail.stand import SUBSCRIPTION, TOPIC, settings_for
from tests.integration.service_stand import ALICE, TIMEOUT, started

WEB = frozenset({"web"})
NO_BROKER = "amqp://guest:guest@127.0.0.1:1/"
PULLS = {
    "push_audience": None,
    "push_service_account": None,
    "gmail_subscription": SUBSCRIPTION,
}
"""Settings of a service that nobody pushes to."""

Json = dict[str, Any]


def notice(address: str = ALICE, history_id: int = 1) -> str:
    """Return the data of a notification as Gmail publishes it."""
    return json.dumps({"emailAddress": address, "historyId": history_id})


def counted(name: str, **labels: str) -> float:
    """Return a metric's value; 0 before it was ever touched."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass
class Pulling:
    """Web roles that pull, alone with a database and Pub/Sub."""

    google: Emulated
    session: aiohttp.ClientSession
    settings: MailSettings
    origin: str
    """Pub/Sub over REST."""

    @asynccontextmanager
    async def serving(self, **changes: Any) -> AsyncIterator[web.Application]:
        """Run one process until the block ends."""
        settings = self.settings.model_copy(update=changes)
        async with started(create_app, settings, WEB) as app:
            yield app

    async def request(self, method: str, path: str, body: Any = None) -> Json:
        """Call Pub/Sub's REST API."""
        url = f"{self.origin}/v1/{path}"
        async with self.session.request(method, url, json=body) as answer:
            assert answer.ok, await answer.text()
            return dict(await answer.json())

    async def publish(self, *texts: str) -> list[str]:
        """Publish messages with this data; return their ids."""
        data = [base64.b64encode(text.encode()).decode() for text in texts]
        body = {"messages": [{"data": one} for one in data]}
        return list((await self.request("POST", f"{TOPIC}:publish", body))["messageIds"])

    async def outcomes(self, ids: Iterable[str] | None = None) -> Counter[str]:
        """Return how often deliveries ended how, at an emulator of ours."""
        shown = await self.google.control("GET", "pushes")
        wanted = None if ids is None else set(ids)
        found = (d for d in shown["deliveries"] if wanted is None or d["messageId"] in wanted)
        return Counter(str(one["outcome"]) for one in found)

    async def held(self) -> int:
        """Return how many messages somebody has taken and not settled."""
        return int((await self.google.control("GET", "pushes"))["leased"][SUBSCRIPTION])

    async def ready(self, port: int | None = None) -> Json:
        """Return what /readyz answers."""
        url = f"http://127.0.0.1:{port or self.settings.port}/readyz"
        async with self.session.get(url) as answer:
            return dict(await answer.json())


@asynccontextmanager
async def pulling(
    database_url: str, google: Emulated, *, pubsub: str, origin: str
) -> AsyncIterator[Pulling]:
    """Yield what can pull from a subscription that is there.

    Args:
        database_url: migrated.
        google: everything of Google but Pub/Sub.
        pubsub: `host:port` of Pub/Sub over gRPC.
        origin: Pub/Sub over REST.
    """
    settings = settings_for(
        database_url, NO_BROKER, google.origin, pubsub_emulator_host=pubsub, **PULLS
    )
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        made = Pulling(google, session, settings, origin)
        await made.request("PUT", TOPIC, {})
        await made.request("PUT", SUBSCRIPTION, {"topic": TOPIC, "ackDeadlineSeconds": 10})
        yield made


async def feed_in(app: web.Application, address: str = ALICE) -> Feed:
    """Put a feed into the service's database."""
    return await opened(app[POOL], new_feed(address=address))


async def generation(app: web.Application, feed: Feed) -> int:
    """Return how often the feed's signal was raised."""
    return int(str((await signal(app[POOL], feed))["generation"]))
