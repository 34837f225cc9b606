"""The CRM's endpoints: who may see and do what, and what they say about bad requests."""

from typing import Any
from uuid import uuid4

import pytest
from aiohttp.test_utils import TestClient, TestServer

from services.auth.app import create_app, migrations
from tests import matrix
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.auth.stand import (
    ALICE,
    RETURN_URL,
    Later,
    Stand,
    browser,
    running,
    service_token,
    settings_for,
)
from tests.support import caller_token

MAIL_READ = {"name": "mail", "access": "read"}
GOOD = {"products": [MAIL_READ], "return_url": RETURN_URL}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**GOOD, "return_url": "https://evil.test/"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test.evil.test/google/done"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test@evil.test/google/done"}, "return_url"),
        ({**GOOD, "return_url": "https://user@crm.test/google/done"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test/google/done/../../admin"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test/google/done/%2e%2e/admin"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test/google/doner"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test:444/google/done"}, "return_url"),
        ({**GOOD, "return_url": "http://crm.test/google/done"}, "return_url"),
        ({**GOOD, "return_url": "javascript:alert(1)"}, "return_url"),
        ({**GOOD, "return_url": "/google/done"}, "return_url"),
        ({**GOOD, "return_url": "https://crm.test\\@evil.test/"}, "return_url"),
        ({**GOOD, "return_url": ""}, "return_url"),
        ({"products": [MAIL_READ]}, "return_url"),
        ({**GOOD, "products": []}, "products"),
        ({**GOOD, "products": [MAIL_READ, MAIL_READ]}, "products"),
        ({**GOOD, "products": [{"name": "drive", "access": "read"}]}, "products[0].name"),
        ({**GOOD, "products": [{"name": "mail", "access": "own"}]}, "products[0].access"),
        ({**GOOD, "surprise": 1}, "surprise"),
        ({**GOOD, "user_id": "somebody-else"}, "user_id"),
        ({**GOOD, "login_hint": "x" * 321}, "login_hint"),
        ([], "body"),
    ],
)
async def test_a_bad_request_names_the_field_and_writes_nothing(
    auth: Stand, body: Any, field: str
) -> None:
    answer = await auth.call("POST", "/v1/connections", body)

    assert (answer.status, answer.fields) == (400, [field])
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert not await auth.fetch("SELECT id FROM connections")


@pytest.mark.parametrize(
    "return_url",
    [
        RETURN_URL,
        f"{RETURN_URL}/",
        f"{RETURN_URL}/deeper?page=2",
        f"{RETURN_URL}?keep=this",
        "https://crm.test:443/google/done",
        "https://CRM.test/google/done",
        "http://localhost:3000/app",
    ],
)
async def test_addresses_on_the_allow_list_are_taken(auth: Stand, return_url: str) -> None:
    answer = await auth.call("POST", "/v1/connections", {**GOOD, "return_url": return_url})

    assert answer.status == 201


async def test_the_return_address_keeps_its_own_query(auth: Stand) -> None:
    created = await auth.create(return_url=f"{RETURN_URL}?tab=2&status=mine")
    async with browser() as mine:
        back = await mine.consent(created["connect_url"])

    assert (back["tab"], back["connection_id"]) == ("2", created["id"])
    assert back["status"] == "pending"


async def test_everybody_sees_what_is_theirs_and_404_for_the_rest(auth: Stand) -> None:
    created = await auth.create()
    path = f"/v1/connections/{created['id']}"
    seen = {
        "owner": caller_token(),
        "service": service_token(),
        "other user": caller_token(user="eve"),
        "same user elsewhere": caller_token(tenant="umbrella"),
        "other service": service_token("umbrella"),
    }

    statuses = {who: (await auth.call("GET", path, token=t)).status for who, t in seen.items()}

    assert statuses == {
        "owner": 200,
        "service": 200,
        "other user": 404,
        "same user elsewhere": 404,
        "other service": 404,
    }


async def test_a_list_holds_only_what_is_the_callers(auth: Stand) -> None:
    mine = await auth.create()
    eves = await auth.create(token=caller_token(user="eve"))
    theirs = await auth.create(token=caller_token(tenant="umbrella"))

    async def listed(token: str) -> set[str]:
        answer = await auth.call("GET", "/v1/connections", token=token)
        return {item["id"] for item in answer.body["items"]}

    assert await listed(caller_token()) == {mine["id"]}
    assert await listed(service_token()) == {mine["id"], eves["id"]}
    assert await listed(caller_token(tenant="umbrella")) == {theirs["id"]}
    assert await listed(service_token("umbrella")) == {theirs["id"]}


async def test_every_route_holds_against_everybody(
    new_database: NewDatabase, emulator: Emulated
) -> None:
    app = create_app(
        settings_for(await new_database(*migrations()), emulator.origin),
        roles=frozenset({"web"}),
    )
    async with TestClient(TestServer(app)) as client:
        created = await client.post(
            "/v1/connections", json=GOOD, headers={"Authorization": f"Bearer {caller_token()}"}
        )
        owned = {"id": (await created.json())["id"]}
        tried = await matrix.check(
            client,
            service="auth",
            owned=owned,
            bodies={
                ("POST", "/v1/connections/{id}/confirm"): {"user_id": "ada"},
                ("POST", "/internal/v1/connections/{id}/token"): {"product": "mail"},
                ("POST", "/internal/v1/connections/{id}/end"): {
                    "product": "mail",
                    "asked_at": "2026-01-01T00:00:00Z",
                },
            },
        )

    assert tried > 200


