"""Mail and the CRM's entities find each other, whichever comes first."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from libs.common import clock, db
from libs.common.db import Connection as Conn
from libs.common.directory import Entity, EntityRef
from libs.common.directory import store as directory
from libs.common.feeds import Feed, LeaseLost
from libs.common.feeds.holds import Hold, HoldState
from libs.common.ids import new_id
from services.mail.app import migrations
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy
from services.mail.sync.feeds import work_address
from services.mail.sync.inward.fetching import Fetches
from services.mail.sync.meaning.link_work import LinkWork
from services.mail.sync.meaning.linking import HOLD_KIND
from tests.databases import NewDatabase
from tests.integration.mail.bench import BOB, Bench, message
from tests.support import eventually


@pytest.fixture
async def bench(new_database: NewDatabase) -> AsyncIterator[Bench]:
    pool = await db.open_pool(await new_database(*migrations()))
    yield Bench(pool)
    await db.close_pool(pool)


async def test_mail_of_a_known_entity_is_linked_as_it_arrives(bench: Bench) -> None:
    await bench.tell(1, "bob@x.test")
    connection = await bench.connect()
    message_id = await bench.arrive(connection, message(sender="Bob@X.test"))

    assert await bench.links() == [("acme", "bob", message_id)]
    (event,) = await bench.told()
    assert event["type"] == "mail.activity.logged.v1"
    assert event["subject"] == f"activity/{message_id}"
    assert event["sequence"] == "00000000000000000001"
    assert event["data"]["origin"] == "live"
    activity = event["data"]["activity"]
    assert activity["entities"] == [{"type": "lead", "id": "bob"}]
    assert (activity["title"], activity["snippet"]) == ("Hi", "Hello")
    assert [one["role"] for one in activity["participants"]] == ["from", "to"]


async def test_mail_with_strangers_is_linked_to_nobody(bench: Bench) -> None:
    connection = await bench.connect()
    await bench.arrive(connection, message())
    assert (await bench.links(), await bench.told()) == ([], [])
    assert await bench.fetch("SELECT count(*) FROM message_addresses") == [(2,)]


async def test_an_entity_that_comes_later_finds_its_mail(bench: Bench) -> None:
    connection = await bench.connect()
    ids = [await bench.arrive(connection, message(f"g{number}")) for number in range(60)]
    await bench.arrive(connection, message("other", sender="eve@x.test"))
    await bench.tell(1, "bob@x.test")
    assert await bench.waiting() == [("bob", "due")]
    await bench.run(connection)

    assert [one[2] for one in await bench.links()] == sorted(ids)
    assert await bench.waiting() == []
    told = await bench.told()
    assert len(told) == 60
    assert {one["data"]["origin"] for one in told} == {"repair"}


async def test_a_change_of_the_directory_wakes_the_mailbox_that_has_its_mail(bench: Bench) -> None:
    first, second = await bench.connect(), await bench.connect("ann@example.com")
    await bench.arrive(first, message())
    before = dict(await bench.fetch("SELECT address, generation FROM signals"))
    await bench.tell(1, "bob@x.test")
    after = dict(await bench.fetch("SELECT address, generation FROM signals"))
    assert after[work_address(first.id)] == before[work_address(first.id)] + 1
    assert after[work_address(second.id)] == before[work_address(second.id)]


async def test_own_people_are_never_linked(bench: Bench) -> None:
    await bench.tell(1, "carol@example.com", "bob@x.test")
    connection = await bench.connect()
    await bench.connect("owner@x.test")
    await bench.arrive(connection, message(sender="carol@example.com"))
    await bench.arrive(connection, message("g2"))
    await bench.tell(2, "carol@example.com", "alice@example.com")
    await bench.run(connection)
    assert await bench.links() == []


async def test_an_address_that_is_taken_away_unlinks_its_mail(bench: Bench) -> None:
    connection = await bench.connect()
    await bench.tell(1, "bob@x.test", "rob@x.test")
    await bench.arrive(connection, message("g1"))
    kept = await bench.arrive(connection, message("g2", sender="rob@x.test"))
    await bench.tell(2, "rob@x.test")
    await bench.run(connection)

    assert await bench.links() == [("acme", "bob", kept)]
    last = (await bench.told())[-1]
    assert last["data"]["activity"]["entities"] == []
    assert last["sequence"] == "00000000000000000002"
    assert await bench.fetch("SELECT count(*) FROM messages WHERE NOT traced") == [(2,)]


async def test_what_concerns_nobody_any_more_is_a_trace_again_under_known(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    await bench.tell(1, "bob@x.test")
    await bench.tell(1, "bob@x.test", ref=EntityRef("deal", "9"))
    await bench.arrive(connection, message())
    async with db.transaction(bench.pool) as conn:
        assert await bench.linker.delete(conn, "acme", BOB, 2)
    await bench.run(connection)
    assert await bench.fetch("SELECT traced FROM messages") == [(False,)]

    async with db.transaction(bench.pool) as conn:
        assert await bench.linker.delete(conn, "acme", EntityRef("deal", "9"), 2)
    await bench.run(connection)
    rows = await bench.fetch("SELECT traced, subject, body_text, sender, labels FROM messages")
    assert rows == [(True, None, None, None, [])]
    assert await bench.links() == []
    last = (await bench.told())[-1]["data"]["activity"]
    assert (last["entities"], last["title"], last["participants"]) == ([], "", [])


async def test_a_trace_of_an_entity_becomes_a_whole_message(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    known, gone, odd = message("g1"), message("g2"), message("g3")
    message_id = await bench.arrive(connection, known, traced=True)
    await bench.arrive(connection, gone, traced=True)
    await bench.arrive(connection, odd, traced=True)
    bench.google.read["g1"] = known
    bench.google.unreadable["g3"] = "unparsable"
    await bench.tell(1, "bob@x.test")
    await bench.run(connection)

    rows = await bench.fetch("SELECT google_id, traced FROM messages ORDER BY 1")
    assert rows == [("g1", False), ("g3", True)]
    assert await bench.links() == [("acme", "bob", message_id)]
    assert [one["type"] for one in await bench.told()] == [
        "mail.message.received.v1",
        "mail.activity.logged.v1",
    ]
    assert await bench.fetch("SELECT item, cause FROM dead_items") == [("g3", "unparsable")]
    assert await bench.waiting() == []


async def test_a_message_made_whole_again_goes_on_counting(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    bench.google.read["g1"] = message()
    await bench.tell(1, "bob@x.test")
    await bench.arrive(connection, message())
    await bench.tell(2)
    await bench.run(connection)
    await bench.tell(3, "bob@x.test")
    await bench.run(connection)
    told = [(one["type"].split(".")[1], int(one["sequence"])) for one in await bench.told()]
    assert told == [
        ("activity", 1),
        ("message", 2),  # redacted
        ("activity", 2),
        ("message", 3),
        ("activity", 3),
    ]


async def test_a_trace_whose_entity_came_meanwhile_is_queued(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    await bench.tell(1, "bob@x.test")
    await bench.arrive(connection, message(), traced=True)
    assert await bench.waiting() == [("bob", "due")]


def decided(connection: Connection, state: HoldState) -> Hold:
    """Return the hold on Bob's links, as a person decided."""
    return Hold(
        tenant_id=connection.tenant_id,
        id=new_id(),
        connection_id=connection.id,
        feed_id=new_id(),
        kind=HOLD_KIND,
        subject="lead/bob",
        affected=6,
        total=6,
        state=state,
        created_at=clock.now(),
        decided_at=clock.now(),
        decided_by="user:ada",
    )


