"""The statements fit the schema, and the readable schema is the real one."""

from importlib.resources import files
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from libs.common.migrate import service
from services.auth.app import migrations
from services.auth.store import accounts, connections, consents, dues, privacy
from tests.databases import NewDatabase, connected

CATALOGUE = """
SELECT 'column' AS kind, c.relname AS owner, a.attname AS name,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
                 pg_get_expr(d.adbin, d.adrelid)) AS definition
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'options', relname, '', array_to_string(reloptions, ',')
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
ORDER BY 1, 2, 3
"""


async def _catalogue(conn: "asyncpg.Connection[asyncpg.Record]") -> list[tuple[Any, ...]]:
    rows = await conn.fetch(CATALOGUE)
    return [tuple(row) for row in rows if row["owner"] != "schema_migrations"]


@pytest.mark.parametrize("module", [accounts, connections, consents, dues, privacy])
async def test_every_statement_fits_the_schema(
    new_database: NewDatabase, module: ModuleType
) -> None:
    statements = {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }

    async with connected(await new_database(*migrations())) as conn:
        for name, sql in statements.items():
            assert await conn.prepare(sql), name

    assert len(statements) > 5


async def test_the_readable_schema_equals_the_migrations(new_database: NewDatabase) -> None:
    readable = (files("services.auth") / "schema.sql").read_text()
    async with (
        connected(await new_database(service("auth"))) as migrated,
        connected(await new_database()) as written,
    ):
        await written.execute(readable)

        assert await _catalogue(written) == await _catalogue(migrated)
