"""Google's notices taken in: the feeds of a calendar are dirty, committed."""

from collections.abc import Callable
from datetime import datetime

import structlog
from prometheus_client import Counter

from libs.common.db import FAILURES, Pool, acquired
from libs.common.errors import Transient
from libs.common.feeds import Door
from services.calendar.domain.channel import Notice, Verdict, verdict
from services.calendar.store import channels
from services.calendar.sync.feeds import calendar_address

log = structlog.get_logger(__name__)

DATABASE_AWAY: tuple[type[Exception], ...] = (Transient, *FAILURES)

NOTICES = Counter(
    "causeway_calendar_notices_total",
    "Genuine notices: taken, adopted (before Google's answer to our watch), greeting, left (of "
    "no channel that counts, or old).",
    ["outcome"],
)
TAKEN, ADOPTED, GREETING, LEFT = (
    NOTICES.labels(name) for name in ("taken", "adopted", "greeting", "left")
)


class Notices:
    """What the webhook does with a notice."""

    def __init__(self, pool: Pool, door: Door, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._door = door
        self._now = now

    async def take(self, notice: Notice) -> None:
        """Mark the calendar's feeds dirty; return once that is committed.

        Raises:
            Transient: whether it was committed is not known; it has to come again.
        """
        try:
            async with acquired(self._pool) as conn:
                watched = await channels.find_channel(conn, notice.channel_id)
        except FAILURES as exc:
            raise Transient("The database is away.", cause=type(exc).__name__) from exc
        judged = verdict(None if watched is None else watched.channel, notice)
        if watched is None or judged is Verdict.LEAVE:
            LEFT.inc()
            return
        if notice.is_greeting:
            GREETING.inc()
        else:
            # The number is noted after the knock: a notice that comes again is taken again.
            await self._door.knock(calendar_address(watched.account_id, watched.google_id))
            (ADOPTED if judged is Verdict.ADOPT else TAKEN).inc()
        await self._note(notice)

    async def _note(self, notice: Notice) -> None:
        try:
            async with acquired(self._pool) as conn:
                await channels.note_notice(
                    conn, notice.channel_id, number=notice.number, resource_id=notice.resource_id
                )
        except DATABASE_AWAY as exc:
            log.info("notice_not_noted", error=type(exc).__name__)
