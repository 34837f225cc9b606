"""Reading the log stream: what happened, from its beginning or from now on."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import Any

import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from pydantic import SecretStr

from libs.common.bus import link
from libs.common.bus.topology import LOG_STREAM, declare_log
from libs.common.errors import InvalidInput
from libs.common.events.envelope import Envelope

PREFETCH = 100


class Quiet(Enum):
    """Nothing came for as long as it was waited for."""

    QUIET = "quiet"


log = structlog.stdlib.get_logger(__name__)


async def tail(
    amqp_url: str | SecretStr,
    types: Iterable[str] = ("#",),
    *,
    from_start: bool = False,
    since: datetime | None = None,
    until_quiet_s: float | None = None,
) -> AsyncGenerator[Envelope, None]:
    """Yield the events of the log as they come, by default without an end; leave nothing behind.

    What is no envelope is skipped. Close the iterator (`contextlib.aclosing`) when done.

    Args:
        amqp_url: of the broker.
        types: event types or topic patterns (`*` one word, `#` any number).
        from_start: begin with the oldest event that is kept, not with the next one.
        since: begin with what was told then, or somewhat before.
        until_quiet_s: end when so many seconds bring nothing.

    Raises:
        BrokerLost: the broker is away, or went.
    """
    wanted = matcher(types)
    async with link.connected(amqp_url, name="causeway.tail") as connection:
        await declare_log(connection)
        arrived = await _start(connection, since or ("first" if from_start else "next"))
        while (message := await _next(arrived, until_quiet_s)) is not None:
            if isinstance(message, Quiet):
                return
            with link.broker_errors():
                await message.ack()
            envelope = _read(message)
            if envelope is not None and wanted(envelope.type):
                yield envelope
    raise link.BrokerLost("The log is not readable any more.", cause="ConsumerClosed")


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return whether a routing key is one that a binding with any of `patterns` takes."""
    # Every word of the expression brings its own dot, so that `#` can also be no word.
    expression = re.compile("|".join(_expression(pattern) for pattern in patterns))
    return lambda key: expression.fullmatch(f".{key}") is not None


def _expression(pattern: str) -> str:
    words = {"*": r"\.[^.]+", "#": r"(?:\.[^.]+)*"}
    return "".join(words.get(word, r"\." + re.escape(word)) for word in pattern.split("."))


async def _next(
    arrived: "asyncio.Queue[AbstractIncomingMessage | None]", timeout_s: float | None
) -> "AbstractIncomingMessage | Quiet | None":
    try:
        async with asyncio.timeout(timeout_s):
            return await arrived.get()
    except TimeoutError:
        return Quiet.QUIET


async def _start(
    connection: AbstractConnection, offset: str | datetime
) -> "asyncio.Queue[AbstractIncomingMessage | None]":
    arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

    def end(*_: Any) -> None:
        arrived.put_nowait(None)

    with link.broker_errors():
        channel = await connection.channel()
        channel.close_callbacks.add(end)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(end)
        await channel.set_qos(prefetch_count=PREFETCH, timeout=link.RPC_TIMEOUT_S)
        stream = await channel.get_queue(LOG_STREAM, ensure=False)
        await stream.consume(
            arrived.put, arguments={"x-stream-offset": offset}, timeout=link.RPC_TIMEOUT_S
        )
    return arrived


def _read(message: AbstractIncomingMessage) -> Envelope | None:
    try:
        return Envelope.from_json(message.body)
    except InvalidInput:
        log.warning("log_entry_malformed", event_id=message.message_id)
        return None
