"""Postgres answers late, or not at all, and nobody says why."""

import pytest

from tests.databases import NewDatabase, connected
from tests.faults.paths import ALICE
from tests.faults.recovering import Recovery, lively, push, rare, right
from tests.house.building import ROLES, built
from tests.house.house import House
from tests.house.wires import Wire
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

EVERYBODY = tuple(ROLES)
KEEPALIVE_S = 25
"""After so long the server finds a lost client: see `db._server_settings`."""
LOCK = "LOCK TABLE signals, feeds, messages, outbox IN ACCESS EXCLUSIVE MODE"


def to_postgres(house: House) -> list[Wire]:
    return [wire for (_, name), wire in house.wires.items() if name == "postgres"]


@rare
async def test_a_slow_postgres_only_makes_mail_slow(
    new_database: NewDatabase, amqp_url: str
) -> None:
    async with built(new_database, amqp_url, wired=EVERYBODY) as house:
        await lively(house)
        for wire in to_postgres(house):
            wire.delay_s = 0.2

        await house.deliver(ALICE, subject="slowly", count=3)
        assert await push(house) == 204
        await eventually(lambda: right(house), timeout_s=60)


async def test_a_lock_held_for_seconds_makes_google_call_again(
    new_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("postgres-lock", within_s=60)
    async with built(new_database, amqp_url) as house:
        await lively(house)
        url = house.programs["worker"].env["CAUSEWAY_MAIL_DATABASE_URL"]
        async with connected(url) as admin, admin.transaction():
            await admin.execute(LOCK)
            await house.deliver(ALICE, subject="meanwhile", count=3)
            assert await push(house) == 503

        recovery.begin()
        await recovery.until_right(house)


@rare
async def test_connections_that_a_network_swallowed_are_given_up(
    new_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("postgres-swallowed", within_s=120)
    async with built(new_database, amqp_url, wired=EVERYBODY) as house:
        await lively(house)
        for wire in to_postgres(house):
            wire.swallow(noticed_s=KEEPALIVE_S)

        recovery.begin()
        await house.deliver(ALICE, subject="meanwhile", count=3)
        await recovery.until_right(house)


@rare
async def test_a_network_that_holds_everything_for_a_while_costs_only_time(
    new_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("postgres-held", within_s=120)
    async with built(new_database, amqp_url, wired=EVERYBODY) as house:
        await lively(house)
        for wire in to_postgres(house):
            wire.hold()
        await house.deliver(ALICE, subject="meanwhile", count=3)
        assert await push(house) == 503
        for wire in to_postgres(house):
            wire.release()

        recovery.begin()
        await recovery.until_right(house)
