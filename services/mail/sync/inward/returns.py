"""What we have sent, coming back through the mailbox: it is logged here, once, like any other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.writes import store as ledger
from services.mail.domain.connection import Connection
from services.mail.domain.message import SENT, Fetched
from services.mail.domain.sending.outgoing import OutgoingState
from services.mail.store import links
from services.mail.store import outgoing as store
from services.mail.store import returns as returns_store
from services.mail.sync.meaning.linking import Arrival


@dataclass(frozen=True, slots=True)
class Return:
    """A message that is a send of ours."""

    id: UUID
    entities: tuple[EntityRef, ...]
    """It is to be logged with these, whoever it went to."""

    def arrival(self, tenant_id: str, message: Fetched, refs: Iterable[EntityRef]) -> Arrival:
        """Return it as it is taken in: under the id that was promised."""
        concerned = tuple(sorted({*refs, *self.entities}))
        return Arrival.of(tenant_id, message, concerned, message_id=self.id)


async def claim_returns(
    conn: Conn, connection: Connection, mail: Sequence[Fetched], *, now: datetime
) -> dict[str, Return]:
    """Return those of new messages that we have sent, by Gmail's id, and end their sends.

    Here a lost answer is settled as well: the message itself is the proof.
    """
    found: dict[str, Return] = {}
    for one in mail:
        send_id = one.content.send_id
        if send_id is not None and SENT in one.labels:
            returned = await _claim(conn, connection, send_id, one, now=now)
            if returned is not None:
                found[one.google_id] = returned
    return found


async def _claim(
    conn: Conn, connection: Connection, send_id: UUID, message: Fetched, *, now: datetime
) -> Return | None:
    tenant_id = connection.tenant_id
    await ledger.find(conn, tenant_id, send_id, lock=True)  # as the sender does: the ledger first
    returned = await returns_store.claim_return(
        conn,
        tenant_id,
        connection.id,
        send_id,
        google_id=message.google_id,
        thread_id=message.thread_id,
    )
    if returned is None:
        return None
    answer = {"google_id": message.google_id, "thread_id": message.thread_id}
    await ledger.settle(conn, tenant_id, send_id, answer, now=now)
    await store.end_outgoing(conn, tenant_id, send_id, OutgoingState.SENT, now=now)
    return Return(send_id, returned.entities)


async def mark_returns(conn: Conn, connection: Connection, returns: Iterable[Return]) -> None:
    """Note on messages just added that the CRM sent them, and which links somebody asked for."""
    found = list(returns)
    if not found:
        return
    await returns_store.mark_ours(conn, connection.tenant_id, [one.id for one in found])
    for one in found:
        if one.entities:
            await links.mark_explicit(conn, connection.tenant_id, one.id, one.entities)