async def test_very_many_links_wait_for_a_yes(bench: Bench) -> None:
    connection = await bench.connect()
    for number in range(6):
        await bench.arrive(connection, message(f"g{number}"))
    await bench.tell(1, "bob@x.test")
    await bench.run(connection, most=5)
    assert bench.holds == [("many-links", "lead/bob", 6, 6)]
    assert await bench.waiting() == [("bob", "held")]
    assert await bench.links() == []

    async with db.transaction(bench.pool) as conn:
        await bench.linker.decide(conn, decided(connection, HoldState.APPROVED))
    await bench.run(connection, most=5)
    assert len(await bench.links()) == 6
    assert len(bench.holds) == 1


async def test_what_was_refused_is_not_linked(bench: Bench) -> None:
    connection = await bench.connect()
    for number in range(6):
        await bench.arrive(connection, message(f"g{number}"))
    await bench.tell(1, "bob@x.test")
    await bench.run(connection, most=5)
    async with db.transaction(bench.pool) as conn:
        await bench.linker.decide(conn, decided(connection, HoldState.REJECTED))
    await bench.run(connection)
    assert (await bench.waiting(), await bench.links()) == ([], [])


async def test_tenants_never_meet(bench: Bench) -> None:
    ours = await bench.connect()
    theirs = await bench.connect("zoe@example.net", tenant_id="umbrella")
    await bench.arrive(ours, message())
    await bench.tell(1, "bob@x.test", tenant_id="umbrella")
    assert await bench.waiting() == []
    await bench.arrive(ours, message("g2"))
    assert await bench.links() == []
    theirs_id = await bench.arrive(theirs, message())
    assert await bench.links() == [("umbrella", "bob", theirs_id)]


