"""What a database of the release before brings along, also while that still runs."""

from importlib.resources import files
from pathlib import Path

from libs.common.migrate import MigrationSet, migrate, service
from tests.databases import NewDatabase, connected

FIRST_OF_ACTIVITIES = "0006"
ADD_MESSAGE = """
INSERT INTO messages (tenant_id, id, connection_id, google_id, thread_id, internal_date, traced,
                      direction, label_history_id, stored_at, activity_sequence)
VALUES ('acme', gen_random_uuid(), gen_random_uuid(), $1, 't', now(), false, 'inbound', 1, now(),
        $2)
"""
ADD_LINK = """
INSERT INTO message_links (tenant_id, entity_type, entity_id, message_id, occurred_at)
SELECT 'acme', 'lead', $2, id, internal_date FROM messages WHERE google_id = $1
"""
COUNT = """
UPDATE messages SET activity_sequence = activity_sequence + 1 WHERE google_id = $1
RETURNING activity_sequence
"""
ACTIVITIES = """
SELECT m.google_id, a.id = m.id AS same, a.sequence
  FROM activities a JOIN messages m ON m.tenant_id = a.tenant_id AND m.activity_id = a.id
 ORDER BY m.google_id
"""


async def test_an_activity_keeps_its_name_and_number_while_both_releases_run(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    for file in (files("services.mail") / "migrations").iterdir():
        if file.name.endswith(".sql") and file.name < FIRST_OF_ACTIVITIES:
            (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"))
    url = await new_database(MigrationSet("mail", tmp_path))
    async with connected(url) as conn:
        await conn.execute(ADD_MESSAGE, "told", 3)
        await conn.execute(ADD_LINK, "told", "7")
        await conn.execute(ADD_MESSAGE, "unlinked", 2)

        await migrate(url, service("mail"), phase="pre")
        await conn.execute("UPDATE activities SET sequence = 4 WHERE sequence = 3")  # by the new
        assert await conn.fetchval(COUNT, "told") == 5  # by the old
        await conn.execute(ADD_MESSAGE, "arrived", 1)
        await conn.execute(ADD_LINK, "arrived", "7")
        await conn.execute(ADD_LINK, "unlinked", "8")
        assert await conn.fetchval(COUNT, "unlinked") == 3

        await conn.execute("DELETE FROM message_links WHERE entity_id = '8'")
        await migrate(url, service("mail"))
        rows = [tuple(row) for row in await conn.fetch(ACTIVITIES)]
    assert rows == [("arrived", True, 1), ("told", True, 5)]
