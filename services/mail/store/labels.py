"""SQL on the names of labels; messages carry their ids."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.label import Label

REMOVE_OTHER_LABELS = """
DELETE FROM labels
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id <> ALL($3::text[])
"""
PUT_LABELS = """
INSERT INTO labels AS l (tenant_id, connection_id, google_id, name, type)
SELECT $1, $2, new.google_id, new.name, new.type
  FROM unnest($3::text[], $4::text[], $5::text[]) AS new (google_id, name, type)
 ORDER BY new.google_id
ON CONFLICT (tenant_id, connection_id, google_id) DO UPDATE
   SET name = EXCLUDED.name, type = EXCLUDED.type
 WHERE (l.name, l.type) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.type)
"""


async def replace_labels(
    conn: Conn, tenant_id: str, connection_id: UUID, labels: Sequence[Label]
) -> None:
    """Let the mailbox have exactly these labels; ids must differ."""
    ids = [one.google_id for one in labels]
    await conn.execute(REMOVE_OTHER_LABELS, tenant_id, connection_id, ids)
    names, types = [one.name for one in labels], [one.type for one in labels]
    await conn.execute(PUT_LABELS, tenant_id, connection_id, ids, names, types)


LIST_LABELS = """
SELECT google_id, name, type FROM labels
 WHERE tenant_id = $1 AND connection_id = $2
 ORDER BY type, name, google_id
"""


async def list_labels(conn: Conn, tenant_id: str, connection_id: UUID) -> list[Label]:
    """Return the mailbox's labels, the system's first."""
    rows = await conn.fetch(LIST_LABELS, tenant_id, connection_id)
    return [Label(google_id=row["google_id"], name=row["name"], type=row["type"]) for row in rows]
