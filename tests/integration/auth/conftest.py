from collections.abc import AsyncIterator, Iterator

import pytest

from libs.common import clock
from services.auth.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.auth.stand import ALICE, Later, Stand, running, settings_for


@pytest.fixture
async def auth(new_database: NewDatabase, emulator: Emulated) -> AsyncIterator[Stand]:
    """The auth service, its web role, with one person at Google."""
    await emulator.add_person(ALICE, name="Alice")
    url = await new_database(*migrations())
    async with running(settings_for(url, emulator.origin)) as stand:
        yield stand


@pytest.fixture
async def auth_on_https(new_database: NewDatabase, emulator: Emulated) -> AsyncIterator[Stand]:
    """The auth service as it is behind a proxy that speaks https."""
    url = await new_database(*migrations())
    settings = settings_for(url, emulator.origin, public_url="https://causeway.test")
    async with running(settings) as stand:
        yield stand


@pytest.fixture
def later() -> Iterator[Later]:
    """`later(61)`: let 61 seconds pass for the service."""
    passed = 0.0

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        clock.set_offset(passed)

    yield move
    clock.set_offset(0)
