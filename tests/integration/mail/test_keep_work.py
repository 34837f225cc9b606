"""Settings that change while mail comes in, while others work, and while processes die."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from libs.common import clock, db
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import Feed, LeaseLost
from services.mail.app import migrations
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change
from services.mail.domain.keeping import reduced
from services.mail.domain.message import Fetched, Keep, Policy
from services.mail.domain.preferences import DEFAULT, Body, Preferences
from services.mail.sync.inward import keep_work
from services.mail.sync.inward.fetching import Fetches
from services.mail.sync.inward.intake import Intake
from services.mail.sync.inward.keep_work import KeepWorker
from services.mail.sync.settings import SettingsWriter
from tests.databases import NewDatabase
from tests.integration.mail.bench import Bench, message
from tests.support import eventually

REDACTED = "mail.message.redacted.v1"
LEVELS = "SELECT google_id, traced, kept FROM messages ORDER BY google_id"


@pytest.fixture
async def bench(new_database: NewDatabase) -> AsyncIterator[Bench]:
    pool = await db.open_pool(await new_database(*migrations()))
    yield Bench(pool)
    await db.close_pool(pool)


async def put(
    bench: Bench,
    connection: Connection,
    policy: Policy = Policy.ALL,
    preferences: Preferences = DEFAULT,
) -> None:
    async with db.transaction(bench.pool) as conn:
        await _put(bench, conn, connection, policy, preferences)


async def _put(
    bench: Bench,
    conn: Conn,
    connection: Connection,
    policy: Policy,
    preferences: Preferences = DEFAULT,
) -> None:
    writer = SettingsWriter(bench.linker, now=clock.now)
    await writer.put(
        conn,
        connection,
        policy=policy,
        preferences=preferences,
        backfill_days=None,
        visibility=None,
    )


def worker(bench: Bench, fetch: Any = None) -> KeepWorker:
    async def refresh(_connection: Connection) -> None:
        raise AssertionError("nobody filters by labels here")

    return KeepWorker(
        bench.pool,
        bench.linker,
        bench.keeper,
        fetch=fetch or bench.google.fetch,
        refresh=refresh,
        overtaking=bench.overtaking,
        now=clock.now,
    )


async def run(bench: Bench, connection: Connection, fetch: Any = None) -> None:
    lease, mine, links = await bench.lease(connection), worker(bench, fetch), bench.work()
    while True:
        linked = await links.step(lease, connection)
        if not await mine.step(lease, connection) and not linked:
            return


def intake(bench: Bench) -> Intake:
    nobody: Any = None
    return Intake(bench.pool, nobody, bench.linker, keeper=bench.keeper, now=clock.now)


async def take(bench: Bench, conn: Conn, connection: Connection, *mail: Fetched) -> None:
    """Commit mail as the live feed does, which fetched it under the settings of `connection`."""
    await directory.lock_shared(conn, connection.tenant_id)
    changes = {one.google_id: Change(one.google_id, arrived=True) for one in mail}
    fetches = Fetches(read={one.google_id: one for one in mail})
    feed: Any = None
    await intake(bench).commit(conn, feed, connection, changes, fetches, origin=Origin.LIVE)


async def levels(bench: Bench) -> dict[str, str]:
    rows = await bench.fetch(LEVELS)
    return {
        google_id: "trace" if traced and kept != "nothing" else kept
        for google_id, traced, kept in rows
    }


async def phases(bench: Bench) -> list[tuple[str, str]]:
    return await bench.fetch("SELECT phase, after FROM keep_work")


async def test_mail_on_its_way_is_kept_by_the_settings_at_its_commit(bench: Bench) -> None:
    connection = await bench.connect()
    await put(bench, connection, Policy.NONE)
    async with db.transaction(bench.pool) as conn:
        await take(bench, conn, connection, message())  # fetched whole, under `all`
    assert await levels(bench) == {"g1": "trace"}
    assert await bench.told() == []


@pytest.mark.parametrize("settings_first", [True, False])
async def test_settings_and_mail_at_the_same_moment_leave_nothing_forbidden(
    bench: Bench, *, settings_first: bool
) -> None:
    connection = await bench.connect()
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async def later() -> None:
        async with db.transaction(bench.pool) as conn:
            if settings_first:
                await take(bench, conn, connection, message())
            else:
                await _put(bench, conn, connection, Policy.NONE)

    async with asyncio.TaskGroup() as group, db.transaction(bench.pool) as conn:
        if settings_first:
            await _put(bench, conn, connection, Policy.NONE)
        else:
            await take(bench, conn, connection, message())
        group.create_task(later())

        async def is_waiting() -> bool:
            return bool(await conn.fetchval(waiting))

        await eventually(is_waiting)
    await run(bench, connection)
    assert await levels(bench) == {"g1": "trace"}
    told = [one["type"] for one in await bench.told()]
    assert told == ([] if settings_first else ["mail.message.received.v1", REDACTED])


async def test_mail_of_which_too_little_was_fetched_is_looked_at_again(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.KNOWN)
    whole = message()
    await put(bench, connection, Policy.ALL)
    await run(bench, connection)
    assert await phases(bench) == []
    async with db.transaction(bench.pool) as conn:
        await take(bench, conn, connection, reduced(whole, Keep.TRACE))
    assert await levels(bench) == {"g1": "trace"}
    assert await phases(bench) == [("reduce", "")]
    bench.google.read["g1"] = whole
    await run(bench, connection)
    assert await levels(bench) == {"g1": "whole"}


async def test_a_run_that_breaks_off_goes_on_where_it_was_and_tells_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_work, "REDUCED_AT_ONCE", 2)
    connection = await bench.connect()
    for number in range(5):
        await bench.arrive(connection, message(f"g{number}"))
    await put(bench, connection, Policy.KNOWN)
    lease = await bench.lease(connection)
    await worker(bench).step(lease, connection)
    assert await phases(bench) == [("reduce", "g1")]
    dead = await bench.lease(connection)  # another worker has it from here on
    with pytest.raises(LeaseLost):
        await worker(bench).step(lease, connection)
    assert dead
    await run(bench, connection)
    assert set((await levels(bench)).values()) == {"trace"}
    told = [one["data"]["google_message_id"] for one in await bench.told()]
    assert told == [f"g{number}" for number in range(5)]


async def test_settings_that_change_again_begin_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_work, "REDUCED_AT_ONCE", 2)
    connection = await bench.connect()
    for number in range(4):
        await bench.arrive(connection, message(f"g{number}"))
        bench.google.read[f"g{number}"] = message(f"g{number}")
    await put(bench, connection, Policy.NONE)
    await worker(bench).step(await bench.lease(connection), connection)
    assert list((await levels(bench)).values()) == ["trace", "trace", "whole", "whole"]
    await put(bench, connection, Policy.ALL)
    assert await phases(bench) == [("reduce", "")]
    await run(bench, connection)
    assert set((await levels(bench)).values()) == {"whole"}


async def test_settings_that_change_during_a_fetch_decide_on_what_was_fetched(
    bench: Bench,
) -> None:
    connection = await bench.connect(policy=Policy.NONE)
    await bench.arrive(connection, message(), traced=True)
    bench.google.read["g1"] = message()
    await put(bench, connection, Policy.ALL)

    async def changing(feed: Feed, of: Connection, google_ids: Sequence[str]) -> Fetches:
        await put(bench, connection, Policy.NONE)
        return await bench.google.fetch(feed, of, google_ids)

    await run(bench, connection, fetch=changing)
    assert await levels(bench) == {"g1": "trace"}
    assert await bench.told() == []


async def test_a_trace_whose_message_is_gone_goes_and_one_that_cannot_be_read_is_put_aside(
    bench: Bench,
) -> None:
    connection = await bench.connect(policy=Policy.NONE)
    for name in ("g1", "g2", "g3"):
        await bench.arrive(connection, message(name), traced=True)
    bench.google.read["g1"] = message()
    bench.google.unreadable["g3"] = "unparsable"
    await put(bench, connection, Policy.ALL)
    await run(bench, connection)
    assert await levels(bench) == {"g1": "whole", "g3": "trace"}
    assert await bench.fetch("SELECT item, cause FROM dead_items") == [("g3", "unparsable")]


async def test_what_went_to_spam_meanwhile_stays_a_trace(bench: Bench) -> None:
    connection = await bench.connect(policy=Policy.NONE)
    await bench.arrive(connection, message(), traced=True)
    bench.google.read["g1"] = replace(message(), labels=frozenset({"SPAM"}))
    await put(bench, connection, Policy.ALL)
    await run(bench, connection)
    assert await levels(bench) == {"g1": "trace"}


async def test_labels_that_moved_during_a_fetch_stay_as_the_history_has_them(bench: Bench) -> None:
    connection = await bench.connect()
    await bench.arrive(connection, message())
    await put(bench, connection, preferences=Preferences(body=Body.SNIPPET))
    await run(bench, connection)
    await put(bench, connection)
    bench.google.read["g1"] = message()  # as it was before the history went on
    await bench.fetch("UPDATE messages SET labels = '{STARRED}', label_history_id = 99")
    await run(bench, connection)
    rows = await bench.fetch("SELECT kept, labels, label_history_id FROM messages")
    assert rows == [("whole", ["STARRED"], 99)]


async def test_very_many_removals_that_somebody_asked_for_are_not_held(bench: Bench) -> None:
    connection = await bench.connect()
    for number in range(120):
        await bench.arrive(connection, message(f"g{number:03}"))
    await put(bench, connection, Policy.NONE)
    await run(bench, connection)
    assert set((await levels(bench)).values()) == {"trace"}
    assert bench.holds == []


async def test_settings_of_a_tenant_touch_no_others_mail(bench: Bench) -> None:
    ours = await bench.connect()
    theirs = await bench.connect("zoe@example.net", tenant_id="umbrella")
    await bench.arrive(ours, message())
    await bench.arrive(theirs, message())
    await put(bench, ours, Policy.NONE, Preferences(own_domains=("x.test",)))
    assert await bench.fetch("SELECT tenant_id, connection_id FROM keep_work") == [
        ("acme", ours.id)
    ]
    await run(bench, ours)
    rows = await bench.fetch("SELECT tenant_id, traced FROM messages ORDER BY 1")
    assert rows == [("acme", True), ("umbrella", False)]
