"""What exists at the broker: names, arguments and how they are declared.

    crm.events (topic)
      | #     -> crm.events.log (stream): what happened, replayable
      | types -> <queue> (quorum): to its consumer
                   failed          -> <queue>.retry.5s | .1m | .10m -> after that time <queue>
                   failed for good -> <queue>.dead

Source: https://www.rabbitmq.com/docs/quorum-queues#dead-lettering
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelPreconditionFailed
from pamqp.common import FieldTable

from libs.common.bus.link import RPC_TIMEOUT_S, broker_errors
from libs.common.events.envelope import Envelope

EXCHANGE = "crm.events"
LOG_STREAM = "crm.events.log"

SEGMENT_BYTES = 50_000_000
"""The stream forgets whole segments: small ones keep its age near what was asked."""

DELIVERY_LIMIT = 20
"""Deliveries without an answer (a process that died each time) before the dead letters."""

Handler = Callable[[Envelope], Awaitable[None]]

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How much the log stream keeps: whichever bound is met first."""

    max_age: str = "14D"
    """A number and one of Y, M, D, h, m, s."""
    max_bytes: int = 20_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a failed message is tried again, and when it is given up."""

    delays_s: tuple[float, ...] = (5, 60, 600)
    """One retry after each, in this order; whole milliseconds."""
    transient_attempts: int = 150
    """Failures of what the handler depends on are tried further, at the last delay, up to
    this many attempts in all (a day, with the delays above)."""

    def next_delay(self, attempts: int, *, transient: bool) -> float | None:
        """Return the seconds to wait after `attempts` (1 or more) failures; None: give up."""
        if attempts <= len(self.delays_s):
            return self.delays_s[attempts - 1]
        if transient and self.delays_s and attempts < self.transient_attempts:
            return self.delays_s[-1]
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A queue of this service, and what happens to its messages."""

    queue: str
    """`<consumer>.<purpose>`."""
    types: tuple[str, ...]
    """Event types, or topic patterns of them."""
    handler: Handler
    """Called for one event at a time, in the order of the queue."""
    timeout_s: float = 30.0


def retry_queue(queue: str, delay_s: float) -> str:
    """Return the name of the delay queue: `<queue>.retry.5s`, `.1m`, `.250ms`."""
    millis = round(delay_s * 1000)
    if millis % 60_000 == 0:
        return f"{queue}.retry.{millis // 60_000}m"
    return f"{queue}.retry.{f'{millis // 1000}s' if millis % 1000 == 0 else f'{millis}ms'}"


def dead_queue(queue: str) -> str:
    """Return the name of the queue of those given up."""
    return f"{queue}.dead"


async def declare_log(connection: AbstractConnection, limits: LogLimits | None = None) -> None:
    """Declare the exchange and, bound to all of it, the log stream.

    Raises:
        BrokerLost: the broker is away or refuses.
    """
    bounds = limits or LogLimits()
    await _declare(
        connection,
        LOG_STREAM,
        {
            "x-queue-type": "stream",
            "x-max-age": bounds.max_age,
            "x-max-length-bytes": bounds.max_bytes,
            "x-stream-max-segment-size-bytes": SEGMENT_BYTES,
        },
    )
    await _bind(connection, LOG_STREAM, ("#",))


async def declare_subscription(
    connection: AbstractConnection, subscription: Subscription, policy: RetryPolicy
) -> None:
    """Declare a subscription's queue with its delay and dead letter queues, and bind it.

    Raises:
        BrokerLost: the broker is away or refuses.
    """
    queue = subscription.queue
    await _declare(connection, dead_queue(queue), {"x-queue-type": "quorum"})
    for delay_s in policy.delays_s:
        arguments = _dead_lettering(queue) | {"x-message-ttl": round(delay_s * 1000)}
        await _declare(connection, retry_queue(queue, delay_s), arguments)
    arguments = _dead_lettering(dead_queue(queue)) | {"x-delivery-limit": DELIVERY_LIMIT}
    await _declare(connection, queue, arguments)
    await _bind(connection, queue, subscription.types)


def _dead_lettering(target: str) -> FieldTable:
    """Return the arguments of a quorum queue whose dead letters reach `target` for certain."""
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": target,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # what at-least-once requires
    }


async def _declare(connection: AbstractConnection, queue: str, arguments: FieldTable) -> None:
    # On a channel of its own: a queue that exists with other arguments closes the channel,
    # and works as well as ever. An operator changes arguments, not a start.
    with broker_errors():
        async with asyncio.timeout(RPC_TIMEOUT_S):
            await _declare_alone(connection, queue, arguments)


async def _declare_alone(connection: AbstractConnection, queue: str, arguments: FieldTable) -> None:
    channel = await _open(connection)
    try:
        await channel.declare_queue(queue, durable=True, arguments=arguments)
    except ChannelPreconditionFailed:
        log.warning("queue_arguments_differ", queue=queue)
    else:
        await channel.close()


async def _bind(connection: AbstractConnection, queue: str, patterns: tuple[str, ...]) -> None:
    with broker_errors():
        async with asyncio.timeout(RPC_TIMEOUT_S):
            channel = await _open(connection)
            await channel.declare_exchange(EXCHANGE, "topic", durable=True)
            underlay = await channel.get_underlay_channel()
            for pattern in patterns:
                await underlay.queue_bind(queue, EXCHANGE, pattern)
            await channel.close()


async def _open(connection: AbstractConnection) -> AbstractChannel:
    channel = connection.channel()
    await channel.initialize()
    return channel
