"""Who is to be written into an address book may be there already, and be nobody's contact yet."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Known
from services.contacts.store import contacts, people
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.intake import Intake


async def meet(
    pool: Pool, intake: Intake, connection: Connection, ids: Sequence[UUID], *, now: datetime
) -> None:
    """Match people of an address book to contacts that are about to be added to it.

    Args:
        pool: of connections outside of any transaction.
        intake: matches them.
        connection: whose address book.
        ids: of contacts; those who are somebody there are passed over.
        now: the present moment.
    """
    async with pool.acquire() as conn:
        found = await _unlinked(conn, connection, ids)
    if not found:
        return
    async with transaction(pool) as conn:
        turn = await Turn.begin(conn, connection.tenant_id, now=now)
        still = await _unlinked(conn, connection, ids)
        await intake.relook(turn, connection, still, origin=Origin.LIVE)
        await turn.end()


async def _unlinked(conn: Conn, connection: Connection, ids: Sequence[UUID]) -> list[Known]:
    """Return people who are nobody's contact, and share an address or a number with such ones."""
    where = conn, connection.tenant_id
    links = await people.list_links(*where, ids)
    strange = [
        one for one in ids if all(link.connection_id != connection.id for link in links[one])
    ]
    found = await contacts.find_contacts(*where, strange)
    cards = [one.card for one in found.values() if one.is_live]
    return await people.find_unlinked(
        *where,
        connection.id,
        emails=sorted({key for one in cards for key in one.email_keys}),
        phones=sorted({key for one in cards for key in one.phone_keys}),
    )
