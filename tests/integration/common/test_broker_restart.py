import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.local.rabbitmq import RabbitServer
from libs.common import bus, outbox
from libs.common.migrate import kernel
from libs.common.relay import Relay
from tests.databases import NewDatabase, connected
from tests.messaging import Recorder, note, running
from tests.servers import scratch
from tests.support import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def broker() -> Iterator[RabbitServer]:
    with tempfile.TemporaryDirectory(dir=scratch(), ignore_cleanup_errors=True) as directory:
        server = RabbitServer(Path(directory))
        server.start()
        yield server
        server.kill()


async def test_a_restarted_broker_loses_nothing(
    new_database: NewDatabase, broker: RabbitServer
) -> None:
    database = await new_database(kernel("messaging"))
    before, during = (
        [note(number) for number in range(500)],
        [note(number) for number in range(200)],
    )
    handler = Recorder()
    readers = bus.Subscription(queue="reader.notes", types=("notes.#",), handler=handler)
    relay = Relay(database, broker.url(), service="notes", poll_s=0.1)

    async with bus.connected(broker.url(), name="test") as link:
        await bus.declare_log(link)
        await bus.topology.declare_subscription(link, readers, bus.RetryPolicy())

    async with (
        running(relay.run(), bus.consume(broker.url(), readers)),
        connected(database) as conn,
    ):
        await outbox.append(conn, *before)
        await eventually(lambda: handler.handled, timeout_s=30)
        await asyncio.to_thread(broker.stop)
        await outbox.append(conn, *during)
        await asyncio.to_thread(broker.start)
        everything = {envelope.id for envelope in (*before, *during)}
        await eventually(lambda: set(handler.ids()) == everything, timeout_s=60)

        assert await outbox.list_oldest(conn, 1) == []
