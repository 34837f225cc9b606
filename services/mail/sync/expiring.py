"""Letting go of mail that is older than the whole service may keep any."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from services.mail.store import connections
from services.mail.store import privacy_messages as store
from services.mail.sync.letting_go import let_go

AT_ONCE = 200


class Expiry:
    """Removes old mail, a batch at a time, as a chore of the night.

    Args:
        days: how old mail may become; 0: as old as it likes.
    """

    def __init__(self, *, days: int, now: Callable[[], datetime]) -> None:
        self._days = days
        self._now = now

    async def sweep(self, conn: Conn) -> int:
        """Let go of some mail of one mailbox; return how many messages, 0: none is too old."""
        if self._days == 0:
            return 0
        now = self._now()
        found = await store.list_too_old(
            conn, before=now - timedelta(days=self._days), limit=AT_ONCE
        )
        if found is None:
            return 0
        tenant_id, connection_id, ids = found
        await directory.lock_shared(conn, tenant_id)  # before any row is locked
        mailbox = await connections.find_connection(conn, tenant_id, connection_id)
        for held in await store.lock_content(conn, tenant_id, ids):
            if not held.traced and not held.deleted:
                await let_go(conn, tenant_id, held, mailbox, reason="retention", now=now)
        return len(ids)
