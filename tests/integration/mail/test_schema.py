"""The database is what the migrations, the dump and the statements say it is."""

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.resources import files

import asyncpg
import pytest

from libs.common import migrate
from services.mail import store
from services.mail.app import migrations
from tests.databases import NewDatabase, connected

CATALOGUE = """
SELECT 'column ' || c.table_name || '.' || c.column_name || ' ' || c.data_type || ' '
       || c.is_nullable || ' ' || coalesce(c.column_default, '') AS line
  FROM information_schema.columns c WHERE c.table_schema = 'public'
UNION ALL
SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'table ' || relname || ' ' || coalesce(reloptions::text, '')
  FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""


async def catalogue(conn: "asyncpg.Connection[asyncpg.Record]") -> set[str]:
    lines = {row["line"] for row in await conn.fetch(CATALOGUE)}
    return {line for line in lines if "schema_migrations" not in line}


def statements() -> Iterator[tuple[str, str]]:
    for module_info in pkgutil.iter_modules(store.__path__, f"{store.__name__}."):
        module = importlib.import_module(module_info.name)
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str):
                yield f"{module_info.name.rpartition('.')[2]}.{name}", value


async def test_the_dump_equals_the_migrations(new_database: NewDatabase) -> None:
    async with connected(await new_database(migrate.service("mail"))) as migrated:
        wanted = await catalogue(migrated)
    async with connected(await new_database()) as dumped:
        await dumped.execute((files("services.mail") / "schema.sql").read_text())
        assert await catalogue(dumped) == wanted


async def test_every_statement_fits_the_schema(new_database: NewDatabase) -> None:
    async with connected(await new_database(*migrations())) as conn:
        found = dict(statements())
        assert len(found) > 20
        for name, sql in found.items():
            try:
                await conn.prepare(sql)
            except asyncpg.PostgresError as exc:
                pytest.fail(f"{name}: {exc}")


async def test_a_page_of_messages_is_read_from_the_index(new_database: NewDatabase) -> None:
    from services.mail.store.reading import LIST_MESSAGES  # noqa: PLC0415 - beside its one use

    async with connected(await new_database(*migrations())) as conn:
        await conn.execute("SET enable_seqscan = off")
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        nothing = ", ".join(["NULL"] * 6)
        await conn.execute(f"PREPARE page AS {LIST_MESSAGES}")
        rows = await conn.fetch(f"EXPLAIN EXECUTE page ('acme', NULL, NULL, {nothing}, 50)")
        plan = "\n".join(row[0] for row in rows)
        assert "Index Scan using messages_newest" in plan  # of one's own
        assert "Index Scan using messages_linked" in plan  # of colleagues'
        assert plan.count("Sort Key") == 1  # of the connections' few pages only
