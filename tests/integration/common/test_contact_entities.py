"""The directory, of which two tell: the CRM by versions, the contacts service by sequences."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from libs.common import db
from libs.common.db import Pool
from libs.common.directory import Change, Entity, EntityRef, store, told
from libs.common.directory.contacts import news_of
from libs.common.events.contacts import ContactEvent
from libs.common.migrate import kernel
from tests.contacts_told import ANN, LATER, created, deleted, merged, updated
from tests.databases import NewDatabase
from tests.messaging import NOON

CRMS = EntityRef("contact", "c-7")
OWN = EntityRef("contact", str(ANN))


class Directory:
    """A tenant's, as both sides change it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def hears(
        self, event: ContactEvent, sequence: int, *, minutes: float = 0
    ) -> list[Change]:
        """Take in an event, of so many minutes past noon."""
        at = NOON + timedelta(minutes=minutes)
        news = news_of(event, sequence=sequence, at=at)
        assert news is not None
        async with db.transaction(self.pool) as conn:
            await store.lock_exclusive(conn, "acme")
            return await told.take_in(conn, "acme", news, NOON)

    async def crm(self, version: int, *emails: str) -> Change | None:
        entity = Entity(
            entity_type="contact", entity_id="c-7", version=version, name="C", emails=emails
        )
        async with db.transaction(self.pool) as conn:
            return await store.upsert_entity(conn, "acme", entity, NOON)

    async def crm_ends(self, version: int) -> Change | None:
        async with db.transaction(self.pool) as conn:
            return await store.delete_entity(conn, "acme", CRMS, version, NOON)

    async def whose(self, address: str) -> list[EntityRef]:
        async with self.pool.acquire() as conn:
            return [*(await store.find_by_addresses(conn, "acme", [address])).get(address, ())]

    async def entity(self, ref: EntityRef = CRMS) -> Entity | None:
        async with self.pool.acquire() as conn:
            return await store.find_entity(conn, "acme", ref)


@pytest.fixture
async def directory(new_database: NewDatabase) -> AsyncIterator[Directory]:
    pool = await db.open_pool(await new_database(kernel("directory")))
    yield Directory(pool)
    await db.close_pool(pool)


async def test_every_statement_fits_the_schema(directory: Directory) -> None:
    found = [sql for name, sql in vars(told).items() if re.fullmatch("UPSERT|BURY", name)]
    assert len(found) == 2
    async with directory.pool.acquire() as conn:
        for sql in found:
            await conn.prepare(sql)


async def test_a_contact_is_found_by_its_addresses(directory: Directory) -> None:
    (change,) = await directory.hears(created("ann@x.test"), 1)
    assert change.added == {"ann@x.test"}
    (change,) = await directory.hears(updated("new@x.test"), 2)
    assert change.added == {"new@x.test"}
    assert change.removed == {"ann@x.test"}
    assert await directory.whose("new@x.test") == [OWN]


async def test_an_event_that_comes_late_or_again_changes_nothing(directory: Directory) -> None:
    await directory.hears(updated("new@x.test"), 2)
    assert await directory.hears(created("ann@x.test"), 1) == []
    assert await directory.hears(updated("other@x.test"), 2) == []
    assert await directory.whose("new@x.test") == [OWN]


async def test_what_came_last_wins_whoever_told_it(directory: Directory) -> None:
    await directory.crm(1_700_000, "crm@x.test")
    await directory.hears(created("ann@x.test", entity_id="c-7"), 1)
    assert await directory.whose("ann@x.test") == [CRMS]
    entity = await directory.entity()
    assert entity is not None
    assert (entity.name, entity.version) == ("Ann", 1_700_000)

    assert await directory.crm(1_700_000, "crm@x.test") is None
    assert await directory.crm(1_700_001, "crm@x.test") is not None
    assert await directory.whose("crm@x.test") == [CRMS]
    assert await directory.hears(created("ann@x.test", entity_id="c-7"), 1) == []


async def test_a_contact_that_the_crm_never_told_of_takes_its_first_version(
    directory: Directory,
) -> None:
    await directory.hears(created("ann@x.test", entity_id="c-7"), 9)
    change = await directory.crm(1, "crm@x.test")
    assert change is not None
    assert change.removed == {"ann@x.test"}


async def test_either_side_ends_it_until_something_newer_comes(directory: Directory) -> None:
    await directory.crm(1, "crm@x.test")
    await directory.hears(deleted(entity_id="c-7"), 4)
    assert await directory.entity() is None
    assert await directory.hears(updated("ann@x.test", entity_id="c-7"), 3) == []
    assert await directory.crm(2, "crm@x.test") is not None
    assert await directory.whose("crm@x.test") == [CRMS]

    assert await directory.crm_ends(3) is not None
    assert await directory.whose("crm@x.test") == []
    await directory.hears(updated("ann@x.test", entity_id="c-7"), 5)
    assert await directory.whose("ann@x.test") == [CRMS]


async def test_a_contact_that_the_crm_takes_over_is_one_entity(directory: Directory) -> None:
    await directory.hears(created("ann@x.test"), 1)
    await directory.hears(updated("ann@x.test", entity_id="c-7"), 2)
    assert await directory.whose("ann@x.test") == [CRMS]
    assert await directory.entity(OWN) is None


async def test_what_it_was_before_does_not_come_back_late(directory: Directory) -> None:
    await directory.hears(updated("ann@x.test", entity_id="c-7"), 2)
    assert await directory.hears(created("ann@x.test"), 1) == []
    assert await directory.whose("ann@x.test") == [CRMS]


async def test_a_merged_contact_is_gone_and_its_successor_stays(directory: Directory) -> None:
    await directory.hears(created("ann@x.test", contact_id=ANN), 1)
    await directory.hears(created("ann@x.test", contact_id=LATER), 1)
    await directory.hears(merged(contact_id=ANN), 2)
    assert await directory.whose("ann@x.test") == [EntityRef("contact", str(LATER))]


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize(("giver", "taker"), [(ANN, LATER), (LATER, ANN)])
async def test_an_id_of_the_crms_may_go_from_one_contact_to_another(
    directory: Directory, *, giver: UUID, taker: UUID, is_late: bool
) -> None:
    await directory.hears(created("ann@x.test", entity_id="c-7", contact_id=giver), 7)
    told: list[tuple[ContactEvent, int]] = [
        (deleted(entity_id="c-7", contact_id=giver), 8),
        (updated("new@x.test", entity_id="c-7", contact_id=taker), 2),
    ]
    for event, sequence in reversed(told) if is_late else told:
        await directory.hears(event, sequence, minutes=1)
    assert await directory.whose("new@x.test") == [CRMS]
    late = updated("ann@x.test", entity_id="c-7", contact_id=giver)
    assert await directory.hears(late, 6) == []


async def test_whose_it_is_stays_if_a_contact_is_nobodys(directory: Directory) -> None:
    await directory.hears(created("ann@x.test"), 1)
    nobodys = updated("ann@x.test").model_copy(update={"owner_user_id": None})
    await directory.hears(nobodys, 2)
    entity = await directory.entity(OWN)
    assert entity is not None
    assert entity.owner_user_id == "ada"
