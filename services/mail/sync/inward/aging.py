"""Letting go of mail that is older than its mailbox's settings allow."""

from collections.abc import Callable
from datetime import datetime

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from services.mail.domain.keeping import Reason, Verdict
from services.mail.domain.message import Keep
from services.mail.store import keep_work, keeping
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.redacting import redact
from services.mail.sync.meaning.activities import Activities

AT_ONCE = 200


class Aging:
    """Removes old mail, a batch at a time, as a chore of the night."""

    def __init__(self, keeper: Keeper, *, now: Callable[[], datetime]) -> None:
        """Go by the rules `keeper` finds."""
        self._keeper = keeper
        self._now = now

    async def sweep(self, conn: Conn) -> int:
        """Let go of some mail of one mailbox; return how many messages, 0: none is too old."""
        expired = await keep_work.find_expired(
            conn, self._now(), most_days=self._keeper.retention_days
        )
        if expired is None:
            return 0
        await directory.lock_shared(conn, expired[0])
        found = await self._keeper.found(conn, *expired)
        if found is None:
            return 0
        connection, rules = found
        if rules.oldest is None:
            return 0
        old = await keeping.lock_old(
            conn, connection.tenant_id, connection.id, before=rules.oldest, limit=AT_ONCE
        )
        verdict = Verdict(Keep.NOTHING, Reason.RETENTION)
        activities = Activities(conn, connection, origin=Origin.REPAIR)
        for held in old:
            told = await redact(
                conn,
                connection,
                held,
                verdict,
                origin=Origin.REPAIR,
                now=self._now(),
                activities=activities,
            )
            await outbox.append(conn, *told)
        await outbox.append(conn, *await activities.tell())
        return len(old)
