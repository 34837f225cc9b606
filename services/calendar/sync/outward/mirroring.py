"""Looking at all appointments of a connection again: it is new, or its settings are."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.feeds import Lease
from services.calendar.domain.connection import Connection
from services.calendar.store import mirror_work as store
from services.calendar.sync.feeds import wake, work_address
from services.calendar.sync.outward.appointments import Appointments

FAR = timedelta(days=3_650)
"""As far ahead as appointments are looked at when settings change."""


async def look_again(conn: Conn, connection: Connection, *, now: datetime) -> None:
    """Let a connection's appointments be mirrored as its settings say now.

    Call it before rows of feeds are locked.
    """
    start, _ = connection.preferences.window(now)
    await look_within(conn, connection, start=start, end=now + FAR, forced=False, now=now)


async def look_within(
    conn: Conn,
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    forced: bool,
    now: datetime,
) -> None:
    """Let the appointments within a window be mirrored.

    Args:
        conn: inside a transaction that has locked no row of feeds yet.
        connection: whose.
        start: of the window.
        end: of the window.
        forced: write them anew, also where nothing seems to have changed.
        now: the present moment.
    """
    await wake(conn, work_address(connection.id), now=now)
    await store.put_work(
        conn, connection.tenant_id, connection.id, starts_at=start, ends_at=end, forced=forced
    )


class Mirroring:
    """Does that work, some appointments in each transaction."""

    def __init__(
        self, pool: Pool, appointments: Appointments, *, now: Callable[[], datetime]
    ) -> None:
        """Mirror through `appointments`."""
        self._pool = pool
        self._appointments = appointments
        self._now = now

    async def step(self, lease: Lease, connection: Connection) -> bool:
        """Mirror some appointments; False: there is nothing to do.

        Raises:
            LeaseLost: another worker has the feed.
        """
        where = connection.tenant_id, connection.id
        async with transaction(self._pool) as conn:
            work = await store.lock_work(conn, *where)
            if work is None:
                return False
            place = await self._appointments.sync_window(
                conn,
                connection,
                start=work.starts_at,
                end=work.ends_at,
                after=work.place,
                forced=work.forced,
            )
            await store.move_work(conn, *where, place=place)
            # Last of all: the writing feed's signal goes before this one's row.
            await lease.advance(conn, cursor=lease.cursor or "")
        return True
