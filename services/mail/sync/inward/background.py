"""Runs of the feeds beside the live one: comparisons, and the work that people ask for."""

from collections.abc import Callable
from datetime import datetime

from libs.common.db import Pool, transaction
from libs.common.feeds import Lease
from libs.common.feeds.compare import Comparison, Phase, Reason, Standing
from libs.common.feeds.store import list_feeds
from services.mail.domain.connection import Connection
from services.mail.google import Gmail
from services.mail.store import connections
from services.mail.sync import feeds
from services.mail.sync.inward.comparing import MailSide
from services.mail.sync.inward.fetching import Fetcher
from services.mail.sync.inward.intake import Intake


class Background:
    """Runs feeds of the kinds `mail.backfill`, `mail.repair` and `mail.audit`."""

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        fetcher: Fetcher,
        intake: Intake,
        now: Callable[[], datetime],
    ) -> None:
        """Compare through `gmail`, take in through `intake`."""
        self._pool = pool
        self._gmail = gmail
        self._fetcher = fetcher
        self._intake = intake
        self._now = now

    async def run(self, lease: Lease) -> None:
        """Go on with a comparison; its feed is closed when all is done.

        It begins once the live cursor is pinned, which raises its signal: what came between its
        list and a later pin would be nobody's.

        Raises:
            LeaseLost: another worker has the feed.
            AccessRevoked, RateLimited, Transient: see `Mailbox.run`.
        """
        connection = await self._connection(lease)
        if connection is None or lease.cursor is None or not await self._is_pinned(connection):
            return
        if await self._compare(lease, connection, Standing.model_validate_json(lease.cursor)):
            lease.close()

    async def audit(self, lease: Lease) -> None:
        """Compare everything that should be here with what is there, and repair the difference."""
        connection = await self._connection(lease)
        if connection is None:
            return
        standing = None if lease.cursor is None else Standing.model_validate_json(lease.cursor)
        if standing is None or standing.phase is Phase.FINISHED:
            standing = await self._begin_audit(lease, connection)
        await self._compare(lease, connection, standing)

    async def _connection(self, lease: Lease) -> Connection | None:
        """Return whose mailbox it is, None when it ended between the claim and now."""
        feed = lease.feed
        async with self._pool.acquire() as conn:
            found = await connections.find_connection(conn, feed.tenant_id, feed.connection_id)
        return found if found is not None and found.is_read else None

    async def _is_pinned(self, connection: Connection) -> bool:
        async with self._pool.acquire() as conn:
            found = await list_feeds(conn, connection.tenant_id, [connection.id])
        return any(feed.kind == feeds.LIVE and feed.cursor is not None for feed in found)

    async def _compare(self, lease: Lease, connection: Connection, standing: Standing) -> bool:
        side = MailSide(
            self._pool,
            self._gmail,
            connection=connection,
            fetcher=self._fetcher,
            intake=self._intake,
            now=self._now,
        )
        return await Comparison(self._pool, side, now=self._now).run(lease, standing)

    async def _begin_audit(self, lease: Lease, connection: Connection) -> Standing:
        pin = await self._gmail.box(connection).current_history_id()
        async with transaction(self._pool) as conn:
            standing = await feeds.comparison(
                conn,
                lease.feed,
                connection,
                reason=Reason.AUDIT,
                pin=str(pin),
                missed_since=None,
                now=self._now(),
            )
            await lease.advance(conn, cursor=standing.model_dump_json())
        return standing
