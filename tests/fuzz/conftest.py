"""Services to be fuzzed: whole ones, with Postgres, RabbitMQ and a Google around them."""

from collections.abc import AsyncIterator

import pytest

from services.auth.app import migrations as auth_migrations
from services.mail.app import migrations as mail_migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.auth import stand as auth_stand
from tests.integration.mail.stand import Stand as MailStand
from tests.integration.mail.stand import standing


@pytest.fixture
async def mail(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[MailStand]:
    """The mail service with all its roles, and everything around it."""
    async with (
        standing(
            mail_url=await new_database(*mail_migrations()),
            auth_url=await new_database(*auth_migrations()),
            amqp_url=amqp_url,
            google=emulator,
        ) as stand,
        stand.serving(),
    ):
        yield stand


@pytest.fixture
async def auth(new_database: NewDatabase, emulator: Emulated) -> AsyncIterator[auth_stand.Stand]:
    """The auth service, its web role, with one person at Google."""
    await emulator.add_person(auth_stand.ALICE, name="Alice")
    url = await new_database(*auth_migrations())
    async with auth_stand.running(auth_stand.settings_for(url, emulator.origin)) as stand:
        yield stand
