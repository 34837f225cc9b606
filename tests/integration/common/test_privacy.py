"""Requests about people: taken up part by part, forgotten when done, tried again when not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from libs.common import db, outbox
from libs.common.db import Connection, Pool
from libs.common.errors import Transient
from libs.common.housekeeping import clean_house, dead_events_chore, privacy_chore
from libs.common.migrate import kernel
from libs.common.privacy import Desk, Kind, Person, Request, State, Step, store
from libs.common.privacy.outgoing_events import OutgoingEvents
from libs.common.privacy.worker import MOST_FAILURES, Worker
from tests.databases import NewDatabase

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADA = Person(tenant_id="acme", user_id="ada", addresses=("z.q@x.test",))


@pytest.fixture
async def pool(new_database: NewDatabase) -> AsyncIterator[Pool]:
    pool = await db.open_pool(await new_database(kernel("messaging"), kernel("privacy")))
    yield pool
    await db.close_pool(pool)


@dataclass
class Counting:
    """A part that takes so many steps."""

    name: str
    steps: int = 2
    fails: bool = False
    seen: list[int] = field(default_factory=list)

    async def step(self, conn: Connection, request: Request, person: Person) -> Step:
        assert person == ADA
        done = int(request.place["done"]) if request.place else 0
        self.seen.append(done)
        await conn.execute(
            "INSERT INTO inbox (consumer, event_id) VALUES ($1, gen_random_uuid())", self.name
        )
        if self.fails:
            raise Transient("Not now.")
        is_last = done + 1 == self.steps
        return Step(
            found={"things": 1},
            notes=[f"by-{self.name}"],
            place=None if is_last else {"done": done + 1},
        )


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


async def asked(pool: Pool, kind: Kind = Kind.ERASE) -> Request:
    async with db.transaction(pool) as conn:
        return await store.add_request(conn, ADA, kind, now=NOON)


async def looked(pool: Pool, request: Request) -> Request:
    async with db.transaction(pool) as conn:
        return await store.get_request(conn, "acme", request.id)


def desk(*parts: Counting) -> Desk:
    return Desk(extracts={}, parts=parts, coverage={})


async def test_every_part_takes_its_turn_and_then_nobody_knows_who_it_was(pool: Pool) -> None:
    request, one, two = await asked(pool), Counting("one"), Counting("two", steps=1)
    worker = Worker(pool, desk(one, two), now=Clock())
    while await worker.step():
        pass
    ended = await looked(pool, request)
    assert (ended.state, ended.person, ended.place) == (State.DONE, None, None)
    assert (ended.found, ended.notes) == ({"things": 3}, ("by-one", "by-two"))
    assert (one.seen, two.seen) == ([0, 1], [0])
    async with pool.acquire() as conn:
        rows = await conn.fetch("SELECT r::text AS line FROM privacy_requests r")
    assert not any("ada" in row["line"] or "z.q" in row["line"] for row in rows)


async def test_a_step_that_breaks_off_leaves_nothing_and_is_tried_again(pool: Pool) -> None:
    request, one = await asked(pool), Counting("one", fails=True)
    now = Clock()
    worker = Worker(pool, desk(one), now=now)
    assert await worker.step()
    assert not await worker.step()  # not at once
    broken = await looked(pool, request)
    assert (broken.state, broken.reason, broken.failures) == (State.QUEUED, "unavailable", 1)
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM inbox") == 0
    one.fails = False
    now.now += timedelta(minutes=1)
    while await worker.step():
        pass
    assert (await looked(pool, request)).state is State.DONE


async def test_what_fails_for_long_is_given_up_and_forgotten(pool: Pool) -> None:
    request, now = await asked(pool), Clock()
    worker = Worker(pool, desk(Counting("one", fails=True)), now=now)
    for _ in range(MOST_FAILURES):
        assert await worker.step()
        now.now += timedelta(hours=1)
    ended = await looked(pool, request)
    assert (ended.state, ended.reason, ended.person) == (State.FAILED, "unavailable", None)
    assert not await worker.step()


async def test_two_workers_never_work_on_one_request(pool: Pool) -> None:
    await asked(pool)
    async with db.transaction(pool) as conn:
        assert await store.take_due(conn, now=NOON) is not None
        assert not await Worker(pool, desk(Counting("one")), now=Clock()).step()


async def test_a_part_of_another_release_means_that_all_begins_anew(pool: Pool) -> None:
    request, one = await asked(pool), Counting("one", steps=1)
    async with db.transaction(pool) as conn:
        await store.note_step(conn, request, Step(place={"x": 1}), part="gone", due_at=NOON)
    worker = Worker(pool, desk(one), now=Clock())
    while await worker.step():
        pass
    assert one.seen == [0]


EVENTS = (
    ("acme", {"user_id": "ada", "account": {"email": "a@x.test"}}),
    ("acme", {"user_id": "bea", "to": [{"address": "Z.Q@x.test"}]}),
    ("umbrella", {"user_id": "ada", "to": [{"address": "z.q@x.test"}]}),
)


async def waiting(pool: Pool) -> list[str]:
    async with pool.acquire() as conn:
        rows = await conn.fetch(
            "SELECT convert_from(body, 'UTF8') AS body FROM outbox UNION ALL"
            " SELECT convert_from(body, 'UTF8') FROM outbox_dead"
        )
    return [row["body"] for row in rows]


@pytest.fixture
async def full(pool: Pool) -> Pool:
    """Events in the outbox, waiting and dead."""
    async with pool.acquire() as conn:
        for tenant, data in EVENTS:
            await conn.execute(
                "INSERT INTO outbox (event_id, type, body) SELECT gen_random_uuid(), 'a.b.c',"
                " convert_to(jsonb_build_object('id', 'x', 'tenantid', $1::text, 'subject', 'a/b',"
                " 'data', $2::jsonb)::text, 'UTF8')",
                tenant,
                data,
            )
        await conn.execute(
            "INSERT INTO outbox_dead (id, event_id, type, body, created_at, reason)"
            " SELECT id, event_id, type, body, created_at, 'refused' FROM outbox"
        )
    return pool


@pytest.mark.parametrize("drops_users", [True, False])
async def test_events_on_their_way_name_the_person_no_more(
    full: Pool, *, drops_users: bool
) -> None:
    request = await asked(full)
    part = OutgoingEvents(drops_users=drops_users)
    await _work(full, part)
    left = await waiting(full)
    assert len(left) == (4 if drops_users else 6)
    mine = [one for one in left if '"acme"' in one]
    assert not any(word in one for one in mine for word in ("ada", "a@x.test", "z.q", "Z.Q"))
    assert sum("z.q@x.test" in one for one in left) == 2  # the other tenant's
    assert (await looked(full, request)).found == {"unpublished events": 4}


async def _work(pool: Pool, part: OutgoingEvents) -> None:
    worker = Worker(pool, Desk(extracts={}, parts=[part], coverage={}), now=Clock())
    while await worker.step():
        pass


async def test_a_dry_run_leaves_events_as_they_are(full: Pool) -> None:
    before, request = await waiting(full), await asked(full, Kind.COUNT)
    await _work(full, OutgoingEvents(drops_users=True))
    assert await waiting(full) == before
    assert (await looked(full, request)).found == {"unpublished events": 4}


async def test_old_dead_events_and_old_requests_are_forgotten(full: Pool) -> None:
    request = await asked(full)
    async with db.transaction(full) as conn:
        await store.finish_request(conn, request, State.DONE, now=NOON)
        await conn.execute("UPDATE outbox_dead SET died_at = $1", NOON)
        assert await outbox.purge_dead(conn, before=NOON) == 0
    late = Clock(NOON + timedelta(days=4 * 365))
    chores = (dead_events_chore(86_400, now=late), privacy_chore(now=late))
    assert await clean_house(full, chores, now=late)
    async with full.acquire() as conn:
        for table in ("outbox_dead", "privacy_requests"):
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
