"""No table is forgotten: each says what becomes of it."""

import pytest

from cli.settings import SERVICES
from libs.common import clock
from libs.common.migrate import MigrationSet
from libs.common.privacy import Desk
from services.auth.app import migrations as auth_migrations
from services.auth.sync.privacy import DESK as AUTH
from services.calendar.app import migrations as calendar_migrations
from services.calendar.sync.erasure.privacy import desk as calendar_desk
from services.contacts.app import migrations as contacts_migrations
from services.contacts.sync.erasure.privacy import desk as contacts_desk
from services.mail.app import migrations as mail_migrations
from services.mail.sync.erasure.privacy import desk as mail_desk
from tests.databases import NewDatabase, connected
from tests.integration.privacy.holding import TABLES

WHY_NOT = "no: "


class Nobody:
    """Takes connections where no test may end one."""

    async def take(self, conn: object, told: object) -> bool:
        raise AssertionError((conn, told))

    async def purge_some(self, conn: object, tenant_id: str, connection_id: object) -> int:
        raise AssertionError((conn, tenant_id, connection_id))


DESKS = {
    "auth": (AUTH, auth_migrations()),
    "mail": (mail_desk(Nobody(), hash_key=b"", now=clock.now), mail_migrations()),
    "calendar": (calendar_desk(Nobody(), now=clock.now), calendar_migrations()),
    "contacts": (contacts_desk(Nobody(), now=clock.now), contacts_migrations()),
}


@pytest.mark.parametrize("service", DESKS)
async def test_every_table_says_who_shows_and_who_erases_it(
    service: str, new_database: NewDatabase
) -> None:
    desk, sets = DESKS[service]
    assert tables_of(desk) == await _tables(new_database, sets)


def tables_of(desk: Desk) -> set[str]:
    return set(desk.coverage)


async def _tables(new_database: NewDatabase, sets: tuple[MigrationSet, ...]) -> set[str]:
    async with connected(await new_database(*sets)) as conn:
        return {row["table_name"] for row in await conn.fetch(TABLES)}


@pytest.mark.parametrize("service", DESKS)
def test_what_a_table_names_is_there_or_a_reason(service: str) -> None:
    desk, _ = DESKS[service]
    kinds = {name.partition(": ")[2] for name in desk.extracts}
    parts = {part.name for part in desk.parts}
    for table, one in desk.coverage.items():
        assert one.shown in kinds or len(one.shown) > len(WHY_NOT) + 10, table
        assert one.erased in parts or len(one.erased) > len(WHY_NOT) + 10, table
        assert one.shown in kinds or one.shown.startswith(WHY_NOT), table
        assert one.erased in parts or one.erased.startswith(WHY_NOT), table


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_covers_what_every_one_has(service: str) -> None:
    desk, _ = DESKS[service]
    assert {"outbox", "outbox_dead", "idempotency_keys", "privacy_requests"} <= tables_of(desk)
