"""What a person asks for: more of a mailbox's past, or a comparison of all of it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from libs.common import jobs
from libs.common.connections.access import readable
from libs.common.db import Connection as Conn
from libs.common.db import Pool
from libs.common.errors import Conflict
from libs.common.feeds.compare import Reason
from libs.common.jobs import Job
from services.mail.domain.connection import Connection
from services.mail.google import Gmail
from services.mail.sync import feeds

SYNC = "mail.sync"
REPAIR = "mail.repair"


class Asking:
    """Starts long work on a mailbox and returns the job that tells how far it is."""

    def __init__(self, pool: Pool, gmail: Gmail, *, now: Callable[[], datetime]) -> None:
        """Read the mailbox's number through `gmail`."""
        self._pool = pool
        self._gmail = gmail
        self._now = now

    async def backfill(self, conn: Conn, connection: Connection, *, days: int | None) -> Job:
        """Take in the mail of the last `days` (default: the connection's own number).

        Raises:
            Conflict: `not-connected`, `reauthorization-required`, `connection-disabled`,
                `connection-paused`, or `nothing-to-do` when neither names a day.
        """
        _read(connection)
        wanted = connection.backfill_days if days is None else days
        if wanted == 0:
            raise Conflict("There is no day to take in.", slug="nothing-to-do")
        now = self._now()
        since = now - timedelta(days=wanted)
        feed = await feeds.open_backfill(conn, connection, since=since, now=now)
        return await jobs.add_job(conn, feed, kind=SYNC, now=now, facts={"days": wanted})

    async def pin(self, connection: Connection) -> str:
        """Return the mailbox's number, to be read before `repair`, outside its transaction."""
        _read(connection)
        return str(await self._gmail.box(connection).current_history_id())

    async def repair(self, conn: Conn, connection: Connection, *, pin: str) -> Job:
        """Compare the mailbox with what is held, and repair the difference."""
        now = self._now()
        feed = await feeds.open_repair(
            conn, connection, reason=Reason.REQUEST, pin=pin, missed_since=None, now=now
        )
        return await jobs.add_job(conn, feed, kind=REPAIR, now=now)


def _read(connection: Connection) -> Connection:
    """Return the connection, whose mailbox is being read.

    Raises:
        Conflict: as `readable`, or `connection-paused`.
    """
    if readable(connection).is_paused:
        raise Conflict("The mailbox is paused.", slug="connection-paused")
    return connection
