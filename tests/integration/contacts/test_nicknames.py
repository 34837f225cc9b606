"""Nicknames over HTTP: how a contact is addressed, by occasion."""

from typing import Any
from uuid import uuid4

from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import Stand
from tests.integration.service_stand import Json
from tests.support import caller_token, service_caller_token

FORMAL: Json = {"text": "Madame Martin", "tone": "formal"}


async def add(contacts: Stand, contact: Json, **nickname: Any) -> Json:
    answer = await post(contacts, contact, **nickname)
    assert answer.status == 201, answer
    return dict(answer.body)


async def post(contacts: Stand, contact: Json, **nickname: Any) -> Answer:
    headers = {"Idempotency-Key": uuid4().hex}
    path = f"/v1/contacts/{contact['id']}/nicknames"
    return await contacts.call("POST", path, {**FORMAL, **nickname}, headers=headers)


async def listed(contacts: Stand, contact: Json) -> list[Json]:
    return list((await contacts.get(f"/v1/contacts/{contact['id']}/nicknames"))["items"])


async def test_a_contact_has_nicknames_for_occasions(contacts: Stand) -> None:
    zoe = await contacts.make(given_name="Zoé")
    made = await add(
        contacts,
        zoe,
        text=" Zozo ",
        tone="informal",
        keywords=["Birthday", "birthday", "party"],
        context="When she wrote first",
    )
    assert (made["text"], made["tone"], made["is_default"]) == ("Zozo", "informal", False)
    assert made["keywords"] == ["birthday", "party"]
    path = f"/v1/contacts/{zoe['id']}/nicknames/{made['id']}"
    assert await contacts.get(path) == made
    changed = await contacts.call("PATCH", path, {"tone": "campaign", "keywords": []})
    assert changed.status == 200
    assert (changed.body["tone"], changed.body["keywords"]) == ("campaign", [])
    assert changed.body["text"] == "Zozo"
    assert await listed(contacts, zoe) == [changed.body]
    assert (await contacts.call("DELETE", path)).status == 204
    assert (await contacts.call("GET", path)).status == 404
    assert await listed(contacts, zoe) == []


async def test_one_nickname_of_each_tone_is_the_default(contacts: Stand) -> None:
    zoe = await contacts.make(given_name="Zoé")
    first = await add(contacts, zoe, text="First", is_default=True)
    second = await add(contacts, zoe, text="Second", is_default=True)
    third = await add(contacts, zoe, text="Third", tone="informal", is_default=True)

    def defaults(items: list[Json]) -> list[str]:
        return [one["text"] for one in items if one["is_default"]]

    assert defaults(await listed(contacts, zoe)) == ["Second", "Third"]
    path = f"/v1/contacts/{zoe['id']}/nicknames"
    await contacts.call("PATCH", f"{path}/{third['id']}", {"tone": "formal"})
    assert defaults(await listed(contacts, zoe)) == ["Third"]
    await contacts.call("PATCH", f"{path}/{first['id']}", {"is_default": True})
    assert defaults(await listed(contacts, zoe)) == ["First"]
    await contacts.call("PATCH", f"{path}/{first['id']}", {"is_default": False})
    assert defaults(await listed(contacts, zoe)) == []
    assert second["id"] in {one["id"] for one in await listed(contacts, zoe)}


async def test_nicknames_are_of_their_contact(contacts: Stand) -> None:
    zoe, other = [await contacts.make(given_name=name) for name in ("Zoé", "Other")]
    made = await add(contacts, zoe)
    path = f"/v1/contacts/{zoe['id']}/nicknames"
    for where, token in (
        (f"/v1/contacts/{other['id']}/nicknames/{made['id']}", None),
        (f"{path}/{uuid4()}", None),
        (f"{path}/x", None),
        (f"{path}/{made['id']}", caller_token(user="bob")),
        (f"{path}/{made['id']}", service_caller_token(tenant="other")),
    ):
        for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
            assert (await contacts.call(method, where, body, token=token)).status == 404
    assert (await contacts.call("GET", path, token=caller_token(user="bob"))).status == 404
    await contacts.call("DELETE", f"/v1/contacts/{zoe['id']}")
    assert (await contacts.call("GET", path)).status == 404
    assert await contacts.fetch("SELECT 1 FROM nicknames") == []


async def test_a_contact_has_so_many_nicknames_and_no_more(contacts: Stand) -> None:
    zoe = await contacts.make(given_name="Zoé")
    for one in range(50):
        await add(contacts, zoe, text=f"N{one}")
    answer = await post(contacts, zoe, text="One more")

    assert (answer.status, answer.body["type"].rpartition(":")[2]) == (409, "too-many-nicknames")
