"""Queueing mail to be held against settings: they changed, or less was fetched than they let."""

from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.feeds.store import raise_signals
from services.mail.domain.connection import Connection
from services.mail.store import keep_work as store
from services.mail.sync.feeds import work_address

SIGNAL_TIMEOUT_S = 5.0


async def queue_keeping(conn: Conn, connection: Connection, *, now: datetime) -> None:
    """Queue all mail of a mailbox to be held against its settings, and wake who does it."""
    addresses = [work_address(connection.id)]
    await store.queue_keeping(conn, connection.tenant_id, connection.id, now)
    await raise_signals(conn, addresses, now=now, timeout_s=SIGNAL_TIMEOUT_S)
