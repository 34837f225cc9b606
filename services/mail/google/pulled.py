"""Our Pub/Sub subscription, over gRPC with Google's own client.

One request at a time instead of a stream: each has its time-out, takes no more than is asked for,
and leaves nothing open that could silently stop.

Importing this costs half a second and some 30 MB: only what pulls imports it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import cast

import google.auth
import grpc.aio
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PullRequest, SubscriberAsyncClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from libs.common.errors import RateLimited, Transient, UpstreamError
from services.mail.domain.push import Pulled

AT_GOOGLE = "pubsub.googleapis.com:443"
PULL_TIMEOUT_S = 60.0
"""Pub/Sub answers when a message comes, or after some time that there is none."""
SETTLE_TIMEOUT_S = 2.5
CREDENTIALS_TIMEOUT_S = 20.0
LARGEST_ANSWER = 16 * 1024 * 1024
RATE_LIMITED_S = 15.0

OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    # A connection that died without a word is noticed before the pull's own time-out.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]
TRANSIENT = (
    exceptions.ServerError,  # also UNAVAILABLE, DEADLINE_EXCEEDED and UNKNOWN
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.RetryError,
)


class PulledSubscription:
    """One subscription."""

    def __init__(self, client: SubscriberAsyncClient, name: str) -> None:
        self._client = client
        self._name = name

    async def pull(self, most: int) -> Sequence[Pulled]:
        """Wait for messages and return up to `most` of them; none is an answer, too.

        Raises:
            Transient: Pub/Sub cannot be reached, or is busy.
            UpstreamError: it refuses us; `slug` says why.
        """
        request = PullRequest(subscription=self._name, max_messages=most)
        with _translated():
            try:
                answer = await self._client.pull(request, retry=None, timeout=PULL_TIMEOUT_S)
            except exceptions.DeadlineExceeded:
                return ()
        return [
            Pulled(one.ack_id, one.message.data, cast("datetime | None", one.message.publish_time))
            for one in answer.received_messages
        ]

    async def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Tell Pub/Sub that these are done.

        Raises:
            Transient, UpstreamError: as for `pull`; the messages come again.
        """
        with _translated():
            await self._client.acknowledge(
                subscription=self._name, ack_ids=list(ack_ids), retry=None, timeout=SETTLE_TIMEOUT_S
            )

    async def give_back(self, ack_ids: Sequence[str]) -> None:
        """Tell Pub/Sub to deliver these again, without waiting for their deadline.

        Raises:
            Transient, UpstreamError: as for `pull`; they come again after the deadline.
        """
        with _translated():
            await self._client.modify_ack_deadline(
                subscription=self._name,
                ack_ids=list(ack_ids),
                ack_deadline_seconds=0,
                retry=None,
                timeout=SETTLE_TIMEOUT_S,
            )


@asynccontextmanager
async def opened(name: str, *, emulator: str | None) -> AsyncIterator[PulledSubscription]:
    """Yield the subscription `name`, by the application default credentials.

    Args:
        name: projects/<project>/subscriptions/<subscription>.
        emulator: `host:port` of one, which is asked without credentials; None: Google.

    Raises:
        UpstreamError: there are no credentials (`no-credentials`).
    """
    channel = await _channel(emulator)
    try:
        transport = SubscriberGrpcAsyncIOTransport(channel=channel)
        yield PulledSubscription(SubscriberAsyncClient(transport=transport), name)
    finally:
        await channel.close()


async def _channel(emulator: str | None) -> grpc.aio.Channel:
    if emulator is not None:
        return grpc.aio.insecure_channel(emulator, options=OPTIONS)
    transport = SubscriberGrpcAsyncIOTransport
    try:
        async with asyncio.timeout(CREDENTIALS_TIMEOUT_S):  # it may ask a metadata server
            credentials, _ = await asyncio.to_thread(
                google.auth.default, scopes=transport.AUTH_SCOPES
            )
    except (GoogleAuthError, TimeoutError) as exc:
        raise UpstreamError("There are no Google credentials.", slug="no-credentials") from exc
    return transport.create_channel(AT_GOOGLE, credentials=credentials, options=OPTIONS)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the exceptions of Google's libraries into ours."""
    try:
        yield
    except exceptions.ResourceExhausted as exc:
        raise RateLimited("Pub/Sub is asked too often.", retry_after_s=RATE_LIMITED_S) from exc
    except TRANSIENT as exc:
        raise Transient("Pub/Sub does not answer.") from exc
    except GoogleAuthError as exc:
        raise UpstreamError("The Google credentials do not work.", slug="no-credentials") from exc
    except exceptions.GoogleAPICallError as exc:
        code = exc.grpc_status_code
        slug = code.name.lower().replace("_", "-") if code else "refused"
        raise UpstreamError("Pub/Sub refuses us.", slug=slug) from exc
