"""Contacts over HTTP: made, read, found, changed, deleted and merged."""

from typing import Any
from uuid import uuid4

from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import Stand, human
from tests.integration.service_stand import Json
from tests.support import caller_token, eventually, service_caller_token

CONTACTS = "/v1/contacts"
SERVICE = service_caller_token()
BOB = caller_token(user="bob")

FULL: Json = {
    "prefix": "Dr",
    "given_name": "Zoé",
    "middle_name": "A.",
    "family_name": "Martin",
    "suffix": "Jr",
    "organization": "ACME",
    "title": "Directrice",
    "department": "Ventes",
    "birthday": "--05-02",
    "notes": "two\nlines",
    "emails": [
        {"address": "Zoe@Example.org", "type": "work"},
        {"address": "zoe@home.example", "type": "home", "primary": True},
    ],
    "phones": [{"number": "(11) 98765-4321", "type": "mobile"}],
    "addresses": [{"street": "1 rue de la Paix", "city": "Paris", "country_code": "FR"}],
    "urls": [{"value": "https://zoe.example"}],
    "custom": {"couleur": "bleu"},
}


async def listed(contacts: Stand, query: str = "", *, token: str | None = None) -> list[str]:
    """Return the names of a page of contacts."""
    found = await contacts.get(f"{CONTACTS}{query}", token=token)
    return [one["name"] for one in found["items"]]


async def merge(contacts: Stand, one: Json, into: Json, **how: Any) -> Answer:
    headers = {"Idempotency-Key": uuid4().hex}
    path = f"{CONTACTS}/{one['id']}/merge"
    return await contacts.call("POST", path, {"into": into["id"]}, headers=headers, **how)


async def test_a_contact_is_kept_with_all_that_is_known(contacts: Stand) -> None:
    made = await contacts.make(**FULL)

    assert made["name"] == "Dr Zoé A. Martin Jr"
    assert {name: made[name] for name in ("birthday", "notes", "custom", "title")} == {
        name: FULL[name] for name in ("birthday", "notes", "custom", "title")
    }
    assert [(one["address"], one["primary"]) for one in made["emails"]] == [
        ("Zoe@Example.org", False),
        ("zoe@home.example", True),
    ]
    assert made["phones"] == [
        {
            "number": "(11) 98765-4321",
            "e164": "+5511987654321",
            "type": "mobile",
            "primary": True,
        }
    ]
    assert made["addresses"][0]["city"] == "Paris"
    assert (made["owner_user_id"], made["visible_to"], made["version"]) == ("ada", "owner", 1)
    assert (made["problems"], made["groups"], made["links"]) == ([], [], [])
    assert await contacts.get(f"{CONTACTS}/{made['id']}") == made
    await contacts.told(made["id"], "created")
    (event,) = contacts.events("contacts.contact.")
    assert event.data["entity"] == {"type": "contact", "id": made["id"]}
    assert event.data["visible_to"] == "owner"
    assert event.data["fields"]["telephone"] == "(11) 98765-4321"
    assert event.data["fields"]["adresse"] == "1 rue de la Paix"
    assert event.data["fields"]["couleur"] == "bleu"
    assert "notes" not in event.data["fields"]
    assert event.data["origin"] == "crm"


async def test_what_is_left_out_stays_and_null_empties(contacts: Stand) -> None:
    made = await contacts.make(**FULL)
    changed = await contacts.change(
        made["id"],
        title=None,
        notes="",
        emails=[{"address": "new@example.org"}],
        custom={"couleur": None, "taille": "M"},
    )

    assert (changed["title"], changed["notes"]) == ("", "")
    assert [one["address"] for one in changed["emails"]] == ["new@example.org"]
    assert changed["emails"][0]["primary"] is True
    assert changed["custom"] == {"taille": "M"}
    assert changed["phones"] == made["phones"]
    assert changed["version"] == 2
    await contacts.told(made["id"], "created", "updated")
    event = contacts.events("contacts.contact.updated")[0]
    assert event.data["changed"] == ["custom/couleur", "custom/taille", "emails", "notes", "title"]


async def test_a_change_to_what_it_is_changes_nothing(contacts: Stand) -> None:
    made = await contacts.make(**FULL)
    again = await contacts.change(made["id"], title="Directrice", phones=FULL["phones"])

    assert again == made
    await contacts.quiet()
    await contacts.told(made["id"], "created")


