"""Something at the broker is gone: whoever needs it declares it anew."""

import pytest

from libs.common.bus import EXCHANGE, LOG_STREAM
from services.mail.consumers import QUEUE
from tests import messaging
from tests.databases import NewDatabase
from tests.faults.broker import reading_the_log, remove
from tests.faults.paths import ALICE
from tests.faults.recovering import Recovery, lively, rare
from tests.house.building import ROLES, built
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

NOTICED_S = 40
"""Two heartbeats: after so long the broker gives a silent client up."""


@rare
async def test_events_are_published_though_the_log_was_deleted(
    new_database: NewDatabase, amqp_url: str
) -> None:
    """The relay declares it when it looks next, within a minute; nobody else waits for it."""
    recovery = Recovery("rabbitmq-log-deleted", within_s=30)
    async with built(new_database, amqp_url) as house:
        await lively(house)
        await remove(amqp_url, queue=LOG_STREAM)
        recovery.begin()
        await house.deliver(ALICE, subject="meanwhile", count=3)
        await recovery.until_right(house)


async def test_a_deleted_exchange_is_declared_by_the_next_event(
    new_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("rabbitmq-exchange-deleted", within_s=30)
    async with built(new_database, amqp_url) as house:
        await lively(house)
        await remove(amqp_url, exchange=EXCHANGE)
        recovery.begin()
        await house.deliver(ALICE, subject="meanwhile", count=3)
        async with reading_the_log(house):
            await recovery.until_right(house)


@rare
async def test_a_consumer_whose_queue_was_deleted_declares_it_anew(
    new_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("rabbitmq-queue-deleted", within_s=30)
    async with built(new_database, amqp_url) as house:
        await lively(house)
        await remove(amqp_url, queue=QUEUE)
        recovery.begin()

        async def is_back() -> bool:
            return await messaging.depth(amqp_url, QUEUE) >= 0

        await eventually(is_back)
        await house.connect("bea@example.com", user="bea")
        await recovery.until_right(house)


@rare
async def test_a_broker_behind_a_network_that_swallows_is_given_up(
    new_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("rabbitmq-swallowed", within_s=150)
    async with built(new_database, amqp_url, wired=tuple(ROLES)) as house:
        await lively(house)
        for (_, name), wire in house.wires.items():
            if name == "amqp":
                wire.swallow(noticed_s=NOTICED_S)
        recovery.begin()
        await house.deliver(ALICE, subject="meanwhile", count=3)
        await house.connect("bea@example.com", user="bea", settled=False)
        await recovery.until_right(house)
