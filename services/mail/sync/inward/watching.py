"""Keeping an account's watch alive: one renewal at a time, however many feeds ask."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from libs.common.db import FAILURES, Pool, transaction
from libs.common.errors import AccessRevoked, AppError, Transient
from services.mail.domain.connection import Connection
from services.mail.domain.watch import renewal_at
from services.mail.google import Gmail
from services.mail.store import watches as store

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
RETRY_REFUSED = timedelta(minutes=10)
GIVE_BACK_S = 1.0

WATCHES = Counter("causeway_mail_watches_total", "Watches asked for, by outcome.", ["outcome"])


class Watching:
    """Renews watches, and stops those nobody needs.

    Args:
        topic: where Gmail publishes.
        every: time between renewals.
    """

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        topic: str,
        every: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._gmail = gmail
        self.topic = topic
        self._every = every
        self._now = now

    async def keep(self, connection: Connection) -> AppError | None:
        """Renew the account's watch if it is due; return why that failed, None if it did not.

        Whether it is due is better read first (`runs.find_beginning`): this is a transaction. A
        failure is no reason not to read the mailbox: the poll needs no watch.

        Raises:
            AccessRevoked: the grant is gone.
        """
        now = self._now()
        async with transaction(self._pool) as conn:
            claimed = await store.claim_watch(
                conn, connection.account_id, self.topic, now=now, lease_until=now + LEASE
            )
        if not claimed:
            return None
        try:
            watch = await self._gmail.box(connection).watch(self.topic)
        except AppError as exc:
            await self._failed(connection, exc)
            return exc
        except asyncio.CancelledError:
            await self._give_back(connection)
            raise
        async with transaction(self._pool) as conn:
            await store.mark_watched(
                conn,
                connection.account_id,
                self.topic,
                history_id=watch.history_id,
                expires_at=watch.expires_at,
                renew_at=renewal_at(watch.expires_at, now=now, every=self._every),
            )
        WATCHES.labels("ok").inc()
        return None

    async def _failed(self, connection: Connection, exc: AppError) -> None:
        WATCHES.labels(exc.slug).inc()
        log.warning("watch_failed", account_id=str(connection.account_id), reason=exc.slug)
        passing = isinstance(exc, Transient | AccessRevoked)
        retry_at = self._now() + (timedelta(0) if passing else RETRY_REFUSED)
        async with transaction(self._pool) as conn:
            await store.mark_watch_failed(
                conn, connection.account_id, failure=exc.slug, retry_at=retry_at
            )
        if isinstance(exc, AccessRevoked):
            raise exc

    async def _give_back(self, connection: Connection) -> None:
        """End the lease early, so that no mailbox is unwatched because a process stops."""
        with suppress(*FAILURES):
            async with transaction(self._pool, timeout_s=GIVE_BACK_S) as conn:
                await store.drop_lease(conn, connection.account_id)

    async def stop(self, connection: Connection) -> None:
        """End the watch of an account nobody uses any more, as far as Google still lets us.

        A watch that stays behind ends by itself within a week; its pushes find no mailbox.
        """
        try:
            await self._gmail.box(connection).stop()
        except AppError as exc:
            log.info("watch_not_stopped", account_id=str(connection.account_id), reason=exc.slug)
