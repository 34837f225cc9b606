"""The long part of linking: the mail of an entity that changed, some messages at a time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.feeds import Feed, Lease
from libs.common.feeds.dead_items import add_dead_item
from services.mail.domain import events
from services.mail.domain.activities import activity_id
from services.mail.domain.connection import Connection
from services.mail.domain.history import MOST_FETCHED
from services.mail.domain.message import Fetched, Policy, is_mail
from services.mail.store import link_work as store
from services.mail.store import links
from services.mail.store.link_work import FIRST, Hit, Work
from services.mail.store.messages import remove_trace
from services.mail.sync.activities import Activities, copy_of
from services.mail.sync.linking import Linker

log = structlog.get_logger(__name__)

MANY_LINKS = 5_000
"""More at once wait for a person's yes."""
HOLD_KIND = "many-links"
REMOVED_AT_ONCE = 100


class Answers(Protocol):
    """What became of messages that were asked for; one that is in neither is gone."""

    @property
    def read(self) -> Mapping[str, Fetched]:
        """Whole messages by Google's id."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Why, by Google's id."""


Fetch = Callable[[Feed, Connection, Sequence[str]], Awaitable[Answers]]
"""Fetches messages whole, whatever the connection's policy."""


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
        now: Callable[[], datetime],
        most: int = MANY_LINKS,
    ) -> None:
        """Use the given parts; above `most` links at once a person is asked."""
        self._pool = pool
        self._linker = linker
        self._fetch = fetch
        self._hold = hold
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
        traced = [one.google_id for one in hits if one.traced]
        if work.after == FIRST:
            if await self._let_go(lease, connection, work):
                return True
            if work.state != "approved" and await self._held(lease, connection, work):
                return True
        answers = await self._fetch(lease.feed, connection, traced) if traced else None
        async with transaction(self._pool) as conn:
            if await self._begin(conn, lease, connection, work) == hashes:
                await _Chunk(conn, connection, lease.feed, work, self._linker, self._now()).write(
                    hits, answers
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
            activities = Activities(conn, connection, origin=Origin.REPAIR)
            for message_id in stale:
                await self._unlink(conn, connection, work, message_id, activities)
            await outbox.append(conn, *await activities.tell())
        return bool(stale)

    async def _unlink(
        self,
        conn: Conn,
        connection: Connection,
        work: Work,
        message_id: UUID,
        activities: Activities,
    ) -> None:
        tenant_id = connection.tenant_id
        facts = await links.find_facts(conn, tenant_id, message_id)
        await links.remove_link(conn, tenant_id, work.ref, message_id)
        if facts is None:
            return
        left = await links.list_links(conn, tenant_id, message_id)
        if not left and connection.policy is Policy.KNOWN:
            await links.reduce_to_trace(conn, tenant_id, message_id)
        elif not left:
            await links.set_activity(conn, tenant_id, message_id, None)
        activities.change(copy_of(connection, facts), time=self._now())


class _Chunk:
    """One transaction's part of the messages that concern an entity."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        conn: Conn,
        connection: Connection,
        feed: Feed,
        work: Work,
        linker: Linker,
        now: datetime,
    ) -> None:
        self._conn = conn
        self._connection = connection
        self._feed = feed
        self._work = work
        self._linker = linker
        self._now = now
        self._told: list[Envelope] = []
        self._activities = Activities(conn, connection, origin=Origin.REPAIR)

    async def write(self, hits: list[Hit], answers: Answers | None) -> None:
        """Link them, in the order rows are locked, and move the work on or end it."""
        for hit in sorted(hits, key=lambda one: one.google_id):
            if hit.deleted:
                continue
            if hit.traced:
                await self._complete(hit, answers)
            else:
                await self._attach(hit)
        await outbox.append(self._conn, *self._told, *await self._activities.tell())
        place = (self._connection.tenant_id, self._connection.id, self._work.ref)
        if len(hits) < MOST_FETCHED:
            await store.end_work(self._conn, *place)
        else:
            await store.move_work(self._conn, *place, hits[-1].message_id)

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

    async def _complete(self, hit: Hit, answers: Answers | None) -> None:
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
        elif is_mail(message.labels):
            await self._make_whole(hit, message)

    async def _make_whole(self, hit: Hit, message: Fetched) -> None:
        tenant_id = self._connection.tenant_id
        sequence = await links.complete_trace(
            self._conn, tenant_id, hit.message_id, message, self._now
        )
        if sequence is None:
            return
        arrived = events.arrived(self._connection, hit.message_id, message, Origin.REPAIR)
        self._told.append(
            Envelope.of(
                arrived,
                tenant_id=tenant_id,
                aggregate_id=str(hit.message_id),
                sequence=sequence,
                time=message.internal_date,
            )
        )
        await self._linker.link(
            self._conn,
            self._connection,
            hit.message_id,
            message=message,
            activities=self._activities,
        )
