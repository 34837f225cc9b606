"""SQL that shows what is held about a person. Each row is a place in an order, and a record.

Whole rows are shown, so that a column which is added is not forgotten; what only the machine
understands is taken out by name.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.privacy.shown import CONNECTIONS

WATCHES = """
SELECT w.account_id::text COLLATE "C" AS position,
       to_jsonb(w) - '{lease_until}'::text[] AS record
  FROM watches w
 WHERE w.account_id IN (SELECT account_id FROM connections WHERE tenant_id = $1 AND user_id = $2)
   AND w.account_id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
LABELS = """
SELECT (l.connection_id || '/' || l.google_id) COLLATE "C" AS position,
       to_jsonb(l) - '{tenant_id}'::text[] AS record
  FROM labels l
  JOIN connections c ON c.tenant_id = l.tenant_id AND c.connection_id = l.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2
   AND (l.connection_id || '/' || l.google_id) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
LETTERS = """
SELECT o.id::text COLLATE "C" AS position,
       to_jsonb(o) - '{tenant_id}'::text[]
       || jsonb_build_object('attachments', (
              SELECT COALESCE(jsonb_agg(to_jsonb(a) - '{tenant_id,outgoing_id}'::text[]
                                        ORDER BY a.place), '[]')
                FROM outgoing_attachments a
               WHERE a.tenant_id = o.tenant_id AND a.outgoing_id = o.id)) AS record
  FROM outgoing o
  JOIN connections c ON c.tenant_id = o.tenant_id AND c.connection_id = o.connection_id
 WHERE c.tenant_id = $1 AND (c.user_id = $2 OR o.created_by = 'user:' || $2)
   AND o.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
ATTACHMENTS = """
SELECT (k.outgoing_id || '/' || lpad(k.place::text, 9, '0') || '/' || lpad(k.number::text, 9, '0'))
           COLLATE "C" AS position,
       jsonb_build_object('outgoing_id', k.outgoing_id, 'place', k.place, 'number', k.number,
                          'content_base64', encode(k.content, 'base64')) AS record
  FROM outgoing_chunks k
  JOIN outgoing o ON o.tenant_id = k.tenant_id AND o.id = k.outgoing_id
  JOIN connections c ON c.tenant_id = o.tenant_id AND c.connection_id = o.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2
   AND (k.outgoing_id || '/' || lpad(k.place::text, 9, '0') || '/'
        || lpad(k.number::text, 9, '0')) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
PAUSES = """
SELECT p.tenant_id COLLATE "C" AS position, to_jsonb(p) - '{tenant_id}'::text[] AS record
  FROM paused_tenants p
 WHERE p.tenant_id = $1 AND p.paused_by = 'user:' || $2 AND p.tenant_id COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""

OF_A_USER = {
    "mailbox": CONNECTIONS,
    "watch": WATCHES,
    "label": LABELS,
    "outgoing message": LETTERS,
    "outgoing attachment": ATTACHMENTS,
    "pause of all mailboxes": PAUSES,
}
"""What mail alone shows of a user besides messages, by kind; see `libs.common.privacy.shown`."""


LETTERS_NAMING = """
SELECT o.id::text COLLATE "C" AS position, o.record
  FROM (SELECT p.id,
               to_jsonb(p) - '{tenant_id}'::text[]
               || jsonb_build_object('attachments', (
                      SELECT COALESCE(jsonb_agg(to_jsonb(a) - '{tenant_id,outgoing_id}'::text[]
                                                ORDER BY a.place), '[]')
                        FROM outgoing_attachments a
                       WHERE a.tenant_id = p.tenant_id AND a.outgoing_id = p.id)) AS record
          FROM outgoing p WHERE p.tenant_id = $1 AND p.id::text COLLATE "C" > $3) o
 WHERE EXISTS (SELECT FROM unnest($2::text[]) AS n (needle)
                WHERE strpos(lower(o.record::text), n.needle) > 0)
 ORDER BY position LIMIT $4
"""
OF_A_CORRESPONDENT = {"outgoing message": LETTERS_NAMING}
"""What is shown of a correspondent by whether it holds a needle, by kind."""


LIST_SUGGESTIONS = """
SELECT suggested_at FROM contact_suggestions
 WHERE tenant_id = $1 AND hash = ANY($2::bytea[]) ORDER BY suggested_at LIMIT $3
"""


async def list_suggestions(
    conn: Conn, tenant_id: str, hashes: Sequence[bytes], *, limit: int
) -> list[dict[str, Any]]:
    """Return when addresses were suggested as contacts; of each at most once."""
    rows = await conn.fetch(LIST_SUGGESTIONS, tenant_id, list(hashes), limit)
    return [{"suggested_at": row["suggested_at"]} for row in rows]


LIST_USERS_MESSAGES = """
SELECT m.id FROM messages m
  JOIN connections c ON c.tenant_id = m.tenant_id AND c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND c.user_id = $2 AND m.id > $3
 ORDER BY m.id LIMIT $4
"""


async def list_messages_of(
    conn: Conn, tenant_id: str, user_id: str, *, after: UUID, limit: int
) -> list[UUID]:
    """Return the next messages of a user's mailboxes."""
    rows = await conn.fetch(LIST_USERS_MESSAGES, tenant_id, user_id, after, limit)
    return [row["id"] for row in rows]


READ_MESSAGES = """
SELECT to_jsonb(m) - '{tenant_id,search,sequence,activity_sequence,label_history_id}'::text[]
       || jsonb_build_object(
              'mailbox', c.email,
              'entities', (SELECT COALESCE(jsonb_agg(l.entity_type || '/' || l.entity_id), '[]')
                             FROM message_links l
                            WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id)) AS record
  FROM messages m
  LEFT JOIN connections c ON c.tenant_id = m.tenant_id AND c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND m.id = ANY($2::uuid[])
 ORDER BY m.id
"""


async def read_messages(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return messages with all that is held of them."""
    rows = await conn.fetch(READ_MESSAGES, tenant_id, list(ids))
    return [row["record"] for row in rows]
