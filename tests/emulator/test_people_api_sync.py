"""Lists of contacts and what changed since: the rules of the People API's tokens."""

import random
from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, FIELDS, Google, Json, Rolodex

DAY_S = 86_400


def names(people: list[Json]) -> list[str]:
    return [one["names"][0]["givenName"] for one in people]


async def pages(rolodex: Rolodex, **params: Any) -> list[Json]:
    found, token = [], None
    while True:
        more: Json = {"pageToken": token} if token else {}
        found.append(await rolodex.get("people/me/connections", **params, **more))
        token = found[-1].get("nextPageToken")
        if token is None:
            return found


async def test_the_sync_token_stands_on_the_last_page_of_who_asks_for_it(rolodex: Rolodex) -> None:
    for number in range(5):
        await rolodex.create(f"P{number}")
    params = {"personFields": "names", "pageSize": 2}

    asked = await pages(rolodex, **params, requestSyncToken=True)
    plain = await pages(rolodex, **params)

    assert [len(page["connections"]) for page in asked] == [2, 2, 1]
    assert ["nextSyncToken" in page for page in asked] == [False, False, True]
    assert not any("nextSyncToken" in page for page in plain)
    assert asked[0]["totalItems"] == asked[0]["totalPeople"] == 5


async def test_a_sync_token_brings_what_changed_and_nothing_else(rolodex: Rolodex) -> None:
    kept, changed, gone = [await rolodex.create(name) for name in ("Kept", "One", "Two")]
    token = await rolodex.sync_token()

    await rolodex.update(changed, nicknames=[{"value": "Nick"}])
    await rolodex.delete(gone)
    found = await rolodex.changes(token)

    assert [one["resourceName"] for one in found] == [
        changed["resourceName"],
        gone["resourceName"],
    ]
    assert found[0]["nicknames"][0]["value"] == "Nick"
    assert found[1]["metadata"]["deleted"] is True
    assert "names" not in found[1]
    assert kept["resourceName"] not in {one["resourceName"] for one in found}


async def test_a_sync_without_changes_is_empty_and_gives_a_token(rolodex: Rolodex) -> None:
    await rolodex.create()
    token = await rolodex.sync_token()

    page = await rolodex.connections(syncToken=token)

    assert page["connections"] == []
    assert page["nextSyncToken"]


async def test_what_changes_between_the_pages_of_a_full_list_follows(rolodex: Rolodex) -> None:
    made = [await rolodex.create(f"P{number}") for number in range(4)]
    params = {"personFields": FIELDS, "requestSyncToken": True, "pageSize": 2}
    first = await rolodex.get("people/me/connections", **params)

    await rolodex.update(made[0], nicknames=[{"value": "Nick"}])
    await rolodex.delete(made[1])
    token, last = first["nextPageToken"], {}
    while token:
        last = await rolodex.get("people/me/connections", **params, pageToken=token)
        token = last.get("nextPageToken")
    found = await rolodex.changes(last["nextSyncToken"], pageSize=2)

    gone = {made[0]["resourceName"], made[1]["resourceName"]}
    assert {one["resourceName"] for one in found} == gone


