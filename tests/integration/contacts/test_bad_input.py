"""What makes no sense is refused, by field; what only looks odd is kept and flagged."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import Stand
from tests.integration.service_stand import Json
from tests.support import caller_token, service_caller_token

CONTACTS = "/v1/contacts"
GROUPS = "/v1/contacts/groups"
KEPT = """
SELECT (SELECT count(*) FROM contacts) AS contacts, (SELECT count(*) FROM groups) AS groups,
       (SELECT count(*) FROM nicknames) AS nicknames,
       (SELECT count(*) FROM idempotency_keys) AS keys,
       (SELECT coalesce(sum(version), 0) FROM contacts) AS versions
"""
NOTHING = {"contacts": 0, "groups": 0, "nicknames": 0, "keys": 0, "versions": 0}


def email(**item: Any) -> Json:
    return {"emails": [{"address": "a@x.example", **item}]}


BAD_FIELDS: Sequence[tuple[Json, str]] = [
    ({"given_name": "x" * 1_025}, "given_name"),
    ({"organization": "x" * 1_025}, "organization"),
    ({"title": "x" * 1_025}, "title"),
    ({"birthday": "x" * 1_025}, "birthday"),
    ({"notes": "x" * 65_537}, "notes"),
    ({"given_name": "a\0b"}, "given_name"),
    ({"given_name": 7}, "given_name"),
    ({"given_name": ["Ada", "Bob"]}, "given_name"),
    ({"names": [{"given_name": "Ada"}, {"given_name": "Bob"}]}, "names"),
    ({"name": "Ada"}, "name"),
    ({"colour": "red"}, "colour"),
    (email(address="x" * 321), "emails[0].address"),
    (email(address=""), "emails[0].address"),
    (email(address="  "), "emails[0].address"),
    (email(type="x" * 101), "emails[0].type"),
    (email(primary="yes"), "emails[0].primary"),
    (email(value="a@x.example"), "emails[0].value"),
    ({"emails": [{"type": "work"}]}, "emails[0].address"),
    ({"emails": ["a@x.example"]}, "emails[0]"),
    ({"emails": "a@x.example"}, "emails"),
    ({"emails": [{"address": f"a{one}@x.example"} for one in range(101)]}, "emails"),
    (
        {"emails": [{"address": f"a{one}@x.example", "primary": True} for one in range(2)]},
        "emails",
    ),
    ({"phones": [{"number": "1" * 1_025}]}, "phones[0].number"),
    ({"phones": [{"number": ""}]}, "phones[0].number"),
    ({"phones": [{}]}, "phones[0].number"),
    ({"addresses": [{}]}, "addresses[0]"),
    ({"addresses": [{"type": "home"}]}, "addresses[0]"),
    ({"addresses": [{"street": "x" * 1_025}]}, "addresses[0].street"),
    ({"addresses": [{"street": "1 A", "country_code": "FRA"}]}, "addresses[0].country_code"),
    ({"addresses": [{"formattedValue": "1 A"}]}, "addresses[0].formattedValue"),
    ({"urls": [{"value": ""}]}, "urls[0].value"),
    ({"custom": {"": "x"}}, "custom"),
    ({"custom": {"x" * 101: "x"}}, "custom"),
    ({"custom": {"a": "x" * 1_025}}, "custom.a"),
    ({"custom": {"a": 7}}, "custom.a"),
    ({"custom": {f"f{one}": "x" for one in range(101)}}, "custom"),
    ({"entity_id": ""}, "entity_id"),
    ({"entity_id": "a/b"}, "entity_id"),
    ({"entity_id": "x" * 129}, "entity_id"),
    ({"owner_user_id": ""}, "owner_user_id"),
]


async def make(contacts: Stand, body: Any, **how: Any) -> Answer:
    headers = {"Idempotency-Key": uuid4().hex}
    return await contacts.call("POST", CONTACTS, body, headers=headers, **how)


def refused(answer: Answer, field: str) -> str | None:
    """Return what is wrong with a refusal; None: it names the field as it should."""
    said = f"{field}: {answer.status} {answer.body}"
    if answer.status != 400 or "problem+json" not in answer.headers["Content-Type"]:
        return said
    fields = answer.fields
    if any(one == field or one.startswith((f"{field}.", f"{field}[")) for one in fields):
        return None
    return said


async def kept(contacts: Stand) -> Json:
    """Return how much there is of what refusals must not leave."""
    (row,) = await contacts.fetch(KEPT)
    return {name: int(value) for name, value in dict(row).items()}


async def test_a_contact_with_a_bad_field_is_not_made(contacts: Stand) -> None:
    wrong = [
        refused(await make(contacts, {"family_name": "X", **body}), field)
        for body, field in BAD_FIELDS
    ]
    assert [one for one in wrong if one] == []
    assert await kept(contacts) == NOTHING


async def test_a_contact_with_a_bad_field_is_not_changed(contacts: Stand) -> None:
    made = await contacts.make(given_name="Ada", custom={"b": "1"})
    before = await kept(contacts)
    more = [
        ({}, "body"),
        ({"version": 1}, "body"),
        ({"version": 0, "title": "x"}, "version"),
        ({"version": "1", "title": "x"}, "version"),
        ({"custom": {f"f{one}": "x" for one in range(100)}}, "custom"),
    ]
    wrong = [
        refused(await contacts.call("PATCH", f"{CONTACTS}/{made['id']}", body), field)
        for body, field in [*BAD_FIELDS, *more]
    ]
    assert [one for one in wrong if one] == []
    assert await kept(contacts) == before


async def test_a_contact_that_says_nothing_is_not_made(contacts: Stand) -> None:
    nothing: Sequence[Json] = [
        {},
        {"entity_id": "e1"},
        {"given_name": " "},
        {"emails": [], "notes": ""},
    ]
    for body in nothing:
        assert refused(await make(contacts, body), "body") is None, body
    assert await kept(contacts) == NOTHING


async def test_what_is_no_json_is_refused(contacts: Stand) -> None:
    headers = {"Idempotency-Key": "k"}
    bodies: Sequence[Any] = [[], "x", 7, None]
    for body in bodies:
        answer = await contacts.call("POST", CONTACTS, body, headers=headers)
        assert answer.status in (400, 415), answer
    assert await kept(contacts) == NOTHING


async def test_odd_addresses_and_numbers_are_kept_as_typed_and_flagged(contacts: Stand) -> None:
    made = await contacts.make(
        given_name="Ada",
        emails=[
            {"address": "ada"},
            {"address": "Ada <ada@x.example>"},
            {"address": "ada@x.example"},
        ],
        phones=[{"number": "ask Bob"}, {"number": "+55 11 98765-4321"}, {"number": "190"}],
        birthday="in May",
    )

    assert [one["address"] for one in made["emails"]] == [
        "ada",
        "Ada <ada@x.example>",
        "ada@x.example",
    ]
    assert [(one["number"], one["e164"]) for one in made["phones"]] == [
        ("ask Bob", None),
        ("+55 11 98765-4321", "+5511987654321"),
        ("190", None),
    ]
    assert [one["field"] for one in made["problems"]] == [
        "emails[0].address",
        "emails[1].address",
        "phones[0].number",
        "phones[2].number",
    ]
    assert made["birthday"] == "in May"
    assert await contacts.get(f"{CONTACTS}/{made['id']}") == made


async def test_the_same_item_twice_is_kept_once(contacts: Stand) -> None:
    made = await contacts.make(
        emails=[{"address": "ada@x.example"}, {"address": "ADA@x.example", "primary": True}],
        phones=[{"number": "+55 11 98765-4321"}, {"number": "(11) 98765-4321"}],
    )

    assert len(made["emails"]) == len(made["phones"]) == 1


async def test_a_query_that_makes_no_sense_is_refused(contacts: Stand) -> None:
    for query, field in (
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=eyJpZCI6IngifQ", "cursor"),
        ("group_id=x", "group_id"),
        (f"q={'x' * 201}", "q"),
        ("q=%00", "q"),
        ("q=a&q=b", "q"),
        ("colour=red", "colour"),
    ):
        answer = await contacts.call("GET", f"{CONTACTS}?{query}")
        assert refused(answer, field) is None, query
    missing = await contacts.call("GET", f"{CONTACTS}?group_id={uuid4()}")
    assert missing.status == 404


async def test_what_names_no_contact_is_not_there(contacts: Stand) -> None:
    for name in (str(uuid4()), "x", "groups2", "0" * 32, "%00", "11111111111141118111111111111111"):
        path = f"{CONTACTS}/{name}"
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
            answer = await contacts.call(method, path, body)
            assert answer.status == 404, (method, name, answer)
        headers = {"Idempotency-Key": uuid4().hex}
        body = {"into": str(uuid4())}
        answer = await contacts.call("POST", f"{path}/merge", body, headers=headers)
        assert answer.status == 404


async def test_how_a_contact_goes_has_to_make_sense(contacts: Stand) -> None:
    made = await contacts.make(given_name="Ada")
    for query, field in (
        ("from_google=perhaps", "from_google"),
        ("version=0", "version"),
        ("colour=red", "colour"),
    ):
        answer = await contacts.call("DELETE", f"{CONTACTS}/{made['id']}?{query}")
        assert refused(answer, field) is None, query
    headers = {"Idempotency-Key": "k"}
    for body, field in (
        ({}, "into"),
        ({"into": "x"}, "into"),
        ({"into": made["id"], "how": "x"}, "how"),
    ):
        path = f"{CONTACTS}/{made['id']}/merge"
        answer = await contacts.call("POST", path, body, headers=headers)
        assert refused(answer, field) is None, body
    assert (await contacts.get(f"{CONTACTS}/{made['id']}")) == made


BAD_GROUPS: Sequence[tuple[Json, str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "two\nlines"}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": 7}, "name"),
    ({"name": "x", "colour": "red"}, "colour"),
]


async def test_a_group_with_a_bad_field_is_not_kept(contacts: Stand) -> None:
    headers = {"Idempotency-Key": "k"}
    wrong = [
        refused(await contacts.call("POST", GROUPS, body, headers=headers), field)
        for body, field in BAD_GROUPS
    ]
    assert [one for one in wrong if one] == []
    assert await kept(contacts) == NOTHING
    made = (await contacts.call("POST", GROUPS, {"name": "VIP"}, headers=headers)).body
    wrong = [
        refused(await contacts.call("PATCH", f"{GROUPS}/{made['id']}", body), field)
        for body, field in BAD_GROUPS
    ]
    one = str(uuid4())
    for body, field in (
        ({}, "body"),
        ({"add": ["x"]}, "add"),
        ({"add": one}, "add"),
        ({"add": [str(uuid4()) for _ in range(501)]}, "add"),
        ({"remove": [str(uuid4()) for _ in range(501)]}, "remove"),
        ({"add": [one], "remove": [one]}, "body"),
        ({"members": [one]}, "members"),
    ):
        answer = await contacts.call("PATCH", f"{GROUPS}/{made['id']}/members", body)
        wrong.append(refused(answer, field))
    assert [each for each in wrong if each] == []
    assert await contacts.get(f"{GROUPS}/{made['id']}") == made
    for name in (str(uuid4()), "x"):
        assert (await contacts.call("GET", f"{GROUPS}/{name}")).status == 404
        path = f"{GROUPS}/{made['id']}/members/{name}"
        assert (await contacts.call("PUT", path)).status == 404


async def test_a_nickname_with_a_bad_field_is_not_kept(contacts: Stand) -> None:
    made = await contacts.make(given_name="Ada")
    path = f"{CONTACTS}/{made['id']}/nicknames"
    headers = {"Idempotency-Key": "k"}
    good: Json = {"text": "Ada", "tone": "formal"}
    bad: Sequence[tuple[Json, str]] = [
        ({"text": ""}, "text"),
        ({"text": " "}, "text"),
        ({"text": "x" * 201}, "text"),
        ({"tone": "rude"}, "tone"),
        ({"keywords": ["x"] * 31}, "keywords"),
        ({"keywords": [""]}, "keywords"),
        ({"keywords": ["x" * 51]}, "keywords"),
        ({"keywords": "x"}, "keywords"),
        ({"context": "x" * 1_001}, "context"),
        ({"is_default": "yes"}, "is_default"),
        ({"colour": "red"}, "colour"),
    ]
    wrong = [
        refused(await contacts.call("POST", path, {**good, **body}, headers=headers), field)
        for body, field in bad
    ]
    for missing in good:
        body = {name: value for name, value in good.items() if name != missing}
        answer = await contacts.call("POST", path, body, headers=headers)
        wrong.append(refused(answer, missing))
    assert (await contacts.get(path))["items"] == []
    kept_one = (await contacts.call("POST", path, good, headers=headers)).body
    wrong += [
        refused(await contacts.call("PATCH", f"{path}/{kept_one['id']}", body), field)
        for body, field in [*bad, ({}, "body")]
    ]
    assert [one for one in wrong if one] == []
    assert (await contacts.get(path))["items"] == [kept_one]


async def test_who_is_nobody_is_told_nothing(contacts: Stand) -> None:
    made = await contacts.make(given_name="Ada")
    for method, path, body in (
        ("GET", CONTACTS, None),
        ("GET", f"{CONTACTS}/{made['id']}", None),
        ("PATCH", f"{CONTACTS}/{made['id']}", {"title": "x"}),
        ("DELETE", f"{CONTACTS}/{made['id']}", None),
        ("GET", GROUPS, None),
    ):
        answer = await contacts.call(method, path, body, token="x")
        assert answer.status == 401
    for token in (caller_token(tenant="other"), service_caller_token(tenant="other")):
        assert (await contacts.call("GET", f"{CONTACTS}/{made['id']}", token=token)).status == 404
