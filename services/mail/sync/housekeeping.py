"""What the mail service removes at night."""

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
from libs.common.writes import store as ledger
from services.mail.settings import MailSettings
from services.mail.store import messages, outgoing, privacy_rest
from services.mail.sync.inward.aging import Aging
from services.mail.sync.inward.keep_work import KeepWorker

BATCH = 1_000
JOBS_KEPT = timedelta(days=30)


def chores_on_mail(aging: Aging, keeping: KeepWorker) -> tuple[Chore, ...]:
    """Return the chores that go by what each mailbox's settings let be kept."""
    return (
        Chore("old_messages", aging.sweep),
        Chore("unread_mailboxes", keeping.sweep),
    )


def chores(settings: MailSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores, with the retention that the settings say."""
    retention = timedelta(seconds=settings.tombstone_retention)

    async def tombstones(conn: Conn) -> int:
        return await messages.purge_tombstones(conn, before=now() - retention, limit=BATCH)

    async def entities(conn: Conn) -> int:
        return await directory.purge_tombstones(conn, before=now() - retention, limit=BATCH)

    async def finished_jobs(conn: Conn) -> int:
        return await jobs.purge_jobs(conn, before=now() - JOBS_KEPT, limit=BATCH)

    kept = timedelta(seconds=settings.outgoing_retention)

    async def ended_outgoing(conn: Conn) -> int:
        return await outgoing.purge_outgoing(conn, before=now() - kept, limit=BATCH)

    async def ended_writes(conn: Conn) -> int:
        return await ledger.purge(conn, before=now() - kept, limit=BATCH)

    dead = timedelta(seconds=settings.dead_retention)

    async def unread_notices(conn: Conn) -> int:
        return await privacy_rest.purge_unattributed(conn, before=now() - dead, limit=BATCH)

    async def decided_holds(conn: Conn) -> int:
        return await holds.purge_decided(conn, before=now() - dead, limit=BATCH)

    async def purged_connections(conn: Conn) -> int:
        return await delete_purged(conn, before=now() - retention, limit=BATCH)

    return (
        Chore("unread_notices", unread_notices),
        Chore("decided_holds", decided_holds),
        Chore("purged_connections", purged_connections),
        dead_events_chore(settings.dead_retention, now=now),
        privacy_chore(now=now),
        idempotency_chore(settings.idempotency_retention, now=now),
        inbox_chore(settings.inbox_retention),
        Chore("message_tombstones", tombstones),
        Chore("entity_tombstones", entities),
        quota_chore(now=now),
        Chore("jobs", finished_jobs),
        Chore("outgoing", ended_outgoing),
        Chore("writes", ended_writes),
    )
