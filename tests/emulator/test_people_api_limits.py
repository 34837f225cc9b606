"""Quotas of the People API, scopes, batches, faults, and mutations that do not wait."""

import asyncio
from typing import Any

import pytest

from tests.emulator.google import ALICE, BOB, CONTACTS, FIELDS, Google, Rolodex

READONLY = f"{CONTACTS}.readonly"
READS = "Critical read requests (Contact and Profile Reads)"
SYNC = {"personFields": FIELDS, "requestSyncToken": "true"}


async def quotas(google: Google, email: str = ALICE) -> Any:
    return (await google.control("GET", "usage"))["people"][email]["quotas"]


async def test_every_method_costs_what_google_says(google: Google, rolodex: Rolodex) -> None:
    made = await rolodex.create()
    one = {"resourceNames": [made["resourceName"]]}
    after_create = await quotas(google)
    await rolodex.delete(made)
    after_delete = await quotas(google)
    await rolodex.send(
        "POST", "people:batchCreateContacts", {"contacts": [{"contactPerson": {}}], "readMask": ""}
    )
    await rolodex.call("POST", "people:batchDeleteContacts", json=one)

    assert after_create == {"critical_reads": 1, "critical_writes": 1, "daily_writes": 1}
    assert after_delete == {**after_create, "critical_writes": 2}
    assert await quotas(google) == {
        "critical_reads": 7,
        "critical_writes": 18,
        "daily_writes": 201,
    }


@pytest.mark.parametrize(
    ("switch", "metric", "limit"),
    [
        ("contact_critical_reads_per_minute", READS, "per minute per user"),
        ("contact_critical_writes_per_minute", "Critical write requests", "per minute per user"),
        ("contact_project_critical_reads_per_minute", READS, "per minute"),
        ("contact_project_critical_writes_per_minute", "Critical write requests", "per minute"),
        ("contact_writes_per_day", "Daily Contact Writes (Total)", "per day per user"),
    ],
)
async def test_a_quota_that_is_used_up_is_named(
    google: Google, rolodex: Rolodex, switch: str, metric: str, limit: str
) -> None:
    await google.control("PUT", "settings", {switch: 1})
    await rolodex.create()

    answer = await rolodex.call("POST", "people:createContact", json={})

    error = answer.json["error"]
    assert (answer.status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["message"] == (
        f"Quota exceeded for quota metric '{metric}' and limit '{metric} {limit}' of service "
        "'people.googleapis.com' for consumer 'project_number:112233445566'."
    )
    assert error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert error["details"][0]["domain"] == "googleapis.com"
    assert "errors" not in error


async def test_a_minute_passes(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_critical_writes_per_minute": 1})
    await rolodex.create()
    refused = await rolodex.call("POST", "people:createContact", json={})
    await google.control("PUT", "clock", {"offset_s": 61})

    assert refused.status == 429
    assert (await rolodex.call("POST", "people:createContact", json={})).status == 200


async def test_what_is_refused_is_not_charged(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_critical_writes_per_minute": 1})
    await rolodex.create()
    await rolodex.call("POST", "people:createContact", json={})

    usage = (await google.control("GET", "usage"))["people"][ALICE]

    assert usage["quotas"]["critical_reads"] == 1
    assert usage["refused"] == 1


async def test_full_lists_have_a_quota_of_their_own(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_full_syncs_per_minute": 1})
    token = await rolodex.sync_token()

    again = await rolodex.call("GET", "people/me/connections", params=SYNC)

    assert again.status == 429
    assert await rolodex.changes(token) == []


async def test_people_have_quotas_of_their_own(google: Google, rolodex: Rolodex) -> None:
    bob = await google.rolodex(email=BOB)
    await google.control("PUT", "settings", {"contact_critical_writes_per_minute": 1})

    await rolodex.create()

    assert (await bob.call("POST", "people:createContact", json={})).status == 200


async def test_an_account_can_be_full(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"most_contacts": 1})
    await rolodex.create()
    batch = {"contacts": [{"contactPerson": {}}], "readMask": ""}

    one = await rolodex.call("POST", "people:createContact", json={})
    many = await rolodex.call("POST", "people:batchCreateContacts", json=batch)

    assert (one.status, many.status) == (429, 429)
    assert one.json["error"]["message"] == "MY_CONTACTS_OVERFLOW_COUNT"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "people/me/connections?personFields=names", 200),
        ("GET", "contactGroups", 200),
        ("GET", "people:searchContacts?query=x&readMask=names", 200),
        ("POST", "people:createContact", 403),
        ("POST", "contactGroups", 403),
        ("GET", "otherContacts?readMask=names", 403),
    ],
)
async def test_a_reader_cannot_write(google: Google, method: str, path: str, status: int) -> None:
    reader = await google.rolodex(READONLY)

    answer = await reader.call(method, path, json={} if method == "POST" else None)

    assert answer.status == status
    if status == 403:
        error = answer.json["error"]
        assert error["status"] == "PERMISSION_DENIED"
        assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        assert error["details"][0]["metadata"]["service"] == "people.googleapis.com"


