from collections.abc import AsyncIterator

import pytest

from libs.common import clock
from services.auth.app import migrations as auth_migrations
from services.contacts.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.contacts.stand import Stand, standing


@pytest.fixture
async def stand(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[Stand]:
    """Everything around the contacts service, which the test starts itself."""
    contacts_url = await new_database(*migrations())
    auth_url = await new_database(*auth_migrations())
    async with standing(
        contacts_url=contacts_url, auth_url=auth_url, amqp_url=amqp_url, google=emulator
    ) as made:
        yield made
    clock.set_offset(0)


@pytest.fixture
async def contacts(stand: Stand) -> AsyncIterator[Stand]:
    """The contacts service with all its roles, and everything around it."""
    async with stand.serving():
        yield stand


@pytest.fixture
async def asked(stand: Stand) -> AsyncIterator[Stand]:
    """The contacts service, which reads address books only when a test lets it look."""
    seldom = {"shortest_poll": 3600, "longest_poll": 3600}
    stand.settings = stand.settings.model_copy(update=seldom)
    async with stand.serving():
        yield stand
