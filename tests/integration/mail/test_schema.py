"""The database is what the migrations, the dump and the statements say it is."""

from services.mail import store
from services.mail.app import migrations
from tests.databases import NewDatabase, connected
from tests.integration import schemas


async def test_the_dump_equals_the_migrations(new_database: NewDatabase) -> None:
    await schemas.check_dump(new_database, "mail")


async def test_every_statement_fits_the_schema(new_database: NewDatabase) -> None:
    async with connected(await new_database(*migrations())) as conn:
        await schemas.check_statements(conn, store)


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
