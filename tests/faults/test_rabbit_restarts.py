"""RabbitMQ goes and comes back, takes nothing for a while, or is late: mail goes on."""

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from cli.local.postgres import PostgresServer
from cli.local.rabbitmq import RabbitServer
from tests.databases import NewDatabase
from tests.faults.broker import control, reading_the_log
from tests.faults.paths import ALICE
from tests.faults.recovering import Recovery, lively, push, rare
from tests.house.building import built
from tests.house.house import House
from tests.house.programs import Program
from tests.servers import scratch
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

SETTLED_S = 2
"""A broker that is killed sooner after a declaration may lose it, whoever declared."""


@pytest.fixture(scope="module")
def own_rabbit() -> Iterator[RabbitServer]:
    """A RabbitMQ of this module's own, running."""
    with tempfile.TemporaryDirectory(
        prefix="causeway-own-", dir=scratch(), ignore_cleanup_errors=True
    ) as directory:
        server = RabbitServer(Path(directory), management=True)
        server.start()
        yield server
        server.kill()


@pytest.fixture
def own_vhost(own_rabbit: RabbitServer) -> str:
    """The address of a virtual host of the test's own on it."""
    name = f"test-{secrets.token_hex(8)}"
    own_rabbit.add_vhost(name)
    return own_rabbit.url(name)


async def taken_in(house: House, count: int) -> None:
    """Wait until so many events wait in the outbox: mail was taken in, and nobody told."""

    async def is_there() -> bool:
        return bool(await house.mail_db.fetchval("SELECT count(*) >= $1 FROM outbox", count))

    await eventually(is_there)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(RabbitServer.stop, marks=rare),
        RabbitServer.kill,
    ],
)
async def test_mail_is_taken_in_while_rabbitmq_is_away(
    end: Callable[[RabbitServer], None],
    new_database: NewDatabase,
    own_rabbit: RabbitServer,
    own_vhost: str,
) -> None:
    recovery = Recovery(f"rabbitmq-{end.__name__}", within_s=60)
    async with built(new_database, own_vhost) as house, reading_the_log(house):
        await lively(house)
        await asyncio.sleep(SETTLED_S)

        await asyncio.to_thread(end, own_rabbit)
        await house.deliver(ALICE, subject="meanwhile", count=5)
        await taken_in(house, 5)
        assert await push(house) == 204
        own_rabbit.start()

        recovery.begin()
        await recovery.until_right(house)


@rare
@pytest.mark.parametrize("given_up", [False, True])
async def test_events_wait_while_rabbitmq_has_no_memory_left(
    new_database: NewDatabase, own_rabbit: RabbitServer, own_vhost: str, *, given_up: bool
) -> None:
    """Also until the relay gives its connection up: what it had sent is read when there is room."""
    recovery = Recovery(f"rabbitmq-memory{'-long' if given_up else ''}", within_s=90)
    async with built(new_database, own_vhost) as house:
        await lively(house)

        await control(own_rabbit, "set_vm_memory_high_watermark", "0")
        await house.deliver(ALICE, subject="meanwhile", count=5)
        await taken_in(house, 5)
        assert await push(house) == 204
        if given_up:
            log = house.programs["relay"].log
            await eventually(lambda: "relay_broker_lost" in log.read_text(), timeout_s=90)
            await house.deliver(ALICE, subject="later", count=5)
            await taken_in(house, 10)
        await control(own_rabbit, "set_vm_memory_high_watermark", "0.4")

        recovery.begin()
        await recovery.until_right(house)


async def answers(house: House, program: Program, path: str, status: int) -> bool:
    async with house.session.get(f"{program.origin}{path}") as answer:
        return answer.status == status


async def test_everything_may_be_started_before_its_servers(
    own_postgres: PostgresServer,
    own_database: NewDatabase,
    own_rabbit: RabbitServer,
    own_vhost: str,
) -> None:
    recovery = Recovery("both-away-at-start", within_s=60)
    async with built(own_database, own_vhost) as house, reading_the_log(house):
        await asyncio.sleep(SETTLED_S)
        await asyncio.to_thread(own_rabbit.kill)
        await asyncio.to_thread(own_postgres.kill)
        for program in house.programs.values():
            await program.start(ready=False)
        for program in house.programs.values():
            assert await answers(house, program, "/healthz", 200)
            assert await answers(house, program, "/readyz", 503)

        own_postgres.start()
        own_rabbit.start()
        recovery.begin()
        for program in house.programs.values():
            await eventually(partial(answers, house, program, "/readyz", 200), timeout_s=60)
        await house.connect(ALICE)
        await house.deliver(ALICE, subject="hello", count=3)
        await recovery.until_right(house)
