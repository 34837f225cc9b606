"""Which of a caller's connections something is about."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.connections.model import State
from libs.common.db import Connection as Conn
from libs.common.errors import Conflict, InvalidInput
from libs.common.web import Caller, seen_by
from services.contacts.domain.connection import Connection
from services.contacts.store import connections


async def visible(conn: Conn, who: Caller, wanted: UUID | None) -> Sequence[UUID]:
    """Return the connections whose affairs the caller may see: their own; a service, all."""
    mine = await connections.list_connections(conn, who.tenant_id, seen_by(who))
    return [one.id for one in mine if wanted in (None, one.id)]


async def chosen(conn: Conn, who: Caller, wanted: UUID | None) -> Connection:
    """Return the connection that is meant: the one that is named, or the only one there is.

    Raises:
        NotFound: the caller has no such connection.
        Conflict: `not-connected`: they have none at all.
        InvalidInput: they have several; one has to be named.
    """
    if wanted is not None:
        return await connections.get_connection(conn, who.tenant_id, wanted, user_id=seen_by(who))
    mine = [
        one
        for one in await connections.list_connections(conn, who.tenant_id, seen_by(who))
        if one.state is not State.DISCONNECTED
    ]
    if not mine:
        raise Conflict("No account is connected.", slug="not-connected")
    if len(mine) > 1:
        raise InvalidInput.field("connection_id", "is needed: there are several connections")
    return mine[0]