async def test_a_deleted_contact_is_gone(contacts: Stand) -> None:
    made = await contacts.make(given_name="Ada")
    deleted = await contacts.call("DELETE", f"{CONTACTS}/{made['id']}")
    again = await contacts.call("DELETE", f"{CONTACTS}/{made['id']}")

    assert (deleted.status, again.status) == (204, 404)
    assert (await contacts.call("GET", f"{CONTACTS}/{made['id']}")).status == 404
    assert await listed(contacts) == []
    await contacts.told(made["id"], "created", "deleted")
    (row,) = await contacts.fetch("SELECT card, name, emails FROM contacts")
    assert (row["card"], row["name"], row["emails"]) == ({}, "", [])


async def test_a_contact_of_the_crm_is_seen_by_all_and_another_by_its_owner_only(
    contacts: Stand,
) -> None:
    private = await contacts.make(given_name="Private")
    shared = await contacts.make(given_name="Shared", entity_id="e1")
    tenants = await contacts.make(given_name="Tenant", token=SERVICE)

    assert (shared["visible_to"], tenants["visible_to"]) == ("tenant", "tenant")
    assert await listed(contacts) == ["Private", "Shared", "Tenant"]
    assert await listed(contacts, token=SERVICE) == ["Private", "Shared", "Tenant"]
    assert await listed(contacts, token=BOB) == ["Shared", "Tenant"]
    assert await listed(contacts, token=service_caller_token(tenant="other")) == []
    for token in (BOB, service_caller_token(tenant="other"), caller_token(tenant="other")):
        path = f"{CONTACTS}/{private['id']}"
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
            assert (await contacts.call(method, path, body, token=token)).status == 404
    linked = await contacts.change(private["id"], entity_id="e2")
    assert linked["visible_to"] == "tenant"
    assert "Private" in await listed(contacts, token=BOB)


async def test_contacts_are_found_by_words(contacts: Stand) -> None:
    await contacts.make(**FULL)
    await contacts.make(given_name="Ana 100%", emails=[{"address": "ana_b@x.example"}])

    for words in ("zoé", "MARTIN dr", "acme", "zoe@home", "98765-4321", "%2B5511987654321"):
        assert await listed(contacts, f"?q={words}") == ["Dr Zoé A. Martin Jr"], words
    assert await listed(contacts, "?q=100%25") == ["Ana 100%"]
    assert await listed(contacts, "?q=ana_b") == ["Ana 100%"]
    assert await listed(contacts, "?q=ana%25b") == []
    assert await listed(contacts, "?q=zoé ana") == []
    assert len(await listed(contacts, "?q=")) == 2


async def test_contacts_come_in_pages(contacts: Stand) -> None:
    made = [(await contacts.make(given_name=f"C{one}"))["name"] for one in range(5)]
    seen: list[str] = []
    query = "?limit=2"
    while True:
        page = await contacts.get(f"{CONTACTS}{query}")
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
    assert seen == made


async def test_only_what_was_seen_is_changed(contacts: Stand) -> None:
    made = await contacts.make(given_name="Ada")
    path = f"{CONTACTS}/{made['id']}"
    seen = {"If-Match": (await contacts.call("GET", path)).headers["ETag"]}
    first = await contacts.call("PATCH", path, {"title": "First"}, headers=seen)
    second = await contacts.call("PATCH", path, {"title": "Second"}, headers=seen)
    third = await contacts.call("DELETE", path, headers=seen)
    fourth = await contacts.call("PATCH", path, {"title": "Fourth", "version": 1})
    fifth = await contacts.call("DELETE", f"{path}?version=1")
    fresh = await contacts.call("PATCH", path, {"title": "Fresh", "version": 2})

    assert [one.status for one in (first, second, third, fourth, fifth)] == [
        200,
        412,
        412,
        409,
        409,
    ]
    assert fourth.body["type"].endswith("stale-version")
    assert fourth.body["version"] == 2
    assert (fresh.status, fresh.headers["ETag"]) == (200, '"3"')
    assert (await contacts.get(path))["title"] == "Fresh"


async def test_a_repeated_request_makes_one_contact(contacts: Stand) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"given_name": "Ada"}
    first = await contacts.call("POST", CONTACTS, body, headers=headers)
    again = await contacts.call("POST", CONTACTS, body, headers=headers)
    other = await contacts.call("POST", CONTACTS, {"given_name": "Bob"}, headers=headers)

    assert (first.status, again.status, other.status) == (201, 201, 409)
    assert first.body == again.body
    assert first.headers["Location"] == f"{CONTACTS}/{first.body['id']}"
    assert await listed(contacts) == ["Ada"]


