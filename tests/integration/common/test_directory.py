"""The directory: versions, tombstones, tenants, and the lock between it and mail."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from libs.common import db
from libs.common.db import Pool
from libs.common.directory import Change, Entity, EntityRef, store
from libs.common.migrate import kernel
from tests.databases import NewDatabase
from tests.messaging import NOON
from tests.support import eventually

BOB = EntityRef("lead", "bob")
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[Pool]:
    pool = await db.open_pool(await new_database(kernel("directory")))
    yield pool
    await db.close_pool(pool)


def bob(version: int, *emails: str, **more: object) -> Entity:
    given: dict[str, object] = {"name": "Bob", **more}
    return Entity(
        entity_type="lead",
        entity_id="bob",
        version=version,
        emails=emails,
        **given,  # type: ignore[arg-type] # fields of any type
    )


async def put(pool: Pool, *entities: Entity, tenant_id: str = "acme") -> list[Change | None]:
    async with db.transaction(pool) as conn:
        return await store.upsert_entities(conn, tenant_id, entities, NOON)


async def bury(pool: Pool, version: int) -> Change | None:
    async with db.transaction(pool) as conn:
        return await store.delete_entity(conn, "acme", BOB, version, NOON)


async def whose(pool: Pool, *addresses: str, tenant_id: str = "acme") -> dict[str, list[str]]:
    async with pool.acquire() as conn:
        found = await store.find_by_addresses(conn, tenant_id, addresses)
    return {address: [str(ref) for ref in refs] for address, refs in found.items()}


async def test_every_statement_fits_the_schema(pool: Pool) -> None:
    found = {name: sql for name, sql in vars(store).items() if re.fullmatch("[A-Z_]+", name)}
    assert len(found) >= 10
    async with pool.acquire() as conn:
        for name, sql in found.items():
            try:
                await conn.prepare(sql)
            except asyncpg.PostgresError as exc:
                pytest.fail(f"{name}: {exc}")


async def test_a_newer_version_says_which_addresses_came_and_went(pool: Pool) -> None:
    (first,) = await put(pool, bob(1, "a@x.test", "b@x.test"))
    (second,) = await put(pool, bob(2, "b@x.test", "c@x.test"))

    assert first is not None
    assert first.added == {"a@x.test", "b@x.test"}
    assert second == Change(
        ref=BOB, version=2, added=frozenset({"c@x.test"}), removed=frozenset({"a@x.test"})
    )
    assert await whose(pool, "A@X.test", " C@x.test ") == {"c@x.test": ["lead/bob"]}


async def test_an_older_or_equal_version_changes_nothing(pool: Pool) -> None:
    await put(pool, bob(5, "new@x.test", phones=("+1",), owner_user_id="ada"))
    assert await put(pool, bob(4, "old@x.test"), bob(5, "other@x.test", name="Eve")) == [None, None]

    async with pool.acquire() as conn:
        held = await store.find_entity(conn, "acme", BOB)
    assert held == bob(5, "new@x.test", phones=("+1",), owner_user_id="ada")


async def test_one_entity_twice_in_a_batch_ends_as_the_newest(pool: Pool) -> None:
    changes = await put(pool, bob(1, "a@x.test"), bob(3, "c@x.test"), bob(2, "b@x.test"))

    assert [change is not None for change in changes] == [True, True, False]
    assert await whose(pool, "a@x.test", "b@x.test", "c@x.test") == {"c@x.test": ["lead/bob"]}


async def test_a_tombstone_is_beaten_only_by_a_higher_version(pool: Pool) -> None:
    await put(pool, bob(5, "bob@x.test"))
    assert await bury(pool, 4) is None
    gone = await bury(pool, 5)
    assert gone is not None
    assert gone.removed == {"bob@x.test"}
    assert await bury(pool, 5) is None
    assert await put(pool, bob(5, "bob@x.test")) == [None]
    assert await whose(pool, "bob@x.test") == {}

    (back,) = await put(pool, bob(6, "bob@x.test"))
    assert back is not None
    assert await whose(pool, "bob@x.test") == {"bob@x.test": ["lead/bob"]}


async def test_a_deletion_that_comes_before_the_entity_still_wins(pool: Pool) -> None:
    assert await bury(pool, 2) is not None
    assert await put(pool, bob(1, "bob@x.test")) == [None]


async def test_old_tombstones_are_forgotten_and_nothing_else(pool: Pool) -> None:
    await bury(pool, 2)
    alive = Entity(entity_type="lead", entity_id="eve", version=1)
    await put(pool, alive)
    async with pool.acquire() as conn:
        assert await store.purge_tombstones(conn, before=NOON) == 0
        assert await store.purge_tombstones(conn, before=NOON + timedelta(seconds=1)) == 1
        assert await store.find_version(conn, "acme", BOB) is None
        assert await store.find_version(conn, "acme", alive.ref) == 1


async def test_two_entities_may_share_an_address(pool: Pool) -> None:
    deal = Entity(entity_type="deal", entity_id="1", version=1, emails=("bob@x.test",))
    await put(pool, bob(1, "bob@x.test"), deal)
    assert await whose(pool, "bob@x.test") == {"bob@x.test": ["deal/1", "lead/bob"]}


async def test_tenants_never_meet(pool: Pool) -> None:
    await put(pool, bob(9, "bob@x.test"))
    (other,) = await put(pool, bob(1, "eve@x.test"), tenant_id="umbrella")

    assert other is not None
    assert await whose(pool, "bob@x.test", tenant_id="umbrella") == {}
    assert await whose(pool, "bob@x.test", "eve@x.test") == {"bob@x.test": ["lead/bob"]}


async def test_a_change_waits_for_mail_and_mail_for_a_change_but_mail_not_for_mail(
    pool: Pool,
) -> None:
    order: list[str] = []

    async def change() -> None:
        async with db.transaction(pool) as conn:
            await store.lock_exclusive(conn, "acme")
            order.append("changed")
            await store.upsert_entity(conn, "acme", bob(1, "bob@x.test"), NOON)

    async with (
        asyncio.TaskGroup() as group,
        db.transaction(pool) as first,
        db.transaction(pool) as second,
    ):
        await store.lock_shared(first, "acme")
        await store.lock_shared(second, "acme")
        group.create_task(change())

        async def is_waiting() -> bool:
            return bool(await first.fetchval(WAITING))

        await eventually(is_waiting)
        async with db.transaction(pool) as elsewhere:
            await store.lock_exclusive(elsewhere, "umbrella")
        await store.lock_shared(first, "acme")  # again, past the one that waits
        order.append("mail")
    assert order == ["mail", "changed"]
