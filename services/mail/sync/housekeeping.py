"""What the mail service removes at night."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from libs.common import jobs
from libs.common.connections.rows import delete_purged
from libs.common.directory import store as directory
from libs.common.feeds import holds
from libs.common.housekeeping import (
    JOBS_KEPT,
    Chore,
    aged,
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


def chores_on_mail(aging: Aging, keeping: KeepWorker) -> tuple[Chore, ...]:
    """Return the chores that go by what each mailbox's settings let be kept."""
    return (
        Chore("old_messages", aging.sweep),
        Chore("unread_mailboxes", keeping.sweep),
    )


def chores(settings: MailSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores, with the retention that the settings say."""
    chore = partial(aged, now=now)
    buried = timedelta(seconds=settings.tombstone_retention)
    ended = timedelta(seconds=settings.outgoing_retention)
    dead = timedelta(seconds=settings.dead_retention)
    return (
        chore("unread_notices", privacy_rest.purge_unattributed, kept=dead),
        chore("decided_holds", holds.purge_decided, kept=dead),
        chore("purged_connections", delete_purged, kept=buried),
        dead_events_chore(settings.dead_retention, now=now),
        privacy_chore(now=now),
        idempotency_chore(settings.idempotency_retention, now=now),
        inbox_chore(settings.inbox_retention),
        chore("message_tombstones", messages.purge_tombstones, kept=buried),
        chore("entity_tombstones", directory.purge_tombstones, kept=buried),
        quota_chore(now=now),
        chore("jobs", jobs.purge_jobs, kept=JOBS_KEPT),
        chore("outgoing", outgoing.purge_outgoing, kept=ended),
        chore("writes", ledger.purge, kept=ended),
    )
