"""Groups of contacts over HTTP: a person's own, with any number of members."""

from typing import Any
from uuid import uuid4

from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import Stand
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

GROUPS = "/v1/contacts/groups"
SERVICE = service_caller_token()
BOB = caller_token(user="bob")


async def create(contacts: Stand, name: str = "VIP", **how: Any) -> Answer:
    token = how.pop("token", None)
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"name": name, **how}
    return await contacts.call("POST", GROUPS, body, headers=headers, token=token)


async def group(contacts: Stand, name: str = "VIP", **how: Any) -> Json:
    answer = await create(contacts, name, **how)
    assert answer.status == 201, answer
    return dict(answer.body)


async def members(contacts: Stand, group_id: str) -> list[str]:
    found = await contacts.get(f"/v1/contacts?group_id={group_id}")
    return [one["name"] for one in found["items"]]


def told(contacts: Stand) -> list[str]:
    """Return the short names of the events on groups, in their order, checking their numbers."""
    events = contacts.events("contacts.group.")
    assert [int(one.sequence) for one in events] == [*range(1, len(events) + 1)]
    return [one.type.split(".")[2] for one in events]


async def test_a_group_is_made_renamed_and_deleted(contacts: Stand) -> None:
    made = await group(contacts, "  VIP ")
    assert (made["name"], made["owner_user_id"], made["members"]) == ("VIP", "ada", 0)
    path = f"{GROUPS}/{made['id']}"
    renamed = await contacts.call("PATCH", path, {"name": "Best"})
    assert (renamed.status, renamed.body["name"]) == (200, "Best")
    assert (await contacts.get(path))["name"] == "Best"
    assert (await contacts.call("DELETE", path)).status == 204
    assert (await contacts.call("GET", path)).status == 404
    assert (await contacts.get(GROUPS))["items"] == []
    await eventually(lambda: told(contacts) == ["created", "renamed", "deleted"])
    events = contacts.events("contacts.group.")
    assert events[1].data["former_name"] == "VIP"
    assert {one.data["group_id"] for one in events} == {made["id"]}


async def test_contacts_join_and_leave(contacts: Stand) -> None:
    made = await group(contacts)
    one, other = [await contacts.make(given_name=name) for name in ("One", "Other")]
    path = f"{GROUPS}/{made['id']}/members"
    joined = await contacts.call("PUT", f"{path}/{one['id']}")
    again = await contacts.call("PUT", f"{path}/{one['id']}")
    assert (joined.status, joined.body["members"]) == (200, 1)
    assert again.body == joined.body
    both = await contacts.call("PATCH", path, {"add": [other["id"]], "remove": [one["id"]]})
    assert (both.status, both.body["members"]) == (200, 1)
    assert await members(contacts, made["id"]) == ["Other"]
    assert (await contacts.get(f"/v1/contacts/{other['id']}"))["groups"] == [made["id"]]
    left = await contacts.call("DELETE", f"{path}/{other['id']}")
    assert (left.status, left.body["members"]) == (200, 0)
    await eventually(lambda: told(contacts) == ["created", *["membership_changed"] * 3])
    changes = [
        (event.data["added"], event.data["removed"])
        for event in contacts.events("contacts.group.membership_changed")
    ]
    assert changes == [
        ([one["id"]], []),
        ([other["id"]], [one["id"]]),
        ([], [other["id"]]),
    ]


async def test_a_contact_is_in_many_groups_and_leaves_them_when_it_goes(contacts: Stand) -> None:
    groups = [await group(contacts, name) for name in ("A", "B")]
    one = await contacts.make(given_name="One")
    for each in groups:
        await contacts.call("PUT", f"{GROUPS}/{each['id']}/members/{one['id']}")
    found = (await contacts.get(f"/v1/contacts/{one['id']}"))["groups"]
    assert sorted(found) == sorted(each["id"] for each in groups)
    await contacts.call("DELETE", f"/v1/contacts/{one['id']}")
    assert [each["members"] for each in (await contacts.get(GROUPS))["items"]] == [0, 0]


