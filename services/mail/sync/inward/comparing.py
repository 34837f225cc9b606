"""Comparing a mailbox in full: backfill, gap repair and audit are one thing, with other plans.

The new cursor is pinned before the comparison, so that what happens meanwhile is in the history
that follows. Nothing is removed on the word of a list alone: Google is asked for each.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from prometheus_client import Counter

from libs.common import jobs, outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import Transient
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from libs.common.feeds.compare import Listed, Phase, Plan, Reason, Standing
from libs.common.feeds.snapshot import WANTED
from libs.common.feeds.store import next_sequence
from libs.common.google.errors import RequestRefused
from libs.common.quota import Lane
from services.mail.domain import events
from services.mail.domain.connection import Connection
from services.mail.domain.history import MOST_FETCHED, Change, Step, Worn
from services.mail.domain.label import Label
from services.mail.domain.message import Known
from services.mail.google import Gmail
from services.mail.store import connections, runs, snapshots
from services.mail.sync.inward.fetching import Fetcher, Fetches
from services.mail.sync.inward.intake import Intake
from services.mail.sync.inward.keep_queue import queue_keeping
from services.mail.sync.inward.label_names import keep_names
from services.mail.sync.inward.overtaking import MOST_LOOKS, catch_up

log = structlog.get_logger(__name__)

MOST_RELABELLED = MOST_FETCHED  # each may have to be asked for
RECENT, HELD = "recent", "held"
ADDED, RELABELLED, REMOVED, VANISHED, KEPT = "added", "relabelled", "removed", "vanished", "kept"

REPAIRED = Counter(
    "causeway_mail_compared_total", "What comparisons found, by their reason.", ["reason", "kind"]
)


class MailSide:
    """One connection's mailbox, as `libs.common.feeds.compare` wants it taught."""

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        connection: Connection,
        fetcher: Fetcher,
        intake: Intake,
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._box = gmail.box(connection, Lane.BACKFILL)
        self._connection = connection
        self._fetcher = fetcher
        self._intake = intake
        self._now = now

    async def list_page(self, lease: Lease, plan: Plan, place: str) -> Listed:
        """List what is younger than the plan says, then as far back as anything is held."""
        del lease
        window, _, token = place.partition(" ")
        held = window == HELD
        since = (plan.held_since or plan.since) if held else plan.since
        ids, token_after = await self._list(since, token, only_mail=not plan.whole)
        marks = () if held else WANTED
        if token_after is not None:
            following: str | None = f"{window or RECENT} {token_after}"
        elif not held and plan.held_since is not None and plan.held_since < plan.since:
            following = HELD
        else:
            following = None
        return Listed(items=ids, marks=marks, place=following)

    async def _list(
        self, since: datetime, token: str, *, only_mail: bool
    ) -> tuple[list[str], str | None]:
        try:
            return await self._box.list_ids(
                since=since, only_mail=only_mail, page_token=token or None
            )
        except RequestRefused:
            if not token:
                raise
            # The token died with the pause before it: from the top, which repeats nothing.
            return await self._box.list_ids(since=since, only_mail=only_mail)

    async def mark_page(self, lease: Lease, plan: Plan, place: str) -> tuple[Listed, str]:
        """List what wears one label, label by label."""
        del lease
        labels = sorted(await self._box.labels(), key=lambda label: label.google_id)
        if not place:
            await self._keep_names(labels)
        label, _, token = place.partition(" ")
        label = label or (labels[0].google_id if labels else "")
        if not label:
            return Listed(items=[], place=None), ""
        ids, token_after = await self._wearing(label, plan.held_since or plan.since, token)
        if token_after is not None:
            return Listed(items=ids, place=f"{label} {token_after}"), label
        following = next((one.google_id for one in labels if one.google_id > label), None)
        return Listed(items=ids, place=following), label

    async def _wearing(
        self, label: str, since: datetime, token: str
    ) -> tuple[list[str], str | None]:
        try:
            return await self._box.list_ids(since=since, label=label, page_token=token or None)
        except RequestRefused:
            if not token:
                return [], None  # the label was removed meanwhile: nothing wears it
            return await self._box.list_ids(since=since, label=label)

    async def _keep_names(self, labels: Sequence[Label]) -> None:
        one = self._connection
        await keep_names(self._pool, one, labels, now=self._now())

    async def count_missing(self, conn: Conn, lease: Lease) -> int:
        """Return how many listed messages are not held."""
        return await snapshots.count_missing(conn, lease.feed)

    async def count_absent(self, conn: Conn, lease: Lease, plan: Plan) -> tuple[int, int]:
        """Return how many held messages were not listed, and how many are held."""
        return await snapshots.count_absent(
            conn,
            lease.feed,
            held_since=plan.held_since or plan.since,
            started_at=plan.started_at,
            pin=int(plan.pin),
        )

    async def work(self, lease: Lease, standing: Standing) -> Standing | None:
        """Work off a chunk of the difference; None when the phase has nothing left."""
        match standing.phase:
            case Phase.MISSING:
                return await self._take_missing(lease, standing)
            case Phase.CHANGED:
                return await self._relabel(lease, standing)
            case Phase.ABSENT:
                return await self._remove(lease, standing)
        return None

    async def _take_missing(self, lease: Lease, standing: Standing) -> Standing | None:
        async with self._pool.acquire() as conn:
            after = int(standing.place or 0)
            found = await snapshots.list_missing(conn, lease.feed, after=after, limit=MOST_FETCHED)
            await self._refresh(conn)
            seen = await runs.live_cursor(conn, lease.feed)
        if not found:
            return None
        ids = [item for item, _ in found]
        fetches = await self._fetcher.fetch(
            lease.feed, self._connection, ids, lane=Lane.BACKFILL, patient=False
        )
        changes = {google_id: Change(google_id, arrived=True) for google_id in ids}
        for _ in range(MOST_LOOKS):
            counts = {ADDED: len(fetches.read), VANISHED: len(fetches.absent)}
            moved = standing.at(str(found[-1][1]), done=len(ids), **counts)
            async with transaction(self._pool) as conn:
                await directory.lock_shared(conn, self._connection.tenant_id)
                if await runs.hold_live_cursor(conn, lease.feed) <= seen:
                    await self._write(conn, lease, moved, changes, fetches)
                    return moved
            seen = await catch_up(self._pool, self._box, lease.feed, fetches, since=seen)
        raise Transient("The mailbox changes faster than it can be compared.")

    async def _refresh(self, conn: Conn) -> None:
        """Go by the settings as they are: a comparison may take hours."""
        one = self._connection
        found = await connections.find_connection(conn, one.tenant_id, one.id)
        self._connection = found or one

    async def _relabel(self, lease: Lease, standing: Standing) -> Standing | None:
        pin = int(standing.plan.pin)
        async with self._pool.acquire() as conn:
            found = await snapshots.list_changed(
                conn, lease.feed, after=standing.place, limit=MOST_RELABELLED
            )
        if not found:
            return None
        changes = {
            known.google_id: Change(
                known.google_id,
                steps=[Step(pin, added=worn - known.labels, removed=known.labels - worn)],
            )
            for known, worn in found
            if known.label_history_id < pin
        }
        changes |= await self._worn([one for one, _ in found if one.google_id not in changes])
        moved = standing.at(found[-1][0].google_id, **{RELABELLED: len(changes)})
        return await self._commit(lease, moved, changes, Fetches())

    async def _worn(self, moved_on: Sequence[Known]) -> dict[str, Change]:
        """Return what differs of messages that history has moved on past the pin.

        The list may be older than what history did, and history knows nothing of what was missed
        before the pin: only the message itself says what it wears.
        """
        answers = await asyncio.gather(
            *(self._box.fetch_envelope(one.google_id) for one in moved_on)
        )
        return {
            known.google_id: Change(known.google_id, worn=Worn(answer.history_id, answer.labels))
            for known, answer in zip(moved_on, answers, strict=True)
            if answer is not None and answer.labels != known.labels
        }

    async def _remove(self, lease: Lease, standing: Standing) -> Standing | None:
        plan = standing.plan
        async with self._pool.acquire() as conn:
            absent = await snapshots.list_absent(
                conn,
                lease.feed,
                after=standing.place,
                held_since=plan.held_since or plan.since,
                started_at=plan.started_at,
                pin=int(plan.pin),
                limit=MOST_FETCHED,
            )
        if not absent:
            return None
        gone = await self._confirm(absent)
        changes = {google_id: Change(google_id, deleted=True) for google_id in gone}
        counts = {REMOVED: len(gone), KEPT: len(absent) - len(gone)}
        return await self._commit(lease, standing.at(absent[-1], **counts), changes, Fetches())

    async def _confirm(self, absent: Sequence[str]) -> list[str]:
        """Return those that Google, asked for each, does not have."""
        answers = await asyncio.gather(*(self._box.fetch_envelope(one) for one in absent))
        return [one for one, answer in zip(absent, answers, strict=True) if answer is None]

    async def _commit(
        self, lease: Lease, moved: Standing, changes: dict[str, Change], fetches: Fetches
    ) -> Standing:
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, self._connection.tenant_id)
            await self._write(conn, lease, moved, changes, fetches)
        return moved

    async def _write(
        self,
        conn: Conn,
        lease: Lease,
        moved: Standing,
        changes: dict[str, Change],
        fetches: Fetches,
    ) -> None:
        """Write a chunk, in a transaction that has the directory's lock."""
        backfill = moved.plan.reason is Reason.BACKFILL
        await lease.advance(conn, cursor=moved.model_dump_json())
        await self._intake.commit(
            conn,
            lease.feed,
            self._connection,
            changes,
            fetches,
            origin=Origin.BACKFILL if backfill else Origin.REPAIR,
        )
        await jobs.advance_job(conn, lease.feed, done=moved.done, total=moved.total)

    async def finished(self, conn: Conn, lease: Lease, standing: Standing) -> None:
        """Remember how far back the mailbox is here now, and tell what a repair found."""
        plan, one = standing.plan, self._connection
        await connections.set_complete_since(conn, one.tenant_id, one.id, plan.since)
        for kind in (ADDED, RELABELLED, REMOVED, VANISHED):
            REPAIRED.labels(plan.reason.value, kind).inc(standing.counts.get(kind, 0))
        log.info("mailbox_compared", reason=plan.reason.value, **standing.counts)
        if plan.whole and one.preferences.filters_labels and plan.reason is not Reason.AUDIT:
            # Nobody knows which labels the traces lost or got in the gap.
            await queue_keeping(conn, one, now=self._now())
        if plan.whole:
            sequence = await next_sequence(conn, lease.feed)
            told = events.resynced(lease.feed, one, standing, sequence=sequence, now=self._now())
            await outbox.append(conn, told)
