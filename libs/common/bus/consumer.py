"""Consuming: one event at a time, retried with counted attempts, given up to the dead letters.

A message is acknowledged only after its handler returned, or after the broker confirmed the
copy that waits in a delay queue or among the dead letters. Delivery is at least once.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import PublishError
from pamqp.commands import Basic
from prometheus_client import Counter, Histogram
from pydantic import SecretStr
from structlog.contextvars import bound_contextvars

from libs.common import db
from libs.common.bus import link
from libs.common.bus.topology import (
    RetryPolicy,
    Subscription,
    dead_queue,
    declare_subscription,
    retry_queue,
)
from libs.common.errors import InvalidInput, Transient
from libs.common.events.envelope import CONTENT_TYPE, Envelope

ATTEMPTS = "x-attempts"
"""Header: how often the handler has failed on this message."""
FAILURE = "x-failure"
"""Header: the class of the last failure."""
ROUTING_KEY = "x-routing-key"
"""Header: the routing key it was published with (delayed, it arrives under the queue's)."""

DECLARE_EVERY_S = 60.0
PREFETCH = 32

TRANSIENT: tuple[type[Exception], ...] = (Transient, *db.UNAVAILABLE)
"""Failures of what a handler depends on: no fault of the message."""

MESSAGES = Counter("causeway_bus_messages", "Messages consumed.", ["queue", "outcome"])
SECONDS = Histogram("causeway_bus_handler_seconds", "Time in the handler.", ["queue"])

log = structlog.stdlib.get_logger(__name__)


async def consume(
    amqp_url: str | SecretStr,
    *subscriptions: Subscription,
    retry: RetryPolicy | None = None,
    prefetch: int = PREFETCH,
    declare_every_s: float = DECLARE_EVERY_S,
) -> None:
    """Consume until cancelled, each subscription on a connection of its own.

    A handler returns when the effect is committed (with `inbox.first_time` in the same
    transaction), and raises anything when it could not.

    Args:
        amqp_url: of the broker; while it is away it is waited for.
        subscriptions: whose queues, delay queues and dead letters are declared and bound.
        retry: delays and numbers of attempts.
        prefetch: messages on their way to each subscription.
        declare_every_s: how often that is done again: a queue or binding that somebody
            removed would be missed by nobody, since every event still reaches the log.
    """
    policy = retry or RetryPolicy()
    async with asyncio.TaskGroup() as group:
        for subscription in subscriptions:
            consumer = _Consumer(amqp_url, subscription, policy, prefetch, declare_every_s)
            group.create_task(consumer.run(), name=f"consume {subscription.queue}")


@dataclass(frozen=True, slots=True)
class _Consumer:
    amqp_url: str | SecretStr
    subscription: Subscription
    policy: RetryPolicy
    prefetch: int
    declare_every_s: float

    @property
    def queue(self) -> str:
        return self.subscription.queue

    async def run(self) -> None:
        backoff = link.Backoff()
        while True:
            try:
                async with link.connected(self.amqp_url, name=self.queue) as connection:
                    await self._serve(connection, backoff)
            except link.BrokerLost as exc:
                log.warning("consumer_broker_lost", queue=self.queue, cause=exc.data.get("cause"))
            await backoff.wait()

    async def _serve(self, connection: AbstractConnection, backoff: link.Backoff) -> None:
        await declare_subscription(connection, self.subscription, self.policy)
        with link.broker_errors():
            channel = await connection.channel(on_return_raises=True)
            await channel.set_qos(prefetch_count=self.prefetch, timeout=link.RPC_TIMEOUT_S)
            arrived = await self._start(channel)
        log.info("consumer_started", queue=self.queue)
        declare_at = time.monotonic() + self.declare_every_s
        while True:
            try:
                async with asyncio.timeout(max(0.0, declare_at - time.monotonic())):
                    message = await arrived.get()
            except TimeoutError:
                await declare_subscription(connection, self.subscription, self.policy)
                declare_at = time.monotonic() + self.declare_every_s
                continue
            if message is None:
                raise link.BrokerLost("The consumer was closed.", cause="ConsumerClosed")
            backoff.reset()
            await self._settle(channel, message)

    async def _start(
        self, channel: AbstractChannel
    ) -> "asyncio.Queue[AbstractIncomingMessage | None]":
        """Return the queue that deliveries come through; None: there will be no more."""
        arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

        def end(*_: Any) -> None:
            arrived.put_nowait(None)

        channel.close_callbacks.add(end)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(end)  # the broker does so when a queue goes
        queue = await channel.get_queue(self.queue, ensure=False)
        await queue.consume(arrived.put, timeout=link.RPC_TIMEOUT_S)
        return arrived

    async def _settle(self, channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
        trace = message.headers.get("traceparent")
        with bound_contextvars(
            queue=self.queue,
            event_id=message.message_id,
            **({"traceparent": trace} if isinstance(trace, str) else {}),
        ):
            failure = await self._handle(message)
            with link.broker_errors():
                if failure is not None:
                    await self._postpone(channel, message, failure)
                await message.ack()
            if failure is None:
                MESSAGES.labels(self.queue, "done").inc()

    async def _handle(self, message: AbstractIncomingMessage) -> Exception | None:
        """Return why the message could not be handled, or None."""
        try:
            envelope = Envelope.from_json(message.body)
            with SECONDS.labels(self.queue).time():
                async with asyncio.timeout(self.subscription.timeout_s):
                    await self.subscription.handler(envelope)
        except Exception as exc:  # noqa: BLE001 - the edge: whatever a handler raises is settled
            return exc
        return None

    async def _postpone(
        self, channel: AbstractChannel, message: AbstractIncomingMessage, failure: Exception
    ) -> None:
        attempts = link.header_int(message.headers, ATTEMPTS) + 1
        delay_s = self.policy.next_delay(attempts, transient=isinstance(failure, TRANSIENT))
        target = dead_queue(self.queue) if delay_s is None else retry_queue(self.queue, delay_s)
        properties = _copy_of(message, attempts=attempts, failure=failure)
        underlay = await channel.get_underlay_channel()
        try:
            await link.publish(
                underlay, exchange="", routing_key=target, body=message.body, properties=properties
            )
        except PublishError as exc:
            # Somebody deleted the delay queue: begin again, which declares it.
            raise link.BrokerLost("A queue is gone.", cause="QueueGone") from exc
        outcome = "dead" if delay_s is None else "retried"
        MESSAGES.labels(self.queue, outcome).inc()
        log.warning(
            "event_dead" if delay_s is None else "event_postponed",
            attempts=attempts,
            error=type(failure).__name__,
            fields=_fields(failure),
            exc_info=None if isinstance(failure, (InvalidInput, *TRANSIENT)) else failure,
        )


def _copy_of(
    message: AbstractIncomingMessage, *, attempts: int, failure: Exception
) -> Basic.Properties:
    """Return the properties of the copy: the same message, and what happened to it."""
    headers = {
        # The broker's own notes about earlier deaths would grow with every retry.
        name: value
        for name, value in message.headers.items()
        if not name.startswith(("x-death", "x-first-death", "x-last-death", "x-delivery-count"))
    }
    headers.setdefault(ROUTING_KEY, message.routing_key or "")
    headers[ATTEMPTS] = attempts
    headers[FAILURE] = type(failure).__name__
    return Basic.Properties(
        content_type=message.content_type or CONTENT_TYPE,
        delivery_mode=link.PERSISTENT,
        message_id=message.message_id,
        headers=headers,
    )


def _fields(failure: Exception) -> list[str]:
    """Return the names of the fields that were wrong, never what was in them."""
    errors = failure.data.get("errors") if isinstance(failure, InvalidInput) else None
    if not isinstance(errors, list):
        return []
    return [str(error.get("field")) for error in errors if isinstance(error, dict)]
