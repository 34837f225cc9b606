"""Dead letters: how many there are, and giving them another chance."""

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import ChannelNotFoundEntity, PublishError
from pamqp.commands import Basic
from pydantic import SecretStr

from libs.common.bus import link
from libs.common.bus.consumer import ATTEMPTS, FAILURE
from libs.common.bus.tail import tail
from libs.common.bus.topology import dead_queue
from libs.common.errors import NotFound
from libs.common.events.envelope import CONTENT_TYPE

QUIET_S = 5.0
"""A log that brings nothing for so long has been read to its end."""

log = structlog.stdlib.get_logger(__name__)


async def dead_letters(amqp_url: str | SecretStr, queue: str) -> int:
    """Return how many messages of `queue` were given up.

    Raises:
        NotFound: there is no such queue.
        BrokerLost: the broker is away.
    """
    async with _channel(amqp_url, queue) as channel:
        return await _count(channel, queue)


async def replay(amqp_url: str | SecretStr, queue: str, *, limit: int | None = None) -> int:
    """Move the dead letters of `queue` back into it, oldest first; return how many.

    Only those that are there when it begins, at most `limit`: what fails again stays. Their
    attempts count from zero. Interrupted, it may leave a message in both: once handled,
    twice delivered.

    Raises:
        NotFound: there is no such queue.
        BrokerLost: the broker is away.
    """
    moved = 0
    async with _channel(amqp_url, queue) as channel:
        count = await _count(channel, queue)
        dead = await channel.get_queue(dead_queue(queue), ensure=False)
        while moved < (count if limit is None else min(count, limit)):
            message = await dead.get(fail=False, timeout=link.RPC_TIMEOUT_S)
            if message is None:
                break
            await _move(channel, message, queue)
            moved += 1
    log.info("dead_letters_replayed", queue=queue, count=moved)
    return moved


async def tell_again(
    amqp_url: str | SecretStr, queue: str, types: Iterable[str], *, since: datetime | None
) -> int:
    """Put what the log holds of some types into `queue` again, in its order; return how many.

    What its consumer has handled it knows by the event's id.

    Args:
        since: when it begins; None: with the oldest that is kept.

    Raises:
        NotFound: there is no such queue.
        BrokerLost: the broker is away.
    """
    told = 0
    log_of = tail(amqp_url, types, from_start=True, since=since, until_quiet_s=QUIET_S)
    async with _channel(amqp_url, queue) as channel, aclosing(log_of) as events:
        underlay = await channel.get_underlay_channel()
        async for event in events:
            await link.publish(
                underlay,
                exchange="",
                routing_key=queue,
                body=event.to_json(),
                properties=Basic.Properties(
                    content_type=CONTENT_TYPE,
                    delivery_mode=link.PERSISTENT,
                    message_id=str(event.id),
                ),
            )
            told += 1
    return told


async def _move(channel: AbstractChannel, message: AbstractIncomingMessage, queue: str) -> None:
    headers = {k: v for k, v in message.headers.items() if k not in (ATTEMPTS, FAILURE)}
    await link.publish(
        await channel.get_underlay_channel(),
        exchange="",
        routing_key=queue,
        body=message.body,
        properties=Basic.Properties(
            content_type=message.content_type,
            delivery_mode=link.PERSISTENT,
            message_id=message.message_id,
            headers=headers,
        ),
    )
    await message.ack()


@asynccontextmanager
async def _channel(amqp_url: str | SecretStr, queue: str) -> AsyncIterator[AbstractChannel]:
    async with link.connected(amqp_url, name="causeway.replay") as connection:
        with link.broker_errors():
            try:
                yield await connection.channel(on_return_raises=True)
            except (ChannelNotFoundEntity, PublishError) as exc:
                raise NotFound("There is no such queue.", queue=queue) from exc


async def _count(channel: AbstractChannel, queue: str) -> int:
    dead = await channel.declare_queue(dead_queue(queue), passive=True, timeout=link.RPC_TIMEOUT_S)
    return dead.declaration_result.message_count or 0
