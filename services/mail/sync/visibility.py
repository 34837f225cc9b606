"""Changing what colleagues see of a mailbox: at once for whoever reads, and told to the others."""

from collections.abc import Callable
from datetime import datetime

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from libs.common.feeds import Lease
from libs.common.feeds.store import raise_signals
from services.mail.domain.connection import Connection
from services.mail.domain.visibility import Visibility
from services.mail.store import connections, copies
from services.mail.store.copies import Retelling
from services.mail.sync.feeds import work_address
from services.mail.sync.meaning.activities import Activities, copy_of

AT_ONCE = 100
SIGNAL_TIMEOUT_S = 5.0


async def set_visibility(
    conn: Conn, connection: Connection, wanted: Visibility | None, *, now: datetime
) -> Visibility:
    """Set what colleagues see, and queue what was told; return what holds now.

    Whoever reads finds the new rule when this commits. `wanted` None leaves it as it is.
    """
    if wanted is None or wanted is connection.visibility:
        return connection.visibility
    tenant_id = connection.tenant_id
    # Signals go before the rows that page commits lock.
    await raise_signals(conn, [work_address(connection.id)], now=now, timeout_s=SIGNAL_TIMEOUT_S)
    await connections.set_visibility(conn, tenant_id, connection.id, wanted)
    await copies.queue_retelling(conn, tenant_id, connection.id)
    return wanted


class Retellings:
    """Tells the activities of a mailbox again, for the feed of kind `mail.work`."""

    def __init__(self, pool: Pool, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Tell some again, the newest first; False when nothing waits.

        Raises:
            LeaseLost: another worker has the feed; nothing was written.
        """
        place = (connection.tenant_id, connection.id)
        async with self._pool.acquire() as conn:
            if not await copies.has_retelling(conn, *place):
                return False
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=lease.cursor or "")
            retelling = await copies.lock_retelling(conn, *place)
            if retelling is None:
                return False
            found = await copies.next_copies(conn, *place, retelling, limit=AT_ONCE)
            activities = Activities(conn, connection, origin=Origin.REPAIR)
            for facts in found:
                activities.change(copy_of(connection, facts), time=self._now())
            if len(found) < AT_ONCE:
                await copies.end_retelling(conn, *place)
            else:
                last = found[-1]
                moved = Retelling(last.occurred_at, last.message_id)
                await copies.move_retelling(conn, *place, moved)
            await outbox.append(conn, *await activities.tell())
        return True
