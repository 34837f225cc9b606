"""Contact groups: labels, Google's own groups, and who is in them."""

from typing import Any

import pytest

from tests.emulator.google import ALICE, Google, Json, Rolodex, group_ids


async def label(rolodex: Rolodex, name: str = "Clients", **more: Any) -> Json:
    body = {"contactGroup": {"name": name, **more}}
    made: Json = await rolodex.send("POST", "contactGroups", body)
    return made


async def modify(rolodex: Rolodex, group: str, **body: Any) -> Json:
    answer: Json = await rolodex.send("POST", f"{group}/members:modify", body)
    return answer


async def changes(rolodex: Rolodex, token: str) -> list[Json]:
    return list((await rolodex.get("contactGroups", syncToken=token)).get("contactGroups", []))


async def token_of(rolodex: Rolodex) -> str:
    return str((await rolodex.get("contactGroups"))["nextSyncToken"])


async def test_the_list_has_googles_groups_and_the_persons_own(rolodex: Rolodex) -> None:
    made = await label(rolodex)

    groups = (await rolodex.get("contactGroups"))["contactGroups"]

    kinds = {group["resourceName"]: group["groupType"] for group in groups}
    assert kinds["contactGroups/myContacts"] == "SYSTEM_CONTACT_GROUP"
    assert kinds["contactGroups/starred"] == "SYSTEM_CONTACT_GROUP"
    assert kinds[made["resourceName"]] == "USER_CONTACT_GROUP"
    assert made["formattedName"] == "Clients"


@pytest.mark.parametrize("name", ["Clients", "  Clients ", "starred", "My Contacts"])
async def test_a_name_is_given_once(rolodex: Rolodex, name: str) -> None:
    await label(rolodex)

    answer = await rolodex.call("POST", "contactGroups", json={"contactGroup": {"name": name}})

    assert answer.status == 409
    assert answer.json["error"]["status"] == "ALREADY_EXISTS"


async def test_a_group_is_renamed_unless_the_name_is_taken(rolodex: Rolodex) -> None:
    first, second = await label(rolodex, "First"), await label(rolodex, "Second")
    path = second["resourceName"]

    taken = await rolodex.call("PUT", path, json={"contactGroup": {"name": first["name"]}})
    renamed = await rolodex.send("PUT", path, {"contactGroup": {"name": "Third"}})

    assert taken.status == 409
    assert renamed["name"] == "Third"
    assert renamed["etag"] != second["etag"]


async def test_a_stale_etag_of_a_group_is_refused(rolodex: Rolodex) -> None:
    made = await label(rolodex)
    await rolodex.send("PUT", made["resourceName"], {"contactGroup": {"name": "New"}})
    body = {"contactGroup": {"name": "Newer", "etag": made["etag"]}}

    answer = await rolodex.call("PUT", made["resourceName"], json=body)

    assert answer.json["error"]["status"] == "FAILED_PRECONDITION"


async def test_client_data_of_a_group_are_kept(rolodex: Rolodex) -> None:
    made = await label(rolodex, clientData=[{"key": "crm", "value": "7"}])
    await rolodex.send("PUT", made["resourceName"], {"contactGroup": {"name": "New"}})

    found = await rolodex.get(made["resourceName"], groupFields="clientData,name")

    assert found["clientData"] == [{"key": "crm", "value": "7"}]
    assert found["name"] == "New"
    assert "groupType" not in found


async def test_a_sync_token_brings_new_renamed_and_deleted_groups(rolodex: Rolodex) -> None:
    renamed, gone = await label(rolodex, "One"), await label(rolodex, "Two")
    token = await token_of(rolodex)

    await rolodex.send("PUT", renamed["resourceName"], {"contactGroup": {"name": "New"}})
    await rolodex.send("DELETE", gone["resourceName"])
    found = await changes(rolodex, token)

    assert [group["resourceName"] for group in found] == [
        renamed["resourceName"],
        gone["resourceName"],
    ]
    assert found[0]["name"] == "New"
    assert found[1]["metadata"]["deleted"] is True


async def test_an_expired_token_of_groups_says_so(google: Google, rolodex: Rolodex) -> None:
    token = await token_of(rolodex)
    await google.control("PUT", "clock", {"offset_s": 8 * 86_400})
    later = await google.rolodex()

    answer = await later.call("GET", "contactGroups", params={"syncToken": token})

    assert answer.json["error"]["details"][0]["reason"] == "EXPIRED_SYNC_TOKEN"


async def test_members_join_and_leave(rolodex: Rolodex) -> None:
    group = (await label(rolodex))["resourceName"]
    ann, bea = await rolodex.create("Ann"), await rolodex.create("Bea")
    people = [ann["resourceName"], bea["resourceName"]]

    await modify(rolodex, group, resourceNamesToAdd=people)
    full = await rolodex.get(group, maxMembers=10)
    await modify(rolodex, group, resourceNamesToRemove=people[:1])
    rest = await rolodex.get(group, maxMembers=10)

    assert full["memberResourceNames"] == people
    assert full["memberCount"] == 2
    assert rest["memberResourceNames"] == people[1:]
    key = group.removeprefix("contactGroups/")
    assert group_ids(await rolodex.person(people[1])) == ["myContacts", key]


async def test_a_membership_changes_the_contact_for_the_sync(rolodex: Rolodex) -> None:
    group = (await label(rolodex))["resourceName"]
    ann = await rolodex.create("Ann")
    token = await rolodex.sync_token()

    await modify(rolodex, group, resourceNamesToAdd=[ann["resourceName"]])
    found = await rolodex.changes(token)

    assert [one["resourceName"] for one in found] == [ann["resourceName"]]
    assert found[0]["etag"] != ann["etag"]


