"""The database is what the migrations, the dump and the statements say it is."""

from services.contacts import store
from services.contacts.app import migrations
from tests.databases import NewDatabase, connected
from tests.integration import schemas


async def test_the_dump_equals_the_migrations(new_database: NewDatabase) -> None:
    await schemas.check_dump(new_database, "contacts")


async def test_every_statement_fits_the_schema(new_database: NewDatabase) -> None:
    async with connected(await new_database(*migrations())) as conn:
        await schemas.check_statements(conn, store)
