from typing import Any

import orjson
import pytest

from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually

MANY = 60
"""More than may go without asking."""


async def names(stand: Stand) -> list[str]:
    """Return what the tenant's live contacts are called."""
    return sorted(row["name"] for row in await stand.kept())


async def test_people_of_an_address_book_become_contacts_of_whoever_connected_it(
    contacts: Stand,
) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org", phone="+55 11 98765-4321"))
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    assert row["owner_user_id"] == "ada"
    assert row["emails"] == ["ada@example.org"]
    assert row["phones"] == ["+5511987654321"]
    await contacts.told(row["id"], "created")


async def test_people_without_a_name_are_shown_by_address_or_number(contacts: Stand) -> None:
    await contacts.add(human("", "nameless@example.org"))
    await contacts.add(human("", phone="12 abc"))
    await contacts.connect()
    assert await names(contacts) == ["12 abc", "nameless@example.org"]


async def test_an_address_book_of_several_pages_is_read_to_the_end(contacts: Stand) -> None:
    await contacts.add(human("Many", "many@example.org"), count=1_203)
    connection = await contacts.connect()
    assert len(await contacts.kept()) == 1_203
    assert len(await contacts.people(connection)) == 1_203


async def test_the_first_reading_is_told_of_as_backfill(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"))
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.told(row["id"], "created")
    (event,) = contacts.events("contacts.contact.")
    assert event.data["origin"] == "backfill"
    assert event.data["visible_to"] == "owner"


async def test_a_person_who_is_added_becomes_a_contact(contacts: Stand) -> None:
    await contacts.connect()
    await contacts.add(human("Bob Late", "bob@example.org"))
    row = await contacts.named("Bob Late")
    await contacts.told(row["id"], "created")
    (event,) = contacts.events("contacts.contact.")
    assert event.data["origin"] == "live"


async def test_a_person_who_is_edited_is_told_of_once_with_what_changed(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.edit(
        made["resourceName"], "change", changes={"organizations": [{"title": "Countess"}]}
    )
    await contacts.told(row["id"], "created", "updated")
    event = contacts.events("contacts.contact.updated")[-1]
    assert event.data["changed"] == ["title"]
    assert event.data["title"] == "Countess"


async def test_a_contact_goes_with_its_person(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.edit(made["resourceName"], "delete")
    await contacts.told(row["id"], "created", "deleted")
    (person,) = await contacts.people()
    assert person["gone_at"] is not None


async def test_a_contact_that_the_crm_has_stays_when_its_person_goes(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.fetch("UPDATE contacts SET entity_id = 'e1'")
    await contacts.edit(made["resourceName"], "delete")
    await eventually(lambda: is_gone(contacts, made["resourceName"]))
    await contacts.look(connection)
    assert [one["id"] for one in await contacts.kept()] == [row["id"]]


async def test_a_contact_that_the_crm_has_goes_if_that_is_wanted(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.connect(preferences={"google_deletes": "delete"})
    row = await contacts.named("Ada Byron")
    await contacts.fetch("UPDATE contacts SET entity_id = 'e1'")
    await contacts.edit(made["resourceName"], "delete")
    await contacts.told(row["id"], "created", "deleted")


async def is_gone(stand: Stand, resource: str) -> bool:
    """Say whether it is known that a person is gone at Google."""
    return any(
        row["resource"] == resource and row["gone_at"] is not None for row in await stand.people()
    )


async def test_a_person_under_another_name_is_the_same_contact(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    await contacts.connect()
    row = await contacts.named("Ada Byron")
    renamed = await contacts.edit(made["resourceName"], "rename")

    async def is_known() -> bool:
        return [one["resource"] for one in await contacts.people()] == [renamed["resourceName"]]

    await eventually(is_known)
    assert [one["id"] for one in await contacts.kept()] == [row["id"]]
    await contacts.told(row["id"], "created")


async def test_a_person_under_another_name_is_the_same_contact_when_all_is_read_anew(
    contacts: Stand,
) -> None:
    made = await contacts.add(human("Ada Byron", "ada@example.org"))
    connection_id = await contacts.connect()
    before = await contacts.named("Ada Byron")
    renamed = await contacts.edit(made["resourceName"], "rename")
    await contacts.expire_tokens()
    await contacts.look(connection_id)

    async def follows() -> bool:
        return [one["resource"] for one in await contacts.people()] == [renamed["resourceName"]]

    await eventually(follows)
    await contacts.quiet()
    assert (await contacts.named("Ada Byron"))["id"] == before["id"]
    await contacts.told(before["id"], "created")
    assert len(contacts.events("contacts.contact.")) == 1


async def test_an_edit_under_another_name_is_the_same_contacts(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    renamed = await contacts.edit(made["resourceName"], "rename")
    changes = {"biographies": [{"value": "x"}]}
    await contacts.edit(renamed["resourceName"], "change", changes=changes)
    await contacts.told(row["id"], "created", "updated")
    assert len(await contacts.people(connection)) == 1


@pytest.mark.parametrize("trace", [False, True])
async def test_two_people_whom_google_merges_become_one_contact(
    contacts: Stand,
    trace: bool,  # noqa: FBT001 - a case
) -> None:
    ada = await contacts.add(human("Ada Byron", "ada@example.org"))
    countess = await contacts.add(human("Countess Lovelace", "countess@example.org"))
    await contacts.connect()
    gone = await contacts.named("Ada Byron")
    stays = await contacts.named("Countess Lovelace")
    await contacts.edit(
        ada["resourceName"], "merge", into=countess["resourceName"], leads=True, trace=trace
    )
    await contacts.told(gone["id"], "created", "merged")

    async def is_merged() -> bool:
        (row,) = await contacts.kept()
        return bool(row["id"] == stays["id"] and len(row["emails"]) == 2)

    await eventually(is_merged)
    (person,) = await contacts.people()
    assert (person["resource"], person["gone_at"]) == (countess["resourceName"], None)


async def test_two_contacts_that_the_crm_has_stay_two_when_google_merges_their_people(
    contacts: Stand,
) -> None:
    ada = await contacts.add(human("Ada Byron", "ada@example.org"))
    countess = await contacts.add(human("Countess Lovelace"))
    await contacts.connect()
    await contacts.fetch("UPDATE contacts SET entity_id = 'e-' || id")
    await contacts.edit(ada["resourceName"], "merge", into=countess["resourceName"])
    await eventually(lambda: is_gone(contacts, ada["resourceName"]))
    assert len(await contacts.kept()) == 2


async def test_what_lists_show_late_is_no_edit(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    newer = {**made, "etag": "written-by-us"}
    await contacts.fetch(
        "UPDATE people SET etag = $1, google_updated = now() + interval '1 minute'", newer["etag"]
    )
    await contacts.edit(made["resourceName"], "change", changes={"biographies": [{"value": "x"}]})
    await contacts.look(connection)
    await contacts.quiet()
    await contacts.told(row["id"], "created")


async def test_nothing_is_told_twice_when_all_is_read_anew(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"))
    connection = await contacts.connect()
    row = await contacts.named("Ada Byron")
    await contacts.fetch("UPDATE feeds SET cursor = NULL WHERE kind = 'contacts.people'")
    await contacts.look(connection)
    await contacts.quiet()
    await contacts.told(row["id"], "created")
    assert len(await contacts.kept()) == 1


@pytest.mark.parametrize("how", ["invalid_argument", "failed_precondition", "gone"])
async def test_an_expired_token_costs_nothing_but_a_reading_in_full(asked: Stand, how: str) -> None:
    gone = await asked.add(human("Gone Soon"))
    edited = await asked.add(human("Ada Byron"))
    connection = await asked.connect()
    before = await asked.named("Gone Soon")
    await asked.google_settings(contact_sync_expiry=how)
    await asked.edit(gone["resourceName"], "delete")
    await asked.edit(edited["resourceName"], "change", changes={"biographies": [{"value": "x"}]})
    await asked.expire_tokens()
    await asked.look(connection)
    after = await asked.named("Ada Byron")
    await asked.told(after["id"], "created", "updated")
    await asked.told(before["id"], "created", "deleted")
    (told,) = await eventually(lambda: asked.events("contacts.feed.resynced"))
    assert told.data["reason"] == "gap"


async def test_a_token_is_replaced_before_it_ends(asked: Stand) -> None:
    made = await asked.add(human("Ada Byron"))
    connection = await asked.connect()
    row = await asked.named("Ada Byron")
    await asked.later(days=6)
    await asked.look(connection)
    await asked.later(days=3)
    await asked.edit(made["resourceName"], "delete")
    await asked.look(connection)
    await asked.told(row["id"], "created", "deleted")
    assert [
        one for one in asked.events("contacts.feed.resynced") if one.data["reason"] == "gap"
    ] == []


async def test_pages_that_die_are_read_from_the_top(contacts: Stand) -> None:
    await contacts.add(human("Many", "many@example.org"), count=1_100)
    rule = {
        "path_prefix": "/v1/people/me/connections",
        "after": 1,
        "times": 1,
        "status": 400,
        "reason": "invalidArgument",
    }
    await contacts.google.control("PUT", "faults", {"rules": [rule]})
    await contacts.connect()
    assert len(await contacts.kept()) == 1_100


async def test_a_wave_of_deletions_waits_for_a_person(asked: Stand) -> None:
    made = await asked.add(human("Many", "many@example.org"), count=MANY)
    connection = await asked.connect()
    for name in made["resourceNames"]:
        await asked.edit(name, "delete")
    await asked.look(connection)
    hold = await eventually(lambda: the_hold(asked))
    assert (hold["affected"], hold["total"]) == (MANY, MANY)
    assert len(await asked.kept()) == MANY
    await asked.add(human("Bob Late"))
    await asked.look(connection)
    await asked.named("Bob Late")
    assert len(await asked.kept()) == MANY + 1


@pytest.mark.parametrize(("state", "left"), [("approved", 0), ("rejected", MANY)])
async def test_a_person_decides_on_a_wave_of_deletions(asked: Stand, state: str, left: int) -> None:
    made = await asked.add(human("Many", "many@example.org"), count=MANY)
    connection = await asked.connect()
    for name in made["resourceNames"]:
        await asked.edit(name, "delete")
    await asked.look(connection)
    await eventually(lambda: the_hold(asked))
    await asked.fetch("UPDATE holds SET state = $1, decided_at = now(), decided_by = 'ada'", state)
    await asked.look(connection)

    async def is_settled() -> bool:
        feed = await asked.feed()
        return bool(feed["state"] == "active")

    await eventually(is_settled)
    assert len(await asked.kept()) == left
    assert all(row["gone_at"] for row in await asked.people())


async def the_hold(stand: Stand) -> Any:
    """Return the one hold there is."""
    rows = await stand.fetch("SELECT * FROM holds")
    return rows[0] if rows else None


async def test_who_cannot_be_read_is_left_behind_and_others_are_read(contacts: Stand) -> None:
    made = await contacts.add(human("Ada Byron"))
    strange = {
        "connections": [
            {"resourceName": "people/c1", "names": "what"},
            {"resourceName": made["resourceName"], "etag": "%x", "names": [{"givenName": "Ok"}]},
        ],
        "nextSyncToken": "t",
    }
    rule = {
        "path_prefix": "/v1/people/me/connections",
        "times": 1,
        "status": 200,
        "body": strange,
    }
    await contacts.google.control("PUT", "faults", {"rules": [rule]})
    await contacts.hears()
    await contacts.auth.connect(person=ALICE, products=[{"name": "contacts", "access": "write"}])

    async def is_told() -> bool:
        created = contacts.events("contacts.contact.created")
        return "Ok" in {one.data["name"] for one in created}

    await eventually(is_told)

    async def has_dead() -> bool:
        return bool(await contacts.fetch("SELECT * FROM dead_items WHERE item = 'people/c1'"))

    await eventually(has_dead)


async def test_who_could_not_be_read_is_asked_for_again_when_somebody_says_so(
    asked: Stand,
) -> None:
    connection = await asked.connect()
    made = await asked.add(human("Ada Byron"))
    place = orjson.loads((await asked.feed())["cursor"])
    page = {
        "connections": [{**await asked.one_at_google(made["resourceName"]), "names": "what"}],
        "nextSyncToken": place["token"],
    }
    rule = {
        "path_prefix": "/v1/people/me/connections",
        "times": 1,
        "status": 200,
        "body": page,
    }
    await asked.google.control("PUT", "faults", {"rules": [rule]})
    await asked.look(connection)
    (item,) = (await asked.get("/v1/contacts/dead-items"))["items"]
    assert (item["item"], item["kind"], item["cause"]) == (
        made["resourceName"],
        "people.person",
        "unreadable",
    )
    assert await asked.kept() == []

    answer = await asked.call("POST", f"/v1/contacts/dead-items/{item['id']}/replay")
    assert answer.status == 202, answer
    await asked.named("Ada Byron")
    assert (await asked.get("/v1/contacts/dead-items"))["items"] == []


async def test_two_tenants_with_the_same_account_each_have_their_own(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.connect()
    await contacts.connect(token=caller_token(tenant="globex", user="grace"))
    mine = await contacts.named("Ada Byron")
    theirs = await contacts.named("Ada Byron", tenant="globex")
    assert mine["id"] != theirs["id"]
    assert theirs["owner_user_id"] == "grace"
