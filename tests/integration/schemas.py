"""Holding a database to its readable dump, and the statements of a service to the database."""

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.resources import files
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from libs.common import migrate
from tests.databases import NewDatabase, connected

CATALOGUE = """
SELECT 'column' AS kind, c.relname AS owner, a.attname AS name,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
                 pg_get_expr(d.adbin, d.adrelid)) AS definition
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
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


async def catalogue(conn: "asyncpg.Connection[asyncpg.Record]") -> list[tuple[Any, ...]]:
    """Return what a database is made of, but for the record of its migrations."""
    rows = await conn.fetch(CATALOGUE)
    return [tuple(row) for row in rows if row["owner"] != "schema_migrations"]


async def check_dump(new_database: NewDatabase, service: str) -> None:
    """Check that a service's `schema.sql` is what its migrations add up to."""
    readable = (files(f"services.{service}") / "schema.sql").read_text()
    async with (
        connected(await new_database(migrate.service(service))) as migrated,
        connected(await new_database()) as written,
    ):
        await written.execute(readable)

        assert await catalogue(written) == await catalogue(migrated)


async def check_statements(conn: "asyncpg.Connection[asyncpg.Record]", store: ModuleType) -> None:
    """Check that a database can prepare every statement of a service's `store`."""
    found = dict(statements(store))
    assert len(found) > 20
    for name, sql in found.items():
        try:
            await conn.prepare(sql)
        except asyncpg.PostgresError as exc:
            pytest.fail(f"{name}: {exc}")


def statements(store: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield the statements of every module of a package, by name; parts of some are none."""
    for module_info in pkgutil.iter_modules(store.__path__, f"{store.__name__}."):
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            is_part = name.startswith("_") or name == "COLUMNS"
            if name.isupper() and not is_part and isinstance(value, str):
                yield f"{module_info.name.rpartition('.')[2]}.{name}", value
