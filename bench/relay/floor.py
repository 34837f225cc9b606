"""The floor of the relay: `python -m bench.relay.floor AMQP_URL COUNT ANSWER`.

aio-pika publishes the same bodies from memory, with confirms and as many of them outstanding.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from uuid import uuid4

import aio_pika
import uvloop

from bench.relay.events import Measured, body
from libs.common.bus import EXCHANGE
from libs.common.events.envelope import CONTENT_TYPE
from libs.common.relay import WINDOW


async def _publish_all(amqp_url: str, count: int) -> dict[str, float]:
    content = body()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        left = iter(range(count))

        async def lane() -> None:
            for _ in left:
                message = aio_pika.Message(
                    content,
                    content_type=CONTENT_TYPE,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    message_id=str(uuid4()),
                )
                await exchange.publish(message, Measured.type)

        gc.collect()
        gc.freeze()
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(lane() for _ in range(WINDOW)))
        return {
            "seconds": time.perf_counter() - started,
            "cpu_s": time.process_time() - cpu,
            "postgres_cpu_s": 0.0,
        }


def main(amqp_url: str, count: str, answer: str) -> None:
    """Publish; write how long it took."""
    found = uvloop.run(_publish_all(amqp_url, int(count)))
    Path(answer).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
