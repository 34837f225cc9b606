import asyncio

import asyncpg
import pytest
from aiohttp import web
from pydantic import SecretStr

from libs.common import db
from libs.common.errors import Transient
from tests.databases import NewDatabase
from tests.house.wires import Wire


async def test_jsonb_columns_are_python_values_both_ways(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database())
    value = {"a": [1, None, True, "ü"], "b": {"c": 1.5}}

    async with db.transaction(pool) as conn:
        assert await conn.fetchval("SELECT $1::jsonb", value) == value
        assert await conn.fetchval("SELECT $1::jsonb ->> 'b'", value) == '{"c": 1.5}'
    await db.close_pool(pool)


async def test_a_transaction_is_committed_on_leaving(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database())
    async with db.transaction(pool) as conn:
        await conn.execute("CREATE TABLE kept (id int)")

    assert await pool.fetchval("SELECT to_regclass('kept') IS NOT NULL")
    await db.close_pool(pool)


async def test_an_error_rolls_the_transaction_back(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database())

    async def work() -> None:
        async with db.transaction(pool) as conn:
            await conn.execute("CREATE TABLE gone (id int)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()

    assert await pool.fetchval("SELECT to_regclass('gone') IS NULL")
    await db.close_pool(pool)


async def test_a_cancelled_transaction_is_rolled_back(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database(), size=1)
    begun = asyncio.Event()

    async def work() -> None:
        async with db.transaction(pool) as conn:
            await conn.execute("CREATE TABLE gone (id int)")
            begun.set()
            await conn.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await pool.fetchval("SELECT to_regclass('gone') IS NULL")
    await db.close_pool(pool)


async def test_an_exhausted_pool_is_a_transient_error(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database(), size=1)

    async with db.transaction(pool):
        with pytest.raises(Transient):
            async with db.transaction(pool, timeout_s=0.05):
                pass
    await db.close_pool(pool)


async def test_a_statement_may_run_only_so_long(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database(), statement_timeout_s=0.1)

    with pytest.raises(asyncpg.QueryCanceledError):
        await pool.execute("SELECT pg_sleep(5)")
    await db.close_pool(pool)


async def test_a_returned_connection_costs_no_further_statement(new_database: NewDatabase) -> None:
    url = await new_database()
    pool = await db.open_pool(url, size=1)
    watcher = await db.connect(url, application_name="watcher")

    pid = await pool.fetchval("SELECT pg_backend_pid()")

    last = await watcher.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", pid)
    await watcher.close()
    await db.close_pool(pool)
    assert last == "SELECT pg_backend_pid()"


async def test_a_service_starts_while_its_database_is_away() -> None:
    app = web.Application()
    app.cleanup_ctx.append(db.database(SecretStr("postgresql://nobody:x@127.0.0.1:1/none")))
    runner = web.AppRunner(app)

    await runner.setup()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await db.ping(app[db.POOL])
    await runner.cleanup()


async def test_the_database_answers_a_ping(new_database: NewDatabase) -> None:
    pool = await db.open_pool(SecretStr(await new_database()))

    await db.ping(pool)
    await db.close_pool(pool)


async def test_closing_does_not_wait_for_ever_for_a_borrowed_connection(
    new_database: NewDatabase,
) -> None:
    pool = await db.open_pool(await new_database())
    conn = await pool.acquire()
    closed = asyncio.Event()
    conn.add_termination_listener(lambda _conn: closed.set())

    await db.close_pool(pool, timeout_s=0.05)

    async with asyncio.timeout(5):
        await closed.wait()


async def test_one_lost_connection_has_the_others_made_anew(new_database: NewDatabase) -> None:
    """What swallowed one swallowed all of them, and each would take its time to be given up."""
    async with Wire("postgres", await new_database()).laid() as wire:
        pool = await asyncpg.create_pool(wire.url, min_size=3, max_size=3, command_timeout=0.3)
        wire.swallow(noticed_s=25)

        with pytest.raises(TimeoutError):
            async with db.transaction(pool):
                pass
        for _ in range(3):
            async with db.transaction(pool) as conn:
                assert await conn.fetchval("SELECT 1") == 1
        pool.terminate()