@pytest.mark.parametrize("mail_first", [True, False])
async def test_mail_and_entity_at_the_same_moment_find_each_other(
    bench: Bench, *, mail_first: bool
) -> None:
    connection = await bench.connect()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async def both(conn: Conn) -> None:
        if mail_first:
            await bench.store(conn, connection, message())
            group.create_task(bench.tell(1, "bob@x.test"))
        else:
            entity = Entity(entity_type="lead", entity_id="bob", version=1, emails=("bob@x.test",))
            await bench.linker.upsert(conn, "acme", [entity])
            group.create_task(bench.arrive(connection, message()))

        async def is_waiting() -> bool:
            return bool(await conn.fetchval(waiting))

        await eventually(is_waiting)

    async with asyncio.TaskGroup() as group, db.transaction(bench.pool) as conn:
        await both(conn)
    await bench.run(connection)
    assert len(await bench.links()) == 1


async def test_many_of_both_at_once_leave_no_link_out(bench: Bench) -> None:
    connection = await bench.connect()

    async def pair(number: int) -> None:
        who = f"p{number}@x.test"
        await asyncio.gather(
            bench.arrive(connection, message(f"g{number}", sender=who)),
            bench.tell(1, who, ref=EntityRef("lead", str(number))),
        )

    await asyncio.gather(*(pair(number) for number in range(40)))
    await bench.run(connection)
    assert len(await bench.links()) == 40


async def test_a_worker_that_lost_its_lease_links_nothing(bench: Bench) -> None:
    connection = await bench.connect()
    await bench.arrive(connection, message())
    await bench.tell(1, "bob@x.test")
    lost = await bench.lease(connection)
    await bench.lease(connection)
    with pytest.raises(LeaseLost):
        await bench.work().step(lost, connection)
    assert await bench.links() == []
    assert await bench.waiting() == [("bob", "due")]


async def test_an_entity_that_changes_during_a_fetch_is_looked_at_again(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    await bench.arrive(connection, message(), traced=True)
    bench.google.read["g1"] = message()
    await bench.tell(1, "bob@x.test")

    async def changing(feed: Feed, _connection: Connection, google_ids: Sequence[str]) -> Fetches:
        await bench.tell(2, "rob@x.test")
        return await bench.google.fetch(feed, _connection, google_ids)

    work = LinkWork(
        bench.pool,
        bench.linker,
        fetch=changing,
        hold=bench.hold,
        keeper=bench.keeper,
        overtaking=bench.overtaking,
        now=clock.now,
    )
    lease = await bench.lease(connection)
    assert await work.step(lease, connection)
    assert await bench.fetch("SELECT traced FROM messages") == [(True,)]
    await bench.run(connection)
    assert await bench.links() == []


async def test_a_message_that_went_to_spam_stays_a_trace(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    await bench.arrive(connection, message(), traced=True)
    bench.google.read["g1"] = replace(message(), labels=frozenset({"SPAM"}))
    await bench.tell(1, "bob@x.test")
    await bench.run(connection)
    assert await bench.fetch("SELECT traced FROM messages") == [(True,)]


async def test_a_match_is_known_before_anything_is_fetched(bench: Bench) -> None:
    connection = await bench.connect()
    await bench.tell(1, "bob@x.test")
    async with bench.pool.acquire() as conn:
        found = await bench.linker.match(conn, connection, message().content)
        assert found == (BOB,)
        assert await directory.find_by_addresses(conn, "acme", []) == {}
