"""Reminders of our own: laid out ahead by whoever works on a connection, told once by one loop."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from libs.common import outbox
from libs.common.db import FAILURES, Pool, transaction
from libs.common.db import Connection as Conn
from libs.common.errors import Transient
from libs.common.events import calendar as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.feeds import Lease
from services.calendar.domain.connection import Connection
from services.calendar.domain.meeting import BUSY, NO_TITLE, occurrence_id
from services.calendar.domain.reminding import is_reminded_of, reminders_of
from services.calendar.store import calendars, connections
from services.calendar.store import events as events_store
from services.calendar.store import reminders as store
from services.calendar.store.events import Window
from services.calendar.sync.occurring import occurrences

log = structlog.get_logger(__name__)

POLL_S = 3600.0
LONGEST_SLEEP_S = 5.0
CAUGHT_UP = timedelta(minutes=1)
"""What fell due this long ago is told late: nobody had laid it out in time."""
AT_ONCE = 200
DATABASE_AWAY: tuple[type[Exception], ...] = (Transient, *FAILURES)


class Reminders:
    """Lays out reminders as far ahead as `horizon`, and tells those that are due."""

    def __init__(self, pool: Pool, *, horizon: timedelta, now: Callable[[], datetime]) -> None:
        """Use the product's clock."""
        self._pool = pool
        self._horizon = horizon
        self._now = now

    async def lay_out(self, lease: Lease, connection: Connection) -> None:
        """Keep what has to be told of a connection's events in the time to come."""
        now = self._now()
        minutes = connection.preferences.reminder_minutes
        lease.poll_within(min(POLL_S, self._horizon.total_seconds() / 2))
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=lease.cursor or "")
            planned = []
            if connection.is_read and connection.takes_in and minutes:
                planned = await self._planned(conn, connection, minutes, now=now)
            await store.replace_planned(conn, connection.tenant_id, connection.id, planned, now=now)

    async def _planned(
        self, conn: Conn, connection: Connection, minutes: Sequence[int], *, now: datetime
    ) -> list[store.Planned]:
        until = now + self._horizon + timedelta(minutes=max(minutes))
        window = Window(
            tenant_id=connection.tenant_id, connection_ids=[connection.id], start=now, end=until
        )
        zones = {
            one.id: one.zone
            for one in await calendars.list_calendars(
                conn, connection.tenant_id, [connection.id], gone=True
            )
        }
        masters, exceptions = await events_store.list_window(conn, window)
        planned = []
        for found in occurrences(masters, exceptions, zones, start=now, end=until, limit=5_000):
            event, stored = found.event, found.owned.stored
            if event.when is None or not is_reminded_of(event):
                continue
            zone = zones.get(stored.calendar_id, "UTC")
            planned += [
                store.Planned(
                    calendar_id=stored.calendar_id,
                    google_id=event.master_id or event.google_id,
                    occurrence=found.key or "",
                    minutes=one.minutes,
                    starts_at=one.start,
                    due_at=one.at,
                )
                for one in reminders_of(
                    "", event.when, user_id=connection.user_id, minutes=minutes, zone=zone
                )
                if now - CAUGHT_UP < one.at <= now + self._horizon
            ]
        return planned

    async def tell_for_ever(self) -> None:
        """Tell what is due as it becomes due; any number of processes may."""
        while True:
            try:
                wait_s = await self._tell_due()
            except DATABASE_AWAY as exc:
                log.warning("reminders_not_told", error=type(exc).__name__)
                wait_s = LONGEST_SLEEP_S
            await asyncio.sleep(wait_s)

    async def _tell_due(self) -> float:
        """Tell some of what is due; return the seconds until it is worth looking again."""
        now = self._now()
        async with transaction(self._pool) as conn:
            rows = await store.take_due(conn, now=now, limit=AT_ONCE)
            for row in rows:
                told = await self._told(conn, row, now=now)
                if told is not None:
                    await outbox.append(conn, told)
            due = await store.next_due(conn)
        if len(rows) == AT_ONCE:
            return 0.0
        if due is None:
            return LONGEST_SLEEP_S
        return min(max((due - self._now()).total_seconds(), 0.0), LONGEST_SLEEP_S)

    async def _told(self, conn: Conn, row: Any, *, now: datetime) -> Envelope | None:
        """Return the event of a reminder; None: what it is about takes place no more, or began."""
        tenant_id, occurrence = row["tenant_id"], row["occurrence"]
        connection = await connections.find_connection(conn, tenant_id, row["connection_id"])
        if connection is None or not connection.is_read or row["starts_at"] < now:
            return None
        held = await self._event(conn, tenant_id, row)
        if held is None or not is_reminded_of(held.event):
            return None
        event = held.event
        series_id = held.series_id
        told = published.ReminderDue(
            origin=Origin.LIVE,
            reminder_id=row["id"],
            connection_id=connection.id,
            user_id=connection.user_id,
            event_id=occurrence_id(series_id, occurrence or None),
            google_event_id=event.google_id,
            appointment_id=event.marks.get("appointment"),
            title=BUSY if event.busy_only else event.details.summary or NO_TITLE,
            starts_at=row["starts_at"],
            minutes=row["minutes"],
        )
        return Envelope.of(
            told, tenant_id=tenant_id, aggregate_id=str(row["id"]), sequence=1, time=now
        )

    async def _event(self, conn: Conn, tenant_id: str, row: Any) -> events_store.StoredEvent | None:
        """Return the exception that stands at the reminder's occurrence, else what it is one of."""
        return await events_store.find_for_reminder(
            conn, tenant_id, row["calendar_id"], row["google_id"], row["occurrence"]
        )