async def test_a_service_connects_and_confirms_for_the_user_it_names(auth: Stand) -> None:
    connection = await auth.connect(token=service_token(), user_id="bob")

    assert connection["user_id"] == "bob"
    assert (await auth.show(connection["id"], token=caller_token(user="bob")))["state"] == "active"


async def test_a_service_must_name_the_user(auth: Stand) -> None:
    answer = await auth.call("POST", "/v1/connections", GOOD, token=service_token())

    assert (answer.status, answer.fields) == (400, ["user_id"])


async def test_nobody_else_confirms(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        await mine.consent(created["connect_url"])
    path = f"/v1/connections/{created['id']}/confirm"

    by_other_user = await auth.call("POST", path, token=caller_token(user="eve"))
    by_other_tenant = await auth.call("POST", path, token=caller_token(tenant="umbrella"))
    for_other_user = await auth.call("POST", path, {"user_id": "eve"}, token=service_token())

    assert [by_other_user.status, by_other_tenant.status, for_other_user.status] == [404, 404, 403]
    shown = await auth.show(created["id"])
    assert (shown["state"], shown["reason"]) == ("pending", "confirmation_pending")
    assert not await auth.events()


async def test_where_it_is_required_only_the_consenting_browsers_secret_confirms(
    new_database: NewDatabase, emulator: Emulated
) -> None:
    await emulator.add_person(ALICE)
    settings = settings_for(
        await new_database(*migrations()), emulator.origin, require_confirmation=True
    )
    async with running(settings) as auth, browser() as victim:
        created = await auth.create()
        back = await victim.consent(created["connect_url"])
        path = f"/v1/connections/{created['id']}/confirm"

        without = await auth.call("POST", path)
        guessed = await auth.call("POST", path, {"confirmation": "guessed"})
        right = await auth.call("POST", path, {"confirmation": back["confirmation"]})

    assert (without.status, without.problem) == (403, "confirmation-missing")
    assert (guessed.status, guessed.problem) == (403, "confirmation-wrong")
    assert (right.status, right.body["state"]) == (200, "active")


async def test_nothing_is_to_be_confirmed_before_the_consent(auth: Stand) -> None:
    created = await auth.create()

    answer = await auth.call("POST", f"/v1/connections/{created['id']}/confirm")

    assert (answer.status, answer.problem) == (409, "consent-missing")


async def test_a_pending_connection_gives_no_token_and_is_not_listed(auth: Stand) -> None:
    created = await auth.create()
    async with browser() as mine:
        await mine.consent(created["connect_url"])

    token = await auth.token(created["id"])
    listed = await auth.internal("GET", "/internal/v1/connections?product=mail")

    assert (token.status, token.problem) == (409, "not-connected")
    assert listed.body["items"] == []


async def test_confirming_twice_is_as_good_as_once(auth: Stand) -> None:
    connection = await auth.connect()

    again = await auth.call("POST", f"/v1/connections/{connection['id']}/confirm")

    assert (again.status, again.body["state"]) == (200, "active")
    assert await auth.event_types() == ["authorized"]


async def test_a_repeated_request_with_the_same_key_is_answered_the_same(auth: Stand) -> None:
    key = {"Idempotency-Key": str(uuid4())}

    first = await auth.call("POST", "/v1/connections", GOOD, **key)
    second = await auth.call("POST", "/v1/connections", GOOD, **key)
    other = await auth.call(
        "POST", "/v1/connections", {**GOOD, "login_hint": "x@example.com"}, **key
    )

    assert second.body == first.body
    assert (other.status, other.problem) == (409, "idempotency-key-reused")
    assert len(await auth.fetch("SELECT id FROM connections")) == 1


async def test_a_repeated_check_is_answered_as_the_first(auth: Stand) -> None:
    path = f"/v1/connections/{(await auth.connect())['id']}/check"
    key = {"Idempotency-Key": str(uuid4())}

    first = await auth.call("POST", path, **key)
    second = await auth.call("POST", path, **key)

    assert first.body["check"]["ok"] is True
    assert second.body == first.body


async def test_lists_are_filtered_and_come_in_pages(auth: Stand) -> None:
    mine = [(await auth.create())["id"] for _ in range(3)]
    active = (await auth.connect())["id"]
    await auth.create(token=caller_token(user="bob"))
    await auth.create(token=caller_token(tenant="umbrella"))

    pages, path = [], "/v1/connections?limit=2"
    while True:
        page = (await auth.call("GET", path)).body
        pages.append([item["id"] for item in page["items"]])
        if page["next_cursor"] is None:
            break
        path = f"/v1/connections?limit=2&cursor={page['next_cursor']}"
    live = await auth.call("GET", "/v1/connections?state=active&product=mail")
    of_tenant = await auth.call("GET", "/v1/connections", token=service_token())
    of_bob = await auth.call("GET", "/v1/connections?user_id=bob", token=service_token())
    of_bob_by_ada = await auth.call("GET", "/v1/connections?user_id=bob")

    assert pages == [[active, mine[2]], [mine[1], mine[0]]]
    assert [item["id"] for item in live.body["items"]] == [active]
    assert len(of_tenant.body["items"]) == 5
    assert [item["user_id"] for item in of_bob.body["items"]] == ["bob"]
    assert of_bob_by_ada.body["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=nonsense", "cursor"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("state=unheard-of", "state"),
        ("product=drive", "product"),
        ("surprise=1", "surprise"),
    ],
)
async def test_a_bad_query_names_the_field(auth: Stand, query: str, field: str) -> None:
    answer = await auth.call("GET", f"/v1/connections?{query}")

    assert (answer.status, answer.fields) == (400, [field])


