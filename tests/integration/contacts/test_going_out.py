"""What our side changes goes to Google: with as few requests as can be, and nothing is lost."""

from typing import Any

from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import ALICE, Json
from tests.support import eventually

WRITES = {
    "people.people.createContact": "create",
    "people.people.updateContact": "update",
    "people.people.deleteContact": "delete",
    "people.people.batchCreateContacts": "create_many",
    "people.people.batchUpdateContacts": "update_many",
    "people.people.batchDeleteContacts": "delete_many",
    "people.contactGroups.create": "create_label",
    "people.contactGroups.members.modify": "members",
}


async def written(stand: Stand) -> dict[str, int]:
    """Return how many requests changed something at Google."""
    usage = await stand.google.control("GET", "usage")
    calls = usage["people"][ALICE]["methods"]
    return {short: calls[name]["calls"] for name, short in WRITES.items() if name in calls}


async def in_google(stand: Stand, **wanted: Any) -> Json:
    """Wait until Google has exactly one contact, whose name is as wanted; return it."""

    async def one() -> Any:
        found = await stand.at_google()
        assert len(found) == 1, found
        (name,) = found[0]["names"]
        assert wanted.items() <= name.items(), name
        return found[0]

    return dict(await eventually(one, what=f"{wanted} at Google"))


async def test_a_contact_of_the_crm_is_in_google_with_one_request(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    made = await contacts.make(
        given_name="Ada",
        family_name="Byron",
        title="Countess",
        emails=[{"address": "ada@example.org", "type": "work"}],
    )

    found = await in_google(contacts, givenName="Ada", familyName="Byron")
    assert found["organizations"][0]["title"] == "Countess"
    assert found["emailAddresses"][0]["value"] == "ada@example.org"
    assert {"key": "causeway", "value": made["id"]}.items() <= found["clientData"][0].items()
    await contacts.quiet()
    assert await written(contacts) == {"create": 1}
    assert contacts.told_of(made["id"]) == ["created"]


async def test_one_change_is_one_request_and_its_echo_tells_nothing(contacts: Stand) -> None:
    connection = await contacts.connect(confirmed=True)
    made = await contacts.make(given_name="Ada", family_name="Byron")
    await in_google(contacts, givenName="Ada")
    await contacts.change(made["id"], family_name="Lovelace")

    await in_google(contacts, familyName="Lovelace")
    await contacts.look(connection)
    await contacts.quiet()
    assert await written(contacts) == {"create": 1, "update": 1}
    assert contacts.told_of(made["id"]) == ["created", "updated"]


async def test_what_no_card_knows_stays(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    person = human(
        "Ada Byron",
        "ada@example.org",
        nicknames=[{"value": "Addie"}],
        relations=[{"person": "Annabella", "type": "mother"}],
        organizations=[{"name": "Acme", "title": "Clerk", "jobDescription": "Sums"}],
    )
    person["emailAddresses"][0]["displayName"] = "The Countess"
    person["names"][0]["phoneticGivenName"] = "Eida"
    added = await contacts.add(person, groups=["Friends of Charles"])
    contact = await contacts.named("Ada Byron")
    await contacts.change(
        str(contact["id"]),
        given_name="Augusta",
        title="Countess",
        emails=[
            {"address": "ada@example.org", "primary": True},
            {"address": "ada@home.org", "type": "home"},
        ],
    )

    async def changed() -> Json:
        found = await contacts.one_at_google(added["resourceName"])
        assert found["names"][0]["givenName"] == "Augusta"
        return found

    found = dict(await eventually(changed))
    assert found["names"][0]["phoneticGivenName"] == "Eida"
    assert found["organizations"][0].items() >= {
        "name": "Acme",
        "title": "Countess",
        "jobDescription": "Sums",
    }.items()
    assert [one["value"] for one in found["emailAddresses"]] == ["ada@example.org", "ada@home.org"]
    assert found["emailAddresses"][0]["displayName"] == "The Countess"
    assert found["nicknames"][0]["value"] == "Addie"
    assert found["relations"][0]["person"] == "Annabella"
    labels = await contacts.labels_at_google()
    assert labels["Friends of Charles"] == [added["resourceName"]]


async def test_a_deleted_contact_that_we_made_goes_from_google(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    made = await contacts.make(given_name="Ada")
    await in_google(contacts, givenName="Ada")
    answer = await contacts.call("DELETE", f"/v1/contacts/{made['id']}")
    assert answer.status in {200, 204}, answer

    async def is_gone() -> bool:
        return await contacts.at_google() == []

    await eventually(is_gone)
    await contacts.quiet()
    assert contacts.told_of(made["id"]) == ["created", "deleted"]


async def test_a_deleted_contact_stays_in_google_where_the_person_made_it(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    await contacts.add(human("Ada Byron", "ada@example.org"))
    contact = await contacts.named("Ada Byron")
    await contacts.call("DELETE", f"/v1/contacts/{contact['id']}")
    await contacts.quiet()
    assert len(await contacts.at_google()) == 1
    assert await contacts.kept() == []
