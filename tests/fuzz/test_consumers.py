"""Whatever lies in a queue is handled or among the dead letters, each exactly once."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common import bus
from libs.common.db import POOL
from libs.common.events.envelope import Envelope
from services.mail.app import migrations
from services.mail.consumers import DIRECTORY_QUEUE, directory_subscription
from services.mail.web.entities import LINKER
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.fuzz.effort import tries
from tests.fuzz.test_events import CRM, bodies
from tests.integration.mail.stand import Stand, standing_alone
from tests.messaging import depth, running, send, take_all
from tests.support import eventually

DEAD = bus.topology.dead_queue(DIRECTORY_QUEUE)
QUICK = bus.RetryPolicy(delays_s=(0.05,), transient_attempts=2)
KEY = CRM[0]["type"]


@pytest.fixture
async def mail(new_database: NewDatabase, emulator: Emulated) -> AsyncIterator[Stand]:
    """A mail service whose database the consumer works on."""
    url = await new_database(*migrations())
    async with standing_alone(mail_url=url, google=emulator) as stand:
        yield stand


@tries(4)
@given(st.lists(bodies.filter(bool), min_size=12, max_size=30))
async def test_each_body_is_handled_or_dead(mail: Stand, amqp_url: str, sent: list[bytes]) -> None:
    real = directory_subscription(mail.app[POOL], mail.app[LINKER])
    handled = 0

    async def handle(envelope: Envelope) -> None:
        nonlocal handled
        await real.handler(envelope)
        handled += 1

    wanted = bus.Subscription(queue=real.queue, types=real.types, handler=handle)
    async with running(bus.consume(amqp_url, wanted, retry=QUICK)):
        async with bus.connected(amqp_url, name="test") as link:
            await bus.topology.declare_subscription(link, wanted, QUICK)
            await bus.declare_log(link)
        await send(amqp_url, *sent, key=KEY)

        async def settled() -> bool:
            return handled + max(await depth(amqp_url, DEAD), 0) >= len(sent)

        await eventually(settled, timeout_s=60)
    dead = Counter(message.body for message in await take_all(amqp_url, DEAD))

    assert handled + dead.total() == len(sent)
    assert dead <= Counter(sent)
    assert await depth(amqp_url, DIRECTORY_QUEUE) == 0
