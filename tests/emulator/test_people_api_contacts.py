"""Contacts of the People API: what is written, what comes back, and whose turn it is."""

from typing import Any

import pytest

from tests.emulator.google import FIELDS, Google, Rolodex, group_ids


def primary(items: list[Any]) -> list[bool]:
    return [item["metadata"].get("primary", False) for item in items]


async def test_a_contact_comes_back_as_it_was_written(rolodex: Rolodex) -> None:
    made = await rolodex.create(
        "Ann",
        emailAddresses=[{"value": "ann@example.net", "type": "work"}],
        userDefined=[{"key": "loyalty", "value": "gold"}],
        clientData=[{"key": "crm", "value": "7"}],
    )

    found = await rolodex.person(made["resourceName"])

    assert made["resourceName"].startswith("people/c")
    assert found["emailAddresses"][0]["value"] == "ann@example.net"
    assert found["emailAddresses"][0]["formattedType"] == "Work"
    assert found["userDefined"][0]["key"] == "loyalty"
    assert found["clientData"][0]["value"] == "7"
    assert found["etag"] == made["etag"]


async def test_only_the_fields_of_the_mask_come_back(rolodex: Rolodex) -> None:
    made = await rolodex.create(nicknames=[{"value": "Annie"}])

    found = await rolodex.person(made["resourceName"], "nicknames")

    assert set(found) == {"resourceName", "etag", "nicknames"}


async def test_names_are_put_together(rolodex: Rolodex) -> None:
    name = {"honorificPrefix": "Dr", "givenName": "Ann", "familyName": "Lee"}

    made = await rolodex.create(names=[name])

    shown = made["names"][0]
    assert shown["displayName"] == "Dr Ann Lee"
    assert shown["displayNameLastFirst"] == "Lee, Dr Ann"


async def test_a_free_form_name_is_taken_apart(rolodex: Rolodex) -> None:
    made = await rolodex.create(names=[{"unstructuredName": "Ann Mary Lee"}])

    assert made["names"][0]["givenName"] == "Ann Mary"
    assert made["names"][0]["familyName"] == "Lee"


async def test_a_contact_needs_no_name(rolodex: Rolodex) -> None:
    made = await rolodex.create(names=[], emailAddresses=[{"value": "x@example.net"}])

    assert "names" not in await rolodex.person(made["resourceName"])


async def test_a_number_with_its_country_has_a_canonical_form(rolodex: Rolodex) -> None:
    numbers = [{"value": "0041 79 123 45 67"}, {"value": "079 123 45 67"}]

    made = await rolodex.create(phoneNumbers=numbers)

    assert made["phoneNumbers"][0]["canonicalForm"] == "+41791234567"
    assert "canonicalForm" not in made["phoneNumbers"][1]


async def test_an_address_is_formatted(rolodex: Rolodex) -> None:
    address = {"streetAddress": "Rue 1", "postalCode": "1200", "city": "Geneva"}

    made = await rolodex.create(addresses=[address, {"formattedValue": "Somewhere"}])

    assert made["addresses"][0]["formattedValue"] == "Rue 1\n1200 Geneva"
    assert made["addresses"][1]["streetAddress"] == "Somewhere"


async def test_the_first_value_is_primary_unless_another_one_says_so(rolodex: Rolodex) -> None:
    two = [{"value": "a@example.net"}, {"value": "b@example.net"}]
    wished = [two[0], {**two[1], "metadata": {"sourcePrimary": True}}]

    plain, chosen = (
        await rolodex.create(emailAddresses=two),
        await rolodex.create(emailAddresses=wished),
    )

    assert primary(plain["emailAddresses"]) == [True, False]
    assert primary(chosen["emailAddresses"]) == [False, True]


async def test_metadata_name_the_source_with_its_etag(rolodex: Rolodex) -> None:
    made = await rolodex.create()

    source = made["metadata"]["sources"][0]

    assert source["type"] == "CONTACT"
    assert source["etag"]
    assert source["etag"] != made["etag"]
    assert source["updateTime"].endswith("Z")
    assert made["names"][0]["metadata"]["source"] == {"type": "CONTACT", "id": source["id"]}
    assert made["photos"][0]["default"] is True


async def test_a_new_contact_is_one_of_mine(rolodex: Rolodex) -> None:
    assert group_ids(await rolodex.create()) == ["myContacts"]


async def test_an_update_replaces_the_named_fields_and_no_others(rolodex: Rolodex) -> None:
    made = await rolodex.create(nicknames=[{"value": "Annie"}], urls=[{"value": "x.example.net"}])

    answer = await rolodex.update(made, nicknames=[{"value": "Nan"}])

    found = await rolodex.person(made["resourceName"])
    assert answer.status == 200
    assert [one["value"] for one in found["nicknames"]] == ["Nan"]
    assert found["urls"][0]["value"] == "x.example.net"
    assert found["etag"] == answer.json["etag"] != made["etag"]


