"""Keeping a calendar watched: the next channel is opened before the last one ends."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter

from libs.common.db import FAILURES, Pool, transaction
from libs.common.errors import AccessRevoked, AppError, Transient
from libs.common.google.errors import RequestRefused
from services.calendar.domain.channel import ChannelKey, channel_token, renewal_at
from services.calendar.domain.connection import Connection
from services.calendar.google import CalendarBox, GoogleCalendar
from services.calendar.store import channels as store

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
RETRY_REFUSED = timedelta(minutes=10)
RETRY_UNWATCHABLE = timedelta(days=1)
GIVE_BACK_S = 1.0
UNWATCHABLE = frozenset({"pushNotSupportedForRequestedResource"})
NOT_WATCHABLE = "not-watchable"
"""Google does not tell of this calendar, whatever we do: it is polled."""

WATCHES = Counter("causeway_calendar_watches_total", "Channels asked for, by outcome.", ["outcome"])


class Watching:
    """Opens channels, and stops those that others have replaced.

    Args:
        keys: of the tokens that notices carry.
        address: where Google sends them.
        life: how long a channel is asked to live.
    """

    def __init__(
        self,
        pool: Pool,
        google: GoogleCalendar,
        *,
        keys: Sequence[ChannelKey],
        address: str,
        life: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._google = google
        self._keys = keys
        self._address = address
        self._life = life
        self._now = now

    async def keep(self, connection: Connection, google_id: str, watch: store.Watch) -> str | None:
        """Open the calendar's next channel if it is due; return why there is none (None: is one).

        A failure is no reason not to read the calendar: the poll needs no channel.

        Args:
            connection: whose.
            google_id: the calendar's.
            watch: how it was watched a moment ago.

        Raises:
            AccessRevoked: the grant is gone.
        """
        if not watch.is_due:
            return watch.failure
        now = self._now()
        async with transaction(self._pool) as conn:
            if not await store.claim_watch(
                conn, connection.account_id, google_id, now=now, lease_until=now + LEASE
            ):
                return watch.failure
        try:
            await self._open(connection, google_id)
        except AppError as exc:
            return await self._failed(connection, google_id, exc)
        except asyncio.CancelledError:
            await self._give_back(connection, google_id)
            raise
        WATCHES.labels("ok").inc()
        return None

    async def _open(self, connection: Connection, google_id: str) -> None:
        """Open a channel; its greeting may come before Google's answer does."""
        now, channel_id = self._now(), uuid4()
        async with transaction(self._pool) as conn:
            await store.intend(
                conn,
                channel_id,
                connection.account_id,
                google_id,
                now=now,
                expires_at=now + self._life,
            )
        box = self._google.box(connection)
        answer = await box.watch(
            google_id,
            channel_id=str(channel_id),
            token=channel_token(self._keys, str(channel_id)),
            address=self._address,
            life=self._life,
        )
        expires_at = answer.expires_at or now + self._life
        async with transaction(self._pool) as conn:
            await store.opened(
                conn,
                channel_id,
                connection.account_id,
                google_id,
                resource_id=answer.resource_id,
                expires_at=expires_at,
                renew_at=renewal_at(expires_at, now=now, jitter=random.random()),  # noqa: S311
            )
            old = await store.list_stoppable(conn, connection.account_id, google_id)
        await self._stop(box, old)

    async def _failed(self, connection: Connection, google_id: str, exc: AppError) -> str:
        reason = exc.slug
        retry = RETRY_REFUSED
        if isinstance(exc, RequestRefused) and exc.reason in UNWATCHABLE:
            reason, retry = NOT_WATCHABLE, RETRY_UNWATCHABLE
        elif isinstance(exc, Transient | AccessRevoked):
            retry = timedelta(0)
        WATCHES.labels(reason).inc()
        log.info("watch_failed", account_id=str(connection.account_id), reason=reason)
        async with transaction(self._pool) as conn:
            await store.failed(
                conn,
                connection.account_id,
                google_id,
                failure=reason,
                retry_at=self._now() + retry,
            )
        if isinstance(exc, AccessRevoked):
            raise exc
        return reason

    async def _give_back(self, connection: Connection, google_id: str) -> None:
        """End the lease early, so that no calendar is unwatched because a process stops."""
        with suppress(*FAILURES):
            async with transaction(self._pool, timeout_s=GIVE_BACK_S) as conn:
                await store.drop_lease(conn, connection.account_id, google_id)

    async def stop(self, connection: Connection) -> None:
        """Stop all channels of an account that tell in vain, as far as Google still lets us.

        One that stays behind ends by itself; its notices find nothing to tell.
        """
        async with self._pool.acquire() as conn:
            ended = await store.list_ended(conn, connection.account_id)
        await self._stop(self._google.box(connection), ended)

    async def _stop(self, box: CalendarBox, channels: Sequence[tuple[UUID, str]]) -> None:
        for channel_id, resource_id in channels:
            try:
                await box.stop(channel_id=str(channel_id), resource_id=resource_id)
            except AppError as exc:
                log.info("channel_not_stopped", channel_id=str(channel_id), reason=exc.slug)
                continue
            async with transaction(self._pool) as conn:
                await store.mark_stopped(conn, channel_id)
