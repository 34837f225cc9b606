"""The long part of linking: the mail of an entity that changed, some messages at a time."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import structlog

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.feeds import Feed, Lease
from libs.common.feeds.dead_items import add_dead_item
from services.mail.domain.activities import activity_id
from services.mail.domain.connection import Connection
from services.mail.domain.history import MOST_FETCHED
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Fetched, Policy
from services.mail.store import link_work as store
from services.mail.store import links
from services.mail.store.keeping import lock_held
from services.mail.store.link_work import FIRST, Hit, Work
from services.mail.store.messages import remove_trace
from services.mail.sync.inward.fetching import Fetches
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.overtaking import Overtaking
from services.mail.sync.inward.raising import Raiser
from services.mail.sync.inward.redacting import hold_against
from services.mail.sync.meaning.activities import Activities, copy_of
from services.mail.sync.meaning.linking import HOLD_KIND, Linker

log = structlog.get_logger(__name__)

MANY_LINKS = 5_000
"""More at once wait for a person's yes."""
REMOVED_AT_ONCE = 100


Fetch = Callable[[Feed, Connection, Sequence[str]], Awaitable[Fetches]]
"""Fetches messages that concern somebody, as much as the settings let it."""


class Hold(Protocol):
    """Opens a hold, or leaves the one that is open for the subject."""

    async def __call__(
        self, conn: Conn, feed: Feed, /, *, kind: str, subject: str, affected: int, total: int
    ) -> object:
        """Ask a person, in the caller's transaction."""


class LinkWork:
    """Works through `link_work`, for the feed of kind `mail.work`."""

    def __init__(
        self,
        pool: Pool,
        linker: Linker,
        *,
        fetch: Fetch,
        hold: Hold,
        keeper: Keeper,
        overtaking: Overtaking,
        now: Callable[[], datetime],
        most: int = MANY_LINKS,
    ) -> None:
        """Use the given parts; above `most` links at once a person is asked."""
        self._pool = pool
        self._linker = linker
        self._fetch = fetch
        self._hold = hold
        self._keeper = keeper
        self._overtaking = overtaking
        self._now = now
        self._most = most

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Do one bounded part of what waits longest; False when nothing waits.

        The feed's cursor stays what it is: the place is in the row of the work.

        Raises:
            LeaseLost: another worker has the feed; nothing was written.
            AccessRevoked, RateLimited, PermissionDenied, Transient: from Google.
        """
        tenant_id = connection.tenant_id
        async with self._pool.acquire() as conn:
            work = await store.oldest_work(conn, tenant_id, connection.id)
            if work is None:
                return False
            hashes = await self._linker.hashes_of(conn, tenant_id, work.ref)
            hits = await store.next_hits(
                conn, tenant_id, connection.id, work=work, hashes=hashes, limit=MOST_FETCHED
            )
        is_kept = connection.policy is not Policy.NONE
        traced = [one.google_id for one in hits if one.traced and is_kept]
        if work.after == FIRST:
            if await self._let_go(lease, connection, work):
                return True
            if work.state != "approved" and await self._held(lease, connection, work):
                return True
        since = await self._overtaking.begin(lease.feed)
        answers = await self._fetch(lease.feed, connection, traced) if traced else None

        async def write(conn: Conn) -> None:
            if await self._begin(conn, lease, connection, work) == hashes:
                chunk = _Chunk(conn, lease.feed, work, self._linker, self._keeper, self._now())
                await chunk.write(connection, hits, answers)

        await self._overtaking.commit(
            lease.feed, connection, answers or Fetches(), write, since=since
        )
        return True

    async def _begin(
        self, conn: Conn, lease: Lease, connection: Connection, work: Work
    ) -> tuple[bytes, ...] | None:
        """Fence, lock, and return the entity's hashes; None when the work is not as it was."""
        await directory.lock_shared(conn, connection.tenant_id)  # before any row is locked
        await lease.advance(conn, cursor=lease.cursor or "")
        if not await store.lock_work(conn, connection.tenant_id, connection.id, work):
            return None
        return await self._linker.hashes_of(conn, connection.tenant_id, work.ref)

    async def _held(self, lease: Lease, connection: Connection, work: Work) -> bool:
        """Ask a person when it is very much; say whether that has to be waited for."""
        tenant_id = connection.tenant_id
        async with transaction(self._pool) as conn:
            hashes = await self._begin(conn, lease, connection, work)
            if hashes is None:
                return True
            hits, total = await store.count_hits(conn, tenant_id, connection.id, hashes, work.ref)
            if hits <= self._most:
                return False
            await store.set_work_state(conn, tenant_id, connection.id, work.ref, "held")
            await self._hold(
                conn,
                lease.feed,
                kind=HOLD_KIND,
                subject=str(work.ref),
                affected=hits,
                total=total,
            )
        log.info("links_held", connection_id=str(connection.id), messages=hits)
        return True

    async def _let_go(self, lease: Lease, connection: Connection, work: Work) -> bool:
        """Undo some links that no address of the entity explains; say whether there were any."""
        tenant_id = connection.tenant_id
        async with transaction(self._pool) as conn:
            hashes = await self._begin(conn, lease, connection, work)
            if hashes is None:
                return True
            stale = await store.stale_links(
                conn,
                tenant_id,
                connection.id,
                ref=work.ref,
                hashes=hashes,
                limit=REMOVED_AT_ONCE,
            )
            now_is, rules = await self._keeper.current(conn, connection)
            activities = Activities(conn, now_is, origin=Origin.REPAIR)
            told: list[Envelope] = []
            for message_id in stale:
                facts = await links.find_facts(conn, tenant_id, message_id)
                await links.remove_link(conn, tenant_id, work.ref, message_id)
                if facts is None:
                    continue
                if not await links.list_links(conn, tenant_id, message_id):
                    told += await self._reduce(conn, now_is, rules, facts.google_id, activities)
                    await links.set_activity(conn, tenant_id, message_id, None)
                activities.change(copy_of(now_is, facts), time=self._now())
            await outbox.append(conn, *told, *await activities.tell())
        return bool(stale)

    async def _reduce(
        self,
        conn: Conn,
        connection: Connection,
        rules: Rules,
        google_id: str,
        activities: Activities,
    ) -> list[Envelope]:
        """Keep of a message that concerns nobody any more what is kept of such."""
        held = await lock_held(conn, connection.tenant_id, connection.id, [google_id])
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
        return [event for _, told in lost for event in told]


