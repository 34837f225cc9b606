"""A connection to RabbitMQ, and one word for everything that goes wrong with it.

aio-pika raises CancelledError into whoever waits for the broker when the connection dies,
though nobody cancelled the task. Code that waits for the broker does so inside
`broker_errors()`, which tells that apart from a real cancellation.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractConnection, HeadersType
from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException
from pydantic import SecretStr

from libs.common.errors import Transient

CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
RPC_TIMEOUT_S = 15.0
PUBLISH_TIMEOUT_S = 30.0
"""Longest wait for a confirm; a quorum queue that elects a leader needs a while."""
HEARTBEAT_S = 20

PERSISTENT = 2
"""AMQP delivery mode: kept on disk."""

MAX_COUNT = 1_000_000
"""A header may hold anything; a count above this is none."""

BROKER_ERRORS = (AMQPError, ChannelInvalidStateError, PAMQPException, OSError, TimeoutError)


class BrokerLost(Transient):
    """The broker is away, or refused in a way that ends the connection."""

    slug = "broker-unavailable"


@contextmanager
def broker_errors() -> Iterator[None]:
    """Raise BrokerLost for whatever ends the connection or the channel inside.

    A cancellation that comes while an answer arrives is lost in `asyncio.wait_for` before
    Python 3.12, which the client waits with: it is raised on leaving.
    """
    try:
        yield
    except asyncio.CancelledError as exc:
        if was_cancelled():
            raise
        raise lost(exc) from exc
    except BROKER_ERRORS as exc:
        raise lost(exc) from exc
    else:
        if was_cancelled():
            raise asyncio.CancelledError


def was_cancelled() -> bool:
    """Return whether somebody really cancelled the current task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def lost(cause: BaseException) -> BrokerLost:
    """Return the error for `cause`, keeping its class name and nothing of its text."""
    return BrokerLost("The message broker is not available.", cause=type(cause).__name__)


@asynccontextmanager
async def connected(url: str | SecretStr, *, name: str) -> AsyncIterator[AbstractConnection]:
    """Yield a plain connection (not one that repairs itself), closed afterwards.

    Args:
        url: `amqp://user:password@host:port/vhost`.
        name: shown among the broker's connections: `<service>.<concern>`.

    Raises:
        BrokerLost: it cannot be opened.
    """
    address = url.get_secret_value() if isinstance(url, SecretStr) else url
    with broker_errors():
        connection = await aio_pika.connect(
            address,
            timeout=CONNECT_TIMEOUT_S,
            client_properties={"connection_name": name},
            heartbeat=HEARTBEAT_S,
        )
    try:
        yield connection
    finally:
        with suppress(BrokerLost), broker_errors():
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await connection.close()


async def ping(url: str | SecretStr, *, timeout_s: float = 2.0) -> None:
    """Return when the broker takes a connection.

    Raises:
        BrokerLost: it does not within `timeout_s` seconds.
    """
    try:
        async with asyncio.timeout(timeout_s), connected(url, name="causeway.ping"):
            return
    except TimeoutError as exc:
        raise lost(exc) from exc


async def publish(
    channel: AbstractChannel,
    *,
    exchange: str,
    routing_key: str,
    body: bytes,
    properties: Basic.Properties,
) -> None:
    """Return once the broker has taken responsibility for the message.

    Raises whatever aiormq does: PublishError (no queue takes it), DeliveryError (refused),
    and what `broker_errors` translates.
    """
    # wait=False: the confirm is waited for anyway, a drained socket says nothing more.
    await channel.basic_publish(  # type: ignore[call-arg] # absent from the abstract class only
        body,
        exchange=exchange,
        routing_key=routing_key,
        properties=properties,
        mandatory=True,
        timeout=PUBLISH_TIMEOUT_S,
        wait=False,
    )


def header_int(headers: HeadersType, name: str) -> int:
    """Return the count in a header; 0 when it is absent or no sane number."""
    value = headers.get(name)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else 0


class Backoff:
    """Waits that double from `first_s` to `ceiling_s` seconds, each shortened at random."""

    def __init__(self, *, first_s: float = 0.2, ceiling_s: float = 10.0) -> None:
        self._first_s = first_s
        self._ceiling_s = ceiling_s
        self._next_s = first_s

    def reset(self) -> None:
        """Begin again with `first_s`: something worked."""
        self._next_s = self._first_s

    async def wait(self) -> None:
        """Sleep, between half and all of the present delay."""
        delay_s, self._next_s = self._next_s, min(self._next_s * 2, self._ceiling_s)
        await asyncio.sleep(delay_s * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret
