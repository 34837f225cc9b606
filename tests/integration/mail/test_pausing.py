"""Mailboxes that people pause, whatever auth says meanwhile."""

import asyncio
from typing import Any
from uuid import UUID

from libs.common import clock
from libs.common.db import POOL, transaction
from libs.common.events import auth as events
from libs.common.events.base import Event
from services.mail.app import CONNECTIONS
from services.mail.store.connections import set_complete_since
from tests.integration.mail.stand import Stand, feed_of
from tests.integration.mail.test_connections import changed, row, seen
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token

FEEDS = {"mail.live", "mail.audit", "mail.work", "mail.write"}
"""Of a mailbox that has no past to take in."""


async def call(mail: Stand, connection_id: str, verb: str, token: str | None = None) -> Any:
    path = f"/v1/mail/connections/{connection_id}/{verb}"
    answer = await mail.call("POST", path, token=token)
    assert answer.status == 200, answer
    return answer.body["paused"]


async def states(mail: Stand) -> set[tuple[str, str | None]]:
    rows = await mail.fetch("SELECT state, reason FROM feeds")
    return {(one["state"], one["reason"]) for one in rows}


async def calls(mail: Stand) -> int:
    usage = await mail.google.control("GET", "usage")
    return sum(one["calls"] for one in usage["people"][ALICE]["methods"].values())


