"""SQL on what we have sent, as it comes back through the mailbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from services.mail.domain.sending.outgoing import OutgoingState

CLAIM_RETURN = """
UPDATE outgoing SET google_id = $4, thread_id = $5
 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3
   AND (google_id IS NULL OR google_id = $4)
   AND NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = $1 AND m.id = $3)
RETURNING entities, state
"""


@dataclass(frozen=True, slots=True)
class Returned:
    """A send that came back through the mailbox."""

    entities: tuple[EntityRef, ...]
    state: OutgoingState


async def claim_return(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    outgoing_id: UUID,
    *,
    google_id: str,
    thread_id: str,
) -> Returned | None:
    """Note which message an outgoing one became; None: that message is not ours, or not the first.

    Anybody can write our header into a message; only the first that names a send of this mailbox
    is that send.
    """
    row = await conn.fetchrow(
        CLAIM_RETURN, tenant_id, connection_id, outgoing_id, google_id, thread_id
    )
    if row is None:
        return None
    entities = tuple(EntityRef(*one) for one in row["entities"])
    return Returned(entities, OutgoingState(row["state"]))


LIST_OURS = """
SELECT google_id FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = ANY($3::text[]) AND sent_by_crm
"""


async def list_ours(
    conn: Conn, tenant_id: str, connection_id: UUID, google_ids: Sequence[str]
) -> frozenset[str]:
    """Return which of these messages the CRM itself sent."""
    rows = await conn.fetch(LIST_OURS, tenant_id, connection_id, list(google_ids))
    return frozenset(row["google_id"] for row in rows)


MARK_OURS = """
UPDATE messages SET sent_by_crm = true WHERE tenant_id = $1 AND id = ANY($2::uuid[])
"""


async def mark_ours(conn: Conn, tenant_id: str, message_ids: Sequence[UUID]) -> None:
    """Note that the CRM itself sent these messages: they are kept whatever is kept else."""
    await conn.execute(MARK_OURS, tenant_id, list(message_ids))


IS_SEND = """
SELECT EXISTS (SELECT FROM outgoing WHERE tenant_id = $1 AND connection_id = $2 AND id = $3)
"""


async def is_send(conn: Conn, tenant_id: str, connection_id: UUID, outgoing_id: UUID) -> bool:
    """Say whether that is an outgoing message of this mailbox."""
    return bool(await conn.fetchval(IS_SEND, tenant_id, connection_id, outgoing_id))
