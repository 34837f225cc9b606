"""Mailboxes open and close as auth says."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common import bus
from libs.common.connections import telling
from libs.common.connections.telling import BY_TYPE
from libs.common.db import POOL
from libs.common.events import auth as events
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from libs.common.ids import new_id
from services.mail.app import CONNECTIONS
from services.mail.consumers import QUEUE
from tests import messaging
from tests.integration.mail.stand import Stand, feed_of
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token


async def watches(mail: Stand) -> int:
    methods = await mail.google.control("GET", "usage")
    person = methods["people"].get(ALICE, {"methods": {}})
    return int(person["methods"].get("gmail.users.watch", {"calls": 0})["calls"])


AHEAD = 100
"""Further than the events of auth's own that may still be on their way."""


def changed(facts: Any, kind: type[Event], *, ahead: int = AHEAD, **more: Any) -> Envelope:
    """Return an event as auth would publish it, on top of a row of `connections`."""
    data = {
        "origin": Origin.LIVE,
        "connection_id": facts["connection_id"],
        "user_id": facts["user_id"],
        "account": {"id": facts["account_id"], "email": facts["email"]},
        "products": [{"name": "mail", "access": "write"}],
        **more,
    }
    return Envelope.of(
        kind.model_validate(data),
        tenant_id=facts["tenant_id"],
        aggregate_id=str(facts["connection_id"]),
        sequence=facts["event_sequence"] + ahead,
        time=messaging.NOON,
    )


async def tell(mail: Stand, *bodies: bytes, key: str) -> None:
    """Publish what auth would; mail's queue is bound before, so that nothing goes astray."""
    amqp_url = mail.settings.amqp_url.get_secret_value()

    async def unused(_: Envelope) -> None:
        raise AssertionError("declared, not consumed")

    queue = bus.Subscription(queue=QUEUE, types=tuple(BY_TYPE), handler=unused)
    async with bus.connected(amqp_url, name="test") as link:
        await bus.declare_subscription(link, queue, bus.RetryPolicy())
    await messaging.send(amqp_url, *bodies, key=key)


async def row(mail: Stand) -> Any:
    (found,) = await mail.fetch("SELECT * FROM connections")
    return found


async def disconnect(mail: Stand, connection_id: str, query: str = "") -> None:
    answer = await mail.auth.call("DELETE", f"/v1/connections/{connection_id}{query}")
    assert answer.status in {200, 202, 204}, answer


async def feed_state(mail: Stand) -> str:
    rows = await mail.fetch("SELECT state FROM feeds WHERE kind = 'mail.live'")
    return ",".join(row["state"] for row in rows)


async def test_a_connected_mailbox_is_watched(mail: Stand) -> None:
    connection_id = await mail.connect()
    status = await mail.status(connection_id)
    assert status is not None
    assert status["watch"]["state"] == "watching"
    feed = feed_of(status)
    assert feed["has_cursor"]
    assert feed["state"] == "active"


async def test_a_lost_event_heals(stand: Stand) -> None:
    created = await stand.auth.connect()
    await eventually(lambda: bool(stand.events("auth.")))
    async with stand.serving(roles=frozenset({"web", "worker"})):
        await eventually(lambda: stand.in_step(created["id"]))


