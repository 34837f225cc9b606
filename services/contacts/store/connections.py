"""SQL on connections: the service's copy of who connected which contacts, and their settings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.connections import ConnectionRows, rows
from libs.common.connections.rows import core_of
from libs.common.db import Connection as Conn
from services.contacts.domain.connection import Connection
from services.contacts.domain.preferences import preferences_of


def connection_of(row: Any) -> Connection:
    """Return a row of connections."""
    return Connection(
        **core_of(row),
        preferences=preferences_of(row["preferences"]),
        preferences_version=row["preferences_version"],
        looked_version=row["looked_version"],
        read_at=row["read_at"],
        confirmed_at=row["confirmed_at"],
        confirmed_by=row["confirmed_by"],
    )


OWN = (
    "preferences",
    "preferences_version",
    "looked_version",
    "read_at",
    "confirmed_at",
    "confirmed_by",
)

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


SET_READ = """
UPDATE connections SET read_at = COALESCE(read_at, $3)
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_read(conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime) -> None:
    """Note that the whole address book was read, if that is not noted yet."""
    await conn.execute(SET_READ, tenant_id, connection_id, now)


SET_LOOKED = """
UPDATE connections SET looked_version = $3 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_looked(conn: Conn, tenant_id: str, connection_id: UUID, *, version: int) -> None:
    """Note by which version of its preferences all people who are no contact were looked at."""
    await conn.execute(SET_LOOKED, tenant_id, connection_id, version)


LIST_FORMER = """
SELECT connection_id FROM connections
 WHERE tenant_id = $1 AND account_id = $2 AND connection_id <> $3 AND state = 'disconnected'
"""


async def list_former(conn: Conn, connection: Connection) -> list[UUID]:
    """Return the ended connections of the tenant that were on the same account."""
    one = connection
    rows = await conn.fetch(LIST_FORMER, one.tenant_id, one.account_id, one.id)
    return [row["connection_id"] for row in rows]


BEGIN_ANEW = """
UPDATE connections SET read_at = NULL, confirmed_at = NULL, confirmed_by = NULL
 WHERE tenant_id = $1 AND connection_id = $2
"""
FORGET = tuple(
    f"DELETE FROM {table} WHERE tenant_id = $1 AND connection_id = $2"  # noqa: S608 - constants
    for table in ("labels", "people")
)


async def begin_anew(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Forget who was read, and that somebody confirmed: it is another account's address book now.

    Contacts stay.
    """
    for statement in (BEGIN_ANEW, *FORGET):
        await conn.execute(statement, tenant_id, connection_id)


CONFIRM = """
UPDATE connections SET confirmed_at = $3, confirmed_by = $4
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def confirm(
    conn: Conn, tenant_id: str, connection_id: UUID, *, by: str, now: datetime
) -> None:
    """Note who said yes to the first writing."""
    await conn.execute(CONFIRM, tenant_id, connection_id, now, by)


PURGES = tuple(
    f"DELETE FROM {table} WHERE tenant_id = $1 AND connection_id = $2"  # noqa: S608 - constants
    for table in ("conflicts", "sync_logs", "push_work", "labels", "people")
)


async def purge_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove what is held of a connection; see `rows.purge_connection`."""
    if await rows.purge_connection(conn, tenant_id, connection_id):
        for statement in PURGES:
            await conn.execute(statement, tenant_id, connection_id)
