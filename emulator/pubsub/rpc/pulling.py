"""Pull and StreamingPull: they wait for messages, which REST here does not.

Source: https://cloud.google.com/pubsub/docs/pull
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from google.pubsub_v1.types import pubsub

from emulator.errors import invalid_argument
from emulator.pubsub import leases
from emulator.pubsub.state import PubSub, Subscription
from emulator.world import World

PULL_WAIT_S: Final = 5.0
"""How long a pull waits for a first message, and then answers that there is none."""
_TICK_S: Final = 0.05
"""How soon a lease that ended, a clock that was moved or room in a stream is noticed."""
_BATCH: Final = 100
_DEADLINES: Final = range(10, 601)

PullRequest: Final = pubsub.PullRequest.meta.pb
PullResponse: Final = pubsub.PullResponse.meta.pb
StreamingPullRequest: Final = pubsub.StreamingPullRequest.meta.pb
StreamingPullResponse: Final = pubsub.StreamingPullResponse.meta.pb
_Received: Final = pubsub.ReceivedMessage.meta.pb


class Pulling:
    """Serves the two calls from the world's subscriptions."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def _pubsub(self) -> PubSub:
        return self._world.pubsub

    async def pull(self, request: Any) -> Any:
        """Return what there is, or what comes within five seconds."""
        subscription = leases.find(self._pubsub, request.subscription)
        wait_s = 0.0 if request.return_immediately else PULL_WAIT_S
        until = asyncio.get_running_loop().time() + wait_s
        while True:
            found = self._lease(subscription, request.max_messages)
            if found or asyncio.get_running_loop().time() >= until:
                return PullResponse(received_messages=found)
            await _arrival(subscription)
            leases.find(self._pubsub, request.subscription)  # it may be deleted meanwhile

    async def stream(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Yield messages as they come, while the caller's room for them lasts."""
        first = await anext(aiter(requests), None)
        if first is None:
            return
        subscription = leases.find(self._pubsub, first.subscription)
        leases.refuse_push(subscription)
        stream = _Stream(first)
        reading = asyncio.create_task(self._read(stream, subscription, requests))
        try:
            self._settle(stream, subscription, first)
            while not reading.done():
                leases.find(self._pubsub, first.subscription)
                room = stream.room(subscription)
                found = self._lease(subscription, room, stream.deadline_s) if room else []
                if found:
                    stream.ours.update(one.ack_id for one in found)
                    yield StreamingPullResponse(received_messages=found)
                elif room:
                    await _arrival(subscription)
                else:
                    await asyncio.sleep(_TICK_S)
            reading.result()
        finally:
            reading.cancel()

    async def _read(
        self, stream: "_Stream", subscription: Subscription, requests: AsyncIterator[Any]
    ) -> None:
        async for request in requests:
            self._settle(stream, subscription, request)

    def _settle(self, stream: "_Stream", subscription: Subscription, request: Any) -> None:
        """Do what a request of the stream asks for."""
        if request.stream_ack_deadline_seconds:
            stream.set_deadline(request.stream_ack_deadline_seconds)
        leases.acknowledge(self._pubsub, subscription, request.ack_ids)
        moves = zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=False)
        for ack_id, seconds in moves:
            leases.extend(self._pubsub, self._world.clock, subscription, [ack_id], seconds)

    def _lease(
        self, subscription: Subscription, most: int, deadline_s: float | None = None
    ) -> list[Any]:
        found = leases.lease(
            self._pubsub, self._world.clock, subscription, most=most, deadline_s=deadline_s
        )
        return [_received(subscription, one) for one in found]


class _Stream:
    """What one caller of StreamingPull wants, and holds."""

    def __init__(self, first: Any) -> None:
        self.deadline_s: float | None = None
        self.ours: set[str] = set()
        self._most = first.max_outstanding_messages or None
        self._most_bytes = first.max_outstanding_bytes or None

    def set_deadline(self, seconds: int) -> None:
        """Lease for so long from now on, or raise a 400."""
        if seconds not in _DEADLINES:
            raise invalid_argument(f"Invalid ack deadline given: {seconds}. It must be 10 to 600.")
        self.deadline_s = float(seconds)

    def room(self, subscription: Subscription) -> int:
        """Return how many more messages the caller takes now."""
        self.ours &= subscription.leased.keys()
        held = [subscription.leased[ack_id][0].message for ack_id in self.ours]
        if self._most_bytes and sum(len(one.data) for one in held) >= self._most_bytes:
            return 0
        return _BATCH if self._most is None else max(0, min(_BATCH, self._most - len(held)))


def _received(subscription: Subscription, leased: leases.Leased) -> Any:
    ack_id, delivery = leased
    message = delivery.message
    made = _Received(ack_id=ack_id)
    made.message.data = message.data
    made.message.message_id = message.id
    made.message.ordering_key = message.ordering_key
    made.message.attributes.update(message.attributes)
    made.message.publish_time.FromNanoseconds(int(message.published_s * 1e9))
    if subscription.resource.get("deadLetterPolicy"):
        made.delivery_attempt = delivery.attempts
    return made


async def _arrival(subscription: Subscription) -> None:
    """Return when a message came, or when something else may have changed."""
    # While deliveries are paused messages lie there, and only time passing helps.
    if subscription.arrived.is_set():
        await asyncio.sleep(_TICK_S)
        return
    try:
        async with asyncio.timeout(_TICK_S):
            await subscription.arrived.wait()
    except TimeoutError:
        return
