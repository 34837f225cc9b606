"""SQL on connections: the service's copy of who connected which mailbox, and what goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.connections import ConnectionRows, rows
from libs.common.connections.rows import core_of
from libs.common.db import Connection as Conn
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy
from services.mail.domain.preferences import preferences_of
from services.mail.domain.visibility import Visibility


def connection_of(row: Any) -> Connection:
    """Return a row of connections."""
    return Connection(
        **core_of(row),
        policy=Policy(row["policy"]),
        backfill_days=row["backfill_days"],
        complete_since=row["complete_since"],
        preferences=preferences_of(row["preferences"]),
        preferences_version=row["preferences_version"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        tenant_paused_at=row["tenant_paused_at"],
        visibility=Visibility(row["visibility"]),
    )


OWN = (
    "policy",
    "backfill_days",
    "complete_since",
    "preferences",
    "preferences_version",
    "paused_at",
    "paused_by",
    "tenant_paused_at",
    "visibility",
)
BEGINS = ("policy", "backfill_days", "tenant_paused_at", "visibility")


def _beginnings(new: Connection) -> tuple[Any, ...]:
    return new.policy.value, new.backfill_days, new.tenant_paused_at, new.visibility.value


ROWS = ConnectionRows(OWN, connection_of, begins=BEGINS, values=_beginnings)
find_connection = ROWS.find
lock_connection = ROWS.lock
list_connections = ROWS.list
get_connection = ROWS.get
put_connection = ROWS.put


SET_SETTINGS = """
UPDATE connections
   SET policy = $3, backfill_days = $4, preferences = $5, preferences_version = $6
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_settings(conn: Conn, changed: Connection) -> None:
    """Set what is kept of this connection's mail, and how far back it reaches.

    To be called under the directory's exclusive lock: whoever decides on mail has it shared.
    """
    await conn.execute(
        SET_SETTINGS,
        changed.tenant_id,
        changed.id,
        changed.policy.value,
        changed.backfill_days,
        changed.preferences.stored(),
        changed.preferences_version,
    )


SET_VISIBILITY = """
UPDATE connections SET visibility = $3 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_visibility(
    conn: Conn, tenant_id: str, connection_id: UUID, visibility: Visibility
) -> None:
    """Set what colleagues see of this connection's mail from now on."""
    await conn.execute(SET_VISIBILITY, tenant_id, connection_id, visibility.value)


SET_COMPLETE_SINCE = """
UPDATE connections SET complete_since = LEAST(complete_since, $3)
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_complete_since(
    conn: Conn, tenant_id: str, connection_id: UUID, since: datetime
) -> None:
    """Note that the mailbox is here in full from `since` on; never later than noted before."""
    await conn.execute(SET_COMPLETE_SINCE, tenant_id, connection_id, since)


PURGE_LABELS = "DELETE FROM labels WHERE tenant_id = $1 AND connection_id = $2"
PURGE_RETELLING = "DELETE FROM retellings WHERE tenant_id = $1 AND connection_id = $2"


async def purge_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove the connection's feeds, jobs and labels; see `rows.purge_connection`."""
    if await rows.purge_connection(conn, tenant_id, connection_id):
        await conn.execute(PURGE_LABELS, tenant_id, connection_id)
        await conn.execute(PURGE_RETELLING, tenant_id, connection_id)


@dataclass(frozen=True, slots=True)
class Counts:
    """What is held for a connection."""

    messages: int
    traces: int
    dead_items: int


COUNT_MESSAGES = """
SELECT connection_id, count(*) FILTER (WHERE NOT traced) AS messages,
       count(*) FILTER (WHERE traced) AS traces
  FROM messages
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND deleted_at IS NULL
 GROUP BY connection_id
"""
COUNT_DEAD_ITEMS = """
SELECT f.connection_id, count(*) AS dead_items
  FROM dead_items d JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
 WHERE d.tenant_id = $1 AND f.connection_id = ANY($2::uuid[])
 GROUP BY f.connection_id
"""


async def count_held(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """Return how many messages and dead items each of those connections has."""
    messages = {
        row["connection_id"]: (row["messages"], row["traces"])
        for row in await conn.fetch(COUNT_MESSAGES, tenant_id, list(ids))
    }
    dead = {
        row["connection_id"]: row["dead_items"]
        for row in await conn.fetch(COUNT_DEAD_ITEMS, tenant_id, list(ids))
    }
    return {one: Counts(*messages.get(one, (0, 0)), dead.get(one, 0)) for one in ids}
