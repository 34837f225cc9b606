"""SQL on full text: what is indexed of a message, and finding it by that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.message import Person
from services.mail.domain.search import SearchQuery, vector
from services.mail.store.reading import StoredMessage, stored

SET_SEARCH = """
UPDATE messages SET search = $3::text::tsvector
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND NOT traced
"""


async def index_message(
    conn: Conn,
    tenant_id: str,
    message_id: UUID,
    *,
    subject: str,
    sender: Person | None,
    recipients: Sequence[Person],
    text: str,
) -> None:
    """Let a message that is held be found by these; `add_message` does so itself."""
    lexemes = vector(subject=subject, sender=sender, recipients=recipients, text=text)
    await conn.execute(SET_SEARCH, tenant_id, message_id, lexemes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Who looks for what, and where."""

    tenant_id: str
    user_id: str | None
    """Who looks; None: a service, for which all of its tenant's mail is searched."""
    query: SearchQuery
    connection_id: UUID | None = None
    before: tuple[datetime, UUID] | None = None
    """Date and id of the last one the caller has seen."""
    limit: int


MATCH_MESSAGES = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM (SELECT *
          FROM messages m
         WHERE m.tenant_id = $1 AND m.search @@ $14::text::tsquery
           AND m.deleted_at IS NULL AND NOT m.traced
           AND (m.connection_id = ANY (ARRAY(
                    SELECT c.connection_id
                      FROM shown_mailboxes($1, $2) c
                     WHERE c.in_full AND ($3::uuid IS NULL OR c.connection_id = $3)))
                AND (m.activity_id IS NOT NULL OR m.connection_id = ANY (ARRAY(
                    SELECT c.connection_id FROM shown_mailboxes($1, $2) c WHERE c.own)))
                AND m.internal_date >= COALESCE($4, '-infinity'::timestamptz)
                AND m.internal_date < COALESCE($5, 'infinity'::timestamptz)
                AND ($6::boolean IS NULL
                     OR $6 = jsonb_path_exists(m.attachments, '$[*] ? (@.inline == false)'))
                AND m.labels @> $7::text[] AND NOT m.labels && $8::text[]
                AND NOT EXISTS (SELECT FROM unnest($9::text[], $10::text[]) AS wanted (type, id)
                                 WHERE NOT EXISTS (SELECT FROM message_links l
                                                    WHERE l.tenant_id = m.tenant_id
                                                      AND l.message_id = m.id
                                                      AND l.entity_type = wanted.type
                                                      AND l.entity_id = wanted.id))
                AND ($11::timestamptz IS NULL OR (m.internal_date, m.id) < ($11, $12::uuid)))
               IS TRUE
         ORDER BY m.internal_date DESC, m.id DESC
         LIMIT $13) m
  JOIN shown_mailboxes($1, $2) c ON c.connection_id = m.connection_id
 ORDER BY m.internal_date DESC, m.id DESC
"""
FILTER_MESSAGES = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM shown_mailboxes($1, $2) c
 CROSS JOIN LATERAL (
       (SELECT *
          FROM messages m
         WHERE c.own AND m.tenant_id = $1 AND m.connection_id = c.connection_id
           AND m.deleted_at IS NULL AND NOT m.traced
           AND m.internal_date >= COALESCE($4, '-infinity'::timestamptz)
           AND m.internal_date < COALESCE($5, 'infinity'::timestamptz)
           AND ($6::boolean IS NULL
                OR $6 = jsonb_path_exists(m.attachments, '$[*] ? (@.inline == false)'))
           AND m.labels @> $7::text[] AND NOT m.labels && $8::text[]
           AND NOT EXISTS (SELECT FROM unnest($9::text[], $10::text[]) AS wanted (type, id)
                            WHERE NOT EXISTS (SELECT FROM message_links l
                                               WHERE l.tenant_id = m.tenant_id
                                                 AND l.message_id = m.id
                                                 AND l.entity_type = wanted.type
                                                 AND l.entity_id = wanted.id))
           AND ($11::timestamptz IS NULL OR (m.internal_date, m.id) < ($11, $12::uuid))
         ORDER BY m.internal_date DESC, m.id DESC
         LIMIT $13)
        UNION ALL
       (SELECT *
          FROM messages m
         WHERE NOT c.own AND m.tenant_id = $1 AND m.connection_id = c.connection_id
           AND m.activity_id IS NOT NULL AND m.deleted_at IS NULL AND NOT m.traced
           AND m.internal_date >= COALESCE($4, '-infinity'::timestamptz)
           AND m.internal_date < COALESCE($5, 'infinity'::timestamptz)
           AND ($6::boolean IS NULL
                OR $6 = jsonb_path_exists(m.attachments, '$[*] ? (@.inline == false)'))
           AND m.labels @> $7::text[] AND NOT m.labels && $8::text[]
           AND NOT EXISTS (SELECT FROM unnest($9::text[], $10::text[]) AS wanted (type, id)
                            WHERE NOT EXISTS (SELECT FROM message_links l
                                               WHERE l.tenant_id = m.tenant_id
                                                 AND l.message_id = m.id
                                                 AND l.entity_type = wanted.type
                                                 AND l.entity_id = wanted.id))
           AND ($11::timestamptz IS NULL OR (m.internal_date, m.id) < ($11, $12::uuid))
         ORDER BY m.internal_date DESC, m.id DESC
         LIMIT $13)) m
 WHERE c.in_full AND ($3::uuid IS NULL OR c.connection_id = $3)
 ORDER BY m.internal_date DESC, m.id DESC
 LIMIT $13
"""


async def search_messages(conn: Conn, wanted: Searched) -> list[StoredMessage]:
    """Return up to `limit` messages that match, newest first; only what the caller sees in full.

    With text, only the index of lexemes is any good: what stands under `IS TRUE` is beyond
    every other index's reach, however promising it looks to a plan that knows no values.
    """
    query = wanted.query
    given = (
        wanted.tenant_id,
        wanted.user_id,
        wanted.connection_id,
        query.after,
        query.before,
        query.has_attachment,
        list(query.labels),
        list(query.without_labels),
        [kind for kind, _ in query.entities],
        [entity_id for _, entity_id in query.entities],
        *(wanted.before or (None, None)),
        wanted.limit,
    )
    if query.text is None:
        rows = await conn.fetch(FILTER_MESSAGES, *given)
    else:
        rows = await conn.fetch(MATCH_MESSAGES, *given, query.text)
    return [stored(row) for row in rows]
