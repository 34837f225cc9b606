import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.common import clock, db
from libs.common.db import Pool
from libs.common.errors import Transient
from libs.common.feeds import Door
from tests.integration.common.feeds.conftest import new_feed, opened, signal
from tests.support import eventually


@pytest.fixture
async def door(pool: Pool) -> AsyncIterator[Door]:
    door = Door(pool, now=clock.now)
    task = asyncio.create_task(door.run())
    yield door
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_knock_is_answered_after_its_commit(pool: Pool, door: Door) -> None:
    feed = await opened(pool)

    assert await door.knock("ada@example.com")

    assert (await signal(pool, feed))["generation"] == 1


async def test_a_knock_at_an_unknown_address_is_told_so(door: Door) -> None:
    assert not await door.knock("nobody@example.com")


async def test_a_thousand_knocks_share_a_few_commits(pool: Pool, door: Door) -> None:
    feed = await opened(pool)

    answers = await asyncio.gather(*(door.knock("ada@example.com") for _ in range(1000)))

    assert all(answers)
    assert 1 <= int(str((await signal(pool, feed))["generation"])) <= 10


async def test_knocks_beyond_the_room_are_refused_for_now(pool: Pool) -> None:
    door = Door(pool, now=clock.now, most_waiting=1)
    first = asyncio.create_task(door.knock("ada@example.com"))
    await asyncio.sleep(0)

    with pytest.raises(Transient):
        await door.knock("ada@example.com")

    first.cancel()


async def test_a_locked_row_delays_only_its_own_knock(pool: Pool, door: Door) -> None:
    await opened(pool)
    await opened(pool, new_feed(address="bob@example.com"))
    async with db.transaction(pool) as conn:
        await conn.execute("SELECT 1 FROM signals WHERE address = 'ada@example.com' FOR UPDATE")
        ada = asyncio.create_task(door.knock("ada@example.com"))
        bob = asyncio.create_task(door.knock("bob@example.com"))

        with pytest.raises(Transient):
            await ada
        assert await bob


async def test_after_a_failed_flush_nobody_knocks_for_those_who_left(
    pool: Pool, door: Door
) -> None:
    await opened(pool)
    bobs = await opened(pool, new_feed(address="bob@example.com"))
    async with db.transaction(pool) as conn:
        await conn.execute("SELECT 1 FROM signals WHERE address = 'ada@example.com' FOR UPDATE")
        ada = asyncio.create_task(door.knock("ada@example.com"))
        bob = asyncio.create_task(door.knock("bob@example.com"))
        await eventually(lambda: blocked(pool))
        bob.cancel()
        with pytest.raises(Transient):
            await ada

    assert await door.knock("ada@example.com")
    assert (await signal(pool, bobs))["generation"] == 0


async def test_a_knock_whose_commit_is_unknown_is_not_called_recorded(pool: Pool) -> None:
    await opened(pool)
    door = Door(pool, now=clock.now)
    task = asyncio.create_task(door.run())
    async with db.transaction(pool) as conn:
        await conn.execute("SELECT 1 FROM signals FOR UPDATE")
        waiting = asyncio.create_task(door.knock("ada@example.com"))
        await eventually(lambda: blocked(pool))
        task.cancel()

        with pytest.raises(Transient):
            await waiting
    await asyncio.gather(task, return_exceptions=True)


async def blocked(pool: Pool) -> bool:
    async with pool.acquire() as conn:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(await conn.fetchval(sql))


async def test_concurrent_doors_never_deadlock(pool: Pool) -> None:
    addresses = [f"{number}@example.com" for number in range(20)]
    for address in addresses:
        await opened(pool, new_feed(address=address))
    doors = [Door(pool, now=clock.now) for _ in range(4)]
    tasks = [asyncio.create_task(door.run()) for door in doors]

    for turn in range(10):
        order = addresses if turn % 2 else addresses[::-1]
        knocks = (door.knock(address) for door in doors for address in order)
        assert all(await asyncio.gather(*knocks))

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
