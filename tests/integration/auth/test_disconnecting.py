"""Disconnecting: one product or all, and revoking only what nobody uses any more."""

import asyncio
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from libs.common import clock
from libs.common.db import transaction
from libs.common.errors import Transient
from libs.common.events.auth import ConnectionDisconnected
from services.auth.app import migrations
from services.auth.domain.model import Access, Product, Wish
from services.auth.store import connections as store
from services.auth.sync.disconnect import disconnect
from services.auth.web.keys import CONTEXT
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.auth.stand import (
    ALICE,
    RETURN_URL,
    Answer,
    Later,
    Stand,
    browser,
    running,
    settings_for,
)
from tests.support import caller_token, eventually

TWO = [{"name": "mail", "access": "write"}, {"name": "contacts", "access": "read"}]
UMBRELLA = caller_token(tenant="umbrella", ttl_s=100_000)


async def has_grant(emulator: Emulated) -> bool:
    return bool((await emulator.control("GET", f"people/{ALICE}"))["grants"])


async def end(auth: Stand, connection: dict[str, str], query: str = "", **who: str) -> object:
    answer = await auth.call("DELETE", f"/v1/connections/{connection['id']}{query}", **who)
    assert answer.status == 200, answer
    return answer.body


async def test_the_last_disconnect_revokes_at_google_and_forgets_the_tokens(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()

    await end(auth, connection)

    assert not await has_grant(emulator)
    shown = await auth.show(connection["id"])
    assert (shown["state"], shown["reason"], shown["products"]) == (
        "disconnected",
        "user_disconnected",
        [],
    )
    [row] = await auth.fetch("SELECT state, refresh_token, access_token FROM accounts")
    assert tuple(row) == ("disconnected", None, None)
    assert (await auth.token(connection["id"])).problem == "not-connected"
    event = (await auth.events())[-1].parse(ConnectionDisconnected)
    assert (event.disconnected_products, event.purge, event.products) == (("mail",), False, ())


async def test_one_product_of_two_ends_without_revoking(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect(products=TWO)

    await end(auth, connection, "?product=contacts")
    await auth.work()  # it would do what the request only planned

    assert await has_grant(emulator)
    shown = await auth.show(connection["id"])
    assert shown["state"] == "active"
    assert [product["name"] for product in shown["products"]] == ["mail"]
    event = (await auth.events())[-1].parse(ConnectionDisconnected)
    assert event.disconnected_products == ("contacts",)
    assert [product.name for product in event.products] == ["mail"]
    assert (await auth.token(connection["id"])).status == 200
    assert (await auth.token(connection["id"], product="contacts")).status == 404


async def test_ending_one_product_of_a_lost_grant_does_not_end_the_other(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    connection = await auth.connect(products=TWO)
    await emulator.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})
    await auth.check(connection["id"])
    later(61)
    assert (await auth.check(connection["id"]))["state"] == "reauthorization_required"

    await end(auth, connection, "?product=contacts")

    assert (await auth.show(connection["id"]))["state"] == "reauthorization_required"
    event = (await auth.events())[-1].parse(ConnectionDisconnected)
    assert [product.name for product in event.products] == ["mail"]


async def test_products_one_by_one_revoke_with_the_last(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect(products=TWO)
    await end(auth, connection, "?product=contacts")
    await end(auth, connection, "?product=mail")

    assert not await has_grant(emulator)
    assert (await auth.show(connection["id"]))["state"] == "disconnected"


async def test_an_account_shared_by_tenants_is_revoked_with_its_last_connection(
    auth: Stand, emulator: Emulated
) -> None:
    ours = await auth.connect(access="write")
    theirs = await auth.connect(access="read", token=UMBRELLA)
    assert len(await auth.fetch("SELECT id FROM accounts")) == 1

    await end(auth, ours)
    assert await has_grant(emulator)
    assert (await auth.token(theirs["id"])).status == 200

    await end(auth, theirs, token=UMBRELLA)
    assert not await has_grant(emulator)


async def test_a_tenant_that_only_reads_stays_a_reader_beside_one_that_writes(
    auth: Stand,
) -> None:
    await auth.connect(access="write")
    theirs = await auth.connect(access="read", token=UMBRELLA)

    listed = await auth.internal("GET", "/internal/v1/connections?product=mail")

    access = {item["tenant_id"]: item["products"] for item in listed.body["items"]}
    assert access == {
        "acme": [{"name": "mail", "access": "write"}],
        "umbrella": [{"name": "mail", "access": "read"}],
    }
    assert theirs["products"][0]["access"] == "read"


async def test_a_revocation_that_fails_is_tried_again(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    connection = await auth.connect()
    await emulator.control("PUT", "faults", {"rules": [{"path_prefix": "/revoke", "status": 503}]})
    await end(auth, connection)
    assert await has_grant(emulator)
    await emulator.control("DELETE", "faults")
    later(120)
    await auth.work()

    assert not await has_grant(emulator)


async def test_a_revocation_google_already_knows_of_is_done(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    await emulator.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})

    await end(auth, connection)

    [row] = await auth.fetch("SELECT state, revoke_at FROM accounts")
    assert tuple(row) == ("disconnected", None)


async def test_connecting_again_before_the_revocation_keeps_the_grant(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    first = await auth.connect()
    await emulator.control("PUT", "faults", {"rules": [{"path_prefix": "/revoke", "status": 503}]})
    await end(auth, first)
    await emulator.control("DELETE", "faults")
    second = await auth.connect()
    later(120)
    await auth.work()

    assert await has_grant(emulator)
    assert (await auth.token(second["id"], rejected=True)).status == 200


async def test_disconnecting_twice_tells_once_and_purging_later_is_still_told(
    auth: Stand,
) -> None:
    connection = await auth.connect()
    await end(auth, connection)
    await end(auth, connection)
    await end(auth, connection, "?purge=true")
    await end(auth, connection, "?purge=true")

    told = [
        event.parse(ConnectionDisconnected).purge
        for event in await auth.events()
        if event.type == ConnectionDisconnected.type
    ]
    assert told == [False, True]


async def test_a_product_that_was_never_there_cannot_be_disconnected(auth: Stand) -> None:
    connection = await auth.connect()

    answer = await auth.call("DELETE", f"/v1/connections/{connection['id']}?product=calendar")

    assert answer.status == 404
    assert await auth.event_types() == ["authorized"]


async def test_a_link_made_before_the_disconnect_brings_nothing_back(auth: Stand) -> None:
    connection = await auth.connect()
    link = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize")
    await end(auth, connection)

    async with browser() as mine:
        answer = await mine.open(link.body["connect_url"])

    assert (answer.status, answer.fields) == (400, ["ticket"])
    again = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize")
    assert (again.status, again.problem) == (409, "disconnected")


async def test_a_pending_connection_ends_without_a_word_to_others(auth: Stand) -> None:
    created = await auth.create()

    await end(auth, created)

    assert (await auth.show(created["id"]))["state"] == "disconnected"
    assert not await auth.events()


async def test_events_of_a_connection_are_numbered_without_gaps(auth: Stand) -> None:
    connection = await auth.connect(products=TWO)
    await end(auth, connection, "?product=mail")
    await end(auth, connection, "?purge=true")

    assert [int(event.sequence) for event in await auth.events()] == [1, 2, 3]


async def test_two_events_at_once_have_two_numbers(auth: Stand) -> None:
    connection_id = UUID((await auth.create())["id"])
    pool = auth.app[CONTEXT].pool

    async def numbered() -> int:
        async with transaction(pool) as conn:
            return await store.next_sequence(conn, connection_id)

    async with transaction(pool) as conn:
        first = await store.next_sequence(conn, connection_id)
        second = asyncio.create_task(numbered())
        await eventually(lambda: is_blocked(auth))

    assert (first, await second) == (1, 2)


async def is_blocked(auth: Stand) -> bool:
    sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return bool(await auth.fetch(f"{sql} AND datname = current_database()"))


async def test_ended_connections_are_forgotten_after_the_retention(
    auth: Stand, later: Later
) -> None:
    connection = await auth.connect()
    await end(auth, connection)
    later(2_592_100)
    await auth.clean()
    await auth.clean()

    assert not await auth.fetch("SELECT id FROM connections")
    assert not await auth.fetch("SELECT id FROM accounts")


ADD_KEYS = """
INSERT INTO idempotency_keys (tenant_id, scope, request_hash, created_at)
SELECT 'acme', int4send(n), '', now() FROM generate_series(1, 2100) AS n
"""
ADD_PENDING = """
INSERT INTO connections (tenant_id, id, user_id, state, return_url, created_at, updated_at)
SELECT 'acme', gen_random_uuid(), 'ada', 'pending', '', now(), now()
  FROM generate_series(1, 250)
"""
LEFT = """
SELECT (SELECT count(*) FROM idempotency_keys) AS keys,
       (SELECT count(*) FROM connections WHERE state = 'pending') AS pending
"""


async def test_housekeeping_ends_only_when_nothing_is_left_to_clean(
    auth: Stand, later: Later
) -> None:
    await auth.fetch(ADD_KEYS)
    await auth.fetch(ADD_PENDING)
    later(604_801)
    await auth.work()
    await auth.clean()

    [row] = await auth.fetch(LEFT)
    assert tuple(row) == (0, 0)
    later(2_592_001)
    await auth.clean()
    assert not await auth.fetch("SELECT id FROM connections")


ADD_LEFTOVERS = """
WITH ticket AS (
    INSERT INTO tickets (digest, tenant_id, connection_id, return_url, wishes, expires_at)
    SELECT int4send(n), tenant_id, id, '', '[]', now() + make_interval(hours => n)
      FROM connections, generate_series(1, 3) AS n
), refresh AS (
    INSERT INTO refreshes (account_id, at, failed)
    SELECT gen_random_uuid(), now() + make_interval(hours => n), false
      FROM generate_series(1, 3) AS n
)
INSERT INTO inbox (consumer, event_id, seen_at)
SELECT 'auth', gen_random_uuid(), now() - make_interval(days => n * 15)
  FROM generate_series(1, 3) AS n
"""
LEFTOVERS = """
SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM refreshes),
       (SELECT count(*) FROM inbox)
"""


async def test_housekeeping_removes_links_notes_and_seen_events_that_are_over(
    auth: Stand, later: Later
) -> None:
    await auth.fetch("DELETE FROM refreshes")
    await auth.create()
    await auth.fetch("DELETE FROM tickets")
    await auth.fetch(ADD_LEFTOVERS)
    later(2.5 * 3600)

    await auth.clean()

    [row] = await auth.fetch(LEFTOVERS)
    assert tuple(row) == (1, 1, 1)


async def test_the_worker_role_keeps_house(
    new_database: NewDatabase, emulator: Emulated, later: Later
) -> None:
    settings = settings_for(await new_database(*migrations()), emulator.origin)
    async with running(settings) as auth:
        await auth.fetch(ADD_KEYS)
    later(604_801)

    async with running(settings, roles=frozenset({"worker"})) as worker:

        async def nothing_left() -> bool:
            return not await worker.fetch("SELECT FROM idempotency_keys LIMIT 1")

        await eventually(nothing_left)


async def test_a_disconnect_that_a_consent_overtook_changes_nothing(auth: Stand) -> None:
    created = await auth.create()
    context = auth.app[CONTEXT]
    async with transaction(context.pool) as conn:
        seen = await store.find_connection(conn, UUID(created["id"]))
    assert seen is not None
    async with browser() as mine:
        await mine.consent(created["connect_url"])

    with pytest.raises(Transient):
        async with transaction(context.pool) as conn:
            await disconnect(conn, seen, None, purge=False, now=clock.now())

    assert (await auth.show(created["id"]))["reason"] == "confirmation_pending"


async def test_a_return_address_removed_from_the_list_is_refused_at_renewal(auth: Stand) -> None:
    connection = await auth.connect()
    body = {"return_url": RETURN_URL.replace("crm", "evil")}

    answer = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize", body)

    assert (answer.status, answer.fields) == (400, ["return_url"])


async def end_own(
    auth: Stand, connection: dict[str, str], product: str, *, asked_at: datetime | None = None
) -> Answer:
    path = f"/internal/v1/connections/{connection['id']}/end"
    moment = (asked_at or clock.now()).isoformat()
    return await auth.internal("POST", path, {"product": product, "asked_at": moment})


async def test_a_service_ends_its_own_product(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect(products=TWO)

    answer = await end_own(auth, connection, "mail")

    assert (answer.status, answer.body["state"]) == (200, "active")
    shown = await auth.show(connection["id"])
    assert [one["name"] for one in shown["products"]] == ["contacts"]
    assert await has_grant(emulator)


async def test_a_service_that_ends_the_last_product_revokes(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()

    first, again = [await end_own(auth, connection, "mail") for _ in range(2)]

    assert [one.body["state"] for one in (first, again)] == ["disconnected"] * 2
    assert not await has_grant(emulator)


async def test_a_service_does_not_end_what_was_consented_to_since(auth: Stand) -> None:
    connection = await auth.connect()
    asked_at = clock.now()
    link = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize", {})
    async with browser() as mine:
        await mine.consent(link.body["connect_url"])

    answer = await end_own(auth, connection, "mail", asked_at=asked_at)

    assert (answer.status, answer.problem) == (409, "consented-since")
    assert (await auth.show(connection["id"]))["state"] == "active"


async def test_a_service_does_not_end_what_is_consented_to_at_that_very_moment(
    auth: Stand,
) -> None:
    connection = await auth.connect()
    asked_at = clock.now()
    given = "acme", UUID(connection["id"])

    async with transaction(auth.app[CONTEXT].pool) as conn:
        mine = await store.lock_connection(conn, given[1])
        assert mine is not None
        ending = asyncio.create_task(end_own(auth, connection, "mail", asked_at=asked_at))
        await eventually(lambda: is_blocked(auth))
        await store.wish_products(conn, *given, [Wish(Product.MAIL, Access.WRITE)], now=clock.now())
    answer = await ending

    assert (answer.status, answer.problem) == (409, "consented-since")
    assert (await auth.show(connection["id"]))["state"] == "active"


async def test_a_service_does_not_end_anothers_product(auth: Stand) -> None:
    connection = await auth.connect(products=TWO)

    answer = await end_own(auth, connection, "contacts")

    assert answer.status == 403
    assert len((await auth.show(connection["id"]))["products"]) == 2


async def test_a_connection_nobody_knows_is_not_ended_by_a_service(auth: Stand) -> None:
    answer = await end_own(auth, {"id": str(uuid4())}, "mail")
    assert answer.status == 404
