"""An address book compared with Google in full: after a gap, on request, and every day.

People come with the list itself, so that what differs is taken in as it is listed. Whom the list
lacks is asked for before they go: they may be there under another name.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter

from libs.common import jobs, outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.events import contacts as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.feeds import Feed, Lease
from libs.common.feeds.compare import Comparison, Listed, Phase, Plan, Reason, Standing
from libs.common.feeds.store import next_sequence, open_feed
from libs.common.quota import Lane
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Person
from services.contacts.google import GooglePeople
from services.contacts.google.reading import MOST_ASKED
from services.contacts.store import connections
from services.contacts.store import people as store
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.feeds import new_audit_feed, wake, work_address
from services.contacts.sync.inward.chunk import Taken
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.inward.parting import let_go

log = structlog.get_logger(__name__)

CHUNK: Final = 200
REPAIRED = Counter(
    "causeway_contacts_repaired_total",
    "Contacts that comparisons found to differ, by reason and kind.",
    ["reason", "kind"],
)


def standing_of(*, reason: Reason, now: datetime) -> Standing:
    """Return the beginning of a comparison of all that should be here."""
    plan = Plan(reason=reason, since=now, held_since=now, pin="0", started_at=now)
    return Standing(plan=plan)


async def open_comparison(
    conn: Conn, connection: Connection, *, reason: Reason, now: datetime
) -> Feed:
    """Let an address book be compared soon; a comparison that is under way begins anew."""
    standing = standing_of(reason=reason, now=now)
    wanted = new_audit_feed(connection, cursor=standing.model_dump_json())
    return await open_feed(conn, wanted, now=now)


class Audits:
    """Runs feeds of the kind `contacts.audit`."""

    def __init__(
        self,
        pool: Pool,
        google: GooglePeople,
        *,
        intake: Intake,
        propagation: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """Compare through `google`, and take in what differs through `intake`.

        For `propagation` Google may not show what was written.
        """
        self._pool = pool
        self._google = google
        self._intake = intake
        self._propagation = propagation
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Go on with the comparison under way, or begin another.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google or auth; what was
                committed stays.
        """
        feed = lease.feed
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
        if connection is None or not connection.is_read:
            return
        standing = Standing.model_validate_json(lease.cursor) if lease.cursor else None
        if standing is None or standing.phase is Phase.FINISHED:
            standing = standing_of(reason=Reason.AUDIT, now=self._now())
        side = _Side(self, connection)
        if await Comparison(self._pool, side, now=self._now).run(lease, standing):
            async with transaction(self._pool) as conn:  # for whoever asked for it
                await wake(conn, work_address(connection.id), now=self._now())

    async def take(
        self,
        connection: Connection,
        lease: Lease,
        people: Sequence[Person],
        *,
        gone: Sequence[str] = (),
        cursor: Standing | None = None,
    ) -> Taken:
        """Take in what differs, fenced by the lease; with the cursor moved if one is given."""
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
            taken = await self._intake.take(turn, connection, people, origin=Origin.REPAIR)
            known = await store.find_people(conn, connection.tenant_id, connection.id, gone)
            left = [one for one in known.values() if one.is_live]
            lost = await let_go(turn, connection, left, origin=Origin.REPAIR)
            taken.removed += lost.removed
            await turn.end()
            moved = (lease.cursor or "") if cursor is None else cursor.model_dump_json()
            await lease.advance(conn, cursor=moved)
            if cursor is not None:
                await jobs.advance_job(conn, lease.feed, done=cursor.done, total=cursor.total)
        return taken

    @property
    def pool(self) -> Pool:
        """Return the service's database."""
        return self._pool

    @property
    def propagation(self) -> timedelta:
        """Return for how long Google may not show what was written."""
        return self._propagation

    @property
    def google(self) -> GooglePeople:
        """Return Google."""
        return self._google

    def now(self) -> datetime:
        """Return the present moment."""
        return self._now()


