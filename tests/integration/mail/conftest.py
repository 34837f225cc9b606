from collections.abc import AsyncIterator

import pytest

from services.auth.app import migrations as auth_migrations
from services.mail.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.mail.stand import Stand, standing, standing_alone


@pytest.fixture
async def stand(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[Stand]:
    """Everything around the mail service, which the test starts itself."""
    mail_url = await new_database(*migrations())
    auth_url = await new_database(*auth_migrations())
    async with standing(
        mail_url=mail_url, auth_url=auth_url, amqp_url=amqp_url, google=emulator
    ) as made:
        yield made


@pytest.fixture
async def mail(stand: Stand) -> AsyncIterator[Stand]:
    """The mail service with all its roles, and everything around it."""
    async with stand.serving():
        yield stand


@pytest.fixture
async def web_only(new_database: NewDatabase, emulator: Emulated) -> AsyncIterator[Stand]:
    """The web role alone."""
    mail_url = await new_database(*migrations())
    async with standing_alone(mail_url=mail_url, google=emulator) as made:
        yield made
