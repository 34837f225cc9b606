"""What the contacts service removes at night."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libs.common import jobs
from libs.common.connections.rows import delete_purged
from libs.common.db import Connection as Conn
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
from services.contacts.settings import ContactsSettings
from services.contacts.store import conflicts, tombstones

BATCH = 1_000
JOBS_KEPT = timedelta(days=30)


def chores(settings: ContactsSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores, with the retention that the settings say."""
    return (
        *_tombstones(settings, now=now),
        *_ended(settings, now=now),
        dead_events_chore(settings.dead_retention, now=now),
        privacy_chore(now=now),
        idempotency_chore(settings.idempotency_retention, now=now),
        inbox_chore(settings.inbox_retention),
        quota_chore(now=now),
    )


def _tombstones(settings: ContactsSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores on what is left of the deleted; people first, who hold contacts."""
    kept = timedelta(seconds=settings.tombstone_retention)

    async def people_tombstones(conn: Conn) -> int:
        return await tombstones.purge_people(conn, before=now() - kept, limit=BATCH)

    async def people_faded(conn: Conn) -> int:
        return await tombstones.fade_people(conn, before=now() - kept, limit=BATCH)

    async def contact_tombstones(conn: Conn) -> int:
        return await tombstones.purge_contacts(conn, before=now() - kept, limit=BATCH)

    async def label_tombstones(conn: Conn) -> int:
        return await tombstones.purge_labels(conn, before=now() - kept, limit=BATCH)

    async def group_tombstones(conn: Conn) -> int:
        return await tombstones.purge_groups(conn, before=now() - kept, limit=BATCH)

    async def purged_connections(conn: Conn) -> int:
        return await delete_purged(conn, before=now() - kept, limit=BATCH)

    return (
        Chore("people_tombstones", people_tombstones),
        Chore("people_faded", people_faded),
        Chore("contact_tombstones", contact_tombstones),
        Chore("label_tombstones", label_tombstones),
        Chore("group_tombstones", group_tombstones),
        Chore("purged_connections", purged_connections),
    )


def _ended(settings: ContactsSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores on what has ended, and is kept a while to be looked at."""
    logs_kept = timedelta(seconds=settings.log_retention)
    dead_kept = timedelta(seconds=settings.dead_retention)

    async def log_lines(conn: Conn) -> int:
        return await purge_lines(conn, before=now() - logs_kept, limit=BATCH)

    async def ended_conflicts(conn: Conn) -> int:
        return await conflicts.purge_resolved(conn, before=now() - logs_kept, limit=BATCH)

    async def ended_writes(conn: Conn) -> int:
        return await ledger.purge(conn, before=now() - logs_kept, limit=BATCH)

    async def finished_jobs(conn: Conn) -> int:
        return await jobs.purge_jobs(conn, before=now() - JOBS_KEPT, limit=BATCH)

    async def decided_holds(conn: Conn) -> int:
        return await holds.purge_decided(conn, before=now() - dead_kept, limit=BATCH)

    return (
        Chore("sync_logs", log_lines),
        Chore("conflicts", ended_conflicts),
        Chore("writes", ended_writes),
        Chore("jobs", finished_jobs),
        Chore("decided_holds", decided_holds),
    )
