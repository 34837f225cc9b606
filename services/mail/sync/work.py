"""What entities and people ask of a mailbox: mail to link, to tell again, dead items to retry."""

from libs.common.db import Connection as Conn
from libs.common.db import Pool
from libs.common.feeds import Lease
from libs.common.feeds.dead_items import fail_replay, list_replays, remove_dead_item
from services.mail.domain.connection import Connection
from services.mail.domain.history import MOST_FETCHED, Change
from services.mail.store import connections
from services.mail.sync.inward.fetching import Fetcher, Fetches
from services.mail.sync.inward.intake import Intake
from services.mail.sync.inward.keep_work import KeepWorker
from services.mail.sync.inward.overtaking import Overtaking
from services.mail.sync.meaning.link_work import LinkWork
from services.mail.sync.visibility import Retellings


class Work:
    """Runs feeds of the kind `mail.work`, a step a run."""

    def __init__(
        self,
        pool: Pool,
        fetcher: Fetcher,
        *,
        intake: Intake,
        links: LinkWork,
        keeping: KeepWorker,
        retellings: Retellings,
        overtaking: Overtaking,
    ) -> None:
        """Fetch through `fetcher`, take in through `intake`; `links` and `keeping` do the rest."""
        self._pool = pool
        self._fetcher = fetcher
        self._intake = intake
        self._links = links
        self._keeping = keeping
        self._retellings = retellings
        self._overtaking = overtaking

    async def run(self, lease: Lease) -> None:
        """Try some dead items again, link some messages, and hold some against new settings.

        Due again while there are more.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, Transient: see `Mailbox.run`.
        """
        feed = lease.feed
        async with self._pool.acquire() as conn:
            connection = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
        if connection is None or not connection.is_read:
            return
        replayed = await self._replay(lease, connection)
        linked = await self._links.step(lease, connection)
        kept = await self._keeping.step(lease, connection)
        retold = await self._retellings.step(lease, connection)
        if replayed or linked or kept or retold:
            lease.again()

    async def _replay(self, lease: Lease, connection: Connection) -> bool:
        feed = lease.feed
        async with self._pool.acquire() as conn:
            items = await list_replays(conn, feed, limit=MOST_FETCHED)
        if not items:
            return False
        ids = [one.item for one in items]
        since = await self._overtaking.begin(feed)
        fetches = await self._fetcher.fetch(lease.feed, connection, ids, patient=False)

        async def write(conn: Conn) -> None:
            changes = {google_id: Change(google_id, arrived=True) for google_id in fetches.read}
            readable = Fetches(read=fetches.read)
            await lease.advance(conn, cursor=lease.cursor or "")
            await self._intake.commit(conn, lease.feed, connection, changes, readable)
            for one in items:
                cause = fetches.unreadable.get(one.item)
                if cause is None:
                    await remove_dead_item(conn, feed, kind=one.kind, item=one.item)
                else:
                    await fail_replay(conn, one, cause=cause)

        await self._overtaking.commit(feed, connection, fetches, write, since=since)
        return True