async def test_a_paused_mailbox_is_not_read_and_goes_on_where_it_stood(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver(subject="before")
    await mail.told("received")
    await mail.quiet()
    paused = await call(mail, connection_id, "pause")
    assert (paused["reason"], paused["by"]) == ("paused", "user:ada")
    assert await states(mail) == {("paused", "paused")}
    before = await calls(mail)
    await mail.deliver(subject="meanwhile")
    assert await mail.forge() == 204
    await mail.quiet()
    assert await calls(mail) == before
    assert await call(mail, connection_id, "resume") is None
    await mail.told("received", "received")


async def test_pausing_waits_for_a_run_that_pins_its_cursor(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.quiet()
    (held,) = await mail.fetch("SELECT tenant_id FROM connections")

    async def is_blocked() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(await mail.fetch(f"{waiting} AND datname = current_database()"))

    async with transaction(mail.app[POOL]) as conn:
        await set_complete_since(conn, held["tenant_id"], UUID(connection_id), clock.now())
        pausing = asyncio.create_task(call(mail, connection_id, "pause"))
        await eventually(is_blocked)
        await conn.execute("SELECT 1 FROM signals FOR UPDATE")
    assert (await pausing)["reason"] == "paused"


async def test_the_status_says_who_paused_a_mailbox_and_feeds_tell_of_it(mail: Stand) -> None:
    connection_id = await mail.connect()
    await call(mail, connection_id, "pause")
    status = await mail.status(connection_id)
    assert status is not None
    assert (status["state"], status["paused"]["reason"]) == ("active", "paused")
    assert feed_of(status)["summary"].startswith("paused: somebody paused it")

    def told(kind: str) -> set[str]:
        return {
            one.data["kind"]
            for one in mail.events(f"mail.feed.{kind}")
            if one.data["reason"] in ("paused", None)
        }

    await eventually(lambda: told("degraded") == FEEDS)
    await call(mail, connection_id, "resume")
    await eventually(lambda: told("recovered") == FEEDS)
    status = await mail.status(connection_id)
    assert status is not None
    assert status["paused"] is None


async def test_pausing_and_resuming_twice_changes_and_tells_nothing(mail: Stand) -> None:
    connection_id = await mail.connect()
    first = await call(mail, connection_id, "pause")
    assert await call(mail, connection_id, "pause") == first
    await eventually(lambda: len(mail.events("mail.feed.degraded")) == len(FEEDS))
    await call(mail, connection_id, "resume")
    assert await call(mail, connection_id, "resume") is None
    await eventually(lambda: len(mail.events("mail.feed.recovered")) == len(FEEDS))
    await mail.quiet()
    assert len(mail.events("mail.feed.")) == 2 * len(FEEDS)


async def test_what_gmail_forgot_during_a_pause_is_repaired(mail: Stand) -> None:
    connection_id = await mail.connect()
    await call(mail, connection_id, "pause")
    await mail.deliver(subject="meanwhile")
    await mail.google.control("POST", f"people/{ALICE}/history", {"action": "expire"})
    await call(mail, connection_id, "resume")
    await mail.told("received")


async def test_a_pause_outlives_what_auth_tells_and_lists(mail: Stand) -> None:
    connection_id = await mail.connect()
    await call(mail, connection_id, "pause")
    kinds: tuple[type[Event], ...] = (
        events.ConnectionReauthorizationRequired,
        events.ConnectionAuthorized,
    )
    for step, kind in enumerate(kinds):
        await seen(mail, changed(await row(mail), kind, ahead=100 + step))
    assert await states(mail) == {("paused", "paused")}
    await mail.fetch("UPDATE connections SET updated_at = updated_at - interval '1 day'")
    await mail.app[CONNECTIONS].reconcile()
    assert await states(mail) == {("paused", "paused")}
    await mail.deliver(subject="meanwhile")
    await call(mail, connection_id, "resume")
    await mail.told("received")


async def test_resuming_does_not_open_what_auth_has_stopped(mail: Stand) -> None:
    connection_id = await mail.connect()
    event = changed(await row(mail), events.ConnectionReauthorizationRequired, products=[])
    await seen(mail, event)
    await call(mail, connection_id, "pause")
    await call(mail, connection_id, "resume")
    assert await states(mail) == {("paused", "reauthorization_required")}


async def test_a_tenant_pauses_all_of_its_mailboxes_and_those_to_come(mail: Stand) -> None:
    service = service_caller_token()
    theirs = caller_token(user="olga", tenant="umbrella")
    first = await mail.connect()
    other = await mail.connect(token=theirs)
    answer = await mail.call("POST", "/v1/mail/pause", token=service)
    assert answer.body == {"paused": True, "connections": 1}
    await mail.google.add_person("anna@example.com", name="Anna")
    made = await mail.auth.connect(person="anna@example.com", token=caller_token(user="anna"))
    second = str(made["id"])
    await eventually(lambda: mail.status(second, token=service))
    for one in (first, second):
        status = await mail.status(one, token=service)
        assert status is not None
        assert status["paused"]["reason"] == "tenant-paused"
    status = await mail.status(other, token=theirs)
    assert status is not None
    assert status["paused"] is None
    await call(mail, first, "pause")
    assert (await mail.call("POST", "/v1/mail/resume", token=service)).status == 200
    await eventually(lambda: mail.in_step(second))
    status = await mail.status(first)
    assert status is not None
    assert status["paused"]["reason"] == "paused"
    await call(mail, first, "resume")
    await mail.deliver(subject="again")
    await eventually(lambda: len(mail.types()) == 2)


async def test_only_services_pause_a_tenant_and_nobody_a_strangers_mailbox(mail: Stand) -> None:
    connection_id = await mail.connect()
    assert (await mail.call("POST", "/v1/mail/pause")).status == 403
    for token in (caller_token(user="eve"), service_caller_token(tenant="umbrella")):
        path = f"/v1/mail/connections/{connection_id}/pause"
        assert (await mail.call("POST", path, token=token)).status == 404


async def test_a_paused_mailbox_takes_in_no_more_of_its_past(mail: Stand) -> None:
    connection_id = await mail.connect()
    await call(mail, connection_id, "pause")
    wanted = {"connection_id": connection_id, "days": 7}
    answer = await mail.call("POST", "/v1/mail/sync", wanted)
    assert (answer.status, answer.problem) == (409, "connection-paused")
