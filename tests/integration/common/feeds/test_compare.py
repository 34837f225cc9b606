"""The engine of comparisons, against a side whose every item is known."""

from dataclasses import dataclass, field

import asyncpg
import pytest

from libs.common import clock, db
from libs.common.db import Connection, Pool
from libs.common.feeds import Feed, Lease, NewFeed, holds, store
from libs.common.feeds.compare import Comparison, Listed, Phase, Plan, Reason, Standing
from libs.common.feeds.holds import Hold, HoldState
from tests.integration.common.feeds.conftest import listed, new_feed
from tests.integration.common.feeds.test_claims import claimed

IN_THE_LIST = "SELECT item FROM snapshot_items ORDER BY item"
WAVE = frozenset(f"item {number:02}" for number in range(60))


@dataclass
class Remembering:
    """A side that lists `pages`, holds `held`, and removes what is absent."""

    pool: Pool
    pages: list[list[str]]
    held: frozenset[str]
    removed: list[str] = field(default_factory=list)

    async def list_page(self, _lease: Lease, _plan: Plan, place: str) -> Listed:
        number = int(place or 0)
        following = str(number + 1) if number + 1 < len(self.pages) else None
        return Listed(items=self.pages[number], place=following)

    async def mark_page(self, _lease: Lease, _plan: Plan, _place: str) -> tuple[Listed, str]:
        return Listed(items=[], place=None), ""

    async def count_missing(self, _conn: Connection, _lease: Lease) -> int:
        return 0

    async def count_absent(self, conn: Connection, _lease: Lease, _plan: Plan) -> tuple[int, int]:
        return len(await self._absent(conn)), len(self.held)

    async def work(self, lease: Lease, standing: Standing) -> Standing | None:
        if standing.phase is not Phase.ABSENT or standing.place:
            return None
        moved = standing.at("done")
        async with db.transaction(self.pool) as conn:
            await lease.advance(conn, cursor=moved.model_dump_json())
            self.removed += await self._absent(conn)
        return moved

    async def finished(self, _conn: Connection, _lease: Lease, _standing: Standing) -> None:
        return

    async def _absent(self, conn: Connection) -> list[str]:
        rows = await conn.fetch(IN_THE_LIST)
        return sorted(self.held - {row["item"] for row in rows})


async def begun(pool: Pool) -> Lease:
    """Return the lease of a feed that has just begun a whole comparison."""
    now = clock.now()
    plan = Plan(reason=Reason.AUDIT, since=now, held_since=now, pin="1", started_at=now)
    new: NewFeed = new_feed(cursor=Standing(plan=plan).model_dump_json())
    async with db.transaction(pool) as conn:
        await store.open_feed(conn, new, now=now)
    (lease,) = await claimed(pool)
    return lease


async def compared(pool: Pool, side: Remembering, lease: Lease) -> bool:
    """Go on from where the lease's cursor stands; say whether all is done."""
    standing = Standing.model_validate_json(lease.cursor or "")
    return await Comparison(pool, side, now=clock.now).run(lease, standing)


async def test_what_a_later_page_lists_is_not_absent(pool: Pool) -> None:
    side = Remembering(pool, [["a"], ["b"], ["c"]], held=frozenset("abcd"))

    assert await compared(pool, side, await begun(pool))

    assert side.removed == ["d"]


async def test_a_page_that_could_not_be_kept_is_listed_again(pool: Pool) -> None:
    lease = await begun(pool)
    side = Remembering(pool, [["a", "no text of Postgres: \0"], ["b"]], held=frozenset("abd"))
    with pytest.raises(asyncpg.PostgresError):
        await compared(pool, side, lease)

    side.pages[0] = ["a"]
    lease.cursor = (await listed(pool, lease.feed)).cursor
    assert await compared(pool, side, lease)

    assert side.removed == ["d"]


async def test_a_wave_of_absences_waits_for_a_person(pool: Pool) -> None:
    lease = await begun(pool)
    side = Remembering(pool, [[]], held=WAVE)

    assert not await compared(pool, side, lease)

    assert side.removed == []
    hold = await asked(pool, lease.feed)
    assert (hold.affected, hold.total, hold.state) == (60, 60, HoldState.OPEN)


@pytest.mark.parametrize(("approve", "removed"), [(True, sorted(WAVE)), (False, [])])
async def test_a_wave_goes_as_the_person_says(
    pool: Pool,
    *,
    approve: bool,
    removed: list[str],
) -> None:
    lease = await begun(pool)
    side = Remembering(pool, [[]], held=WAVE)
    await compared(pool, side, lease)
    hold = await asked(pool, lease.feed)
    async with db.transaction(pool) as conn:
        await holds.decide_hold(conn, "acme", hold.id, approve=approve, by="a", now=clock.now())

    assert await compared(pool, side, lease)

    assert side.removed == removed


async def asked(pool: Pool, feed: Feed) -> Hold:
    async with pool.acquire() as conn:
        hold = await holds.newest_hold(conn, feed, kind="mass-deletion", subject="")
    assert hold is not None
    return hold
