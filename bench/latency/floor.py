"""The floor of the way to a consumer: `python -m bench.latency.floor DATABASE_URL AMQP_URL`.

It listens, and publishes what each notification says, with a confirm. Nothing is read, nothing
deleted, and nobody else is asked anything.
"""

import asyncio
import signal
import sys

import aio_pika
import asyncpg
import uvloop

from bench.relay.events import Measured, body
from libs.common.bus import EXCHANGE

CHANNEL = "bench"


async def _serve(database_url: str, amqp_url: str) -> None:
    stop, content, told = asyncio.Event(), body(), asyncio.Queue[str]()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    conn = await asyncpg.connect(database_url)
    async with await aio_pika.connect(amqp_url) as connection, asyncio.TaskGroup() as group:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        await conn.add_listener(CHANNEL, lambda *words: told.put_nowait(words[-1]))

        async def publish(number: str) -> None:
            message = aio_pika.Message(
                content, message_id=number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await exchange.publish(message, Measured.type)

        async def carry() -> None:
            while True:
                group.create_task(publish(await told.get()))

        carrying = group.create_task(carry())
        await stop.wait()
        carrying.cancel()
    await conn.close()


def main(database_url: str, amqp_url: str) -> None:
    """Carry until SIGTERM."""
    uvloop.run(_serve(database_url, amqp_url))


if __name__ == "__main__":
    main(*sys.argv[1:])
