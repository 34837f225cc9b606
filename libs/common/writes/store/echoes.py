"""SQL on writes that Google tells of, as of any change."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.writes.model import Write
from libs.common.writes.store.rows import write_of

LIST_ECHOABLE = """
SELECT tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
       state, reason, attempts, due_at, epoch, deadline, created_at, finished_at, position
  FROM writes
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = $3 AND item = ANY($4::text[])
   AND (state = 'sending' OR (state = 'done' AND NOT answer ? 'echo'))
 ORDER BY position
   FOR UPDATE
"""


async def list_echoable(
    conn: Connection, tenant_id: str, connection_id: UUID, *, kind: str, items: Sequence[str]
) -> list[Write]:
    """Return and lock writes of those items that Google may tell us of, and has not yet."""
    rows = await conn.fetch(LIST_ECHOABLE, tenant_id, connection_id, kind, list(items))
    return [write_of(row) for row in rows]


ACKNOWLEDGE = """
UPDATE writes SET answer = answer || $3::jsonb WHERE tenant_id = $1 AND id = $2 AND state = 'done'
"""


async def acknowledge(conn: Connection, write: Write, *, echo: Any) -> None:
    """Note that Google has told of an answered write (`echo`: where): what follows is news."""
    await conn.execute(ACKNOWLEDGE, write.tenant_id, write.id, {"echo": echo})


LIST_UNSETTLED = """
SELECT tenant_id, id, group_id, connection_id, kind, item, base, desired, progress, answer,
       state, reason, attempts, due_at, epoch, deadline, created_at, finished_at, position
  FROM writes
 WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND state IN ('sending', 'unknown')
 ORDER BY position
   FOR UPDATE
"""


async def list_unsettled(conn: Connection, tenant_id: str, ids: Sequence[UUID]) -> list[Write]:
    """Return and lock those of these writes of which nobody knows yet what became of them."""
    rows = await conn.fetch(LIST_UNSETTLED, tenant_id, list(ids))
    return [write_of(row) for row in rows]
