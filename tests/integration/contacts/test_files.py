"""Files: contacts are brought in and taken along, as vCards or CSV."""

from typing import Any

from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import Stand
from tests.support import bearer, caller_token, service_caller_token

IMPORT = "/v1/contacts/import"
EXPORT = "/v1/contacts/export"
CSV = """nom,prenom,email,telephone,couleur
Martin,Zoé,zoe@x.example,(11) 98765-4321,bleu
Souza,Ana,no address,ask Bob,
"""
VCARD = """BEGIN:VCARD
VERSION:3.0
N:Martin;Zoé;;;
FN:Zoé Martin
EMAIL;TYPE=WORK:zoe@x.example
END:VCARD
"""


async def bring(
    contacts: Stand, text: str | bytes, kind: str = "text/csv", query: str = "", **how: Any
) -> Answer:
    headers = {
        "Content-Type": kind,
        "Idempotency-Key": how.pop("key", None) or f"k{hash(text)}",
        **bearer(how.pop("token", None) or caller_token()),
    }
    url = f"{contacts.origin}{IMPORT}{query}"
    raw = text if isinstance(text, bytes) else text.encode()
    async with contacts.session.post(url, data=raw, headers=headers) as response:
        return Answer(response.status, await response.json(content_type=None), response.headers)


async def take(contacts: Stand, query: str = "", *, token: str | None = None) -> str:
    answer = await contacts.call("GET", f"{EXPORT}{query}", token=token)
    assert answer.status == 200, answer
    return bytes(answer.body).decode()


async def names(contacts: Stand, *, token: str | None = None) -> list[str]:
    found = await contacts.get("/v1/contacts", token=token)
    return sorted(one["name"] for one in found["items"])


async def test_rows_of_a_table_become_contacts(contacts: Stand) -> None:
    answer = await bring(contacts, CSV)

    assert (answer.status, answer.body) == (
        200,
        {"total": 2, "created": 2, "updated": 0, "unchanged": 0, "errors": []},
    )
    ana, zoe = sorted(
        (await contacts.get("/v1/contacts"))["items"], key=lambda one: str(one["name"])
    )
    assert (zoe["name"], zoe["phones"][0]["e164"]) == ("Zoé Martin", "+5511987654321")
    assert zoe["custom"] == {"couleur": "bleu"}
    assert (zoe["owner_user_id"], zoe["visible_to"]) == ("ada", "owner")
    assert [one["field"] for one in ana["problems"]] == [
        "emails[0].address",
        "phones[0].number",
    ]
    await contacts.told(zoe["id"], "created")


async def test_who_is_a_contact_already_gets_what_is_new(contacts: Stand) -> None:
    made = await contacts.make(given_name="Z.", emails=[{"address": "ZOE@x.example"}])
    first = await bring(contacts, VCARD, "text/vcard")
    again = await bring(contacts, VCARD, "text/vcard", key="again")
    rows = await bring(contacts, CSV)

    assert (first.body["unchanged"], first.body["created"]) == (1, 0)
    assert again.body["unchanged"] == 1
    assert (rows.body["updated"], rows.body["created"]) == (1, 1)
    found = await contacts.get(f"/v1/contacts/{made['id']}")
    assert (found["name"], found["custom"]) == ("Z.", {"couleur": "bleu"})
    assert await names(contacts) == ["Ana Souza", "Z."]


async def test_of_bad_rows_it_is_said_why_and_good_ones_are_in(contacts: Stand) -> None:
    for _ in range(2):
        await contacts.make(emails=[{"address": "twice@x.example"}])
    table = f"""nom,email
Good,good@x.example
{"x" * 1_025},long@x.example
More,more@x.example,cells
,twice@x.example
Last,last@x.example
"""
    answer = await bring(contacts, table)

    assert (answer.body["total"], answer.body["created"]) == (5, 2)
    assert [
        (one["row"], one["line"], one["errors"][0]["field"]) for one in answer.body["errors"]
    ] == [(2, 3, "family_name"), (3, 4, "row"), (4, 5, "row")]
    assert answer.body["errors"][2]["errors"][0]["detail"] == "could be several contacts"
    assert {"Good", "Last"} <= {*await names(contacts)}
    broken = await bring(contacts, f"BEGIN:VCARD\nN\nEND:VCARD\n{VCARD}", "text/vcard")
    assert (broken.body["total"], broken.body["created"]) == (2, 1)
    assert [one["row"] for one in broken.body["errors"]] == [1]


