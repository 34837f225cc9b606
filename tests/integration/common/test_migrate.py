import asyncio
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from libs.common import migrate
from tests.databases import NewDatabase, connected

KERNEL_PARTS = sorted(
    folder.name
    for folder in (files("libs.common") / "migrations").iterdir()
    if folder.is_dir() and any(file.name.endswith(".sql") for file in folder.iterdir())
)


def _set(folder: Path, **sql: str) -> migrate.MigrationSet:
    for slug, text in sql.items():
        (folder / f"{slug.removeprefix('m')}.sql").write_text(text)
    return migrate.MigrationSet("notes", folder)


@pytest.mark.parametrize("part", KERNEL_PARTS)
async def test_each_part_of_the_kernel_migrates_an_empty_database(
    new_database: NewDatabase, part: str
) -> None:
    url, kernel = await new_database(), migrate.kernel(part)

    applied = await migrate.migrate(url, kernel)

    assert applied
    async with connected(url) as conn:
        assert await migrate.pending(conn, kernel, phase="all") == []


async def test_all_parts_of_the_kernel_live_in_one_database(new_database: NewDatabase) -> None:
    sets = [migrate.kernel(part) for part in KERNEL_PARTS]

    assert await migrate.migrate(await new_database(), *sets)


async def test_the_messaging_tables_can_be_read(new_database: NewDatabase) -> None:
    async with connected(await new_database(migrate.kernel("messaging"))) as conn:
        for table in ("outbox", "outbox_dead", "inbox"):
            assert await conn.fetchval("SELECT count(*) FROM " + table) == 0  # noqa: S608 - names above


async def test_migrating_again_applies_nothing(new_database: NewDatabase, tmp_path: Path) -> None:
    url = await new_database()
    notes = _set(tmp_path, m0001_pre_notes="CREATE TABLE notes (id int)")

    first = await migrate.migrate(url, notes)

    assert first == ["notes/0001_pre_notes"]
    assert await migrate.migrate(url, notes) == []


async def test_migrators_at_once_apply_everything_once(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = await new_database()
    notes = _set(
        tmp_path,
        m0001_pre_notes="CREATE TABLE notes (id int)",
        m0002_pre_index="-- no-transaction\nCREATE INDEX CONCURRENTLY notes_id ON notes (id)",
        m0003_post_more="ALTER TABLE notes ADD COLUMN more int",
    )

    answers = await asyncio.gather(*(migrate.migrate(url, notes) for _ in range(4)))

    assert sorted(len(answer) for answer in answers) == [0, 0, 0, 3]


async def test_before_a_release_only_what_its_code_needs_is_applied(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = await new_database()
    notes = _set(
        tmp_path,
        m0001_pre_notes="CREATE TABLE notes (id int, old int)",
        m0002_post_drop="ALTER TABLE notes DROP COLUMN old",
    )

    assert await migrate.migrate(url, notes, phase="pre") == ["notes/0001_pre_notes"]
    async with connected(url) as conn:
        assert await migrate.pending(conn, notes) == []
        assert await migrate.pending(conn, notes, phase="all") == ["notes/0002_post_drop"]
    assert await migrate.migrate(url, notes, phase="post") == ["notes/0002_post_drop"]


async def test_everything_is_pending_in_an_empty_database(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    notes = _set(tmp_path, m0001_pre_notes="CREATE TABLE notes (id int)")

    async with connected(await new_database()) as conn:
        assert await migrate.pending(conn, notes) == ["notes/0001_pre_notes"]


async def test_an_edited_migration_is_refused(new_database: NewDatabase, tmp_path: Path) -> None:
    url = await new_database()
    await migrate.migrate(url, _set(tmp_path, m0001_pre_notes="CREATE TABLE notes (id int)"))
    edited = _set(tmp_path, m0001_pre_notes="CREATE TABLE notes (id bigint)")

    with pytest.raises(migrate.SchemaChanged) as raised:
        await migrate.migrate(url, edited)

    assert raised.value.data == {"migration": "notes/0001_pre_notes"}


async def test_a_database_of_a_later_release_is_left_alone(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = await new_database()
    later = _set(
        tmp_path,
        m0001_pre_notes="CREATE TABLE notes (id int)",
        m0002_pre_more="CREATE TABLE more (id int)",
    )
    await migrate.migrate(url, later)
    (tmp_path / "0002_pre_more.sql").unlink()

    with pytest.raises(migrate.SchemaNewer) as raised:
        await migrate.migrate(url, later)

    assert raised.value.data == {"migration": "notes/0002_pre_more"}


async def test_a_failing_migration_leaves_nothing_of_itself(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = await new_database()
    notes = _set(
        tmp_path,
        m0001_pre_notes="CREATE TABLE notes (id int)",
        m0002_pre_wrong="CREATE TABLE half (id int); SELECT 1 / 0",
    )

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.migrate(url, notes)

    async with connected(url) as conn:
        assert await conn.fetchval("SELECT to_regclass('half') IS NULL")
        assert await migrate.pending(conn, notes) == ["notes/0002_pre_wrong"]


async def test_a_migration_does_not_queue_traffic_behind_a_locked_table(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = await new_database()
    await migrate.migrate(url, _set(tmp_path, m0001_pre_notes="CREATE TABLE notes (id int)"))
    blocked = _set(tmp_path, m0002_pre_more="ALTER TABLE notes ADD COLUMN more int")

    async with connected(url) as conn, conn.transaction():
        await conn.execute("LOCK TABLE notes IN SHARE MODE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await migrate.migrate(url, blocked)


async def test_a_malformed_name_is_refused(new_database: NewDatabase, tmp_path: Path) -> None:
    wrong = _set(tmp_path, m1_notes="CREATE TABLE notes (id int)")

    with pytest.raises(migrate.MigrationError):
        await migrate.migrate(await new_database(), wrong)