class _Chunk:
    """One transaction's part of the messages that concern an entity."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        conn: Conn,
        feed: Feed,
        work: Work,
        linker: Linker,
        keeper: Keeper,
        now: datetime,
    ) -> None:
        self._conn = conn
        self._feed = feed
        self._work = work
        self._linker = linker
        self._keeper = keeper
        self._now = now
        self._told: list[Envelope] = []

    async def write(self, connection: Connection, hits: list[Hit], answers: Fetches | None) -> None:
        """Link them, in the order rows are locked, and move the work on or end it."""
        self._connection, self._rules = await self._keeper.current(self._conn, connection)
        self._activities = Activities(self._conn, self._connection, origin=Origin.REPAIR)
        for hit in sorted(hits, key=lambda one: one.google_id):
            if hit.deleted:
                continue
            if hit.traced:
                await self._complete(hit, answers)
            elif await self._is_linkable(hit):
                await self._attach(hit)
        await outbox.append(self._conn, *self._told, *await self._activities.tell())
        place = (self._connection.tenant_id, self._connection.id, self._work.ref)
        if len(hits) < MOST_FETCHED:
            await store.end_work(self._conn, *place)
        else:
            await store.move_work(self._conn, *place, hits[-1].message_id)

    async def _is_linkable(self, hit: Hit) -> bool:
        """Say whether it may be linked: under `none` only what the CRM sent."""
        if self._connection.policy is not Policy.NONE:
            return True
        return bool(await self._keeper.ours(self._conn, self._connection, [hit.google_id]))

    async def _attach(self, hit: Hit) -> None:
        facts = await links.find_facts(self._conn, self._connection.tenant_id, hit.message_id)
        if facts is None:
            return
        tenant_id, named = self._connection.tenant_id, facts.activity_id
        if named is None:
            named = activity_id(tenant_id, hit.message_id, facts.content)
            await links.set_activity(self._conn, tenant_id, hit.message_id, named)
        facts = replace(facts, activity_id=named)
        self._activities.add(copy_of(self._connection, facts, (self._work.ref,)))

    async def _complete(self, hit: Hit, answers: Fetches | None) -> None:
        if answers is None:
            return
        tenant_id, google_id = self._connection.tenant_id, hit.google_id
        if google_id in answers.unreadable:
            await add_dead_item(
                self._conn,
                kind="gmail.message",
                item=google_id,
                cause=answers.unreadable[google_id],
                now=self._now,
                feed=self._feed,
            )
            return
        message = answers.read.get(google_id)
        if message is None:
            await remove_trace(self._conn, tenant_id, hit.message_id)
        else:
            await self._raise(message)

    async def _raise(self, message: Fetched) -> None:
        of = self._connection
        raiser = Raiser(
            self._conn,
            of,
            self._rules,
            linker=self._linker,
            keeper=self._keeper,
            activities=self._activities,
            origin=Origin.REPAIR,
            now=self._now,
        )
        for held in await lock_held(self._conn, of.tenant_id, of.id, [message.google_id]):
            self._told += await raiser.raise_(held, message)
