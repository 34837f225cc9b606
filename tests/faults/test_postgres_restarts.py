"""Postgres goes and comes back, under a house that stays up."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from cli.local.postgres import PostgresServer
from tests.databases import NewDatabase
from tests.faults.paths import ALICE
from tests.faults.recovering import Recovery, lively, push, rare
from tests.house.building import built
from tests.house.house import House
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)


async def refused(house: House) -> bool:
    return await push(house) == 503


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(PostgresServer.stop, marks=rare),
        PostgresServer.kill,
    ],
)
async def test_postgres_may_be_started_anew_at_any_time(
    end: Callable[[PostgresServer], None],
    own_postgres: PostgresServer,
    own_database: NewDatabase,
    amqp_url: str,
) -> None:
    recovery = Recovery(f"postgres-{end.__name__}", within_s=60)
    async with built(own_database, amqp_url) as house:
        await lively(house)
        await house.deliver(ALICE, subject="on its way", count=5)

        await asyncio.to_thread(end, own_postgres)
        await house.deliver(ALICE, subject="meanwhile", count=5)
        # A killed postmaster's children may live for another moment, and do what they are asked.
        await eventually(partial(refused, house))
        # In the main thread: the server is on a tether to the thread that starts it.
        own_postgres.start()

        recovery.begin()
        await recovery.until_right(house)
