"""Keeping the names of labels: renaming one leaves no trace in the history."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from libs.common.db import Pool, transaction
from services.mail.domain.connection import Connection
from services.mail.domain.history import HistoryPage
from services.mail.google import GmailBox
from services.mail.store import labels as store

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
        now = self._now()
        checked = self._known.get(connection.id)
        if checked is not None:
            at, known = checked
            if page.label_ids() <= known and now - at < CHECKED_EVERY:
                return
        labels = await box.labels()
        async with transaction(self._pool) as conn:
            await store.replace_labels(conn, connection.tenant_id, connection.id, labels)
        self._known.pop(connection.id, None)
        known = frozenset(one.google_id for one in labels) | page.label_ids()
        self._known[connection.id] = (now, known)
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
