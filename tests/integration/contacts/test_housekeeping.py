"""What goes at night, what has to stay, and what is measured."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common import clock, db
from libs.common.db import Pool
from services.contacts.app import migrations
from services.contacts.sync.housekeeping import chores
from services.contacts.sync.measuring import measure_once
from tests.chores import swept
from tests.databases import NewDatabase
from tests.integration.contacts.stand import settings_for

OLD, YOUNG = timedelta(days=91), timedelta(days=89)
BOOK, ACCOUNT = uuid4(), uuid4()

PUT_CONTACT = """
INSERT INTO contacts (tenant_id, id, card, name, created_at, updated_at, deleted_at)
VALUES ('acme', $1, '{}', '', $2, $2, $3)
"""
PUT_PERSON = """
INSERT INTO people (tenant_id, connection_id, resource, account_id, contact_id, etag, base, person,
                    emails, seen_at, gone_at)
VALUES ('acme', $1, $2, $3, $4, 'e', '{"given": "Ann"}', '{"names": []}', '{ann@x.test}', $5, $6)
"""
PUT_GROUP = """
INSERT INTO groups (tenant_id, id, owner_user_id, name, created_at, updated_at, deleted_at)
VALUES ('acme', $1, 'ada', $2, $3, $3, $4)
"""
PUT_LABEL = """
INSERT INTO labels (tenant_id, connection_id, resource, group_id, kind, name, etag, seen_at,
                    gone_at)
VALUES ('acme', $1, $2, $3, 'user', 'L', 'e', $4, $5)
"""
PUT_CONFLICT = """
INSERT INTO conflicts (tenant_id, id, kind, connection_id, resource, created_at, state, resolved_at)
VALUES ('acme', $1, 'match', $2, $3, $4, CASE WHEN $5::timestamptz IS NULL THEN 'open'
        ELSE 'resolved' END, $5)
"""
PUT_LINE = """
INSERT INTO sync_logs (tenant_id, id, connection_id, kind, direction, action, status, at)
VALUES ('acme', $1, $2, 'contact', 'from_google', 'update', $3, $4)
"""
PUT_CONNECTION = """
INSERT INTO connections (tenant_id, connection_id, account_id, user_id, email, access, state,
                         updated_at)