class _Side:
    """What the engine has to know of one address book."""

    def __init__(self, audits: Audits, connection: Connection) -> None:
        self._audits = audits
        self._connection = connection
        self._box = audits.google.box(connection, Lane.BACKFILL)

    async def list_page(self, lease: Lease, plan: Plan, place: str) -> Listed:
        """Return a page of who is at Google, having taken in what differs."""
        del plan
        page = await self._box.list_people(
            sync_token=None, page_token=place or None, to_follow=False
        )
        people = [one for one in page.people if not one.is_deleted]
        all_of_it = Taken()
        for start in range(0, len(people), CHUNK):
            taken = await self._audits.take(self._connection, lease, people[start : start + CHUNK])
            all_of_it.added += taken.added
            all_of_it.changed += taken.changed
        ids = [one.resource for one in people]
        ids += [one.resource for one in page.unreadable if one.resource is not None]
        counts = {"added": all_of_it.added, "changed": all_of_it.changed}
        return Listed(items=ids, place=page.next_page_token, counts=counts)

    async def mark_page(self, lease: Lease, plan: Plan, place: str) -> tuple[Listed, str]:
        """Return nothing: a person says all themselves."""
        del lease, plan, place
        return Listed(items=[], place=None), ""

    async def count_missing(self, conn: Conn, lease: Lease) -> int:
        """Return 0: who was listed is here."""
        del conn, lease
        return 0

    async def count_absent(self, conn: Conn, lease: Lease, plan: Plan) -> tuple[int, int]:
        """Return how many contacts were not listed, and how many there are."""
        one = self._connection
        return await store.count_absent(
            conn, one.tenant_id, one.id, lease.feed.id, started_at=plan.started_at
        )

    async def work(self, lease: Lease, standing: Standing) -> Standing | None:
        """Ask for people who were not listed, and let those go who are gone."""
        if standing.phase is not Phase.ABSENT:
            return None
        one = self._connection
        async with self._audits.pool.acquire() as conn:
            absent = await store.list_absent(
                conn,
                one.tenant_id,
                one.id,
                lease.feed.id,
                started_at=standing.plan.started_at,
                after=standing.place,
                limit=MOST_ASKED,
            )
        if not absent:
            return None
        answers = await self._box.get_people(absent)
        unknown = [name for name in absent if name in answers and answers[name] is None]
        gone = await self._without_fresh(lease, unknown)
        there = [_as_asked(name, found) for name, found in answers.items() if found is not None]
        moved = standing.at(absent[-1], removed=len(gone), kept=len(there))
        await self._audits.take(one, lease, there, gone=gone, cursor=moved)
        return moved

    async def _without_fresh(self, lease: Lease, unknown: Sequence[str]) -> list[str]:
        """Return people without those we made so lately that Google may not show them yet."""
        one, audits = self._connection, self._audits
        async with audits.pool.acquire() as conn:
            known = await store.find_people(conn, one.tenant_id, one.id, unknown)
        since = audits.now() - audits.propagation
        fresh = {
            name
            for name, found in known.items()
            if found.made_by_us and found.google_updated and found.google_updated > since
        }
        if fresh:  # whether they are there is seen then
            lease.poll_within(audits.propagation.total_seconds())
        return [name for name in unknown if name not in fresh]

    async def finished(self, conn: Conn, lease: Lease, standing: Standing) -> None:
        """Tell what the comparison found."""
        plan, one, now = standing.plan, self._connection, self._audits.now()
        counts = {
            name: standing.counts.get(name, 0) for name in ("listed", "added", "changed", "removed")
        }
        for kind in ("added", "changed", "removed"):
            REPAIRED.labels(plan.reason.value, kind).inc(counts[kind])
        log.info("contacts_compared", reason=plan.reason.value, **counts)
        event = published.FeedResynced(
            origin=Origin.REPAIR,
            feed_id=lease.feed.id,
            connection_id=one.id,
            user_id=one.user_id,
            reason=plan.reason.value,
            started_at=plan.started_at,
            finished_at=now,
            counts=published.ResyncCounts(**counts),
        )
        sequence = await next_sequence(conn, lease.feed)
        told = Envelope.of(
            event,
            tenant_id=one.tenant_id,
            aggregate_id=str(lease.feed.id),
            sequence=sequence,
            time=now,
        )
        await outbox.append(conn, told)


def _as_asked(name: str, found: Person) -> Person:
    """Return a person with the name they were asked for by, if that is not theirs any more."""
    if found.resource == name or name in found.former:
        return found
    return replace(found, former=(*found.former, name))
