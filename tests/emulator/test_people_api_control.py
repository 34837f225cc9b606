"""The control API of contacts: what a person does in Google's own app."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, Google, Rolodex, group_ids

CONTACTS = f"people/{ALICE}/contacts"
GROUPS = f"people/{ALICE}/contact-groups"


async def test_a_person_adds_a_contact(google: Google, rolodex: Rolodex) -> None:
    token = await rolodex.sync_token()
    contact = {"names": [{"givenName": "Ann"}]}

    made = await google.control("POST", CONTACTS, {"contact": contact, "groups": ["Clients"]})
    found = await rolodex.changes(token)

    assert [one["resourceName"] for one in found] == [made["resourceName"]]
    assert len(group_ids(found[0])) == 2
    assert made["changed_at"] > 0


async def test_a_contact_may_be_given_its_name(google: Google, rolodex: Rolodex) -> None:
    body = {"resource_name": "people/c42"}

    await google.control("POST", CONTACTS, body)
    again = await google.request("POST", f"/_emulator/{CONTACTS}", json=body)

    assert (await rolodex.person("people/c42"))["resourceName"] == "people/c42"
    assert again.status == 409


async def test_many_contacts_have_numbers(google: Google, rolodex: Rolodex) -> None:
    contact = {"names": [{"givenName": "Ann"}], "emailAddresses": [{"value": "a@example.net"}]}

    await google.control("POST", CONTACTS, {"contact": contact, "count": 3})
    people = (await rolodex.connections())["connections"]

    assert [one["names"][0]["displayName"] for one in people] == ["Ann 0", "Ann 1", "Ann 2"]
    assert len({one["emailAddresses"][0]["value"] for one in people}) == 3


async def test_a_person_changes_and_clears_fields(rolodex: Rolodex) -> None:
    made = await rolodex.create(nicknames=[{"value": "Annie"}], urls=[{"value": "x.example.net"}])

    changes = {"urls": [{"value": "y.example.net"}], "nicknames": None}
    changed = await rolodex.edit(made, "change", changes=changes)

    found = await rolodex.person(made["resourceName"])
    assert found["urls"][0]["value"] == "y.example.net"
    assert "nicknames" not in found
    assert found["names"][0]["givenName"] == "Ann"
    assert found["etag"] == changed["etag"]


async def test_an_edit_makes_what_a_client_read_stale(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    await rolodex.edit(made, "star")

    assert (await rolodex.update(made, nicknames=[{"value": "Nan"}])).status == 400


async def test_a_person_stars_and_deletes(google: Google, rolodex: Rolodex) -> None:
    made = await rolodex.create()

    starred = group_ids(await rolodex.edit(made, "star"))
    plain = group_ids(await rolodex.edit(made, "unstar"))
    deleted = await rolodex.edit(made, "delete")

    assert (starred, plain) == (["myContacts", "starred"], ["myContacts"])
    assert deleted["deleted"] is True
    assert (await google.control("GET", CONTACTS))["count"] == 0


async def test_labels_are_made_renamed_and_deleted(google: Google, rolodex: Rolodex) -> None:
    made = await google.control("POST", GROUPS, {"name": "Clients"})
    path = f"{GROUPS}/{made['resourceName'].removeprefix('contactGroups/')}"

    renamed = await google.control("PATCH", path, {"name": "Customers"})
    ann = await rolodex.create()
    await rolodex.edit(ann, "label", group="Customers")
    await google.control("DELETE", f"{path}?contacts=true")

    assert renamed["name"] == "Customers"
    assert (await google.control("GET", CONTACTS))["count"] == 0


async def test_the_control_api_sees_what_lists_do_not_show_yet(
    google: Google, rolodex: Rolodex
) -> None:
    await google.control("PUT", "settings", {"contact_list_delay_s": 60})
    await rolodex.create()

    shown = await google.control("GET", CONTACTS)

    assert (shown["count"], shown["unseen"]) == (1, 1)
    assert (await rolodex.connections())["totalItems"] == 0


async def test_the_dump_counts_contacts(google: Google, rolodex: Rolodex) -> None:
    ann = await rolodex.create("Ann")
    await rolodex.edit(ann, "label", group="Clients")
    await rolodex.delete(await rolodex.create("Bea"))
    await google.control("POST", CONTACTS, {"other": True})

    state = await google.control("GET", "state")

    assert state["contacts"][ALICE] == {
        "contacts": 1,
        "otherContacts": 1,
        "deleted": 1,
        "unseen": 0,
        "groups": {"Clients": 1},
    }


async def test_a_reset_forgets_contacts(google: Google, rolodex: Rolodex) -> None:
    await rolodex.create()

    await google.control("POST", "reset")

    assert (await google.control("GET", CONTACTS))["count"] == 0


async def test_usage_is_counted_from_zero_again(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_critical_writes_per_minute": 1})
    await rolodex.create()

    await google.control("DELETE", "usage")

    assert (await rolodex.call("POST", "people:createContact", json={})).status == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CONTACTS, {"contact": {"hats": []}}, 400),
        (CONTACTS, {"contact": {"names": [{"givenName": "A"}, {"givenName": "B"}]}}, 400),
        (f"people/{ALICE}/contact-edits", {"contact": "people/c404", "action": "star"}, 404),
        (f"people/{ALICE}/contact-edits", {"contact": "people/c1", "action": "eat"}, 400),
        (GROUPS, {"name": "starred"}, 409),
        (GROUPS, {"name": ""}, 400),
        ("people/nobody@example.com/contacts", {}, 404),
    ],
)
async def test_bad_orders_are_refused(google: Google, path: str, body: Any, status: int) -> None:
    answer = await google.request("POST", f"/_emulator/{path}", json=body)

    assert answer.status == status


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        ({"action": "merge", "into": "people/c1"}, 400),
        ({"action": "merge", "into": "people/c404"}, 404),
        ({"action": "rename", "name": "people/c1"}, 409),
        ({"action": "unlabel", "group": "myContacts"}, 400),
        ({"action": "unlabel", "group": "none"}, 404),
        ({"action": "change", "changes": {"photos": []}}, 400),
        ({"action": "change", "changes": {"memberships": []}}, 400),
    ],
)
async def test_bad_edits_are_refused(google: Google, edit: Any, status: int) -> None:
    await google.control("POST", CONTACTS, {"resource_name": "people/c1"})
    body = {"contact": "people/c1", **edit}

    answer = await google.request("POST", f"/_emulator/people/{ALICE}/contact-edits", json=body)

    assert answer.status == status
