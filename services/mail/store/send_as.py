"""SQL on whom a mailbox may send as."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.message import Person

LIST_SEND_AS = "SELECT send_as FROM connections WHERE tenant_id = $1 AND connection_id = $2"


async def list_send_as(conn: Conn, tenant_id: str, connection_id: UUID) -> list[Person] | None:
    """Return whom the mailbox may send as, as Google last said; None: it was never asked."""
    found = await conn.fetchval(LIST_SEND_AS, tenant_id, connection_id)
    return None if found is None else [Person(**one) for one in found]


SET_SEND_AS = "UPDATE connections SET send_as = $3 WHERE tenant_id = $1 AND connection_id = $2"


async def set_send_as(
    conn: Conn, tenant_id: str, connection_id: UUID, people: Sequence[Person]
) -> None:
    """Keep what Google says whom the mailbox may send as."""
    stored = [{"address": one.address, "name": one.name} for one in people]
    await conn.execute(SET_SEND_AS, tenant_id, connection_id, stored)
