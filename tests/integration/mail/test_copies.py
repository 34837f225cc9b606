"""One mail in several mailboxes of a tenant is one activity with several copies."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from libs.common import clock, db
from libs.common.connections.model import Purge
from libs.common.directory import EntityRef
from services.mail.app import migrations
from services.mail.domain.connection import Connection
from services.mail.domain.message import Keep, Person, Policy
from services.mail.domain.visibility import Visibility
from services.mail.store import connections as connection_store
from services.mail.sync.connections import Connections
from services.mail.sync.visibility import Retellings, set_visibility
from tests.databases import NewDatabase
from tests.integration.mail.bench import Bench, copy
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually, service_caller_token

CAROL = "carol@example.com"
Told = Mapping[str, Any]
Json = dict[str, Any]


@pytest.fixture
async def bench(new_database: NewDatabase) -> AsyncIterator[Bench]:
    """A tenant that knows Bob, whose mail comes to several mailboxes."""
    pool = await db.open_pool(await new_database(*migrations()))
    bench = Bench(pool)
    await bench.tell(1, "bob@x.test")
    yield bench
    await db.close_pool(pool)


async def ada(bench: Bench, **more: Any) -> Connection:
    return await bench.connect(**more)


async def eve(bench: Bench, **more: Any) -> Connection:
    return await bench.connect("eve@example.com", user_id="eve", **more)


async def activities(bench: Bench) -> list[Told]:
    """Return the events of activities, in order."""
    return [one for one in await bench.told() if one["type"] == "mail.activity.logged.v1"]


def lead(entity_id: str) -> EntityRef:
    return EntityRef("lead", entity_id)


def holders(event: Told) -> list[str]:
    return [one["user_id"] for one in event["data"]["activity"]["copies"]]


def numbers(events: list[Told]) -> list[int]:
    return [int(one["sequence"]) for one in events]


async def test_the_second_copy_is_told_under_the_same_activity(bench: Bench) -> None:
    await bench.take(await ada(bench), [copy("g1")])
    await bench.take(await eve(bench), [copy("h1")])
    first, second = await activities(bench)
    assert first["subject"] == second["subject"]
    assert numbers([first, second]) == [1, 2]
    assert holders(first) == ["ada"]
    assert holders(second) == ["ada", "eve"]
    assert second["data"]["activity"]["id"] == second["subject"].removeprefix("activity/")


@pytest.mark.parametrize("sent_first", [True, False])
async def test_what_a_colleague_sent_is_outbound_and_theirs(
    bench: Bench, *, sent_first: bool
) -> None:
    sender, receiver = await ada(bench), await eve(bench)
    to = (Person("bob@x.test"), Person("eve@example.com"))
    mail: Json = {"sender": Person("alice@example.com"), "to": to}
    sent = replace(copy("g1", **mail), labels=frozenset({"SENT"}))
    both = [(sender, sent), (receiver, copy("h1", **mail))]
    for connection, one in both if sent_first else both[::-1]:
        await bench.take(connection, [one])
    last = (await activities(bench))[-1]["data"]
    assert last["google_message_id"] == "g1"
    assert last["activity"]["direction"] == "outbound"
    assert last["activity"]["created_by"] == "ada"
    assert len(last["activity"]["copies"]) == 2


async def test_copies_committed_at_the_same_moment_are_numbered_one_after_the_other(
    bench: Bench,
) -> None:
    boxes = [await ada(bench), await eve(bench), await bench.connect("kim@example.com")]
    names = [f"{number:02}" for number in range(25)]
    # Each mailbox has the mails under other ids, thus locks them in an order of its own.
    orders = (names, names[::-1], names[10:] + names[:10])
    chunks = [[copy(f"g{place:02}", name) for place, name in enumerate(order)] for order in orders]
    await asyncio.gather(
        *(bench.take(box, chunk) for box, chunk in zip(boxes, chunks, strict=True))
    )
    told = await activities(bench)
    assert len({one["subject"] for one in told}) == 25
    for subject in {one["subject"] for one in told}:
        mine = [one for one in told if one["subject"] == subject]
        assert numbers(mine) == [1, 2, 3]
        assert [len(holders(one)) for one in mine] == [1, 2, 3]


async def test_a_copy_that_is_deleted_leaves_the_others(bench: Bench) -> None:
    hers, his = await ada(bench), await eve(bench)
    await bench.take(hers, [copy("g1")])
    await bench.take(his, [copy("h1")])
    await bench.take(hers, [], gone=["g1"])
    last = (await activities(bench))[-1]
    assert holders(last) == ["eve"]
    assert last["data"]["activity"]["created_by"] == "eve"
    assert last["data"]["activity"]["entities"] == [{"type": "lead", "id": "bob"}]


async def test_when_the_last_copy_goes_the_activity_concerns_nobody(bench: Bench) -> None:
    hers = await ada(bench)
    await bench.take(hers, [copy("g1")])
    await bench.take(hers, [], gone=["g1"])
    last = (await activities(bench))[-1]
    said = last["data"]["activity"]
    assert (last["sequence"][-1], last["data"]["google_message_id"]) == ("2", "g1")
    assert (said["entities"], said["copies"], said["title"], said["participants"]) == (
        [],
        [],
        "",
        [],
    )


async def test_mail_that_comes_again_goes_on_counting(bench: Bench) -> None:
    hers = await ada(bench)
    await bench.take(hers, [copy("g1")])
    await bench.take(hers, [], gone=["g1"])
    await bench.take(hers, [copy("g2")])
    told = await activities(bench)
    assert len({one["subject"] for one in told}) == 1
    assert numbers(told) == [1, 2, 3]
    assert holders(told[-1]) == ["ada"]


async def test_a_stranger_who_uses_a_message_id_again_joins_nothing(bench: Bench) -> None:
    await bench.tell(1, "mallory@y.test", ref=lead("mallory"))
    await bench.take(await ada(bench), [copy("g1")])
    await bench.take(await eve(bench), [copy("h1", sender=Person("mallory@y.test"))])
    first, second = await activities(bench)
    assert first["subject"] != second["subject"]
    assert numbers([first, second]) == [1, 1]
    assert holders(second) == ["eve"]


async def test_what_has_no_message_id_is_two_activities(bench: Bench) -> None:
    await bench.take(await ada(bench), [copy("g1", rfc822_message_id=None)])
    await bench.take(await eve(bench), [copy("h1", rfc822_message_id=None)])
    assert len({one["subject"] for one in await activities(bench)}) == 2


async def test_tenants_that_share_a_mail_share_no_activity(bench: Bench) -> None:
    await bench.tell(1, "bob@x.test", tenant_id="umbrella")
    await bench.take(await ada(bench), [copy("g1")])
    await bench.take(await ada(bench, tenant_id="umbrella"), [copy("g1")])
    first, second = await activities(bench)
    assert first["subject"] != second["subject"]
    assert [len(holders(one)) for one in (first, second)] == [1, 1]


async def test_whom_only_the_senders_copy_names_is_an_entity_of_the_activity(
    bench: Bench,
) -> None:
    deal = lead("deal")
    await bench.tell(1, "dan@x.test", ref=deal)
    mail: Json = {"sender": Person("alice@example.com"), "to": (Person("bob@x.test"),)}
    await bench.take(await eve(bench), [copy("h1", **mail)])
    await bench.take(await ada(bench), [copy("g1", bcc=(Person("dan@x.test"),), **mail)])
    ids = [
        [each["id"] for each in one["data"]["activity"]["entities"]]
        for one in await activities(bench)
    ]
    assert ids == [["bob"], ["bob", "deal"]]


async def test_a_copy_of_which_only_a_trace_is_kept_is_none(bench: Bench) -> None:
    await bench.take(await ada(bench), [copy("g1")])
    known = await eve(bench, policy=Policy.KNOWN)
    await bench.take(known, [replace(copy("h1"), kept=Keep.TRACE)])
    assert [holders(one) for one in await activities(bench)] == [["ada"]]

    bench.google.read["h1"] = copy("h1")
    await bench.run(known)
    assert holders((await activities(bench))[-1]) == ["ada", "eve"]


async def test_what_is_unlinked_in_one_mailbox_stays_in_the_other(bench: Bench) -> None:
    hers, known = await ada(bench), await eve(bench, policy=Policy.KNOWN)
    await bench.take(hers, [copy("g1")])
    await bench.take(known, [copy("h1")])
    await bench.tell(2)
    await bench.run(known)
    last = (await activities(bench))[-1]
    assert holders(last) == ["ada"]
    assert last["data"]["activity"]["title"] == "Hi"
    await bench.run(hers)
    last = (await activities(bench))[-1]
    assert (holders(last), last["data"]["activity"]["entities"]) == ([], [])
    assert numbers(await activities(bench)) == [1, 2, 3, 4]


async def test_an_entity_that_comes_later_finds_all_copies(bench: Bench) -> None:
    deal = lead("deal")
    mail: Json = {"sender": Person("dan@x.test")}
    hers, his = await ada(bench), await eve(bench)
    await bench.take(hers, [copy("g1", **mail)])
    await bench.take(his, [copy("h1", **mail)])
    await bench.tell(1, "dan@x.test", ref=deal)
    await bench.run(his)
    await bench.run(hers)
    told = await activities(bench)
    assert [holders(one) for one in told] == [["eve"], ["ada", "eve"]]
    assert len({one["subject"] for one in told}) == 1


async def test_a_mailbox_that_is_purged_takes_its_copies_along(bench: Bench) -> None:
    hers, his = await ada(bench), await eve(bench)
    await bench.take(hers, [copy("g1"), copy("g2", "2")])
    await bench.take(his, [copy("h1")])
    async with db.transaction(bench.pool) as conn:
        ending = replace(hers, purge=Purge.WANTED)
        assert await connection_store.put_connection(conn, ending)
    nobody = cast("Any", None)
    ends = Connections(
        bench.pool,
        nobody,
        nobody,
        policy=Policy.ALL,
        backfill_days=0,
        audit_every=nobody,
        now=clock.now,
    )
    await ends.purge("acme", hers.id)
    latest = {one["subject"]: holders(one) for one in await activities(bench)}
    assert sorted(latest.values()) == [[], ["eve"]]
    assert await bench.fetch("SELECT count(*) FROM messages") == [(1,)]


async def test_a_change_of_visibility_is_told(bench: Bench) -> None:
    hers = await ada(bench)
    await bench.take(hers, [copy(f"g{number:03}", str(number)) for number in range(150)])
    async with db.transaction(bench.pool) as conn:
        await set_visibility(conn, hers, Visibility.METADATA, now=clock.now())
    lease, work = await bench.lease(hers), Retellings(bench.pool, now=clock.now)
    steps = 0
    while await work.step(lease, hers):
        steps += 1
    told = await activities(bench)
    assert (len(told), steps) == (300, 2)
    assert {one["data"]["activity"]["visibility"] for one in told[150:]} == {"metadata"}
    assert len({one["subject"] for one in told[150:]}) == 150


async def test_an_arrival_is_told_with_the_visibility_of_the_moment(bench: Bench) -> None:
    hers = await ada(bench)
    async with db.transaction(bench.pool) as conn:
        await set_visibility(conn, hers, Visibility.PRIVATE, now=clock.now())
    await bench.take(hers, [copy("g1")])  # by a run that began before
    (told,) = await activities(bench)
    said = told["data"]["activity"]
    assert (said["visibility"], said["copies"][0]["visibility"]) == ("private", "private")


async def test_a_customer_who_wrote_to_two_colleagues_is_one_activity_until_one_leaves(
    mail: Stand,
) -> None:
    entity = {"version": 1, "emails": ["bob@example.org"]}
    crm = service_caller_token()
    await mail.call("PUT", "/v1/mail/entities/lead/bob", entity, token=crm)
    await mail.google.add_person(CAROL, name="Carol")
    hers = await mail.connect()
    await mail.connect(person=CAROL, token=caller_token(user="eve"))
    raw = (
        f"From: bob@example.org\r\nTo: {ALICE}, {CAROL}\r\nMessage-ID: <1@example.org>\r\n"
        "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nSubject: Offer\r\n\r\nHello\r\n"
    )
    for person in (ALICE, CAROL):
        await mail.google.deliver(person, raw=raw)

    def told() -> list[Any]:
        return [one.data["activity"] for one in mail.events("mail.activity.logged")]

    await eventually(lambda: len(told()) == 2)
    assert len({one["id"] for one in told()}) == 1
    assert [len(one["copies"]) for one in told()] == [1, 2]

    await mail.auth.call("DELETE", f"/v1/connections/{hers}?purge=true")
    await eventually(lambda: len(told()) == 3)
    assert [one["user_id"] for one in told()[-1]["copies"]] == ["eve"]
