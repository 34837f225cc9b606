"""The statements fit the schema, and the readable schema is the real one."""

from services.auth import store
from services.auth.app import migrations
from tests.databases import NewDatabase, connected
from tests.integration import schemas


async def test_every_statement_fits_the_schema(new_database: NewDatabase) -> None:
    async with connected(await new_database(*migrations())) as conn:
        await schemas.check_statements(conn, store)


async def test_the_readable_schema_equals_the_migrations(new_database: NewDatabase) -> None:
    await schemas.check_dump(new_database, "auth")
