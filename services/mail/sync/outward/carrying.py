"""What mail's carriers note of a write before Google is asked."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.feeds import Feed
from libs.common.writes import Write
from libs.common.writes import store as ledger
from libs.common.writes.patience import Patience
from services.mail.store import outgoing, runs


async def note_mark(
    conn: Conn, feed: Feed, write: Write, outgoing_id: UUID, *, patience: Patience, now: datetime
) -> Write:
    """Note, in the transaction of a claim, where a search for its effect would have to begin."""
    size = await outgoing.find_size(conn, write.tenant_id, outgoing_id) or 0
    mark = write.progress.get("mark") or await runs.live_cursor(conn, feed)
    return await ledger.note(conn, write, {"mark": mark}, deadline=now + patience.deadline(size))
