"""SQL on the copies of one mailbox: told again, or removed with the mailbox."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Direction


def _bare(row: Any) -> Facts:
    """Return what is known of a copy without its content; a trace counts as received."""
    return Facts(
        message_id=row["id"],
        google_id=row["google_id"],
        thread_id=row["thread_id"],
        occurred_at=row["internal_date"],
        direction=Direction(row["direction"] or Direction.INBOUND),
        content=Content(),
        snippet="",
        activity_id=row["activity_id"],
    )


PURGE_MESSAGES = """
DELETE FROM messages
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM messages
                            WHERE tenant_id = $1 AND connection_id = $2 LIMIT $3)
RETURNING id, google_id, thread_id, internal_date, direction, activity_id
"""


async def purge_messages(
    conn: Conn, tenant_id: str, connection_id: UUID, *, limit: int
) -> list[Facts]:
    """Remove up to `limit` messages of a connection; return them, without content."""
    rows = await conn.fetch(PURGE_MESSAGES, tenant_id, connection_id, limit)
    return [_bare(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Retelling:
    """A mailbox whose activities are to be told again, all that lie before a place."""

    before: datetime
    before_id: UUID


QUEUE_RETELLING = """
INSERT INTO retellings AS r (tenant_id, connection_id) VALUES ($1, $2)
ON CONFLICT (tenant_id, connection_id) DO UPDATE SET before = DEFAULT, before_id = DEFAULT
"""


async def queue_retelling(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Have all activities of a mailbox told again, from the newest on."""
    await conn.execute(QUEUE_RETELLING, tenant_id, connection_id)


HAS_RETELLING = """
SELECT EXISTS (SELECT FROM retellings WHERE tenant_id = $1 AND connection_id = $2)
"""


async def has_retelling(conn: Conn, tenant_id: str, connection_id: UUID) -> bool:
    """Say whether a mailbox has activities to tell again."""
    return bool(await conn.fetchval(HAS_RETELLING, tenant_id, connection_id))


LOCK_RETELLING = """
SELECT before, before_id FROM retellings
 WHERE tenant_id = $1 AND connection_id = $2
   FOR UPDATE
"""


async def lock_retelling(conn: Conn, tenant_id: str, connection_id: UUID) -> Retelling | None:
    """Return and lock how far a retelling is; None: nothing is to be told again."""
    row = await conn.fetchrow(LOCK_RETELLING, tenant_id, connection_id)
    return None if row is None else Retelling(row["before"], row["before_id"])


NEXT_COPIES = """
SELECT id, google_id, thread_id, internal_date, direction, activity_id
  FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND activity_id IS NOT NULL
   AND deleted_at IS NULL AND NOT traced AND (internal_date, id) < ($3, $4)
 ORDER BY internal_date DESC, id DESC
 LIMIT $5
"""


async def next_copies(
    conn: Conn, tenant_id: str, connection_id: UUID, retelling: Retelling, *, limit: int
) -> list[Facts]:
    """Return the next copies to tell of again, newest first, without content."""
    rows = await conn.fetch(
        NEXT_COPIES, tenant_id, connection_id, retelling.before, retelling.before_id, limit
    )
    return [_bare(row) for row in rows]


MOVE_RETELLING = """
UPDATE retellings SET before = $3, before_id = $4 WHERE tenant_id = $1 AND connection_id = $2
"""


async def move_retelling(
    conn: Conn, tenant_id: str, connection_id: UUID, retelling: Retelling
) -> None:
    """Note that all from this place on was told again."""
    await conn.execute(
        MOVE_RETELLING, tenant_id, connection_id, retelling.before, retelling.before_id
    )


END_RETELLING = "DELETE FROM retellings WHERE tenant_id = $1 AND connection_id = $2"


async def end_retelling(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Note that all was told again."""
    await conn.execute(END_RETELLING, tenant_id, connection_id)
