import asyncio
from uuid import uuid4

import pytest
import structlog

from libs.common import db, inbox, outbox
from libs.common.errors import TooLarge
from libs.common.events.envelope import Envelope
from libs.common.migrate import kernel
from tests.databases import NewDatabase, connected
from tests.messaging import note
from tests.support import eventually

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


STATEMENTS = {
    f"{module.__name__}.{name}": value
    for module in (outbox, inbox)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str) and name != "CHANNEL"
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
async def test_every_statement_fits_the_schema(new_database: NewDatabase, name: str) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        await conn.prepare(STATEMENTS[name])


async def test_an_event_commits_with_its_fact(new_database: NewDatabase) -> None:
    envelope = note()
    async with connected(await new_database(kernel("messaging"))) as conn:
        async with conn.transaction():
            await outbox.append(conn, envelope)

        (row,) = await outbox.list_oldest(conn, 10)

    assert row.event_id == envelope.id
    assert Envelope.from_json(row.body) == envelope
    assert row.type == envelope.type


async def test_an_event_of_a_rolled_back_transaction_never_appears(
    new_database: NewDatabase,
) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        rolled_back = conn.transaction()
        await rolled_back.start()
        await outbox.append(conn, note())
        await rolled_back.rollback()

        assert await outbox.list_oldest(conn, 10) == []


async def test_events_keep_the_order_they_were_appended_in(new_database: NewDatabase) -> None:
    envelopes = [note(number) for number in range(200)]
    async with connected(await new_database(kernel("messaging"))) as conn:
        await outbox.append(conn, *envelopes[:100])
        await outbox.append(conn, *envelopes[100:])

        rows = await outbox.list_oldest(conn, 500)

    assert [row.event_id for row in rows] == [envelope.id for envelope in envelopes]


async def test_a_commit_wakes_who_listens_and_a_rollback_does_not(
    new_database: NewDatabase,
) -> None:
    url, heard = await new_database(kernel("messaging")), list[object]()
    async with connected(url) as listener, connected(url) as conn:
        await listener.add_listener(outbox.CHANNEL, lambda *_: heard.append(None))
        rolled_back = conn.transaction()
        await rolled_back.start()
        await outbox.append(conn, note())
        await rolled_back.rollback()
        async with conn.transaction():
            await outbox.append(conn, note(), note())
            await outbox.append(conn, note())

        await eventually(lambda: heard)
        await listener.fetchval("SELECT 1")
        await listener.reset()

    assert len(heard) == 1


@pytest.mark.parametrize(
    ("given", "kept"), [(TRACE, TRACE), ("nonsense", None), (TRACE.upper(), None), (None, None)]
)
async def test_the_trace_of_the_cause_is_kept_when_it_is_one(
    new_database: NewDatabase, given: str | None, kept: str | None
) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        await outbox.append(conn, note(), traceparent=given)

        (row,) = await outbox.list_oldest(conn, 1)

    assert row.traceparent == kept


async def test_the_trace_is_taken_from_the_log_context(new_database: NewDatabase) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        with structlog.contextvars.bound_contextvars(traceparent=TRACE):
            await outbox.append(conn, note())

        (row,) = await outbox.list_oldest(conn, 1)

    assert row.traceparent == TRACE


async def test_an_event_above_the_limit_is_refused_before_it_is_written(
    new_database: NewDatabase,
) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        with pytest.raises(TooLarge):
            await outbox.append(conn, note(text="x" * outbox.MAX_BODY_BYTES))

        assert await outbox.list_oldest(conn, 1) == []


async def test_buried_rows_come_back_in_their_order(new_database: NewDatabase) -> None:
    envelopes = [note(1), note(2)]
    async with connected(await new_database(kernel("messaging"))) as conn:
        await outbox.append(conn, *envelopes)
        for row in reversed(await outbox.list_oldest(conn, 2)):
            await outbox.bury(conn, row.id, reason="unroutable")
        assert await outbox.list_oldest(conn, 2) == []

        assert await outbox.revive(conn) == 2

        rows = await outbox.list_oldest(conn, 3)
    assert [row.event_id for row in rows] == [envelope.id for envelope in envelopes]


async def test_the_lag_is_the_age_of_the_oldest_event(new_database: NewDatabase) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        assert await outbox.lag_s(conn) == 0
        await outbox.append(conn, note())
        await conn.execute("UPDATE outbox SET created_at = created_at - interval '1 hour'")

        assert 3600 <= await outbox.lag_s(conn) < 3700


async def test_an_event_is_new_to_a_consumer_once(new_database: NewDatabase) -> None:
    event_id = uuid4()
    async with connected(await new_database(kernel("messaging"))) as conn:
        answers = [await inbox.first_time(conn, "directory", event_id) for _ in range(3)]

        assert answers == [True, False, False]
        assert await inbox.first_time(conn, "another", event_id)


async def test_an_event_whose_effect_failed_is_new_again(new_database: NewDatabase) -> None:
    event_id = uuid4()
    async with connected(await new_database(kernel("messaging"))) as conn:
        failed = conn.transaction()
        await failed.start()
        assert await inbox.first_time(conn, "directory", event_id)
        await failed.rollback()

        assert await inbox.first_time(conn, "directory", event_id)


async def test_twin_deliveries_at_once_have_one_effect(new_database: NewDatabase) -> None:
    pool = await db.open_pool(await new_database(kernel("messaging")))
    event_id = uuid4()

    async def handle() -> bool:
        async with db.transaction(pool) as conn:
            new = await inbox.first_time(conn, "directory", event_id)
            await asyncio.sleep(0)
            return new

    answers = await asyncio.gather(*(handle() for _ in range(8)))
    await db.close_pool(pool)

    assert sum(answers) == 1


async def test_old_entries_are_forgotten_in_portions(new_database: NewDatabase) -> None:
    async with connected(await new_database(kernel("messaging"))) as conn:
        for _ in range(3):
            await inbox.first_time(conn, "directory", uuid4())
        await conn.execute("UPDATE inbox SET seen_at = now() - interval '40 days'")
        await inbox.first_time(conn, "directory", uuid4())

        month_s = 30 * 86_400
        counts = [await inbox.purge(conn, older_than_s=month_s, limit=2) for _ in range(3)]

    assert counts == [2, 1, 0]