async def test_a_connection_nobody_knows_is_404(auth: Stand) -> None:
    for path in (f"/v1/connections/{uuid4()}", "/v1/connections/not-an-id"):
        assert (await auth.call("GET", path)).status == 404


async def test_one_product_may_be_granted_and_another_not(auth: Stand) -> None:
    created = await auth.create(
        products=[{"name": "mail", "access": "write"}, {"name": "contacts", "access": "read"}]
    )
    async with browser() as mine:
        back = await mine.consent(created["connect_url"], without="contacts")
    await auth.call("POST", f"/v1/connections/{created['id']}/confirm")

    assert back["status"] == "pending"
    products = {p["name"]: p["access"] for p in (await auth.show(created["id"]))["products"]}
    assert products == {"mail": "write", "contacts": None}
    [event] = await auth.events()
    assert event.data["products"] == [{"name": "mail", "access": "write"}]
    assert (await auth.token(created["id"], product="contacts")).status == 404


async def test_what_was_not_granted_can_be_asked_for_again(auth: Stand) -> None:
    connection = await auth.connect(access="read")
    body = {"products": [{"name": "mail", "access": "write"}]}

    answer = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize", body)
    async with browser() as mine:
        back = await mine.consent(answer.body["connect_url"])

    assert back == {"connection_id": connection["id"], "status": "active"}
    assert (await auth.show(connection["id"]))["products"][0]["access"] == "write"
    assert await auth.event_types() == ["authorized", "changed"]


async def test_another_account_cannot_slip_into_a_connection(
    auth: Stand, emulator: Emulated
) -> None:
    await emulator.add_person("mallory@example.com")
    connection = await auth.connect()
    answer = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize", {})
    link = answer.body["connect_url"]

    async with browser() as mine:
        google = (await mine.start(link)).replace("login_hint=alice", "login_hint=mallory")
        back = await mine.finish(await mine.decide(google, person="mallory@example.com"))

    assert (back["status"], back["error"]) == ("error", "account_mismatch")
    assert (await auth.show(connection["id"]))["account"] == {"email": ALICE}


async def test_an_address_that_changed_is_still_the_same_account(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    await emulator.control("PATCH", f"people/{ALICE}", {"email": "alice.new@example.com"})
    answer = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize", {})

    async with browser() as mine:
        google = (await mine.start(answer.body["connect_url"])).replace("login_hint=", "x=")
        await mine.finish(await mine.decide(google, person="alice.new@example.com"))

    assert (await auth.show(connection["id"]))["account"] == {"email": "alice.new@example.com"}
    assert len(await auth.fetch("SELECT id FROM accounts")) == 1


async def test_a_body_longer_than_any_request_needs_is_refused(auth: Stand) -> None:
    longest = f"{RETURN_URL}?next={'x' * 2000}"
    created = await auth.create(return_url=longest, login_hint="x" * 320)
    answer = await auth.call("POST", "/v1/connections", {"padding": "x" * 20_000})

    assert created["state"] == "pending"
    assert (answer.status, answer.problem) == (413, "too-large")


async def test_unconfirmed_connections_end_and_their_grant_is_revoked(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    created = await auth.create()
    async with browser() as mine:
        await mine.consent(created["connect_url"])
    later(86_500)

    await auth.work()  # ends the connection, which makes the grant's revocation due
    await auth.work()

    shown = await auth.show(created["id"], token=caller_token(ttl_s=200_000))
    assert (shown["state"], shown["reason"]) == ("disconnected", "not_confirmed")
    assert not (await emulator.control("GET", f"people/{ALICE}"))["grants"]
    [account] = await auth.fetch("SELECT state, refresh_token, access_token FROM accounts")
    assert tuple(account) == ("disconnected", None, None)
    assert not await auth.events()


async def test_the_same_user_connecting_the_same_product_again_replaces_the_first(
    auth: Stand,
) -> None:
    first = await auth.connect()
    second = await auth.connect()

    assert (await auth.show(first["id"]))["reason"] == "superseded"
    assert (await auth.show(second["id"]))["state"] == "active"
    assert await auth.event_types() == ["authorized", "disconnected", "authorized"]
    assert (await auth.token(second["id"])).status == 200
