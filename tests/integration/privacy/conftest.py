from collections.abc import AsyncIterator

import pytest

from libs.common import clock
from libs.common.web import ALL_ROLES
from services.auth.app import migrations as auth_migrations
from services.calendar.app import migrations as calendar_migrations
from services.contacts.app import migrations as contacts_migrations
from services.mail.app import migrations
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.calendar.stand import Stand as CalendarStand
from tests.integration.calendar.stand import standing as calendar_standing
from tests.integration.contacts.stand import Stand as ContactsStand
from tests.integration.contacts.stand import standing as contacts_standing
from tests.integration.mail.stand import Stand, standing


@pytest.fixture
async def stand(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[Stand]:
    """Auth and mail with all their roles, and everything around them."""
    async with (
        standing(
            mail_url=await new_database(*migrations()),
            auth_url=await new_database(*auth_migrations()),
            amqp_url=amqp_url,
            google=emulator,
            auth_roles=ALL_ROLES - {"consumer"},
            backfill_days=30,
        ) as made,
        made.serving(),
    ):
        yield made


@pytest.fixture
async def calendar(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[CalendarStand]:
    """Auth and the calendar with all their roles, and everything around them."""
    async with (
        calendar_standing(
            calendar_url=await new_database(*calendar_migrations()),
            auth_url=await new_database(*auth_migrations()),
            amqp_url=amqp_url,
            google=emulator,
            auth_roles=ALL_ROLES - {"consumer"},
        ) as made,
        made.serving(),
    ):
        yield made


@pytest.fixture
async def contacts(
    new_database: NewDatabase, amqp_url: str, emulator: Emulated
) -> AsyncIterator[ContactsStand]:
    """Auth and contacts with all their roles, and everything around them."""
    async with (
        contacts_standing(
            contacts_url=await new_database(*contacts_migrations()),
            auth_url=await new_database(*auth_migrations()),
            amqp_url=amqp_url,
            google=emulator,
            auth_roles=ALL_ROLES - {"consumer"},
        ) as made,
        made.serving(),
    ):
        yield made
    clock.set_offset(0)