VALUES ('acme', $1, $2, 'ada', 'ada@x.test', 'write', $3, $4)
"""


class House:
    """A database of contacts, and the chores on it."""

    def __init__(self, pool: Pool, url: str) -> None:
        self.pool = pool
        self.chores = chores(settings_for(url, "amqp://x", "http://x"), now=clock.now)

    async def contact(self, *, deleted: timedelta | None = None) -> UUID:
        """Add a contact, deleted so long ago."""
        made = uuid4()
        await self._put(PUT_CONTACT, made, clock.now(), _ago(deleted))
        return made

    async def person(
        self, resource: str, *, contact: UUID | None = None, gone: timedelta | None = None
    ) -> None:
        """Add a person at Google, gone so long ago."""
        await self._put(PUT_PERSON, BOOK, resource, ACCOUNT, contact, clock.now(), _ago(gone))

    async def group(self, name: str, *, deleted: timedelta | None = None) -> UUID:
        """Add a group, deleted so long ago."""
        made = uuid4()
        await self._put(PUT_GROUP, made, name, clock.now(), _ago(deleted))
        return made

    async def label(self, resource: str, *, group: UUID, gone: timedelta | None = None) -> None:
        """Add a label, gone so long ago."""
        await self._put(PUT_LABEL, BOOK, resource, group, clock.now(), _ago(gone))

    async def conflict(self, resource: str, *, resolved: timedelta | None = None) -> None:
        """Add a conflict, resolved so long ago."""
        await self._put(PUT_CONFLICT, uuid4(), BOOK, resource, clock.now(), _ago(resolved))

    async def line(self, status: str, *, ago: timedelta) -> None:
        """Add a line of the sync log."""
        await self._put(PUT_LINE, uuid4(), BOOK, status, _ago(ago))

    async def connection(self, state: str) -> None:
        """Add a connection."""
        await self._put(PUT_CONNECTION, uuid4(), ACCOUNT, state, clock.now())

    async def sweep(self) -> None:
        """Do all chores."""
        await swept(self.pool, self.chores)

    async def column(self, sql: str) -> list[object]:
        """Return the one column of some rows."""
        async with self.pool.acquire() as conn:
            return [row[0] for row in await conn.fetch(sql)]

    async def _put(self, sql: str, *values: object) -> None:
        async with self.pool.acquire() as conn:
            await conn.execute(sql, *values)


def _ago(span: timedelta | None) -> datetime | None:
    return None if span is None else clock.now() - span


@pytest.fixture
async def house(new_database: NewDatabase) -> AsyncIterator[House]:
    url = await new_database(*migrations())
    pool = await db.open_pool(url)
    yield House(pool, url)
    await db.close_pool(pool)


async def test_deleted_contacts_are_forgotten_after_a_while(house: House) -> None:
    kept = [await house.contact(), await house.contact(deleted=YOUNG)]
    await house.contact(deleted=OLD)
    await house.sweep()
    assert set(await house.column("SELECT id FROM contacts")) == set(kept)


async def test_a_deleted_contact_stays_as_long_as_it_is_somebody_at_google(house: House) -> None:
    theirs, gone = await house.contact(deleted=OLD), await house.contact(deleted=OLD)
    await house.person("people/c1", contact=theirs)
    await house.person("people/c2", contact=gone, gone=OLD)
    await house.sweep()
    assert await house.column("SELECT id FROM contacts") == [theirs]
    assert await house.column("SELECT resource FROM people") == ["people/c1"]


async def test_who_was_deleted_in_google_and_is_a_contact_is_remembered_without_content(
    house: House,
) -> None:
    contact = await house.contact()
    await house.person("people/c1", contact=contact, gone=OLD)
    await house.person("people/c2", gone=OLD)
    await house.person("people/c3", contact=await house.contact(), gone=YOUNG)
    await house.sweep()
    sql = "SELECT resource FROM people WHERE {} ORDER BY resource"
    assert await house.column(sql.format("true")) == ["people/c1", "people/c3"]
    faded = "person = '{}' AND base = '{}' AND emails = '{}' AND contact_id IS NOT NULL"
    assert await house.column(sql.format(faded)) == ["people/c1"]


async def test_groups_and_labels_go_once_neither_needs_the_other(house: House) -> None:
    kept = await house.group("At Google", deleted=OLD)
    await house.label("contactGroups/1", group=kept)
    over = await house.group("Over", deleted=OLD)
    await house.label("contactGroups/2", group=over, gone=OLD)
    live = await house.group("Live")
    await house.label("contactGroups/3", group=live, gone=OLD)
    await house.sweep()
    assert set(await house.column("SELECT id FROM groups")) == {kept, live}
    assert set(await house.column("SELECT resource FROM labels")) == {
        "contactGroups/1",
        "contactGroups/3",
    }


async def test_log_lines_and_conflicts_go_when_they_are_over(house: House) -> None:
    await house.line("success", ago=timedelta(days=31))
    await house.line("error", ago=timedelta(days=29))
    await house.conflict("people/c1", resolved=timedelta(days=31))
    await house.conflict("people/c2")
    await house.sweep()
    assert await house.column("SELECT status FROM sync_logs") == ["error"]
    assert await house.column("SELECT resource FROM conflicts") == ["people/c2"]


async def test_what_all_connections_do_is_measured(house: House) -> None:
    await house.connection("active")
    await house.connection("disconnected")
    for status in ("success", "success", "success", "error"):
        await house.line(status, ago=timedelta(minutes=5))
    await house.line("error", ago=timedelta(hours=2))
    await measure_once(house.pool, now=clock.now())
    measured = {
        name: REGISTRY.get_sample_value(f"causeway_contacts_{name}")
        for name in ("active_connections", "success_ratio")
    }
    assert measured == {"active_connections": 1, "success_ratio": 0.75}