async def test_members_are_shown_only_when_they_are_asked_for(rolodex: Rolodex) -> None:
    await rolodex.create()

    assert "memberResourceNames" not in await rolodex.get("contactGroups/myContacts")


async def test_who_is_not_found_is_named(rolodex: Rolodex) -> None:
    group = (await label(rolodex))["resourceName"]

    answer = await modify(rolodex, group, resourceNamesToAdd=["people/c404"])

    assert answer == {"notFoundResourceNames": ["people/c404"]}


async def test_nobody_leaves_their_last_group(rolodex: Rolodex) -> None:
    ann = await rolodex.create("Ann")
    name = ann["resourceName"]

    answer = await modify(rolodex, "contactGroups/myContacts", resourceNamesToRemove=[name])

    assert answer == {"canNotRemoveLastContactGroupResourceNames": [name]}
    assert group_ids(await rolodex.person(name)) == ["myContacts"]


@pytest.mark.parametrize("group", ["friends", "coworkers", "all"])
async def test_only_two_of_googles_groups_can_be_joined(rolodex: Rolodex, group: str) -> None:
    ann = await rolodex.create("Ann")
    body = {"resourceNamesToAdd": [ann["resourceName"]]}

    refused = await rolodex.call("POST", f"contactGroups/{group}/members:modify", json=body)
    await modify(rolodex, "contactGroups/starred", **body)

    assert refused.status == 400
    assert group_ids(await rolodex.person(ann["resourceName"])) == ["myContacts", "starred"]


async def test_a_thousand_members_are_modified_at_once_at_most(rolodex: Rolodex) -> None:
    group = (await label(rolodex))["resourceName"]
    body = {"resourceNamesToAdd": [f"people/c{n}" for n in range(1001)]}

    assert (await rolodex.call("POST", f"{group}/members:modify", json=body)).status == 400


@pytest.mark.parametrize(
    ("verb", "body"), [("PUT", {"contactGroup": {"name": "X"}}), ("DELETE", None)]
)
async def test_googles_groups_stay(rolodex: Rolodex, verb: str, body: Any) -> None:
    answer = await rolodex.call(verb, "contactGroups/starred", json=body)

    assert answer.status == 400


async def test_a_deleted_group_lets_its_members_be(rolodex: Rolodex) -> None:
    group = await label(rolodex)
    ann = await rolodex.create("Ann")
    await modify(rolodex, group["resourceName"], resourceNamesToAdd=[ann["resourceName"]])

    await rolodex.send("DELETE", group["resourceName"])

    assert group_ids(await rolodex.person(ann["resourceName"])) == ["myContacts"]
    assert (await rolodex.call("GET", group["resourceName"])).status == 404


async def test_a_group_can_be_deleted_with_its_contacts(rolodex: Rolodex) -> None:
    group = await label(rolodex)
    ann = await rolodex.create("Ann")
    await rolodex.create("Bea")
    await modify(rolodex, group["resourceName"], resourceNamesToAdd=[ann["resourceName"]])

    await rolodex.send("DELETE", group["resourceName"], deleteContacts=True)

    assert (await rolodex.connections())["totalItems"] == 1


async def test_memberships_are_written_with_a_contact(rolodex: Rolodex) -> None:
    group = (await label(rolodex))["resourceName"]
    membership = {"contactGroupMembership": {"contactGroupResourceName": group}}
    made = await rolodex.create(memberships=[membership])

    moved = await rolodex.update(made, memberships=[membership])
    none = await rolodex.update(moved.json, memberships=[])

    key = group.removeprefix("contactGroups/")
    assert group_ids(made) == [key, "myContacts"]
    assert group_ids(moved.json) == [key]
    assert none.status == 400
    assert "membership" in none.json["error"]["message"]


async def test_several_groups_are_read_at_once(rolodex: Rolodex) -> None:
    made = await label(rolodex)
    names = [made["resourceName"], "contactGroups/404"]

    answer = await rolodex.get("contactGroups:batchGet", resourceNames=names)

    assert answer["responses"][0]["contactGroup"]["name"] == "Clients"
    assert answer["responses"][1]["status"]["code"] == 5


async def test_groups_come_in_pages(rolodex: Rolodex) -> None:
    first = await rolodex.get("contactGroups", pageSize=5)
    second = await rolodex.get("contactGroups", pageSize=5, pageToken=first["nextPageToken"])

    assert "nextSyncToken" not in first
    assert second["nextSyncToken"]
    seen = {group["resourceName"] for group in first["contactGroups"] + second["contactGroups"]}
    assert len(seen) == first["totalItems"]


async def test_a_group_without_a_name_is_refused(rolodex: Rolodex) -> None:
    for name in ("", "x" * 1025):
        body = {"contactGroup": {"name": name}}
        assert (await rolodex.call("POST", "contactGroups", json=body)).status == 400


async def test_lists_of_groups_lag_like_lists_of_contacts(google: Google, rolodex: Rolodex) -> None:
    token = await token_of(rolodex)
    await google.control("PUT", "settings", {"contact_list_delay_s": 60})

    await label(rolodex)
    stale = await changes(rolodex, token)
    await google.control("PUT", "clock", {"offset_s": 61})

    assert stale == []
    assert [group["name"] for group in await changes(rolodex, token)] == ["Clients"]


async def test_a_person_labels_in_googles_app(google: Google, rolodex: Rolodex) -> None:
    ann = await rolodex.create("Ann")

    await rolodex.edit(ann, "label", group="Friends of ours")
    await rolodex.edit(ann, "star")
    groups = (await google.control("GET", f"people/{ALICE}/contact-groups"))["groups"]

    members = {group["formattedName"]: group["memberResourceNames"] for group in groups}
    assert members["Friends of ours"] == members["Starred"] == [ann["resourceName"]]
