"""What the mail service removes at night."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libs.common import jobs
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.housekeeping import Chore, idempotency_chore, inbox_chore, quota_chore
from libs.common.writes import store as ledger
from services.mail.settings import MailSettings
from services.mail.store import messages, outgoing

BATCH = 1_000
JOBS_KEPT = timedelta(days=30)


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

    return (
        idempotency_chore(settings.idempotency_retention, now=now),
        inbox_chore(settings.inbox_retention),
        Chore("message_tombstones", tombstones),
        Chore("entity_tombstones", entities),
        quota_chore(now=now),
        Chore("jobs", finished_jobs),
        Chore("outgoing", ended_outgoing),
        Chore("writes", ended_writes),
    )
