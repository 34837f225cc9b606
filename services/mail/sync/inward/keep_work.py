"""Holding all mail of a mailbox against settings that changed, some messages at a time.

First what may no longer be kept goes, which needs nobody's answer; then what may be kept again is
fetched; then entities find the mail that is not linked to them. The place is kept in a row: a run
that breaks off goes on there, and doing a part twice changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from libs.common import jobs, outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import EntityRef
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import Feed, Lease
from libs.common.feeds.dead_items import add_dead_item
from libs.common.jobs import JobState
from services.mail.domain.connection import Connection
from services.mail.domain.history import MOST_FETCHED
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Keep, Policy
from services.mail.store import keep_work as store
from services.mail.store import keeping, link_work
from services.mail.store.keep_work import KeepWork, Phase
from services.mail.store.messages import remove_trace
from services.mail.sync.inward.fetching import Fetches
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.overtaking import Overtaking
from services.mail.sync.inward.raising import Raiser
from services.mail.sync.inward.redacting import hold_against
from services.mail.sync.meaning.activities import Activities
from services.mail.sync.meaning.linking import Linker

log = structlog.get_logger(__name__)

REDUCED_AT_ONCE = 100
ENTITIES_AT_ONCE = 500


Fetch = Callable[[Feed, Connection, Sequence[str]], Awaitable[Fetches]]
Refresh = Callable[[Connection], Awaitable[None]]


class KeepWorker:
    """Works through `keep_work`, for the feed of kind `mail.work`."""

    def __init__(
        self,
        pool: Pool,
        linker: Linker,
        keeper: Keeper,
        *,
        fetch: Fetch,
        refresh: Refresh,
        overtaking: Overtaking,
        now: Callable[[], datetime],
    ) -> None:
        """Fetch what may be kept again through `fetch`, names of labels by `refresh`."""
        self._pool = pool
        self._linker = linker
        self._keeper = keeper
        self._fetch = fetch
        self._refresh = refresh
        self._overtaking = overtaking
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Do one bounded part; False when there is nothing to do, or others come first.

        The feed's cursor stays what it is.

        Raises:
            LeaseLost: another worker has the feed; nothing was written.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google.
        """
        async with self._pool.acquire() as conn:
            work = await store.find_keeping(conn, connection.tenant_id, connection.id)
        if work is None:
            return False
        match work.phase:
            case Phase.REDUCE:
                return await self._reduce(lease, connection, work)
            case Phase.RAISE:
                return await self._raise(lease, connection, work)
            case Phase.ENTITIES:
                return await self._entities(lease, connection, work)
            case Phase.LINKS:
                return await self._links(lease, connection, work)

    async def _begin(
        self, conn: Conn, lease: Lease, connection: Connection, work: KeepWork
    ) -> tuple[Connection, Rules] | None:
        """Fence, lock, and return what is in force; None when the work is not as it was."""
        await directory.lock_shared(conn, connection.tenant_id)  # before any row is locked
        await lease.advance(conn, cursor=lease.cursor or "")
        if not await store.lock_keeping(conn, work):
            return None
        return await self._keeper.current(conn, connection)

    async def _reduce(self, lease: Lease, connection: Connection, work: KeepWork) -> bool:
        if not work.after and connection.preferences.filters_labels:
            await self._refresh(connection)  # by old names the wrong mail would go
        async with transaction(self._pool) as conn:
            begun = await self._begin(conn, lease, connection, work)
            if begun is not None:
                moved = await self._reduce_some(conn, *begun, work)
                await self._note(conn, lease.feed, moved)
        return True

    async def sweep(self, conn: Conn) -> int:
        """Let go of what may not be kept in a mailbox that nobody reads at present.

        Its feed is not run; but what somebody does not want kept must not wait for that.
        Returns how many messages were looked at, one more for every mailbox that is done.
        """
        found = await store.find_unread(conn)
        if found is None:
            return 0
        await directory.lock_shared(conn, found.tenant_id)
        if not await store.lock_keeping(conn, found):
            return 1
        now_is = await self._keeper.found(conn, found.tenant_id, found.connection_id)
        if now_is is None:
            await store.end_keeping(conn, found.tenant_id, found.connection_id)
            return 1
        moved = await self._reduce_some(conn, *now_is, found)
        await store.set_keeping(conn, moved)
        return 1 + moved.done - found.done

    async def _reduce_some(
        self, conn: Conn, connection: Connection, rules: Rules, work: KeepWork
    ) -> KeepWork:
        tenant_id = work.tenant_id
        if work.total is None:
            whole = await keeping.count_whole(conn, tenant_id, connection.id)
            less = await keeping.count_raisable(
                conn, tenant_id, connection.id, levels=rules.raisable, since=rules.oldest
            )
            work = replace(work, total=whole + less)
        held = await keeping.lock_next(
            conn, tenant_id, connection.id, after=work.after, limit=REDUCED_AT_ONCE
        )
        activities = Activities(conn, connection, origin=Origin.REPAIR)
        lost = await hold_against(
            conn,
            connection,
            held,
            rules=rules,
            keeper=self._keeper,
            linker=self._linker,
            now=self._now(),
            activities=activities,
        )
        told = [event for _, events in lost for event in events]
        await outbox.append(conn, *told, *await activities.tell())
        removed = sum(verdict.keep <= Keep.TRACE for verdict, _ in lost)
        is_over = len(held) < REDUCED_AT_ONCE
        return replace(
            work,
            phase=Phase.RAISE if is_over else Phase.REDUCE,
            after="" if is_over else held[-1].google_id,
            done=work.done + len(held),
            removed=work.removed + removed,
            reduced=work.reduced + len(lost) - removed,
        )

    async def _raise(self, lease: Lease, connection: Connection, work: KeepWork) -> bool:
        async with self._pool.acquire() as conn:
            connection, rules = await self._keeper.current(conn, connection)
            ids = await keeping.list_raisable(
                conn,
                work.tenant_id,
                work.connection_id,
                after=work.after,
                levels=rules.raisable,
                since=rules.oldest,
                limit=MOST_FETCHED,
            )
        since = await self._overtaking.begin(lease.feed)
        answers = await self._fetch(lease.feed, connection, ids) if ids else Fetches()

        async def write(conn: Conn) -> None:
            begun = await self._begin(conn, lease, connection, work)
            if begun is not None:
                raised = await self._take(conn, lease, *begun, ids, answers)
                await self._note(conn, lease.feed, _raised(work, ids, raised))

        await self._overtaking.commit(lease.feed, connection, answers, write, since=since)
        return True

    async def _take(  # noqa: PLR0917 - of one caller
        self,
        conn: Conn,
        lease: Lease,
        connection: Connection,
        rules: Rules,
        ids: Sequence[str],
        answers: Fetches,
    ) -> int:
        """Keep more of messages, or forget those that are gone; return of how many more is kept."""
        activities = Activities(conn, connection, origin=Origin.REPAIR)
        raiser = Raiser(
            conn,
            connection,
            rules,
            linker=self._linker,
            keeper=self._keeper,
            activities=activities,
            origin=Origin.REPAIR,
            now=self._now(),
        )
        raised = 0
        for held in await keeping.lock_held(conn, connection.tenant_id, connection.id, ids):
            message = answers.read.get(held.google_id)
            if message is not None:
                told = await raiser.raise_(held, message)
                await outbox.append(conn, *told)
                raised += bool(told)
            elif held.google_id in answers.unreadable:
                await add_dead_item(
                    conn,
                    kind="gmail.message",
                    item=held.google_id,
                    cause=answers.unreadable[held.google_id],
                    now=self._now(),
                    feed=lease.feed,
                )
            else:  # of more than a trace the history tells
                await remove_trace(conn, connection.tenant_id, held.id)
        await outbox.append(conn, *await activities.tell())
        return raised

    async def _entities(self, lease: Lease, connection: Connection, work: KeepWork) -> bool:
        async with transaction(self._pool) as conn:
            begun = await self._begin(conn, lease, connection, work)
            if begun is None:
                return True
            connection = begun[0]
            page: list[EntityRef] = []
            if connection.policy is not Policy.NONE:
                page = await self._queue_entities(conn, connection, work)
            is_over = len(page) < ENTITIES_AT_ONCE
            moved = replace(
                work,
                phase=Phase.LINKS if is_over else Phase.ENTITIES,
                after="" if is_over else str(page[-1]),
            )
            await self._note(conn, lease.feed, moved)
        return True

    async def _queue_entities(
        self, conn: Conn, connection: Connection, work: KeepWork
    ) -> list[EntityRef]:
        """Queue those of the next entities that concern mail which is not linked to them."""
        after = EntityRef.from_subject(work.after) if work.after else None
        tenant_id = connection.tenant_id
        page = await directory.list_entities(conn, tenant_id, after=after, limit=ENTITIES_AT_ONCE)
        hits = await self._linker.hits(conn, tenant_id, page)
        await link_work.queue_unlinked(conn, tenant_id, connection.id, hits, self._now())
        return [one.ref for one in page]

    async def _links(self, lease: Lease, connection: Connection, work: KeepWork) -> bool:
        async with transaction(self._pool) as conn:
            if await self._begin(conn, lease, connection, work) is None:
                return True
            if await link_work.oldest_work(conn, work.tenant_id, work.connection_id) is not None:
                return False
            await store.end_keeping(conn, work.tenant_id, work.connection_id)
            await jobs.finish_jobs(
                conn, lease.feed, state=JobState.DONE, now=self._now(), facts=work.counts
            )
        log.info("settings_applied", connection_id=str(connection.id), **work.counts)
        return True

    async def _note(self, conn: Conn, feed: Feed, work: KeepWork) -> None:
        await store.set_keeping(conn, work)
        await jobs.advance_job(conn, feed, done=work.done, total=work.total)


def _raised(work: KeepWork, ids: Sequence[str], raised: int) -> KeepWork:
    """Return the work after those messages were fetched and more was kept of some."""
    is_over = len(ids) < MOST_FETCHED
    return replace(
        work,
        phase=Phase.ENTITIES if is_over else Phase.RAISE,
        after="" if is_over else ids[-1],
        done=work.done + len(ids),
        raised=work.raised + raised,
    )
