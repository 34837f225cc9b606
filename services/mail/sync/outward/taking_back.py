"""Taking back what is not on its way yet: a message that waits, a draft."""

from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.errors import Conflict
from libs.common.writes import store as ledger
from services.mail.domain.sending.outgoing import Outgoing, OutgoingState
from services.mail.store import outgoing as store
from services.mail.sync.feeds import wake_writer
from services.mail.sync.outward.drafting import DELETE, queue_draft


async def cancel_send(conn: Conn, outgoing: Outgoing, *, now: datetime) -> None:
    """Take a message back in the caller's transaction; a draft made for it goes from Gmail soon.

    Raises:
        Conflict: `too-late`: it is under way, or has ended.
    """
    tenant_id = outgoing.tenant_id
    await wake_writer(conn, tenant_id, outgoing.connection_id, now=now)
    if not await ledger.cancel(conn, tenant_id, outgoing.id, now=now):
        raise Conflict("It is too late to take it back.", slug="too-late")
    write = await ledger.find(conn, tenant_id, outgoing.id)
    draft_id = outgoing.draft_id or (write.progress.get("draft_id") if write else None)
    if draft_id is not None:
        await queue_draft(conn, outgoing, {"op": DELETE, "draft_id": draft_id}, now=now)
    await store.end_outgoing(conn, tenant_id, outgoing.id, OutgoingState.CANCELLED, now=now)


async def discard_draft(conn: Conn, draft: Outgoing, *, now: datetime) -> None:
    """Throw a draft away in the caller's transaction: here at once, in Gmail soon."""
    await wake_writer(conn, draft.tenant_id, draft.connection_id, now=now)
    ended = await store.end_outgoing(
        conn, draft.tenant_id, draft.id, OutgoingState.DISCARDED, now=now
    )
    if ended is not None:
        desired = {"op": DELETE, "draft_id": draft.draft_id}
        await queue_draft(conn, draft, desired, now=now)
