"""SQL that finds, and takes out, people in whatever is not a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy.tables import NamedIn

LIST_OUTGOING = """
SELECT o.id, o.connection_id, o.ended_at IS NOT NULL AS ended, o.draft_id IS NOT NULL AS at_google,
       EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                WHERE strpos(o.everything, n.needle) > 0) AS concerned
  FROM (SELECT id, connection_id, ended_at, draft_id,
               lower(concat_ws(E'\\n', head::text, body_text, body_html, agreed::text,
                   (SELECT string_agg(a.filename, E'\\n') FROM outgoing_attachments a
                     WHERE a.tenant_id = p.tenant_id AND a.outgoing_id = p.id))) AS everything
          FROM outgoing p WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3) o
 ORDER BY o.id
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """An outgoing message that names somebody."""

    id: UUID
    connection_id: UUID
    ended: bool
    at_google: bool
    """Its draft is in the mailbox."""


async def list_outgoing(
    conn: Conn, tenant_id: str, *, after: UUID, limit: int, needles: Sequence[str]
) -> tuple[list[Letter], UUID | None]:
    """Look through the next outgoing messages; return those with a needle, and the last one."""
    rows = await conn.fetch(LIST_OUTGOING, tenant_id, after, limit, list(needles))
    found = [
        Letter(row["id"], row["connection_id"], row["ended"], row["at_google"])
        for row in rows
        if row["concerned"]
    ]
    return found, rows[-1]["id"] if len(rows) == limit else None


CANCEL_WRITES = """
UPDATE writes SET state = 'cancelled', finished_at = $4
 WHERE tenant_id = $1 AND connection_id = $2 AND item = $3 AND state = 'queued'
"""
IS_UNDER_WAY = """
SELECT EXISTS (SELECT FROM writes WHERE tenant_id = $1 AND connection_id = $2 AND item = $3
                                    AND state = 'sending')
"""


async def stop_writes(
    conn: Conn, tenant_id: str, connection_id: UUID, item: str, *, now: datetime
) -> bool:
    """Take back what waits to go out of an item; False: something is under way at Google."""
    await conn.execute(CANCEL_WRITES, tenant_id, connection_id, item, now)
    return not await conn.fetchval(IS_UNDER_WAY, tenant_id, connection_id, item)


DELETE_OUTGOING = "DELETE FROM outgoing WHERE tenant_id = $1 AND id = $2"
DELETE_WRITES = """
DELETE FROM writes WHERE tenant_id = $1 AND connection_id = $2 AND item = $3
"""


async def delete_letter(conn: Conn, tenant_id: str, letter: Letter, item: str) -> None:
    """Remove an outgoing message, its attachments and its writes."""
    await conn.execute(DELETE_OUTGOING, tenant_id, letter.id)
    await conn.execute(DELETE_WRITES, tenant_id, letter.connection_id, item)


LOCK_WRITES = """
SELECT w.id
  FROM writes w
 WHERE w.tenant_id = $1 AND w.id > $2 AND w.finished_at IS NOT NULL
   AND EXISTS (SELECT FROM unnest($4::text[]) AS n (needle)
                WHERE strpos(lower(concat_ws(E'\\n', w.item, w.base::text, w.desired::text,
                                             w.progress::text, w.answer::text)), n.needle) > 0)
 ORDER BY w.id LIMIT $3
"""
DROP_WRITES = "DELETE FROM writes WHERE tenant_id = $1 AND id = ANY($2::uuid[])"


async def drop_writes(
    conn: Conn, tenant_id: str, *, after: UUID, limit: int, needles: Sequence[str], erase: bool
) -> tuple[int, UUID | None]:
    """Remove ended changes with a needle; return how many, and where the next are (None: none)."""
    ids = [
        row["id"] for row in await conn.fetch(LOCK_WRITES, tenant_id, after, limit, list(needles))
    ]
    if erase:
        await conn.execute(DROP_WRITES, tenant_id, ids)
    return len(ids), ids[-1] if len(ids) == limit else None