async def test_a_named_field_without_a_value_is_cleared(rolodex: Rolodex) -> None:
    made = await rolodex.create(nicknames=[{"value": "Annie"}])

    await rolodex.update(made, nicknames=[])

    assert "nicknames" not in await rolodex.person(made["resourceName"])


async def test_a_stale_etag_is_refused_in_googles_words(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    await rolodex.update(made, nicknames=[{"value": "Annie"}])

    answer = await rolodex.update(made, nicknames=[{"value": "Nan"}])

    assert answer.status == 400
    assert answer.json == {
        "error": {
            "code": 400,
            "message": "Request person.etag is different than the current person.etag. Clear "
            "local cache and get the latest person.",
            "status": "FAILED_PRECONDITION",
        }
    }


async def test_a_stale_etag_of_the_source_is_called_so(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    current = (await rolodex.update(made, nicknames=[{"value": "Annie"}])).json

    answer = await rolodex.update({**made, "etag": current["etag"]}, nicknames=[])

    assert answer.json["error"]["status"] == "FAILED_PRECONDITION"
    assert answer.json["error"]["message"].startswith(
        "Request person.metadata.sources.etag is different than the current person.metadata."
    )


async def test_an_update_has_to_carry_an_etag(rolodex: Rolodex) -> None:
    made = await rolodex.create()

    answer = await rolodex.update(
        {"resourceName": made["resourceName"]}, nicknames=[{"value": "Nan"}]
    )

    assert answer.status == 400
    assert "must set person.etag" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("counts", "stale", "status"),
    [
        ("both", "person", 400),
        ("both", "source", 400),
        ("person", "person", 400),
        ("person", "source", 200),
        ("source", "person", 200),
        ("source", "source", 400),
    ],
)
async def test_which_etag_counts_can_be_switched(
    google: Google, rolodex: Rolodex, counts: str, stale: str, status: int
) -> None:
    await google.control("PUT", "settings", {"contact_etag": counts})
    made = await rolodex.create()
    if stale == "person":
        made["etag"] = "%old"
    else:
        made["metadata"]["sources"][0]["etag"] = "#old"

    answer = await rolodex.update(made, nicknames=[{"value": "Nan"}])

    assert answer.status == status


async def test_a_deleted_contact_is_not_found(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    await rolodex.delete(made)

    read = await rolodex.call("GET", made["resourceName"], params={"personFields": "names"})
    again = await rolodex.call("DELETE", f"{made['resourceName']}:deleteContact")

    assert (read.status, again.status) == (404, 404)
    assert read.json["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("field", "values", "text"),
    [
        (
            "names",
            [{"givenName": "A"}, {"givenName": "B"}],
            "Cannot have more than one person.names per source.",
        ),
        (
            "biographies",
            [{"value": "A"}, {"value": "B"}],
            "Cannot have more than one person.biographies per source.",
        ),
        (
            "genders",
            [{"value": "A"}, {"value": "B"}],
            "Cannot have more than one person.genders per source.",
        ),
        (
            "birthdays",
            [{"text": "A"}, {"text": "B"}],
            "Cannot have more than one person.birthdays per source.",
        ),
        ("birthdays", [{"date": {"year": 2025, "month": 2, "day": 30}}], "Invalid date"),
        ("nicknames", [{"value": "x" * 1025}], "maximum length"),
        ("emailAddresses", [{"value": f"{n}@x.example"} for n in range(501)], "at most 500"),
        ("userDefined", [{"key": str(n), "value": "x" * 1000} for n in range(200)], "size"),
        (
            "memberships",
            [{"contactGroupMembership": {"contactGroupResourceName": "contactGroups/none"}}],
            "not found",
        ),
    ],
)
async def test_what_a_contact_cannot_hold_is_refused(
    rolodex: Rolodex, field: str, values: Any, text: str
) -> None:
    answer = await rolodex.call("POST", "people:createContact", json={field: values})

    assert answer.status == 400
    assert text in answer.json["error"]["message"]
    assert answer.json["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("method", "path", "params", "named"),
    [
        ("GET", "people/me/connections", {"personFields": "names,shoeSizes"}, "shoeSizes"),
        ("GET", "people/me/connections", {}, "personFields mask is required"),
        ("GET", "people/me", {}, "personFields mask is required"),
        ("GET", "people:searchContacts", {"query": "x", "readMask": "hats"}, "hats"),
        ("PATCH", "people/c1:updateContact", {}, "updatePersonFields mask is required"),
        ("PATCH", "people/c1:updateContact", {"updatePersonFields": "photos"}, "photos"),
    ],
)
async def test_a_mask_names_what_there_is(
    rolodex: Rolodex, method: str, path: str, params: Any, named: str
) -> None:
    answer = await rolodex.call(method, path, params=params)

    assert answer.status == 400
    assert named in answer.json["error"]["message"]


async def test_a_batch_get_answers_for_each_name(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    names = [made["resourceName"], "people/c404", "people/me"]

    answer = await rolodex.get("people:batchGet", resourceNames=names, personFields="names")

    responses = answer["responses"]
    assert [one["requestedResourceName"] for one in responses] == names
    assert [one["httpStatusCode"] for one in responses] == [200, 404, 200]
    assert responses[1]["status"]["code"] == 5


async def test_a_long_batch_get_is_sent_as_a_form(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    form = [("resourceNames", made["resourceName"])] * 200 + [("personFields", "names")]

    answer = await rolodex.call(
        "POST", "people:batchGet", data=form, headers={"X-HTTP-Method-Override": "GET"}
    )

    assert len(answer.json["responses"]) == 200


async def test_a_batch_creates_contacts(rolodex: Rolodex) -> None:
    contacts = [{"contactPerson": {"names": [{"givenName": f"P{n}"}]}} for n in range(3)]
    body = {"contacts": contacts, "readMask": "names,metadata"}

    made = (await rolodex.send("POST", "people:batchCreateContacts", body))["createdPeople"]

    assert [one["person"]["names"][0]["givenName"] for one in made] == ["P0", "P1", "P2"]
    assert len((await rolodex.connections())["connections"]) == 3


async def test_an_empty_read_mask_brings_nothing_back(rolodex: Rolodex) -> None:
    body = {"contacts": [{"contactPerson": {"names": [{"givenName": "Ann"}]}}], "readMask": ""}

    assert await rolodex.send("POST", "people:batchCreateContacts", body) == {}


async def test_a_batch_with_a_fault_creates_nothing(rolodex: Rolodex) -> None:
    two_names = {"names": [{"givenName": "A"}, {"givenName": "B"}]}
    contacts = [{"contactPerson": {}}, {"contactPerson": two_names}]

    answer = await rolodex.call(
        "POST", "people:batchCreateContacts", json={"contacts": contacts, "readMask": "names"}
    )

    assert answer.status == 400
    assert set(answer.json["error"]["details"][0]["contactErrors"]) == {"1"}
    assert (await rolodex.connections())["totalItems"] == 0


def updates(*people: Any) -> Any:
    nicknames = [{"value": "Nick"}]
    return {
        "contacts": {one["resourceName"]: {**one, "nicknames": nicknames} for one in people},
        "updateMask": "nicknames",
        "readMask": "nicknames",
    }


async def test_a_batch_updates_by_resource_name(rolodex: Rolodex) -> None:
    one, two = await rolodex.create("One"), await rolodex.create("Two")

    answer = await rolodex.send("POST", "people:batchUpdateContacts", updates(one, two))

    result = answer["updateResult"]
    assert set(result) == {one["resourceName"], two["resourceName"]}
    assert result[one["resourceName"]]["person"]["nicknames"][0]["value"] == "Nick"


@pytest.mark.parametrize(("manner", "status"), [("whole", 400), ("each", 200)])
async def test_a_stale_contact_fails_a_batch_of_updates_or_only_itself(
    google: Google, rolodex: Rolodex, manner: str, status: int
) -> None:
    await google.control("PUT", "settings", {"contact_batch_failures": manner})
    one, two = await rolodex.create("One"), await rolodex.create("Two")
    await rolodex.update(one, urls=[{"value": "x.example.net"}])

    answer = await rolodex.call("POST", "people:batchUpdateContacts", json=updates(one, two))

    assert answer.status == status
    assert ("nicknames" in await rolodex.person(two["resourceName"])) is (manner == "each")
    assert "nicknames" not in await rolodex.person(one["resourceName"])
    if manner == "each":
        fault = answer.json["updateResult"][one["resourceName"]]["status"]
    else:
        errors = answer.json["error"]["details"][0]["contactErrors"]
        fault = errors.pop(one["resourceName"])
        assert errors == {}
    assert fault["code"] == 9


async def test_a_batch_deletes_all_or_none(rolodex: Rolodex) -> None:
    one, two = await rolodex.create("One"), await rolodex.create("Two")
    names = [one["resourceName"], two["resourceName"]]

    unknown = await rolodex.call(
        "POST", "people:batchDeleteContacts", json={"resourceNames": [*names, "people/c404"]}
    )
    before = (await rolodex.connections())["totalItems"]
    await rolodex.send("POST", "people:batchDeleteContacts", {"resourceNames": names})

    assert (unknown.status, before) == (404, 2)
    assert (await rolodex.connections())["totalItems"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("batchCreateContacts", {"contacts": [{"contactPerson": {}}] * 201, "readMask": "names"}),
        (
            "batchUpdateContacts",
            {"contacts": {f"people/c{n}": {} for n in range(201)}, "updateMask": "names"},
        ),
        ("batchDeleteContacts", {"resourceNames": [f"people/c{n}" for n in range(501)]}),
        ("batchCreateContacts", {"readMask": "names"}),
    ],
)
async def test_batches_are_bounded(rolodex: Rolodex, path: str, body: Any) -> None:
    answer = await rolodex.call("POST", f"people:{path}", json=body)

    assert answer.status == 400
    assert "t most" in answer.text or "t least" in answer.text


async def test_a_search_finds_beginnings_of_words_once_it_is_warm(rolodex: Rolodex) -> None:
    name = {"givenName": "Foo", "familyName": "Name"}
    await rolodex.create(names=[name], organizations=[{"name": "Acme"}])

    async def hits(query: str) -> int:
        found = await rolodex.get("people:searchContacts", query=query, readMask="names")
        return len(found.get("results", []))

    cold, _warm_up = await hits("foo"), await hits("")

    assert cold == 0
    assert [await hits(text) for text in ("f", "foo n", "nam", "acm", "oo n")] == [1, 1, 1, 1, 0]


async def test_a_search_lags_behind_writes_even_when_it_is_warmed_up(
    google: Google, rolodex: Rolodex
) -> None:
    await google.control("PUT", "settings", {"contact_search_delay_s": 60})
    await rolodex.create("Foo")

    async def found() -> bool:
        for query in ("", "foo"):
            answer = await rolodex.get("people:searchContacts", query=query, readMask="names")
        return "results" in answer

    before = await found()
    await google.control("PUT", "clock", {"offset_s": 61})

    assert (before, await found()) == (False, True)


async def test_the_older_mask_is_understood(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    mask = {"requestMask.includeField": "person.names"}

    assert (await rolodex.get(made["resourceName"], **mask))["names"][0]["givenName"] == "Ann"


async def test_contacts_are_no_profiles(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    profiles = {"personFields": "names", "sources": "READ_SOURCE_TYPE_PROFILE"}

    listed = await rolodex.get("people/me/connections", **profiles)
    read = await rolodex.call("GET", made["resourceName"], params=profiles)

    assert "connections" not in listed
    assert read.status == 404


async def test_photos_are_not_part_of_the_emulator(rolodex: Rolodex) -> None:
    made = await rolodex.create()

    answer = await rolodex.call("PATCH", f"{made['resourceName']}:updateContactPhoto", json={})

    assert answer.status == 501


async def test_people_me_is_the_profile(rolodex: Rolodex) -> None:
    me = await rolodex.person("people/me")

    assert me["emailAddresses"][0]["value"] == rolodex.email
    assert me["metadata"]["sources"][0]["type"] == "PROFILE"


async def test_fields_reduces_an_answer(rolodex: Rolodex) -> None:
    await rolodex.create()

    page = await rolodex.get(
        "people/me/connections", personFields=FIELDS, fields="connections(names/displayName)"
    )

    assert page == {"connections": [{"names": [{"displayName": "Ann"}]}]}


async def test_other_contacts_are_listed_apart_and_can_be_taken_over(google: Google) -> None:
    other = "https://www.googleapis.com/auth/contacts.other.readonly"
    rolodex = await google.rolodex("https://www.googleapis.com/auth/contacts", other)
    contact = {"names": [{"givenName": "Seen"}], "emailAddresses": [{"value": "s@example.net"}]}
    path = f"people/{rolodex.email}/contacts"
    await google.control("POST", path, {"contact": contact, "other": True})

    listed = await rolodex.get("otherContacts", readMask="names,emailAddresses")
    name = listed["otherContacts"][0]["resourceName"]
    copy = await rolodex.send(
        "POST", f"{name}:copyOtherContactToMyContactsGroup", {"copyMask": "names"}
    )

    assert name.startswith("otherContacts/")
    assert copy["names"][0]["givenName"] == "Seen"
    assert group_ids(copy) == ["myContacts"]
    assert "otherContacts" not in await rolodex.get("otherContacts", readMask="names")


async def test_other_contacts_have_sync_tokens(google: Google) -> None:
    rolodex = await google.rolodex("https://www.googleapis.com/auth/contacts.other.readonly")
    query = {"readMask": "names,metadata", "requestSyncToken": True}
    token = (await rolodex.get("otherContacts", **query))["nextSyncToken"]
    contact = {"contact": {"names": [{"givenName": "Seen"}]}, "other": True}
    made = await google.control("POST", f"people/{rolodex.email}/contacts", contact)

    changes = await rolodex.get("otherContacts", **query, syncToken=token)

    assert [one["resourceName"] for one in changes["otherContacts"]] == [made["resourceName"]]
