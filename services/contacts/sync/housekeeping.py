"""What the contacts service removes at night."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from libs.common import jobs
from libs.common.connections.rows import delete_purged
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
from libs.common.sync_logs import purge_lines
from libs.common.writes import store as ledger
from services.contacts.settings import ContactsSettings
from services.contacts.store import conflicts, tombstones


def chores(settings: ContactsSettings, *, now: Callable[[], datetime]) -> tuple[Chore, ...]:
    """Return the chores, with the retention that the settings say.

    Of what is left of the deleted people go first, who hold contacts.
    """
    chore = partial(aged, now=now)
    buried = timedelta(seconds=settings.tombstone_retention)
    logged = timedelta(seconds=settings.log_retention)
    dead = timedelta(seconds=settings.dead_retention)
    return (
        chore("people_tombstones", tombstones.purge_people, kept=buried),
        chore("people_faded", tombstones.fade_people, kept=buried),
        chore("contact_tombstones", tombstones.purge_contacts, kept=buried),
        chore("label_tombstones", tombstones.purge_labels, kept=buried),
        chore("group_tombstones", tombstones.purge_groups, kept=buried),
        chore("purged_connections", delete_purged, kept=buried),
        chore("sync_logs", purge_lines, kept=logged),
        chore("conflicts", conflicts.purge_resolved, kept=logged),
        chore("writes", ledger.purge, kept=logged),
        chore("jobs", jobs.purge_jobs, kept=JOBS_KEPT),
        chore("decided_holds", holds.purge_decided, kept=dead),
        dead_events_chore(settings.dead_retention, now=now),
        privacy_chore(now=now),
        idempotency_chore(settings.idempotency_retention, now=now),
        inbox_chore(settings.inbox_retention),
        quota_chore(now=now),
    )