async def test_disconnecting_closes_the_mailbox_and_keeps_the_mail(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver()
    await mail.told("received")
    await disconnect(mail, connection_id)
    await eventually(lambda: _is(mail, "closed"))
    assert len(await mail.messages()) == 1
    assert await mail.fetch("SELECT 1 FROM watches") == []


async def _is(mail: Stand, state: str) -> bool:
    return await feed_state(mail) == state


MULTIPLY = """
INSERT INTO messages (tenant_id, id, connection_id, google_id, thread_id, internal_date, traced,
                      direction, labels, label_history_id, stored_at)
SELECT tenant_id, gen_random_uuid(), connection_id, google_id || n, thread_id, internal_date, false,
       direction, labels, label_history_id, stored_at
  FROM messages, generate_series(1, 400) AS numbers (n)
"""


async def test_purging_leaves_no_mail(mail: Stand) -> None:
    connection_id = await mail.connect()
    await mail.deliver(count=3)
    await eventually(lambda: len(mail.types()) == 3)
    await mail.fetch(MULTIPLY)  # more than go at once
    await disconnect(mail, connection_id, "?purge=true")

    async def is_gone() -> bool:
        found = await mail.fetch("SELECT purge, email FROM connections")
        return [(one["purge"], one["email"]) for one in found] == [("done", "")]

    await eventually(is_gone)
    for table in ("messages", "feeds", "signals", "watches"):
        assert await mail.fetch(f"SELECT 1 FROM {table}") == []  # noqa: S608 - a constant
    assert await mail.messages() == []
    assert await mail.status(connection_id) is None


async def test_a_purged_mailbox_may_come_back(mail: Stand) -> None:
    await disconnect(mail, await mail.connect(), "?purge=true")
    await eventually(lambda: _is(mail, ""))
    await mail.connect()
    await mail.deliver(subject="again")
    await mail.told("received")


async def test_a_revoked_grant_pauses_the_mailbox_and_keeps_its_cursor(mail: Stand) -> None:
    connection_id = await mail.connect()
    facts = await row(mail)
    event = changed(facts, events.ConnectionReauthorizationRequired, products=[])
    await tell(mail, event.to_json(), key=event.type)
    await eventually(lambda: _is(mail, "paused"))
    (feed,) = await mail.fetch("SELECT cursor, reason FROM feeds WHERE kind = 'mail.live'")
    assert feed["cursor"]
    assert feed["reason"] == "reauthorization_required"
    status = await mail.status(connection_id)
    assert status is not None
    assert status["state"] == "reauthorization_required"


async def test_a_reconnected_mailbox_goes_on_where_it_stood(mail: Stand) -> None:
    await mail.connect()
    await mail.deliver(subject="before")
    await mail.told("received")
    event = changed(await row(mail), events.ConnectionReauthorizationRequired)
    await tell(mail, event.to_json(), key=event.type)
    await eventually(lambda: _is(mail, "paused"))
    await mail.deliver(subject="meanwhile")
    event = changed(await row(mail), events.ConnectionAuthorized)
    await tell(mail, event.to_json(), key=event.type)
    await mail.told("received", "received")


async def test_a_reconnected_mailbox_is_watched_anew(mail: Stand) -> None:
    await mail.connect()
    assert await watches(mail) == 1
    event = changed(await row(mail), events.ConnectionReauthorizationRequired)
    await tell(mail, event.to_json(), key=event.type)
    await eventually(lambda: _is(mail, "paused"))
    event = changed(await row(mail), events.ConnectionAuthorized)
    await tell(mail, event.to_json(), key=event.type)

    async def is_watched_anew() -> bool:
        return await watches(mail) == 2

    await eventually(is_watched_anew)


async def test_an_older_event_that_comes_late_changes_nothing(mail: Stand) -> None:
    await mail.connect()
    late = changed(
        await row(mail),
        events.ConnectionDisconnected,
        ahead=0,
        products=[],
        disconnected_products=["mail"],
        purge=True,
    )
    await tell(mail, late.to_json(), key=late.type)

    async def is_seen() -> bool:
        return bool(await mail.fetch("SELECT 1 FROM inbox WHERE event_id = $1", late.id))

    await eventually(is_seen)
    assert (await row(mail))["state"] == "active"
    assert await feed_state(mail) == "active"


async def test_an_event_delivered_twice_opens_the_mailbox_once(mail: Stand) -> None:
    await mail.connect()
    first, last = [
        changed(
            await row(mail), events.ConnectionChanged, ahead=ahead, state="active", cause="test"
        )
        for ahead in (AHEAD - 1, AHEAD + 1)
    ]
    await seen(mail, first)  # what auth itself told of the connection is behind us
    before = await openings(mail)
    event = changed(await row(mail), events.ConnectionAuthorized)
    for one in (event, event):
        await tell(mail, one.to_json(), key=one.type)
    await seen(mail, last)
    assert await openings(mail) == before + 1


async def seen(mail: Stand, event: Envelope) -> None:
    """Tell of an event, and wait until it, and all before it, was handled."""
    await tell(mail, event.to_json(), key=event.type)
    await eventually(lambda: mail.fetch("SELECT 1 FROM inbox WHERE event_id = $1", event.id))


async def openings(mail: Stand) -> int:
    """Return how often the feed of the audit, which nothing else wakes, was opened."""
    (found,) = await mail.fetch(
        "SELECT s.generation FROM signals s JOIN feeds f ON f.id = s.feed_id"
        " WHERE f.kind = 'mail.audit'"
    )
    return int(found["generation"])


async def test_mail_that_comes_while_the_first_watch_is_asked_for_is_told(mail: Stand) -> None:
    slow = {"path_contains": "/watch", "delay_s": 1.0}
    await mail.google.control("PUT", "faults", {"rules": [slow]})
    await mail.auth.connect(person=ALICE)
    await eventually(lambda: mail.fetch("SELECT 1 FROM watches WHERE lease_until > now()"))
    await mail.deliver(subject="meanwhile")
    await mail.told("received")


async def test_a_poisoned_event_ends_among_the_dead_letters_and_others_flow_on(
    stand: Stand,
) -> None:
    amqp_url = stand.settings.amqp_url.get_secret_value()
    async with stand.serving(roles=frozenset({"web", "worker"})):
        mine = stand.app[CONNECTIONS]
        subscription = telling.subscription(stand.app[POOL], mine, queue=QUEUE)
        policy = bus.RetryPolicy(delays_s=(0.05, 0.05, 0.05))
        poison = Envelope.of(
            messaging.NoteWritten(origin=Origin.LIVE),
            tenant_id="acme",
            aggregate_id=str(new_id()),
            sequence=1,
            time=messaging.NOON,
        ).model_copy(update={"type": events.ConnectionAuthorized.type})
        async with messaging.running(bus.consume(amqp_url, subscription, retry=policy)):
            await tell(stand, b"garbage", poison.to_json(), key=poison.type)
            await eventually(lambda: _depth_is(amqp_url, f"{QUEUE}.dead", 2))
            connection = await stand.auth.connect()
            await eventually(lambda: stand.in_step(connection["id"]))


async def _depth_is(amqp_url: str, queue: str, count: int) -> bool:
    return await messaging.depth(amqp_url, queue) == count


async def test_two_tenants_share_a_mailbox_and_never_see_each_other(mail: Stand) -> None:
    other = caller_token(user="olga", tenant="umbrella")
    first = await mail.connect()
    second = await mail.connect(token=other)
    assert await watches(mail) == 1
    await mail.deliver(subject="to both")
    await eventually(lambda: len(mail.types()) == 2)
    assert sorted(one.tenantid for one in mail.events()) == ["acme", "umbrella"]
    for token, connection_id in ((None, first), (other, second)):
        (message,) = await mail.messages(token=token)
        assert message["connection_id"] == connection_id
        status = (await mail.get("/v1/mail/status", token=token))["items"]
        assert [one["connection_id"] for one in status] == [connection_id]
    (mine,) = await mail.messages()
    answer = await mail.call("GET", f"/v1/mail/messages/{mine['id']}", token=other)
    assert answer.status == 404
    assert await mail.messages(f"?connection_id={first}", token=other) == []


async def test_the_watch_of_a_shared_mailbox_outlives_one_of_its_connections(mail: Stand) -> None:
    other = caller_token(user="olga", tenant="umbrella")
    await mail.connect()
    second = await mail.connect(token=other)
    answer = await mail.auth.call("DELETE", f"/v1/connections/{second}", token=other)
    assert answer.status in {200, 202, 204}

    async def one_is_closed() -> bool:
        return sorted((await feed_state(mail)).split(",")) == ["active", "closed"]

    await eventually(one_is_closed)
    await mail.deliver(subject="still coming")
    await mail.told("received")
    assert mail.events()[0].tenantid == "acme"


async def test_a_watch_in_somebody_elses_way_is_replaced(mail: Stand) -> None:
    rule = {
        "path_contains": "/watch",
        "path_prefix": "/gmail/v1/",
        "times": 1,
        "status": 400,
        "reason": "failedPrecondition",
        "message": "Only one user push notification client allowed per developer",
    }
    await mail.google.control("PUT", "faults", {"rules": [rule]})
    await mail.connect()
    usage = await mail.google.control("GET", "usage")
    assert usage["people"][ALICE]["methods"]["gmail.users.stop"]["calls"] == 1


async def test_without_a_watch_mail_still_comes_and_the_feed_says_so(stand: Stand) -> None:
    stand.settings = stand.settings.model_copy(update={"poll_interval": 0.3})
    rule = {"path_contains": "/watch", "path_prefix": "/gmail/v1/", "times": 1000, "status": 403}
    rule["reason"] = "forbidden"
    await stand.google.control("PUT", "faults", {"rules": [rule]})
    async with stand.serving():
        connection = await stand.auth.connect()
        await eventually(lambda: _is(stand, "degraded"))
        await stand.deliver()
        await stand.told("received")

        async def says_so() -> bool:
            status = await stand.status(connection["id"])
            assert status is not None
            shown = (feed_of(status)["reason"], status["watch"]["state"])
            return shown == ("watch-failed", "absent")

        await eventually(says_so)


async def test_a_users_connection_is_hidden_from_colleagues_and_open_to_services(
    mail: Stand,
) -> None:
    connection_id = await mail.connect()
    await mail.deliver()
    await mail.told("received")
    eve, service = caller_token(user="eve"), service_caller_token()
    assert await mail.messages(token=eve) == []
    assert await mail.status(connection_id, token=eve) is None
    assert len(await mail.messages(token=service)) == 1
    path = f"/v1/mail/connections/{connection_id}/settings"
    assert (await mail.call("GET", path, token=eve)).status == 404
    assert (await mail.call("PUT", path, {"policy": "all"}, token=eve)).status == 404
    assert UUID(connection_id)


@pytest.mark.parametrize("body", [[], {"policy": "some"}, {"policy": "all", "more": 1}])
async def test_wrong_settings_are_refused(web_only: Stand, body: Any) -> None:
    path = f"/v1/mail/connections/{uuid4()}/settings"
    assert (await web_only.call("PUT", path, body)).status == 400


async def test_a_process_that_stops_leaves_the_watch_to_the_next_at_once(stand: Stand) -> None:
    held = "SELECT FROM watches WHERE lease_until > now()"

    async def is_held() -> bool:
        return bool(await stand.fetch(held))

    slow = {"path_contains": "/watch", "delay_s": 60, "times": 1}
    await stand.google.control("PUT", "faults", {"rules": [slow]})
    async with stand.serving():
        await stand.auth.connect()
        await eventually(is_held)
    async with stand.serving(roles=frozenset({"web"})):
        assert not await is_held()
