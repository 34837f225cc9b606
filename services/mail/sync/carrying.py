"""What all carriers of writes make of Google's answers."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import AccessRevoked, AppError, Conflict, RateLimited
from libs.common.feeds import Feed
from libs.common.google.errors import PermissionDenied, RequestRefused
from libs.common.google.wire import Unreachable
from libs.common.writes import Write
from libs.common.writes import store as ledger
from services.mail.google.writing import Patience
from services.mail.store import outgoing, runs

RETRY: Final = timedelta(seconds=30)
REFUSED: Final = (RequestRefused, PermissionDenied)
"""For good: asking again would not help."""
NOT_DONE: Final = (RateLimited, Unreachable, AccessRevoked, Conflict)
"""Nothing of the last request had an effect."""


def later(exc: AppError, now: datetime) -> datetime:
    """Return when a write is tried again that could not be made."""
    wait = timedelta(seconds=exc.retry_after_s) if isinstance(exc, RateLimited) else RETRY
    return now + wait


async def note_mark(
    conn: Conn, feed: Feed, write: Write, outgoing_id: UUID, *, patience: Patience, now: datetime
) -> Write:
    """Note, in the transaction of a claim, where a search for its effect would have to begin."""
    size = await outgoing.find_size(conn, write.tenant_id, outgoing_id) or 0
    mark = write.progress.get("mark") or await runs.live_cursor(conn, feed)
    return await ledger.note(conn, write, {"mark": mark}, deadline=now + patience.deadline(size))