PURGE_UNATTRIBUTED = """
DELETE FROM dead_items
 WHERE id IN (SELECT id FROM dead_items WHERE tenant_id IS NULL AND created_at < $1
               ORDER BY created_at LIMIT $2)
"""


async def purge_unattributed(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` notifications that nobody could read; return how many."""
    tag: str = await conn.execute(PURGE_UNATTRIBUTED, before, limit)
    return int(tag.rpartition(" ")[2])


COUNT_SUGGESTIONS = """
SELECT count(*) FROM contact_suggestions WHERE tenant_id = $1 AND hash = ANY($2::bytea[])
"""
DROP_SUGGESTIONS = """
DELETE FROM contact_suggestions WHERE tenant_id = $1 AND hash = ANY($2::bytea[])
"""


async def drop_suggestions(
    conn: Conn, tenant_id: str, hashes: Sequence[bytes], *, erase: bool
) -> int:
    """Forget that addresses were suggested as contacts; return how many were."""
    found: int = await conn.fetchval(COUNT_SUGGESTIONS, tenant_id, list(hashes))
    if erase:
        await conn.execute(DROP_SUGGESTIONS, tenant_id, list(hashes))
    return found


IS_BLOCKED = """
SELECT EXISTS (SELECT FROM connections
                WHERE tenant_id = $1 AND purge = 'none'
                  AND preferences -> 'blocklist' ?| $2::text[])
"""


async def is_blocked(conn: Conn, tenant_id: str, addresses: Sequence[str]) -> bool:
    """Say whether a mailbox's settings keep mail with one of the addresses out."""
    return bool(await conn.fetchval(IS_BLOCKED, tenant_id, list(addresses)))


FORGET_USER = """
UPDATE connections
   SET user_id = '', email = '', account_id = '00000000-0000-0000-0000-000000000000',
       reauthorize_url = NULL, send_as = NULL, preferences = '{}', paused_by = NULL,
       paused_at = NULL, erased_at = $3
 WHERE tenant_id = $1 AND connection_id = $2 AND purge = 'done'
"""


async def forget_user(conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime) -> None:
    """Leave nothing of a connection that was purged but that it is none any more."""
    await conn.execute(FORGET_USER, tenant_id, connection_id, now)


COUNT_CONTENT = """
SELECT (SELECT count(*) FROM messages WHERE tenant_id = $1 AND connection_id = $2) AS messages,
       (SELECT count(*) FROM outgoing WHERE tenant_id = $1 AND connection_id = $2) AS outgoing
"""


async def count_content(conn: Conn, tenant_id: str, connection_id: UUID) -> tuple[int, int]:
    """Return how many messages, and how many outgoing ones, a mailbox has here."""
    (row,) = await conn.fetch(COUNT_CONTENT, tenant_id, connection_id)
    return row["messages"], row["outgoing"]


COUNT_PAUSED = """
SELECT (SELECT count(*) FROM connections WHERE tenant_id = $1 AND paused_by = 'user:' || $2::text)
       + (SELECT count(*) FROM paused_tenants
           WHERE tenant_id = $1 AND paused_by = 'user:' || $2::text)
"""
FORGET_PAUSER = """
WITH tenants AS (UPDATE paused_tenants SET paused_by = 'user:erased'
                  WHERE tenant_id = $1 AND paused_by = 'user:' || $2)
UPDATE connections SET paused_by = 'user:erased' WHERE tenant_id = $1 AND paused_by = 'user:' || $2
"""
COUNT_WRITTEN = """
SELECT count(*) FROM outgoing WHERE tenant_id = $1 AND created_by = 'user:' || $2::text
"""
FORGET_AUTHOR = """
UPDATE outgoing SET created_by = 'user:erased' WHERE tenant_id = $1 AND created_by = 'user:' || $2
"""
NAMED_IN = (
    NamedIn("decisions", COUNT_PAUSED, FORGET_PAUSER),
    NamedIn("outgoing messages of others", COUNT_WRITTEN, FORGET_AUTHOR),
)
"""Where users are named outside of their own mailboxes."""