async def test_a_contact_belongs_to_one_id_of_the_crm(contacts: Stand) -> None:
    one = await contacts.make(given_name="One", entity_id="e1")
    other = await contacts.make(given_name="Other")
    headers = {"Idempotency-Key": "k"}
    twice = await contacts.call(
        "POST", CONTACTS, {"given_name": "Twice", "entity_id": "e1"}, headers=headers
    )
    taken = await contacts.call("PATCH", f"{CONTACTS}/{other['id']}", {"entity_id": "e1"})
    linked = await contacts.call("PATCH", f"{CONTACTS}/{one['id']}", {"entity_id": "e2"})

    assert [answer.status for answer in (twice, taken, linked)] == [409, 409, 409]
    assert twice.body["type"].endswith("entity-taken")
    assert twice.body["contact_id"] == one["id"]
    assert linked.body["type"].endswith("entity-linked")
    assert (await contacts.call("DELETE", f"{CONTACTS}/{one['id']}")).status == 204
    again = await contacts.change(other["id"], entity_id="e1")
    assert again["entity_id"] == "e1"


async def test_an_id_of_the_crm_brings_its_contact_back(contacts: Stand) -> None:
    one = await contacts.make(given_name="One", entity_id="e1")
    await contacts.call("DELETE", f"{CONTACTS}/{one['id']}")
    back = await contacts.make(given_name="Back", entity_id="e1")

    assert back["id"] == one["id"]
    await contacts.told(one["id"], "created", "deleted", "created")


async def test_users_make_contacts_of_their_own_and_services_anybodys(contacts: Stand) -> None:
    headers = {"Idempotency-Key": "k"}
    body = {"given_name": "X", "owner_user_id": "bob"}
    answer = await contacts.call("POST", CONTACTS, body, headers=headers)
    made = await contacts.make(given_name="Bobs", owner_user_id="bob", token=SERVICE)
    mine = await contacts.make(given_name="Mine")
    given = await contacts.call("PATCH", f"{CONTACTS}/{mine['id']}", {"owner_user_id": "bob"})
    moved = await contacts.change(mine["id"], owner_user_id="bob", token=SERVICE)

    assert (answer.status, given.status) == (403, 403)
    assert made["owner_user_id"] == moved["owner_user_id"] == "bob"
    assert await listed(contacts) == []
    assert await listed(contacts, token=BOB) == ["Bobs", "Mine"]


async def test_merged_contacts_are_one_and_nothing_is_lost(contacts: Stand) -> None:
    one = await contacts.make(
        given_name="Z.",
        title="CEO",
        emails=[{"address": "z@x.example"}],
        custom={"a": "1", "b": "1"},
        entity_id="e1",
    )
    into = await contacts.make(given_name="Zoé", phones=[{"number": "1"}], custom={"b": "2"})
    group = await contacts.call(
        "POST", f"{CONTACTS}/groups", {"name": "VIP"}, headers={"Idempotency-Key": "g"}
    )
    members = f"{CONTACTS}/groups/{group.body['id']}/members"
    await contacts.call("PUT", f"{members}/{one['id']}")
    nickname = {"text": "Zozo", "tone": "informal", "is_default": True}
    for contact in (one, into):
        headers = {"Idempotency-Key": uuid4().hex}
        path = f"{CONTACTS}/{contact['id']}/nicknames"
        assert (await contacts.call("POST", path, nickname, headers=headers)).status == 201
    answer = await merge(contacts, one, into)

    assert answer.status == 200, answer
    merged = answer.body
    assert (merged["id"], merged["entity_id"]) == (into["id"], "e1")
    assert (merged["given_name"], merged["title"]) == ("Zoé", "CEO")
    assert [found["address"] for found in merged["emails"]] == ["z@x.example"]
    assert [found["number"] for found in merged["phones"]] == ["1"]
    assert merged["custom"] == {"a": "1", "b": "2"}
    assert merged["groups"] == [group.body["id"]]
    named = (await contacts.get(f"{CONTACTS}/{into['id']}/nicknames"))["items"]
    assert [found["is_default"] for found in named].count(True) == 1
    assert len(named) == 2
    gone = await contacts.call("GET", f"{CONTACTS}/{one['id']}")
    assert (gone.status, gone.body["merged_into"]) == (404, into["id"])
    await eventually(lambda: contacts.told_of(one["id"])[-1:] == ["merged"])
    told = contacts.events("contacts.contact.merged")[0]
    assert told.data["into_contact_id"] == into["id"]
    await eventually(
        lambda: (
            [
                (one.data["added"], one.data["removed"])
                for one in contacts.events("contacts.group.membership_changed")
            ][-1:]
            == [([into["id"]], [])]
        )
    )


