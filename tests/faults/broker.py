"""What tests do to RabbitMQ, and how they read what was published when no queue of theirs lives."""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from cli.local.rabbitmq import RabbitServer, find_home
from libs.common import bus
from tests.house.house import House

RETRY_S = 0.5


@asynccontextmanager
async def reading_the_log(house: House) -> AsyncIterator[None]:
    """Have the house hear what the log keeps, from its beginning and again after each loss.

    Its own queue would go with the broker, and with the exchange.
    """

    async def read() -> None:
        while True:
            with contextlib.suppress(bus.BrokerLost):
                async for envelope in bus.tail(house.amqp_url, from_start=True):
                    hear(cast("Any", SimpleNamespace(body=envelope.to_json())))
            await asyncio.sleep(RETRY_S)

    house.published, house.read = [], []
    hear = house.published.append
    reading = asyncio.create_task(read())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def remove(amqp_url: str, *, queue: str = "", exchange: str = "") -> None:
    """Delete a queue or an exchange, as somebody does by mistake."""
    async with bus.connected(amqp_url, name="test") as connection:
        channel = await connection.channel()
        if queue:
            await channel.queue_delete(queue)
        if exchange:
            await channel.exchange_delete(exchange)


async def control(server: RabbitServer, *words: str) -> None:
    """Run rabbitmqctl on a node of ours."""
    assert server.process
    await asyncio.to_thread(_control, server.process.pid, words)


def _control(pid: int, words: tuple[str, ...]) -> None:
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    done = subprocess.run(  # noqa: S603 - a fixed program
        [find_home() / "sbin" / "rabbitmqctl", "--quiet", *words],
        env=dict(one.split("=", 1) for one in variables if "=" in one),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
