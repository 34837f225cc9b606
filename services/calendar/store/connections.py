"""SQL on connections: the service's copy of who connected which calendars, and their settings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.connections import ConnectionRows, rows
from libs.common.connections.rows import core_of
from libs.common.db import Connection as Conn
from services.calendar.domain.connection import Connection
from services.calendar.domain.leaving import leave_of
from services.calendar.domain.preferences import preferences_of


def connection_of(row: Any) -> Connection:
    """Return a row of connections."""
    return Connection(
        **core_of(row),
        preferences=preferences_of(row["preferences"]),
        preferences_version=row["preferences_version"],
        complete_since=row["complete_since"],
        leave=leave_of(row["leave"]),
    )


OWN = ("preferences", "preferences_version", "complete_since", "leave")

ROWS = ConnectionRows(OWN, connection_of, begins=(), values=lambda _: ())
find_connection = ROWS.find
lock_connection = ROWS.lock
list_connections = ROWS.list
get_connection = ROWS.get

SET_PREFERENCES = """
UPDATE connections SET preferences = $3, preferences_version = preferences_version + 1
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_preferences(conn: Conn, changed: Connection) -> None:
    """Keep what is wanted of a connection from now on."""
    await conn.execute(SET_PREFERENCES, changed.tenant_id, changed.id, changed.preferences.stored())


BEGIN = """
UPDATE connections SET complete_since = $3
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_complete_since(
    conn: Conn, tenant_id: str, connection_id: UUID, since: datetime
) -> None:
    """Note from when on the calendars are taken in."""
    await conn.execute(BEGIN, tenant_id, connection_id, since)


FIND_OF_USER = """
SELECT connection_id FROM connections
 WHERE tenant_id = $1 AND user_id = $2 AND state <> 'disconnected' AND purge = 'none'
 ORDER BY connection_id
"""


async def list_of_user(conn: Conn, tenant_id: str, user_id: str) -> list[UUID]:
    """Return the connections of a user that are not over, oldest first."""
    return [row["connection_id"] for row in await conn.fetch(FIND_OF_USER, tenant_id, user_id)]


PURGES = tuple(
    f"DELETE FROM {table} WHERE tenant_id = $1 AND connection_id = $2"  # noqa: S608 - constants
    for table in ("reminders", "conflicts", "sync_logs", "link_work", "mirror_work", "calendars")
)


async def purge_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove what is held of a connection but its events; see `rows.purge_connection`."""
    if await rows.purge_connection(conn, tenant_id, connection_id):
        for statement in PURGES:
            await conn.execute(statement, tenant_id, connection_id)
