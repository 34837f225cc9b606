"""SQL on connections whose appointments are to be mirrored, or looked at again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorWork:
    """Which appointments of a connection's user."""

    starts_at: datetime
    ends_at: datetime
    place: str | None
    """The last one that is done; None: none is."""
    forced: bool
    """Write anew what seems to be as it should."""


PUT = """
INSERT INTO mirror_work AS w (tenant_id, connection_id, starts_at, ends_at, forced)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, connection_id) DO UPDATE
   SET starts_at = LEAST(w.starts_at, EXCLUDED.starts_at),
       ends_at = GREATEST(w.ends_at, EXCLUDED.ends_at),
       forced = w.forced OR EXCLUDED.forced, place = NULL
"""


async def put_work(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    starts_at: datetime,
    ends_at: datetime,
    forced: bool,
) -> None:
    """Let the appointments within a window be looked at; what was to be done is done with it."""
    await conn.execute(PUT, tenant_id, connection_id, starts_at, ends_at, forced)


FIND = """
SELECT starts_at, ends_at, place, forced FROM mirror_work
 WHERE tenant_id = $1 AND connection_id = $2
   FOR UPDATE
"""


async def lock_work(conn: Conn, tenant_id: str, connection_id: UUID) -> MirrorWork | None:
    """Return and lock what is to be done; None: nothing is."""
    row = await conn.fetchrow(FIND, tenant_id, connection_id)
    return None if row is None else MirrorWork(**dict(row.items()))


MOVE = "UPDATE mirror_work SET place = $3 WHERE tenant_id = $1 AND connection_id = $2"
END = "DELETE FROM mirror_work WHERE tenant_id = $1 AND connection_id = $2"


async def move_work(conn: Conn, tenant_id: str, connection_id: UUID, *, place: str | None) -> None:
    """Note how far it is done; None: all of it is."""
    if place is None:
        await conn.execute(END, tenant_id, connection_id)
    else:
        await conn.execute(MOVE, tenant_id, connection_id, place)
