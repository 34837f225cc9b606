"""Keeping the names of labels: renaming one leaves no trace in the history."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from services.mail.domain.connection import Connection
from services.mail.domain.history import HistoryPage
from services.mail.domain.keeping import renames
from services.mail.domain.label import Label
from services.mail.google import GmailBox
from services.mail.store import labels as store
from services.mail.sync.inward.keep_queue import queue_keeping

CHECKED_EVERY = timedelta(hours=1)
REMEMBERED = 10_000


class LabelNames:
    """Asks Gmail for the labels of a mailbox, now and then, and when one is new."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime]) -> None:
        """Keep them in the database of `pool`."""
        self._pool = pool
        self._now = now
        self._known: dict[UUID, tuple[datetime, frozenset[str]]] = {}

    async def keep(self, box: GmailBox, connection: Connection, page: HistoryPage) -> None:
        """Ask (1 unit) if the page names a label that is new to us, or it is long since."""
        await self.learn(box, connection, page.label_ids())

    async def learn(self, box: GmailBox, connection: Connection, ids: frozenset[str]) -> None:
        """Ask (1 unit) if one of these labels is new to us, or it is long since."""
        checked = self._known.get(connection.id)
        if checked is not None:
            at, known = checked
            if ids <= known and self._now() - at < CHECKED_EVERY:
                return
        await self.refresh(box, connection, ids)

    async def refresh(
        self, box: GmailBox, connection: Connection, ids: frozenset[str] = frozenset()
    ) -> None:
        """Ask; those of `ids` that have no name then are not asked for again soon."""
        now, labels = self._now(), await box.labels()
        await keep_names(self._pool, connection, labels, now=now)
        self._known.pop(connection.id, None)
        known = frozenset(one.google_id for one in labels) | ids
        self._known[connection.id] = (now, known)
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]


async def keep_names(
    pool: Pool, connection: Connection, labels: Sequence[Label], *, now: datetime
) -> None:
    """Let the mailbox have exactly these labels.

    When one that was there before has got, or lost, a name that the settings filter by, all mail is
    held against them again.
    """
    tenant_id, mine = connection.tenant_id, connection.preferences
    async with transaction(pool) as conn:
        if mine.filters_labels:
            await directory.lock_exclusive(
                conn, tenant_id
            )  # whoever decides by names has it shared
            before = await store.list_labels(conn, tenant_id, connection.id)
            if renames(mine, before, labels):
                await queue_keeping(conn, connection, now=now)
        await store.replace_labels(conn, tenant_id, connection.id, labels)
