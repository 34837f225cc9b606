"""The private servers themselves."""

import aio_pika

from libs.common import migrate
from tests.databases import NewDatabase, connected
from tests.servers import Servers

COUNT_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


async def test_a_fresh_database_is_empty(new_database: NewDatabase) -> None:
    async with connected(await new_database()) as connection:
        assert await connection.fetchval(COUNT_TABLES) == 0


async def test_a_database_is_cloned_with_the_migrations_asked_for(
    new_database: NewDatabase,
) -> None:
    async with connected(await new_database(migrate.kernel("messaging"))) as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_every_test_has_a_virtual_host_of_its_own(amqp_url: str, servers: Servers) -> None:
    connection = await aio_pika.connect(amqp_url, timeout=10)
    await connection.close()

    assert "/test-" in amqp_url
    assert servers.rabbit.answers()