async def test_what_cannot_be_merged_stays_as_it_is(contacts: Stand) -> None:
    one = await contacts.make(given_name="One")
    bobs = await contacts.make(given_name="Bobs", token=BOB)
    itself = await merge(contacts, one, one)
    foreign = await merge(contacts, one, bobs)
    nowhere = await merge(contacts, one, {"id": str(uuid4())})
    theirs = await merge(contacts, bobs, one)

    assert [answer.status for answer in (itself, foreign, nowhere, theirs)] == [400, 400, 400, 404]
    assert itself.fields == foreign.fields == nowhere.fields == ["into"]
    assert await listed(contacts, token=SERVICE) == ["One", "Bobs"]


async def test_a_deleted_contact_stays_in_its_owners_address_book_unless_they_say_so(
    contacts: Stand,
) -> None:
    for name in ("Kept Person", "Gone Person"):
        await contacts.add(human(name, f"{name[0]}@x.example"))
    await contacts.connect(confirmed=True)
    kept, gone = await contacts.named("Kept Person"), await contacts.named("Gone Person")
    for contact_id, query in ((kept["id"], ""), (gone["id"], "?from_google=true")):
        answer = await contacts.call("DELETE", f"{CONTACTS}/{contact_id}{query}")
        assert answer.status == 204

    async def only_one() -> bool:
        found = [one for one in await contacts.at_google() if "names" in one]
        return [one["names"][0]["displayName"] for one in found] == ["Kept Person"]

    await eventually(only_one, what="one person at Google")
    await contacts.quiet()
    assert await only_one()
    assert await contacts.kept() == []


async def test_two_people_of_ones_own_address_book_that_are_merged_become_one_there(
    contacts: Stand,
) -> None:
    await contacts.add(human("Zoé Martin", "zoe@x.example"))
    await contacts.add(human("Z. M.", phone="+55 11 98765-4321"))
    await contacts.connect(confirmed=True)
    into, one = await contacts.named("Zoé Martin"), await contacts.named("Z. M.")
    answer = await merge(contacts, {"id": str(one["id"])}, {"id": str(into["id"])})
    assert answer.status == 200, answer

    async def merged() -> bool:
        found = await contacts.at_google()
        assert len(found) == 1, found
        return bool(found[0]["phoneNumbers"][0]["value"] == "+55 11 98765-4321")

    await eventually(merged, what="one person at Google")
    await contacts.quiet()
    assert [row["name"] for row in await contacts.kept()] == ["Zoé Martin"]
    assert await merged()


async def test_of_a_contact_that_colleagues_share_each_sees_their_own_groups_and_links(
    contacts: Stand,
) -> None:
    await contacts.connect(confirmed=True)
    made = await contacts.make(
        given_name="Zoé", entity_id="crm-1", token=SERVICE, owner_user_id="ada"
    )
    path = f"/v1/contacts/{made['id']}"
    group = (await contacts.call("POST", "/v1/contacts/groups", {"name": "Mine"})).body
    members = f"/v1/contacts/groups/{group['id']}/members"
    await contacts.call("PATCH", members, {"add": [made["id"]]})

    async def is_linked() -> bool:
        return len((await contacts.get(path))["links"]) == 1

    await eventually(is_linked)
    assert (await contacts.get(path))["groups"] == [group["id"]]
    bob = await contacts.get(path, token=caller_token(user="bob"))
    assert (bob["groups"], bob["links"]) == ([], [])
    listed = (await contacts.get("/v1/contacts", token=caller_token(user="bob")))["items"]
    assert [(one["groups"], one["links"]) for one in listed] == [([], [])]
    service = await contacts.get(path, token=SERVICE)
    assert (service["groups"], len(service["links"])) == ([group["id"]], 1)
