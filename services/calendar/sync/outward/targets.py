"""Where what the CRM writes goes: which connection, and which calendar of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.connections.access import writable
from libs.common.db import Connection as Conn
from libs.common.errors import Conflict, Forbidden, InvalidInput
from services.calendar.domain.connection import Connection
from services.calendar.store import calendars, connections
from services.calendar.store.calendars import Calendar


@dataclass(frozen=True, slots=True)
class Target:
    """A calendar that may be written."""

    connection: Connection
    calendar: Calendar


async def target_of(conn: Conn, connection: Connection, calendar_id: UUID | None = None) -> Target:
    """Return the calendar to write to: the one named, the settings' own, or the primary one.

    Raises:
        Conflict: `not-connected`, `reauthorization-required`, `connection-disabled`,
            `connection-paused`, `connection-ending`, `direction-from-google` or
            `calendars-unknown` (yet).
        Forbidden: `read-only-connection` or `read-only-calendar`.
        InvalidInput: `calendar_id` names no calendar of the connection's.
    """
    found = writable(connection)
    if found.leave is not None:
        raise Conflict("The connection is being ended.", slug="connection-ending")
    if not found.gives_out:
        raise Conflict("The settings let nothing go to Google.", slug="direction-from-google")
    known = await calendars.list_calendars(conn, found.tenant_id, [found.id])
    wanted = calendar_id or found.preferences.target_calendar_id
    if wanted is None:
        chosen = next((one for one in known if one.is_primary), None)
        if chosen is None:
            raise Conflict("The calendars are not known yet.", slug="calendars-unknown")
    else:
        chosen = next((one for one in known if one.id == wanted), None)
        if chosen is None:
            raise InvalidInput.field("calendar_id", "is no calendar of this connection")
    if not chosen.is_writable:
        raise Forbidden("The calendar may only be read.", slug="read-only-calendar")
    return Target(found, chosen)


async def connection_for(
    conn: Conn, tenant_id: str, *, user_id: str | None, connection_id: UUID | None
) -> Connection:
    """Return the connection to write for: the one named, or the user's only one.

    Args:
        conn: a connection.
        tenant_id: whose.
        user_id: who asks; None: a service, which has to name the connection.
        connection_id: which; None: nobody has said.

    Raises:
        NotFound: there is none, or it is somebody else's.
        InvalidInput: it has to be named.
        Conflict: `not-connected`.
    """
    if connection_id is not None:
        return await connections.get_connection(conn, tenant_id, connection_id, user_id=user_id)
    if user_id is None:
        raise InvalidInput.field("connection_id", "must be given by services")
    mine = await of_user(conn, tenant_id, user_id)
    if not mine:
        raise Conflict("No calendar is connected.", slug="not-connected")
    if len(mine) > 1:
        raise InvalidInput.field("connection_id", "must be given: there are several")
    return mine[0]


async def of_user(conn: Conn, tenant_id: str, user_id: str) -> Sequence[Connection]:
    """Return the connections of a user that are not over, oldest first."""
    found = []
    for one in await connections.list_of_user(conn, tenant_id, user_id):
        connection = await connections.find_connection(conn, tenant_id, one)
        if connection is not None:
            found.append(connection)
    return found
