from typing import Any
from uuid import UUID

import pytest

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.feeds.compare import Reason
from services.contacts.store import connections
from services.contacts.sync.inward.comparing import open_comparison
from tests.integration.contacts.stand import Stand, human
from tests.support import eventually

MANY = 60
SOMEBODY_ELSE = """
UPDATE people SET resource = 'people/c1',
       person = jsonb_set(person, '{metadata,sources,0,id}', '"1"')
"""


async def compare(stand: Stand, connection_id: str) -> None:
    """Let an address book be compared with Google."""
    async with transaction(stand.app[POOL]) as conn:
        connection = await connections.find_connection(conn, "acme", UUID(connection_id))
        assert connection is not None
        await open_comparison(conn, connection, reason=Reason.REQUEST, now=clock.now())


async def counts(stand: Stand) -> Any:
    """Wait for the end of a comparison, and return what it counted."""
    (told,) = await eventually(lambda: stand.events("contacts.feed.resynced"))
    return told.data["counts"]


async def test_a_comparison_finds_nothing_where_nothing_differs(contacts: Stand) -> None:
    await contacts.add(human("Many", "many@example.org"), count=5)
    connection = await contacts.connect()
    await contacts.quiet()
    before = len(contacts.events())
    await compare(contacts, connection)
    assert await counts(contacts) == {"listed": 5, "added": 0, "changed": 0, "removed": 0}
    assert len(contacts.events()) == before + 1


async def test_a_comparison_finds_who_was_missed(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    await contacts.fetch("DELETE FROM people")
    await contacts.fetch("DELETE FROM contacts")
    await compare(contacts, connection)
    assert (await counts(contacts))["added"] == 1
    await contacts.named("Ada Byron")


async def test_a_comparison_finds_an_edit_that_was_missed(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.fetch(
        "UPDATE people SET etag = 'old', google_updated = google_updated - interval '1 day',"
        """ base = '{"given_name": "Old", "family_name": "Byron"}'"""
    )
    await contacts.fetch(
        """UPDATE contacts SET card = '{"given_name": "Old", "family_name": "Byron"}'"""
    )
    await compare(contacts, connection)
    assert (await counts(contacts))["changed"] == 1
    await contacts.told(row["id"], "created", "updated")


async def test_a_comparison_finds_who_is_gone(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.fetch(SOMEBODY_ELSE)
    await contacts.fetch("UPDATE people SET seen_at = seen_at - interval '1 hour'")
    await compare(contacts, connection)
    assert (await counts(contacts))["removed"] == 1
    await contacts.told(row["id"], "created", "deleted")


async def test_who_was_merged_without_a_trace_is_found_under_the_name_that_leads_there(
    asked: Stand,
) -> None:
    ada = await asked.add(human("Ada Byron", "ada@example.org"))
    countess = await asked.add(human("Countess Lovelace"))
    connection = await asked.connect()
    gone = await asked.named("Ada Byron")
    await asked.edit(ada["resourceName"], "merge", into=countess["resourceName"])
    await asked.fetch("UPDATE people SET seen_at = seen_at - interval '1 hour'")
    await compare(asked, connection)
    await asked.told(gone["id"], "created", "merged")
    (person,) = await asked.people()
    assert person["resource"] == countess["resourceName"]


async def test_whom_we_made_a_moment_ago_is_not_gone_because_google_does_not_show_them_yet(
    contacts: Stand,
) -> None:
    connection = await contacts.connect(confirmed=True)
    await contacts.google_settings(contact_list_delay_s=60, contact_get_delay_s=60)
    made = await contacts.make(given_name="Ada")
    await eventually(lambda: contacts.people(connection))
    await contacts.fetch("UPDATE people SET seen_at = seen_at - interval '1 hour'")
    await compare(contacts, connection)
    assert (await counts(contacts))["removed"] == 0
    await contacts.told(made["id"], "created")


async def test_who_was_written_since_the_list_began_is_not_gone(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    await contacts.fetch(SOMEBODY_ELSE)
    await contacts.fetch("UPDATE people SET seen_at = now() + interval '1 hour'")
    await compare(contacts, connection)
    await counts(contacts)
    (person,) = [row for row in await contacts.people() if row["resource"] == "people/c1"]
    assert person["gone_at"] is None


@pytest.mark.parametrize(("state", "left"), [("approved", 0), ("rejected", MANY)])
async def test_many_who_are_gone_wait_for_a_person(asked: Stand, state: str, left: int) -> None:
    made = await asked.add(human("Many", "many@example.org"), count=MANY)
    connection = await asked.connect()
    for name in made["resourceNames"]:
        await asked.edit(name, "delete")
    await asked.fetch("UPDATE people SET seen_at = seen_at - interval '1 hour'")
    await compare(asked, connection)
    holds = await eventually(lambda: asked.fetch("SELECT * FROM holds"))
    assert (holds[0]["affected"], holds[0]["total"]) == (MANY, MANY)
    assert len(await asked.kept()) == MANY
    await asked.fetch("UPDATE holds SET state = $1, decided_at = now(), decided_by = 'ada'", state)
    await asked.fetch(
        "UPDATE signals SET due_at = now(), generation = generation + 1"
        " WHERE feed_id = (SELECT id FROM feeds WHERE kind = 'contacts.audit')"
    )
    await counts(asked)
    assert len(await asked.kept()) == left
