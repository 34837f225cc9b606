"""Groups of the CRM are labels in Google, with the same people in them."""

from typing import Any

from tests.integration.contacts.outside import faults, requests, there_are
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import eventually


async def group(stand: Stand, name: str, *members: str) -> Json:
    """Let the CRM make a group with these contacts; return it."""
    answer = await stand.call("POST", "/v1/contacts/groups", {"name": name})
    assert answer.status == 201, answer
    if members:
        await regroup(stand, answer.body["id"], add=list(members))
    return dict(answer.body)


async def regroup(stand: Stand, group_id: str, **change: Any) -> None:
    """Let contacts join or leave a group."""
    answer = await stand.call("PATCH", f"/v1/contacts/groups/{group_id}/members", change)
    assert answer.status in {200, 204}, answer


async def labelled(stand: Stand, **wanted: int) -> dict[str, list[str]]:
    """Wait until these are the person's labels, with so many people; return who has them."""

    async def as_wanted() -> Any:
        found = await stand.labels_at_google()
        assert {name: len(who) for name, who in found.items()} == wanted, found
        return [found]

    (found,) = await eventually(as_wanted, what=f"labels {wanted}")
    return dict(found)


async def test_a_group_is_a_label_with_its_members(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    ada = await contacts.make(given_name="Ada")
    await contacts.make(given_name="Charles")
    await group(contacts, "Clients", ada["id"])

    found = await labelled(contacts, Clients=1)
    (person,) = [one for one in await contacts.people() if str(one["contact_id"]) == ada["id"]]
    assert found["Clients"] == [person["resource"]]
    await contacts.quiet()
    sent = await requests(contacts)
    assert (sent["create_label"], sent["members"]) == (1, 1)
    assert [one.type.split(".")[2] for one in contacts.events("contacts.group.")] == [
        "created",
        "membership_changed",
    ]


async def test_a_contact_that_is_new_in_google_gets_its_labels(asked: Stand) -> None:
    connection = await asked.connect()
    ada = await asked.make(given_name="Ada")
    await group(asked, "Clients", ada["id"])
    answer = await asked.call("POST", f"/v1/contacts/connections/{connection}/confirm")
    assert answer.status == 200, answer
    await labelled(asked, Clients=1)


async def test_who_joins_a_group_while_google_is_creating_them_gets_its_label(
    contacts: Stand,
) -> None:
    await contacts.connect(confirmed=True)
    made = await group(contacts, "Clients")
    await labelled(contacts, Clients=0)
    await contacts.quiet()
    await faults(contacts, path_contains=":createContact", times=1, late_s=1)
    ada = await contacts.make(given_name="Ada")
    await there_are(contacts, 1)
    await regroup(contacts, made["id"], add=[ada["id"]])
    await labelled(contacts, Clients=1)


async def test_who_turns_out_to_be_in_a_group_gets_its_label(contacts: Stand) -> None:
    connection = await contacts.connect(confirmed=True)
    refused = {"status": 400, "reason": "badRequest"}
    await faults(contacts, path_contains=":createContact", **refused)
    ada = await contacts.make(given_name="Ada", emails=[{"address": "ada@example.org"}])
    await group(contacts, "Clients", ada["id"])
    await labelled(contacts, Clients=0)
    await contacts.quiet()
    await contacts.add(human("Ada Byron", "ada@example.org"))
    await contacts.look(connection)
    await labelled(contacts, Clients=1)


async def test_who_leaves_a_group_loses_the_label(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    ada = await contacts.make(given_name="Ada")
    made = await group(contacts, "Clients", ada["id"])
    await labelled(contacts, Clients=1)
    await regroup(contacts, made["id"], remove=[ada["id"]])
    await labelled(contacts, Clients=0)
    assert len(await contacts.at_google()) == 1


async def test_a_group_that_is_renamed_or_deleted_is_so_in_google(contacts: Stand) -> None:
    await contacts.connect(confirmed=True)
    ada = await contacts.make(given_name="Ada")
    made = await group(contacts, "Clients", ada["id"])
    await labelled(contacts, Clients=1)
    answer = await contacts.call(
        "PATCH", f"/v1/contacts/groups/{made['id']}", {"name": "Customers"}
    )
    assert answer.status == 200, answer
    await labelled(contacts, Customers=1)
    await contacts.call("DELETE", f"/v1/contacts/groups/{made['id']}")
    await labelled(contacts)
    assert len(await contacts.at_google()) == 1


async def test_a_label_that_is_there_already_becomes_the_groups(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    await asked.label("Clients")
    ada = await asked.make(given_name="Ada")
    await group(asked, "Clients", ada["id"])
    await labelled(asked, Clients=1)


async def test_people_who_are_nobodys_contact_keep_their_labels(contacts: Stand) -> None:
    added = await contacts.add(human("Grace Hopper"), groups=["Clients"])
    await contacts.connect(confirmed=True, preferences={"imports": "labels"})
    ada = await contacts.make(given_name="Ada")
    await group(contacts, "Others", ada["id"])
    await labelled(contacts, Clients=1, Others=1)
    await contacts.quiet()
    assert (await contacts.labels_at_google())["Clients"] == [added["resourceName"]]


async def test_labels_and_members_from_google_are_not_written_back(contacts: Stand) -> None:
    await contacts.add(human("Ada Byron"), groups=["Chums"])
    await contacts.add(human("Grace Hopper"), groups=["Chums"])
    await contacts.connect(confirmed=True)
    ada = await contacts.named("Ada Byron")
    await contacts.change(str(ada["id"]), title="Countess")

    async def changed() -> bool:
        found = await contacts.at_google()
        return any("organizations" in one for one in found)

    await eventually(changed)
    await contacts.quiet()
    assert await requests(contacts) == {"update": 1}
    await labelled(contacts, Chums=2)


async def test_somebody_in_one_label_only_can_leave_it(contacts: Stand) -> None:
    added = await contacts.add(human("Ada Byron"), groups=["Clients"])
    await contacts.edit(added["resourceName"], "unlabel", group="myContacts")
    await contacts.connect(confirmed=True)
    ada = await contacts.named("Ada Byron")
    (row,) = await contacts.fetch("SELECT id FROM groups WHERE name = 'Clients'")
    await regroup(contacts, str(row["id"]), remove=[str(ada["id"])])
    await labelled(contacts, Clients=0)
    assert len(await contacts.at_google()) == 1


async def test_a_label_whose_answer_was_lost_is_made_once(asked: Stand) -> None:
    await asked.connect(confirmed=True)
    await faults(asked, path_prefix="/v1/contactGroups", method="POST", times=1, status=503)
    ada = await asked.make(given_name="Ada")
    await group(asked, "Clients", ada["id"])
    await labelled(asked, Clients=1)
