"""Taking in a chunk of history: fetch, read, and commit rows, cursor and events as one."""

from collections.abc import Callable
from datetime import datetime

from prometheus_client import Counter

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import Feed, Lease
from libs.common.feeds.dead_items import add_dead_item
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, Chunk, deleted_ids, fold
from services.mail.domain.keeping import Rules, must_look
from services.mail.store import messages as store
from services.mail.store.keeping import lock_held
from services.mail.sync.inward.echoes import recognise
from services.mail.sync.inward.fetching import Fetcher, Fetches
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.writes import Writes
from services.mail.sync.meaning.linking import Linker

DEAD_MESSAGE = "gmail.message"

ITEMS = Counter(
    "causeway_mail_items_total",
    "Messages worked on, by origin and outcome: changed (an arrival, labels, a deletion), vanished "
    "or dead.",
    ["origin", "outcome"],
)


class Intake:
    """Brings messages of one mailbox at a time into the store."""

    def __init__(
        self,
        pool: Pool,
        fetcher: Fetcher,
        linker: Linker,
        *,
        keeper: Keeper,
        now: Callable[[], datetime],
    ) -> None:
        """Fetch through `fetcher`; `linker` finds whom a message concerns, `keeper` the rules."""
        self._pool = pool
        self._fetcher = fetcher
        self._linker = linker
        self._keeper = keeper
        self._now = now

    async def take(
        self,
        lease: Lease,
        connection: Connection,
        chunk: Chunk,
        *,
        gone: frozenset[str] = frozenset(),
    ) -> Connection:
        """Take in one chunk; afterwards the cursor stands behind it.

        Returns:
            The connection as it was when the chunk was committed.

        Args:
            lease: of the feed.
            connection: whose mailbox.
            chunk: whole records.
            gone: messages that later records say are deleted.

        Raises:
            LeaseLost: another worker has the feed; nothing was written.
        """
        changes = fold(chunk.records)
        async with self._pool.acquire() as conn:
            known = await store.list_known(conn, connection.tenant_id, connection.id, [*changes])
            labels = (await self._keeper.rules(conn, connection)).labels
        doomed = gone | deleted_ids(chunk.records)
        wanted = [
            one.google_id
            for one in changes.values()
            if must_look(one, known.get(one.google_id), labels) and one.google_id not in doomed
        ]
        fetches = await self._fetcher.fetch(lease.feed, connection, wanted)
        cursor = max(chunk.cursor, int(lease.cursor or 0))
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            await lease.advance(conn, cursor=str(cursor))
            return await self.commit(conn, lease.feed, connection, changes, fetches)

    async def commit(
        self,
        conn: Conn,
        feed: Feed,
        connection: Connection,
        changes: dict[str, Change],
        fetches: Fetches,
        *,
        origin: Origin = Origin.LIVE,
    ) -> Connection:
        """Write what changed and what is told of it, within the caller's transaction.

        That begins with `directory.lock_shared`, before it locks rows: so what is kept is decided
        by the settings in force. Returns the connection as it is now.
        """
        connection, rules = await self._keeper.current(conn, connection)
        known = await store.lock_known(conn, connection.tenant_id, connection.id, sorted(changes))
        await recognise(conn, connection, changes, known, now=self._now())
        writes = self._writes(conn, connection, rules, origin)
        for google_id in sorted(changes):
            if google_id in known:
                await writes.change(known[google_id], changes[google_id])
        traces = [one for one in sorted(known) if known[one].traced and one in fetches.read]
        if traces:
            for held in await lock_held(conn, connection.tenant_id, connection.id, traces):
                await writes.look_again(held, fetches.read[held.google_id])
        new = [one for one in sorted(changes) if one in fetches.read and one not in known]
        await writes.arrive([fetches.read[google_id] for google_id in new])
        for google_id, cause in fetches.unreadable.items():
            await add_dead_item(
                conn, kind=DEAD_MESSAGE, item=google_id, cause=cause, now=writes.now, feed=feed
            )
        await writes.finish()
        await outbox.append(conn, *writes.told)
        _count(origin, changed=len(changes), fetches=fetches)
        return connection

    async def follow(self, conn: Conn, connection: Connection, changes: dict[str, Change]) -> None:
        """Let messages we hold follow what we have changed at Google; that tells as the CRM's.

        The caller has the directory's lock shared, and the messages' (`lock_known`).
        """
        of, rules = await self._keeper.current(conn, connection)
        known = await store.lock_known(conn, of.tenant_id, of.id, sorted(changes))
        writes = self._writes(conn, of, rules, Origin.CRM)
        for google_id in sorted(known):
            await writes.change(known[google_id], changes[google_id])
        await writes.finish()
        await outbox.append(conn, *writes.told)

    def _writes(self, conn: Conn, connection: Connection, rules: Rules, origin: Origin) -> Writes:
        return Writes(
            conn,
            connection,
            self._linker,
            origin,
            self._now(),
            rules=rules,
            keeper=self._keeper,
        )


def _count(origin: Origin, *, changed: int, fetches: Fetches) -> None:
    dead, vanished = len(fetches.unreadable), len(fetches.absent)
    ITEMS.labels(origin.value, "dead").inc(dead)
    ITEMS.labels(origin.value, "vanished").inc(vanished)
    ITEMS.labels(origin.value, "changed").inc(max(0, changed - dead - vanished))