async def test_the_same_person_twice_in_a_file_is_one(contacts: Stand) -> None:
    table = "nom,email,couleur\nOne,one@x.example,\nOne,ONE@x.example,bleu\n"
    answer = await bring(contacts, table)

    assert (answer.body["created"], answer.body["updated"]) == (1, 1)
    assert await names(contacts) == ["One"]


async def test_what_is_no_such_file_is_refused(contacts: Stand) -> None:
    for text, kind in (
        ("", "text/csv"),
        ("nom,nom\n1,2\n", "text/csv"),
        ("nom,prenom\n", "text/csv"),
        ("nom\na\0b\n", "text/csv"),
        ("nom\n" + "x\n" * 5_001, "text/csv"),
        ("", "text/vcard"),
        ("no card", "text/vcard"),
    ):
        answer = await bring(contacts, text, kind)
        assert (answer.status, answer.fields) == (400, ["body"]), (text[:20], answer)
    assert (await bring(contacts, "{}", "application/json")).status == 415
    assert (await bring(contacts, CSV, query="?owner_user_id=bob")).status == 403
    assert await contacts.kept() == []


async def test_a_file_is_taken_in_once_by_its_key(contacts: Stand) -> None:
    first = await bring(contacts, "nom\nOne\n", key="k")
    again = await bring(contacts, "nom\nOne\n", key="k")

    assert first.body == again.body
    assert await names(contacts) == ["One"]


async def test_services_say_whose_a_file_is(contacts: Stand) -> None:
    service = service_caller_token()
    await bring(contacts, "nom\nBobs\n", token=service, query="?owner_user_id=bob")
    await bring(contacts, "nom\nTenants\n", token=service)

    assert await names(contacts) == ["Tenants"]
    assert await names(contacts, token=caller_token(user="bob")) == ["Bobs", "Tenants"]


async def test_the_tenants_file_goes_into_nobodys_private_contact(contacts: Stand) -> None:
    await bring(contacts, "prenom,email\nAdas,zoe@x.example\n", key="a")
    answer = await bring(
        contacts, "prenom,email\nTenants,zoe@x.example\n", token=service_caller_token(), key="t"
    )

    assert answer.status == 200, answer
    assert await names(contacts) == ["Adas", "Tenants"]
    assert await names(contacts, token=caller_token(user="bob")) == ["Tenants"]


async def test_what_is_taken_along_can_be_brought_in_elsewhere(contacts: Stand) -> None:
    await bring(contacts, CSV)
    await contacts.make(given_name="Full", urls=[{"value": "https://x.example"}], notes="a\nb")
    cards, table = await take(contacts), await take(contacts, "?format=csv")
    other = caller_token(tenant="other")
    third = caller_token(tenant="third")
    for text, kind, token in ((cards, "text/vcard", other), (table, "text/csv", third)):
        answer = await bring(contacts, text, kind, token=token)
        assert (answer.body["created"], answer.body["errors"]) == (3, []), answer
        assert await names(contacts, token=token) == ["Ana Souza", "Full", "Zoé Martin"]
        assert await take(contacts, token=token) == cards
        assert await take(contacts, "?format=csv", token=token) == table


async def test_only_what_is_seen_and_wanted_is_taken_along(contacts: Stand) -> None:
    await contacts.make(given_name="Mine")
    await contacts.make(given_name="Bobs", token=caller_token(user="bob"), custom={"secret": "1"})
    assert "Bobs" not in await take(contacts)
    assert "secret" not in await take(contacts, "?format=csv")
    assert "Mine" in await take(contacts, "?q=mine")
    assert await take(contacts, "?q=nobody") == ""
    for query in ("?format=xml", "?colour=red", "?group_id=x"):
        assert (await contacts.call("GET", f"{EXPORT}{query}")).status == 400
    missing = "?group_id=5b3ad2a4-2f0e-4c0c-9d0e-6a8e3f1c7b52"
    assert (await contacts.call("GET", f"{EXPORT}{missing}")).status == 404
