"""Letting go of an erased person's message as a whole, and telling consumers of it."""

from datetime import datetime

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.events.mail import MessageRedacted
from services.mail.domain.connection import Connection
from services.mail.domain.erasing import Fate, Remains, told
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Direction
from services.mail.store import links
from services.mail.store import privacy_messages as store
from services.mail.store.privacy_messages import Held
from services.mail.sync.linking import tell

NOTHING = Remains(content=Content(), snippet="")


async def let_go(
    conn: Conn,
    tenant_id: str,
    held: Held,
    mailbox: Connection | None,
    *,
    now: datetime,
) -> None:
    """Leave nothing of a message, whose row is locked, but its ids and date.

    Args:
        mailbox: in whose name events tell of it; None: nobody is told.
    """
    was_linked = bool(await links.list_links(conn, tenant_id, held.id))
    sequence = await store.empty_message(conn, tenant_id, held.id, now=now, told=True)
    if mailbox is not None:
        facts = facts_of(held, NOTHING)
        event = told(mailbox, facts, held.thread_id, Fate.REMOVED)
        await tell_both(conn, mailbox, facts, event, sequence, was_linked=was_linked, now=now)


async def tell_both(
    conn: Conn,
    mailbox: Connection,
    facts: Facts,
    event: MessageRedacted,
    sequence: int,
    *,
    was_linked: bool,
    now: datetime,
) -> None:
    """Tell that consumers' copies of a message have to shrink: of itself, and as an activity."""
    envelopes = [
        Envelope.of(
            event,
            tenant_id=mailbox.tenant_id,
            aggregate_id=str(facts.message_id),
            sequence=sequence,
            time=now,
        )
    ]
    if was_linked:
        envelopes.append(await tell(conn, mailbox, facts, origin=Origin.REPAIR, time=now))
    await outbox.append(conn, *envelopes)


def facts_of(held: Held, remains: Remains) -> Facts:
    """Return what is told of a message of which that remains."""
    return Facts(
        message_id=held.id,
        google_id=held.google_id,
        occurred_at=held.internal_date,
        direction=held.direction or Direction.INBOUND,
        content=remains.content,
        snippet=remains.snippet,
    )
