import asyncio

from libs.common.bell import Bell
from tests.databases import NewDatabase, connected
from tests.house.wires import Wire


async def test_a_bell_rings_for_a_notice(new_database: NewDatabase) -> None:
    url = await new_database()
    bell = Bell(url, "door")
    async with bell.listening(), connected(url) as conn, asyncio.timeout(20):
        await bell.wait(60)  # it rings once when it begins to listen
        await conn.execute("NOTIFY door")
        await bell.wait(60)


async def test_a_bell_for_one_payload_keeps_silent_for_others(new_database: NewDatabase) -> None:
    url = await new_database()
    bell, witness = Bell(url, "door", payload="front"), Bell(url, "door")
    async with bell.listening(), witness.listening(), connected(url) as conn, asyncio.timeout(20):
        await bell.wait(60)
        await witness.wait(60)
        await conn.execute("NOTIFY door, 'back'")
        await witness.wait(60)

        waiting = asyncio.create_task(bell.wait(60))
        await conn.execute("SELECT 1")
        assert not waiting.done()
        await conn.execute("NOTIFY door, 'front'")
        await waiting
        await conn.execute("NOTIFY door")
        await bell.wait(60)


async def test_a_bell_whose_connection_a_network_lost_is_hung_up_anew(
    new_database: NewDatabase,
) -> None:
    async with Wire("postgres", await new_database()).laid() as wire:
        bell = Bell(wire.url, "door", check_every_s=0.0)
        async with bell.listening(), asyncio.timeout(20):
            await bell.wait(60)
            wire.swallow(noticed_s=60)
            await bell.wait(60)
