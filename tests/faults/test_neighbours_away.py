"""Auth or Google is away: mailboxes are degraded meanwhile, never disconnected."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.databases import NewDatabase
from tests.faults.paths import ALICE
from tests.faults.recovering import Recovery, lively, rare
from tests.house.building import ROLES, built
from tests.house.house import House
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

DEGRADED = "SELECT 1 FROM feeds WHERE kind = 'mail.live' AND state = 'degraded'"
ENDED = "SELECT 1 FROM connections WHERE state NOT IN ('active', 'degraded')"


def refused(name: str) -> Callable[[House], AbstractAsyncContextManager[None]]:
    """Return a way for everybody to lose a neighbour: nobody can connect to it."""

    @asynccontextmanager
    async def away(house: House) -> AsyncIterator[None]:
        wires = [wire for (_, leads_to), wire in house.wires.items() if leads_to == name]
        for wire in wires:
            wire.refuses = True
            wire.cut()
        yield
        for wire in wires:
            wire.refuses = False

    return away


@asynccontextmanager
async def google_silent(house: House) -> AsyncIterator[None]:
    """Have nothing arrive at Google, nor from there, and nobody told."""
    wires = [wire for (_, leads_to), wire in house.wires.items() if leads_to == "google"]
    for wire in wires:
        wire.hold()
    yield
    for wire in wires:
        wire.release()


@asynccontextmanager
async def google_failing(house: House) -> AsyncIterator[None]:
    """Have everything of Google's answer 503."""
    rules = [{"path_prefix": "/", "status": 503, "reason": "backendError"}]
    await house.google.control("PUT", "faults", {"rules": rules})
    yield
    await house.google.control("PUT", "faults", {"rules": []})


@pytest.mark.parametrize(
    ("name", "away"),
    [
        pytest.param("auth-refused", refused("auth"), marks=rare),
        pytest.param(
            "google-refused",
            refused("google"),
            marks=rare,
        ),
        ("google-failing", google_failing),
        pytest.param(
            "google-silent",
            google_silent,
            marks=rare,
        ),
    ],
)
async def test_while_a_neighbour_is_away_mailboxes_are_degraded_and_stay_connected(
    name: str,
    away: Callable[[House], AbstractAsyncContextManager[None]],
    new_database: NewDatabase,
    amqp_url: str,
) -> None:
    recovery = Recovery(name, within_s=60)
    async with built(new_database, amqp_url, wired=tuple(ROLES)) as house:
        await lively(house)
        async with away(house):
            # The token that the workers have is of no use: they need auth, and auth needs Google.
            await house.google.control(
                "POST", f"people/{ALICE}/grants", {"action": "expire_access"}
            )
            await house.deliver(ALICE, subject="meanwhile", count=3)
            await eventually(lambda: house.mail_db.fetchval(DEGRADED), timeout_s=90)
            for database in (house.auth_db, house.mail_db):
                assert not await database.fetchval(ENDED)

        recovery.begin()
        await recovery.until_right(house)
        for database in (house.auth_db, house.mail_db):
            assert not await database.fetchval(ENDED)
