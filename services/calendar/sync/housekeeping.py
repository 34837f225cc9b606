"""What the calendar service removes at night."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libs.common import jobs
from libs.common.connections.rows import delete_purged
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.feeds import holds
from libs.common.housekeeping import (
    Chore,
    dead_events_chore,
    idempotency_chore,
    inbox_chore,
    privacy_chore,
    quota_chore,
)
from libs.common.sync_logs import purge_lines
from libs.common.writes import store as ledger
from services.calendar.settings import CalendarSettings
from services.calendar.store import appointments, channels, conflicts, events, reminders

BATCH = 1_000
JOBS_KEPT = timedelta(days=30)


def chores(settings: CalendarSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores, with the retention that the settings say."""
    tombstones_kept = timedelta(seconds=settings.tombstone_retention)

    async def event_tombstones(conn: Conn) -> int:
        return await events.purge_tombstones(conn, before=now() - tombstones_kept, limit=BATCH)

    async def past_appointments(conn: Conn) -> int:
        return await appointments.purge_past(conn, before=now() - tombstones_kept, limit=BATCH)

    async def entity_tombstones(conn: Conn) -> int:
        return await directory.purge_tombstones(conn, before=now() - tombstones_kept, limit=BATCH)

    async def purged_connections(conn: Conn) -> int:
        return await delete_purged(conn, before=now() - tombstones_kept, limit=BATCH)

    return (
        Chore("event_tombstones", event_tombstones),
        Chore("past_appointments", past_appointments),
        Chore("entity_tombstones", entity_tombstones),
        Chore("purged_connections", purged_connections),
        *_ended(settings, now=now),
        dead_events_chore(settings.dead_retention, now=now),
        privacy_chore(now=now),
        idempotency_chore(settings.idempotency_retention, now=now),
        inbox_chore(settings.inbox_retention),
        quota_chore(now=now),
    )


def _ended(settings: CalendarSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores on what has ended, and is kept a while to be looked at."""
    logs_kept = timedelta(seconds=settings.log_retention)
    dead_kept = timedelta(seconds=settings.dead_retention)

    async def log_lines(conn: Conn) -> int:
        return await purge_lines(conn, before=now() - logs_kept, limit=BATCH)

    async def told_reminders(conn: Conn) -> int:
        return await reminders.purge_told(conn, before=now() - logs_kept, limit=BATCH)

    async def ended_conflicts(conn: Conn) -> int:
        return await conflicts.purge_resolved(conn, before=now() - logs_kept, limit=BATCH)

    async def ended_writes(conn: Conn) -> int:
        return await ledger.purge(conn, before=now() - logs_kept, limit=BATCH)

    async def ended_channels(conn: Conn) -> int:
        return await channels.purge_expired(conn, before=now(), limit=BATCH)

    async def finished_jobs(conn: Conn) -> int:
        return await jobs.purge_jobs(conn, before=now() - JOBS_KEPT, limit=BATCH)

    async def decided_holds(conn: Conn) -> int:
        return await holds.purge_decided(conn, before=now() - dead_kept, limit=BATCH)

    return (
        Chore("sync_logs", log_lines),
        Chore("reminders", told_reminders),
        Chore("conflicts", ended_conflicts),
        Chore("writes", ended_writes),
        Chore("channels", ended_channels),
        Chore("jobs", finished_jobs),
        Chore("decided_holds", decided_holds),
    )