async def test_a_full_list_forgets_the_deleted(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    await rolodex.delete(made)

    page = await rolodex.connections()

    assert page["connections"] == []
    assert page["totalItems"] == 0


@pytest.mark.parametrize(
    "other",
    [
        {"personFields": "names"},
        {"pageSize": 7},
        {"sortOrder": "FIRST_NAME_ASCENDING"},
        {"sources": "READ_SOURCE_TYPE_CONTACT"},
    ],
)
async def test_the_parameters_must_stay_the_same(rolodex: Rolodex, other: Json) -> None:
    token = await rolodex.sync_token()
    params = {"personFields": FIELDS, "syncToken": token, **other}

    answer = await rolodex.call("GET", "people/me/connections", params=params)

    assert answer.status == 400
    assert "do not match" in answer.json["error"]["message"]
    assert "details" not in answer.json["error"]


async def test_the_fields_may_come_in_another_order(rolodex: Rolodex) -> None:
    token = await rolodex.sync_token(personFields="names,metadata")

    assert await rolodex.changes(token, personFields="metadata,names") == []


async def test_a_page_token_belongs_to_its_query(rolodex: Rolodex) -> None:
    for number in range(3):
        await rolodex.create(f"P{number}")
    page = await rolodex.get("people/me/connections", personFields="names", pageSize=2)
    params = {"personFields": "nicknames", "pageSize": 2, "pageToken": page["nextPageToken"]}

    answer = await rolodex.call("GET", "people/me/connections", params=params)

    assert answer.status == 400


@pytest.mark.parametrize("name", ["syncToken", "pageToken"])
async def test_a_made_up_token_is_invalid(google: Google, rolodex: Rolodex, name: str) -> None:
    bob = await google.rolodex(email=BOB)
    params = {"personFields": FIELDS, "requestSyncToken": "true", name: await bob.sync_token()}

    foreign = await rolodex.call("GET", "people/me/connections", params=params)
    strange = await rolodex.call("GET", "people/me/connections", params={**params, name: "x"})

    assert (foreign.status, strange.status) == (400, 400)
    assert "EXPIRED_SYNC_TOKEN" not in foreign.text + strange.text


@pytest.mark.parametrize(
    ("manner", "code", "status"),
    [
        ("invalid_argument", 400, "INVALID_ARGUMENT"),
        ("failed_precondition", 400, "FAILED_PRECONDITION"),
        ("gone", 410, "FAILED_PRECONDITION"),
    ],
)
async def test_an_expired_token_says_so_in_its_details(
    google: Google, rolodex: Rolodex, manner: str, code: int, status: str
) -> None:
    await google.control("PUT", "settings", {"contact_sync_expiry": manner})
    token = await rolodex.sync_token()
    expire = {"action": "expire", "of": "contacts"}
    await google.control("POST", f"people/{ALICE}/sync-tokens", expire)

    answer = await rolodex.call(
        "GET", "people/me/connections", params={"personFields": FIELDS, "syncToken": token}
    )

    error = answer.json["error"]
    assert (answer.status, error["status"]) == (code, status)
    assert error["message"].startswith("Sync token is expired. Clear local cache")
    assert error["details"][0]["reason"] == "EXPIRED_SYNC_TOKEN"
    assert error["details"][0]["domain"] == "people.googleapis.com"
    assert await rolodex.changes(await rolodex.sync_token()) == []


async def test_a_token_ages_from_its_full_list_however_often_it_is_renewed(
    google: Google, rolodex: Rolodex
) -> None:
    token = await rolodex.sync_token()
    await google.control("PUT", "clock", {"offset_s": 6 * DAY_S})
    later = await google.rolodex()
    renewed = (await later.connections(syncToken=token))["nextSyncToken"]
    await google.control("PUT", "clock", {"offset_s": 8 * DAY_S})
    latest = await google.rolodex()

    answer = await latest.call(
        "GET", "people/me/connections", params={"personFields": FIELDS, "syncToken": renewed}
    )

    assert answer.status == 400
    assert "EXPIRED_SYNC_TOKEN" in answer.text


async def test_a_list_can_be_sorted(rolodex: Rolodex) -> None:
    for given, family in (("Cleo", "Abel"), ("Ann", "Zorn"), ("Bea", "Moor")):
        await rolodex.create(names=[{"givenName": given, "familyName": family}])

    async def order(by: str) -> list[str]:
        found = await pages(rolodex, personFields="names", pageSize=2, sortOrder=by)
        return names([one for page in found for one in page["connections"]])

    assert await order("LAST_MODIFIED_ASCENDING") == ["Cleo", "Ann", "Bea"]
    assert await order("LAST_MODIFIED_DESCENDING") == ["Bea", "Ann", "Cleo"]
    assert await order("FIRST_NAME_ASCENDING") == ["Ann", "Bea", "Cleo"]
    assert await order("LAST_NAME_ASCENDING") == ["Cleo", "Bea", "Ann"]


@pytest.mark.parametrize("size", [-1, 1001])
async def test_a_page_holds_a_thousand_at_most(rolodex: Rolodex, size: int) -> None:
    params = {"personFields": "names", "pageSize": str(size)}

    assert (await rolodex.call("GET", "people/me/connections", params=params)).status == 400


async def test_a_list_shows_a_hundred_addresses_and_a_get_all(rolodex: Rolodex) -> None:
    many = [{"value": f"{n}@example.net"} for n in range(120)]
    made = await rolodex.create(emailAddresses=many)

    listed = (await rolodex.connections())["connections"][0]

    assert len(listed["emailAddresses"]) == 100
    assert len((await rolodex.person(made["resourceName"]))["emailAddresses"]) == 120


async def test_only_ones_own_connections_are_listed(rolodex: Rolodex) -> None:
    params = {"personFields": "names"}

    assert (await rolodex.call("GET", "people/c1/connections", params=params)).status == 404


async def test_a_renamed_contact_tells_its_former_name_and_is_found_by_it(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    token = await rolodex.sync_token()

    renamed = await rolodex.edit(made, "rename")
    found = await rolodex.changes(token)
    full = await rolodex.connections()
    batch = await rolodex.get(
        "people:batchGet", resourceNames=[made["resourceName"]], personFields="names"
    )

    assert [one["resourceName"] for one in found] == [renamed["resourceName"]]
    assert found[0]["metadata"]["previousResourceNames"] == [made["resourceName"]]
    assert "previousResourceNames" not in full["connections"][0]["metadata"]
    assert batch["responses"][0]["requestedResourceName"] == made["resourceName"]
    assert batch["responses"][0]["person"]["resourceName"] == renamed["resourceName"]


async def test_a_merged_contact_leads_to_the_other_one(rolodex: Rolodex) -> None:
    one = await rolodex.create("Ann", emailAddresses=[{"value": "a@example.net"}])
    two = await rolodex.create("Anna", emailAddresses=[{"value": "b@example.net"}])
    token = await rolodex.sync_token()

    await rolodex.edit(one, "merge", into=two["resourceName"])
    found = await rolodex.changes(token)
    by_old_name = await rolodex.person(one["resourceName"])

    assert [person["resourceName"] for person in found] == [two["resourceName"]]
    assert found[0]["metadata"]["previousResourceNames"] == [one["resourceName"]]
    assert by_old_name["resourceName"] == two["resourceName"]
    assert [mail["value"] for mail in by_old_name["emailAddresses"]] == [
        "b@example.net",
        "a@example.net",
    ]
    assert names([by_old_name]) == ["Anna"]


async def test_the_trace_of_a_renamed_contact_tells_its_former_name(rolodex: Rolodex) -> None:
    made = await rolodex.create()
    token = await rolodex.sync_token()

    await rolodex.edit(await rolodex.edit(made, "rename"), "delete")
    found = await rolodex.changes(token)

    assert found[0]["metadata"]["deleted"] is True
    assert found[0]["metadata"]["previousResourceNames"] == [made["resourceName"]]


async def test_a_merge_may_look_like_a_deletion(rolodex: Rolodex) -> None:
    one, two = await rolodex.create("Ann"), await rolodex.create("Anna")
    token = await rolodex.sync_token()

    await rolodex.edit(one, "merge", into=two["resourceName"], leads=False, trace=True)
    found = {person["resourceName"]: person for person in await rolodex.changes(token)}
    old = await rolodex.call("GET", one["resourceName"], params={"personFields": "names"})

    assert found[one["resourceName"]]["metadata"]["deleted"] is True
    assert "previousResourceNames" not in found[two["resourceName"]]["metadata"]
    assert old.status == 404


async def test_lists_lag_behind_writes_by_the_time_that_is_set(
    google: Google, rolodex: Rolodex
) -> None:
    made = await rolodex.create("Ann")
    token = await rolodex.sync_token()
    await google.control("PUT", "settings", {"contact_list_delay_s": 120})

    answer = await rolodex.update(made, nicknames=[{"value": "Nick"}])
    stale = await rolodex.changes(token)
    listed = (await rolodex.connections())["connections"][0]
    read = await rolodex.person(made["resourceName"])
    await google.control("PUT", "clock", {"offset_s": 121})
    fresh = await rolodex.changes(token)

    assert stale == []
    assert listed["etag"] == made["etag"]
    assert read["etag"] == answer.json["etag"]
    assert [one["etag"] for one in fresh] == [answer.json["etag"]]


async def test_a_get_may_lag_too(google: Google, rolodex: Rolodex) -> None:
    made = await rolodex.create("Ann")
    await rolodex.person(made["resourceName"])
    await google.control("PUT", "settings", {"contact_get_delay_s": 60})

    updated = (await rolodex.update(made, nicknames=[{"value": "Nick"}])).json
    stale = await rolodex.person(made["resourceName"])
    again = await rolodex.update(updated, nicknames=[{"value": "Nan"}])

    assert stale["etag"] == made["etag"]
    assert again.status == 200


@pytest.mark.parametrize("seed", range(5))
async def test_whoever_follows_the_changes_has_what_a_full_list_has(
    google: Google, rolodex: Rolodex, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - it draws a story, not a secret
    plenty = {"contact_full_syncs_per_minute": 1000, "enforce_quota": False}
    await google.control("PUT", "settings", plenty)
    made = [await rolodex.create(f"P{number}") for number in range(6)]
    copy = {one["resourceName"]: one for one in made}
    token = await rolodex.sync_token(pageSize=2)

    for step in range(60):
        people = list(copy.values())
        action = dice.choice(["create", "change", "change", "star", "rename", "merge", "delete"])
        if action == "create" or len(people) < 2:
            await rolodex.create(f"New {step}")
        else:
            one, other = dice.sample(people, 2)
            more = {"changes": {"nicknames": [{"value": str(step)}]}, "into": other["resourceName"]}
            await rolodex.edit(one, action, **more)
        await google.control("PUT", "settings", {"contact_list_delay_s": dice.choice([0, 0, 60])})
        page = await rolodex.connections(syncToken=token, pageSize=2)
        token = page["nextSyncToken"]
        follow(copy, page["connections"])
        await google.control("PUT", "settings", {"contact_list_delay_s": 0})
        page = await rolodex.connections(syncToken=token, pageSize=2)
        token = page["nextSyncToken"]
        follow(copy, page["connections"])

    full = (await rolodex.connections())["connections"]
    assert {name: one["etag"] for name, one in copy.items()} == {
        one["resourceName"]: one["etag"] for one in full
    }


def follow(copy: dict[str, Json], changes: list[Json]) -> None:
    """Do to a copy what a client does with what changed."""
    for one in changes:
        for former in one["metadata"].get("previousResourceNames", ()):
            copy.pop(former, None)
        if one["metadata"].get("deleted"):
            copy.pop(one["resourceName"], None)
        else:
            copy[one["resourceName"]] = one


async def test_what_was_told_in_the_future_is_seen_when_the_clock_goes_back(
    google: Google, rolodex: Rolodex
) -> None:
    await google.control("PUT", "settings", {"contact_list_delay_s": 60})
    await google.control("PUT", "clock", {"offset_s": 1000})
    await rolodex.create()

    await google.control("PUT", "clock", {"offset_s": 0})

    assert (await rolodex.connections())["totalItems"] == 1


async def test_twenty_five_thousand_contacts_are_listed_page_by_page(
    google: Google, rolodex: Rolodex
) -> None:
    contact = {
        "names": [{"givenName": "Ann"}],
        "emailAddresses": [{"value": "ann@example.net"}],
        "phoneNumbers": [{"value": "+41791234567"}],
    }
    await google.control("PUT", "settings", {"check_answers": False})  # its own time aside
    many = {"contact": contact, "count": 25_000}
    made = await google.control("POST", f"people/{ALICE}/contacts", many)
    fields = {"personFields": "names,metadata", "requestSyncToken": True, "pageSize": 1000}

    found = await pages(rolodex, **fields)
    await rolodex.send("DELETE", f"{made['resourceNames'][7]}:deleteContact")
    changes = await rolodex.changes(found[-1]["nextSyncToken"], **fields)

    seen = [one["resourceName"] for page in found for one in page["connections"]]
    assert len(found) == 25
    assert seen == made["resourceNames"]
    assert [one["resourceName"] for one in changes] == [made["resourceNames"][7]]
