"""Access tokens: one refresher, two refusals before anybody is troubled, no false alarms."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common.events.auth import ConnectionChanged, ConnectionReauthorizationRequired
from services.auth.app import migrations
from services.auth.domain.sealing import revocation_keys
from tests.databases import NewDatabase
from tests.emulated import Emulated
from tests.integration.auth.stand import ALICE, Later, Stand, browser, running, settings_for
from tests.support import caller_token, eventually

LEASED = "SELECT id FROM accounts WHERE lease_id IS NOT NULL"
INVALID_GRANT = {
    "error": "invalid_grant",
    "error_description": "Token has been expired or revoked.",
}


async def refreshes_at_google(emulator: Emulated) -> int:
    """How often the token endpoint was asked since `break_token_endpoint`."""
    faults = await emulator.control("GET", "faults")
    return int(faults["rules"][0]["hits"])


async def break_token_endpoint(emulator: Emulated, **fault: Any) -> None:
    """Have `/token` misbehave from now on."""
    await emulator.control("PUT", "faults", {"rules": [{"path_prefix": "/token", **fault}]})


async def refuse_grants(emulator: Emulated, **more: Any) -> None:
    await break_token_endpoint(emulator, status=400, body=INVALID_GRANT, **more)


async def test_a_token_is_taken_from_the_vault_until_it_nears_its_end(
    auth: Stand, later: Later
) -> None:
    connection = await auth.connect()
    first = (await auth.token(connection["id"])).body
    later(3000)
    second = (await auth.token(connection["id"])).body
    later(500)
    third = (await auth.token(connection["id"])).body

    assert first == second
    assert third["access_token"] != first["access_token"]
    assert third["expires_at"] > first["expires_at"]


async def test_a_rejected_token_is_replaced(auth: Stand) -> None:
    connection = await auth.connect()
    first = (await auth.token(connection["id"])).body
    second = (await auth.token(connection["id"], rejected=True)).body

    assert second["access_token"] != first["access_token"]


async def test_any_number_of_callers_cause_one_refresh(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect()
    await break_token_endpoint(emulator, delay_s=0.2)

    answers = await asyncio.gather(
        *(auth.token(connection["id"], rejected=True) for _ in range(10))
    )

    assert len({answer.body["access_token"] for answer in answers}) == 1
    assert await refreshes_at_google(emulator) == 1


async def test_any_number_of_processes_cause_one_refresh(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    connection = await auth.connect()
    twin_settings = settings_for(auth.settings.database_url.get_secret_value(), emulator.origin)
    async with running(twin_settings) as twin:
        later(3550)
        await break_token_endpoint(emulator, delay_s=0.3)
        answers = await asyncio.gather(
            *(each.token(connection["id"]) for each in (auth, twin) for _ in range(3))
        )

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["access_token"] for answer in answers}) == 1
    assert await refreshes_at_google(emulator) == 1


async def test_a_refresher_that_died_is_replaced_when_its_lease_is_over(
    auth: Stand, later: Later
) -> None:
    connection = await auth.connect()
    later(3550)
    await auth.fetch(
        "UPDATE accounts SET lease_id = gen_random_uuid(), lease_until = now() + '3551 s'"
        " RETURNING id"
    )

    assert (await auth.token(connection["id"])).status == 200


async def test_no_transaction_is_open_while_google_is_asked(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    await break_token_endpoint(emulator, delay_s=0.5)
    asking = asyncio.create_task(auth.token(connection["id"], rejected=True))
    await eventually(lambda: auth.fetch(LEASED))
    open_ones = await auth.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )

    assert not open_ones
    assert (await asking).status == 200


async def test_one_refusal_is_no_revocation(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect()
    await refuse_grants(emulator, times=1)

    refused = await auth.token(connection["id"], rejected=True)
    shown = await auth.show(connection["id"])

    assert (refused.status, refused.problem) == (503, "grant-refused")
    assert (shown["state"], shown["reason"]) == ("degraded", "grant_refused")
    [_, event] = await auth.events()
    assert event.parse(ConnectionChanged).state == "degraded"


async def test_after_one_refusal_google_is_left_alone_for_a_minute(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    await refuse_grants(emulator)
    await auth.token(connection["id"], rejected=True)

    again = await auth.token(connection["id"], rejected=True)
    await auth.work()

    assert (again.status, again.problem) == (503, "grant-refused")
    assert 1 <= int(again.headers["Retry-After"]) <= 60
    assert await refreshes_at_google(emulator) == 1


async def test_a_grant_that_comes_back_within_the_minute_heals(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    connection = await auth.connect()
    await refuse_grants(emulator, times=1)
    await auth.token(connection["id"], rejected=True)
    later(61)
    await auth.work()

    assert (await auth.show(connection["id"]))["state"] == "active"
    assert await auth.event_types() == ["authorized", "changed", "changed"]
    assert (await auth.token(connection["id"])).status == 200


async def test_the_second_refusal_asks_for_the_person_and_says_so_once(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    connection = await auth.connect()
    await emulator.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})
    await auth.token(connection["id"], rejected=True)
    later(61)
    await auth.work()
    await auth.work()

    shown = await auth.show(connection["id"])
    assert (shown["state"], shown["reason"]) == ("reauthorization_required", "invalid_grant")
    token = await auth.token(connection["id"])
    assert (token.status, token.problem) == (409, "reauthorization-required")
    assert await auth.event_types() == ["authorized", "changed", "reauthorization_required"]
    event = (await auth.events())[-1].parse(ConnectionReauthorizationRequired)
    assert event.cause == "invalid_grant"
    assert event.products == ()
    assert event.reauthorize_url is not None
    async with browser() as mine:
        back = await mine.consent(event.reauthorize_url)
    assert back == {"connection_id": connection["id"], "status": "active"}
    assert (await auth.show(connection["id"]))["state"] == "active"
    assert (await auth.event_types())[-1] == "authorized"
    assert (await auth.token(connection["id"])).status == 200


async def test_refusals_within_the_minute_do_not_count_twice(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    await refuse_grants(emulator)

    checks = [await auth.check(connection["id"]) for _ in range(3)]

    assert {check["state"] for check in checks} == {"degraded"}
    assert {check["check"]["problem"] for check in checks} == {"invalid_grant"}


async def test_a_consent_in_between_wins_over_a_refusal_of_the_old_token(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect()
    link = await auth.call("POST", f"/v1/connections/{connection['id']}/reauthorize")
    async with browser() as mine:
        callback = await mine.decide(await mine.start(link.body["connect_url"]), person=ALICE)
        await refuse_grants(emulator, delay_s=0.7, times=1)
        asking = asyncio.create_task(auth.token(connection["id"], rejected=True))
        await eventually(lambda: auth.fetch(LEASED))
        assert (await mine.finish(callback))["status"] == "active"

    assert (await asking).status == 200
    assert (await auth.show(connection["id"]))["state"] == "active"


@pytest.mark.parametrize("cause", ["invalid_client", "deleted_client"])
async def test_our_client_being_refused_is_nobodys_fault(
    auth: Stand, emulator: Emulated, later: Later, cause: str
) -> None:
    connection = await auth.connect()
    await break_token_endpoint(emulator, status=401, body={"error": cause})

    for _ in range(3):
        checked = await auth.check(connection["id"])
        later(61)

    assert checked["check"] == {**checked["check"], "ok": False, "problem": cause}
    assert checked["state"] == "active"
    assert (await auth.token(connection["id"], rejected=True)).status == 502
    assert await auth.event_types() == ["authorized"]


async def test_an_administrators_rule_degrades_but_asks_nobody_to_consent(
    auth: Stand, emulator: Emulated, later: Later
) -> None:
    connection = await auth.connect()
    await break_token_endpoint(emulator, status=400, body={"error": "admin_policy_enforced"})

    for _ in range(3):
        checked = await auth.check(connection["id"])
        later(61)

    assert (checked["state"], checked["reason"]) == ("degraded", "admin_policy_enforced")


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}, {"garbage": True}])
async def test_trouble_on_the_way_degrades_and_passes(
    auth: Stand, emulator: Emulated, fault: dict[str, Any]
) -> None:
    connection = await auth.connect()
    await break_token_endpoint(emulator, **fault)
    checked = await auth.check(connection["id"])
    assert (checked["state"], checked["reason"]) == ("degraded", "google_unreachable")
    still = await auth.token(connection["id"])
    assert still.status == 200  # what is in the vault is still good

    await emulator.control("DELETE", "faults")
    checked = await auth.check(connection["id"])
    assert (checked["state"], checked["check"]["ok"]) == ("active", True)
    assert await auth.event_types() == ["authorized", "changed", "changed"]


async def test_when_many_refreshes_fail_no_account_changes_and_an_alarm_sounds(
    new_database: NewDatabase, emulator: Emulated, later: Later
) -> None:
    people = [f"p{number}@example.com" for number in range(10)]
    settings = settings_for(await new_database(*migrations()), emulator.origin, alarm_minimum=5)
    async with running(settings) as auth:
        for person in people:
            await emulator.add_person(person)
            await auth.connect(person=person, token=None)
        later(3550)
        await auth.work()  # all are refreshed well
        later(3550 + 601)
        await refuse_grants(emulator)
        for _ in range(3):
            await auth.work()
            later(61)

        rows = await auth.fetch("SELECT state, count(*) FROM connections GROUP BY state")
        states = {row["state"]: row["count"] for row in rows if row["state"] != "disconnected"}

        assert "reauthorization_required" not in states
        assert REGISTRY.get_sample_value("causeway_auth_refresh_alarm") == 1
        await emulator.control("DELETE", "faults")
        later(700)
        await auth.work()
        assert REGISTRY.get_sample_value("causeway_auth_refresh_alarm") == 0


async def test_a_check_whose_body_never_comes_keeps_nobody_waiting(
    new_database: NewDatabase, emulator: Emulated
) -> None:
    settings = settings_for(await new_database(*migrations()), emulator.origin, pool_size=1)
    async with running(settings) as auth:
        await emulator.add_person(ALICE)
        connection = await auth.connect()
        _, writer = await asyncio.open_connection("127.0.0.1", auth.settings.port)
        writer.write(
            f"POST /v1/connections/{connection['id']}/check HTTP/1.1\r\nHost: auth\r\n"
            f"Authorization: Bearer {caller_token()}\r\nIdempotency-Key: k\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n".encode()
        )
        async with asyncio.timeout(5):
            for _ in range(30):
                await auth.show(connection["id"])
        writer.close()


async def test_asking_about_a_lost_grant_again_and_again_raises_no_alarm(
    new_database: NewDatabase, emulator: Emulated, later: Later
) -> None:
    token = caller_token(ttl_s=100_000)

    async def check(auth: Stand, connection: dict[str, Any]) -> dict[str, Any]:
        path = f"/v1/connections/{connection['id']}/check"
        return dict((await auth.call("POST", path, token=token)).body)

    settings = settings_for(await new_database(*migrations()), emulator.origin, alarm_minimum=2)
    async with running(settings) as auth:
        connections = []
        for person in (ALICE, "bob@example.com"):
            await emulator.add_person(person)
            connections.append(await auth.connect(person=person))
            await emulator.control("POST", f"people/{person}/grants", {"action": "revoke"})
        lost, refused = connections
        await check(auth, lost)
        later(61)
        assert (await check(auth, lost))["state"] == "reauthorization_required"
        later(601)  # nobody looks as far back as to those two refusals

        assert (await check(auth, lost))["check"]["ok"] is False

        # Had that counted, two of two accounts would fail, and nothing would be concluded.
        assert (await check(auth, refused))["state"] == "degraded"


async def test_the_worker_renews_ahead_of_time(auth: Stand, later: Later) -> None:
    connection = await auth.connect()
    before = (await auth.token(connection["id"])).body
    later(3400)
    await auth.work()
    later(3350)  # nearer to the end than the first token lived

    [row] = await auth.fetch("SELECT access_version FROM accounts")
    assert row["access_version"] == 2
    assert before["access_token"]


async def test_a_process_that_stops_gives_its_lease_back(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect()
    url = auth.settings.database_url.get_secret_value()
    await break_token_endpoint(emulator, delay_s=5, times=1)
    async with running(settings_for(url, emulator.origin)) as stopping:
        asking = asyncio.create_task(stopping.token(connection["id"], rejected=True))
        await eventually(lambda: auth.fetch(LEASED))
    await asyncio.gather(asking, return_exceptions=True)

    assert not await auth.fetch(LEASED)
    assert (await auth.token(connection["id"], rejected=True)).status == 200


async def test_a_refresh_token_google_replaced_is_kept(auth: Stand, emulator: Emulated) -> None:
    connection = await auth.connect()
    body = {"access_token": "ya29.new", "expires_in": 3599, "refresh_token": "1//replaced"}
    await break_token_endpoint(emulator, status=200, body=body, times=1)
    await auth.check(connection["id"])

    [row] = await auth.fetch("SELECT refresh_hash FROM accounts")
    assert row["refresh_hash"] == revocation_keys("1//replaced")[0]


async def test_scopes_the_person_took_back_take_their_product_along(
    auth: Stand, emulator: Emulated
) -> None:
    connection = await auth.connect(
        products=[{"name": "mail", "access": "write"}, {"name": "contacts", "access": "read"}]
    )
    await emulator.control("POST", f"people/{ALICE}/grants", {"action": "revoke"})
    await auth.connect(token=caller_token(tenant="umbrella"), access="read")

    shown = await auth.show(connection["id"])
    assert shown["state"] == "active"
    assert {p["name"]: p["access"] for p in shown["products"]} == {"mail": "read", "contacts": None}
    [_, event, _] = await auth.events()
    assert event.subject == f"connection/{connection['id']}"
    changed = event.parse(ConnectionChanged)
    assert [(p.name, p.access) for p in changed.products] == [("mail", "read")]


async def test_a_token_for_what_is_not_there_is_refused_by_its_reason(auth: Stand) -> None:
    connection = await auth.connect()
    assert (await auth.token(str(uuid4()))).status == 404
    assert (await auth.token(connection["id"], product="calendar")).status == 404
    assert (await auth.token(connection["id"], product="drive")).fields == ["product"]
    await auth.fetch("UPDATE connections SET state = 'disabled' RETURNING id")

    answer = await auth.token(connection["id"])

    assert (answer.status, answer.problem) == (409, "connection-disabled")