async def test_a_profile_is_no_licence_to_read_contacts(google: Google, rolodex: Rolodex) -> None:
    made = await rolodex.create()
    stranger = await google.rolodex("https://www.googleapis.com/auth/userinfo.profile")
    params = {"personFields": "names"}

    assert (await stranger.call("GET", "people/me", params=params)).status == 200
    assert (await stranger.call("GET", made["resourceName"], params=params)).status == 403


async def test_everybody_has_a_book_of_their_own(google: Google, rolodex: Rolodex) -> None:
    made = await rolodex.create()
    bob = await google.rolodex(email=BOB)

    answer = await bob.call("GET", made["resourceName"], params={"personFields": "names"})

    assert answer.status == 404
    assert (await bob.connections())["totalItems"] == 0


async def test_faults_hit_the_people_api(google: Google, rolodex: Rolodex) -> None:
    rule = {"path_prefix": "/v1/people", "method": "POST", "times": 1, "lose_answer": True}
    await google.control("PUT", "faults", {"rules": [rule]})

    with pytest.raises(Exception, match="disconnected"):
        await rolodex.create()

    assert (await rolodex.connections())["totalItems"] == 1


async def test_a_batch_request_holds_people_calls(rolodex: Rolodex) -> None:
    part = "--b\r\nContent-Type: application/http\r\n\r\nGET {}?personFields=names HTTP/1.1\r\n\r\n"
    body = part.format("/v1/people/me") + part.format("/v1/people/c404") + "--b--"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}

    answer = await rolodex.call("POST", "/batch", data=body.encode(), headers=headers)

    assert answer.status == 200
    assert ("HTTP/1.1 200" in answer.text, "HTTP/1.1 404" in answer.text) == (True, True)


async def test_mutations_that_overlap_are_aborted(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_mutation_s": 0.2})
    bob = await google.rolodex(email=BOB)
    wanted = [rolodex, rolodex, bob]

    answers = await asyncio.gather(
        *(one.call("POST", "people:createContact", json={}) for one in wanted)
    )

    assert sorted(answer.status for answer in answers[:2]) == [200, 409]
    assert {a.json["error"]["status"] for a in answers if a.status == 409} == {"ABORTED"}
    assert answers[2].status == 200
    assert (await rolodex.connections())["totalItems"] == 1


async def test_mutations_in_turn_are_served(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_mutation_s": 0.01})

    made = await rolodex.create()

    assert (await rolodex.update(made, nicknames=[{"value": "Nick"}])).status == 200


async def test_readers_need_not_wait(google: Google, rolodex: Rolodex) -> None:
    await google.control("PUT", "settings", {"contact_mutation_s": 0.2})

    made, page = await asyncio.gather(
        rolodex.call("POST", "people:createContact", json={}),
        rolodex.call("GET", "people/me/connections", params=SYNC),
    )

    assert (made.status, page.status) == (200, 200)


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"names": {}}', b'{"names": [{"givenName": 7}]}', b'{"hats": []}', b"\xff"],
)
async def test_an_unreadable_body_is_a_bad_request(rolodex: Rolodex, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await rolodex.call("POST", "people:createContact", data=body, headers=headers)

    assert answer.status == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("people/me/connections?personFields=names&pageSize=x", 400),
        ("people/me/connections?personFields=names&sortOrder=SIDEWAYS", 400),
        ("people/me/connections?personFields=names&hats=1", 400),
        ("people/me/connections?personFields=names&pageToken=%5B%5D", 400),
        ("people/me/connections?personFields=names&alt=json&quotaUser=a", 200),
        ("people/me/connections?personFields=names&fields=hats", 400),
        ("people/c1?personFields=names", 404),
        ("people:batchGet?personFields=names", 400),
        ("people:batchGet?personFields=names&resourceNames=hats", 400),
        ("people:searchContacts?readMask=names&query=x&pageSize=-1", 400),
        ("contactGroups?pageSize=-1", 400),
        ("contactGroups?groupFields=hats", 400),
        ("contactGroups/none", 404),
        ("contactGroups:batchGet", 400),
        ("people:listDirectoryPeople?readMask=names&sources=x", 501),
    ],
)
async def test_extreme_parameters_are_judged(google: Google, path: str, status: int) -> None:
    rolodex = await google.rolodex(CONTACTS, "https://www.googleapis.com/auth/directory.readonly")

    assert (await rolodex.call("GET", path)).status == status