async def test_members_of_a_deleted_group_stay_contacts(contacts: Stand) -> None:
    made = await group(contacts)
    one = await contacts.make(given_name="One")
    await contacts.call("PUT", f"{GROUPS}/{made['id']}/members/{one['id']}")
    await contacts.call("DELETE", f"{GROUPS}/{made['id']}")

    assert (await contacts.get(f"/v1/contacts/{one['id']}"))["groups"] == []
    gone = await contacts.call("GET", f"/v1/contacts?group_id={made['id']}")
    assert gone.status == 404


async def test_a_name_is_one_group_of_one_person(contacts: Stand) -> None:
    made = await group(contacts)
    other = await group(contacts, "Other")
    twice = await create(contacts, "vip")
    renamed = await contacts.call("PATCH", f"{GROUPS}/{other['id']}", {"name": "VIP"})
    same = await contacts.call("PATCH", f"{GROUPS}/{made['id']}", {"name": "vip"})

    assert [one.status for one in (twice, renamed, same)] == [409, 409, 200]
    assert twice.body["type"].endswith("group-exists")
    assert twice.body["group_id"] == made["id"]
    assert (await create(contacts, token=BOB)).status == 201
    await contacts.call("DELETE", f"{GROUPS}/{made['id']}")
    assert (await create(contacts)).status == 201


async def test_groups_are_their_owners(contacts: Stand) -> None:
    mine = await group(contacts)
    bobs = await group(contacts, token=SERVICE, owner_user_id="bob")
    one = await contacts.make(given_name="One")
    path = f"{GROUPS}/{mine['id']}"

    async def listed(query: str = "", token: str | None = None) -> list[str]:
        found = await contacts.get(f"{GROUPS}{query}", token=token)
        return [each["id"] for each in found["items"]]

    assert await listed() == [mine["id"]]
    assert await listed(token=BOB) == [bobs["id"]]
    assert await listed(token=SERVICE) == [mine["id"], bobs["id"]]
    assert await listed("?owner_user_id=bob", token=SERVICE) == [bobs["id"]]
    assert await listed("?owner_user_id=bob") == []
    assert await listed(token=service_caller_token(tenant="other")) == []
    for token in (BOB, service_caller_token(tenant="other")):
        for method, where, body in (
            ("GET", path, None),
            ("PATCH", path, {"name": "x"}),
            ("DELETE", path, None),
            ("PATCH", f"{path}/members", {"add": [one["id"]]}),
            ("PUT", f"{path}/members/{one['id']}", None),
            ("DELETE", f"{path}/members/{one['id']}", None),
            ("GET", f"/v1/contacts?group_id={mine['id']}", None),
        ):
            answer = await contacts.call(method, where, body, token=token)
            assert answer.status == 404, (method, where, answer)
    assert (await create(contacts, "X", owner_user_id="bob")).status == 403
    nobodys = await create(contacts, "X", token=SERVICE)
    assert (nobodys.status, nobodys.fields) == (400, ["owner_user_id"])


async def test_only_who_the_owner_sees_joins(contacts: Stand) -> None:
    made = await group(contacts)
    one = await contacts.make(given_name="One")
    bobs = await contacts.make(given_name="Bobs", token=BOB)
    gone = await contacts.make(given_name="Gone")
    await contacts.call("DELETE", f"/v1/contacts/{gone['id']}")
    path = f"{GROUPS}/{made['id']}/members"
    for token in (None, SERVICE):
        for stranger in (bobs["id"], gone["id"], str(uuid4())):
            answer = await contacts.call("PATCH", path, {"add": [one["id"], stranger]}, token=token)
            assert (answer.status, answer.body["contact_id"]) == (404, stranger)
    assert await members(contacts, made["id"]) == []
    left = await contacts.call("DELETE", f"{path}/{uuid4()}")
    assert left.status == 200
    assert told(contacts) == ["created"]


async def test_groups_come_in_pages(contacts: Stand) -> None:
    made = [(await group(contacts, f"G{one}"))["id"] for one in range(3)]
    first = await contacts.get(f"{GROUPS}?limit=2")
    second = await contacts.get(f"{GROUPS}?limit=2&cursor={first['next_cursor']}")

    assert [one["id"] for one in [*first["items"], *second["items"]]] == made
    assert second["next_cursor"] is None
