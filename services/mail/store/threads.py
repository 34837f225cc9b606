"""SQL on threads, which are what their messages are: nothing is kept of them but those."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.message import Person
from services.mail.domain.visibility import Visibility
from services.mail.store.reading import StoredMessage, stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread, newest message first in mind."""

    thread_id: str
    connection_id: UUID
    subject: str
    """Of its first message."""
    participants: tuple[Person, ...]
    """Whoever wrote or was written to, in order of appearance; at most 20."""
    messages: int
    unread: int
    has_attachments: bool
    snippet: str
    """Of its newest message, as the next two."""
    last_message_id: UUID
    last_message_at: datetime
    user_id: str
    visibility: Visibility
    in_full: bool
    """The caller may see what it says; else that is left out."""


def _thread(row: Any) -> Thread:
    in_full = row["in_full"]
    return Thread(
        thread_id=row["thread_id"],
        connection_id=row["connection_id"],
        subject=row["subject"] if in_full else "",
        participants=tuple(
            Person(address=one["address"], name=one["name"]) for one in row["participants"] or ()
        ),
        messages=row["messages"],
        unread=row["unread"] if in_full else 0,
        has_attachments=in_full and row["has_attachments"],
        snippet=row["snippet"] if in_full else "",
        last_message_id=row["id"],
        last_message_at=row["internal_date"],
        user_id=row["user_id"],
        visibility=Visibility(row["visibility"]),
        in_full=in_full,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedThreads:
    """Which threads to list; None does not restrict."""

    tenant_id: str
    user_id: str | None
    connection_id: UUID | None = None
    before: tuple[datetime, UUID] | None = None
    """Date and id of the newest message of the last thread the caller has seen."""
    limit: int


LIST_THREADS = """
SELECT newest.id, newest.connection_id, newest.thread_id, newest.internal_date, newest.snippet,
       newest.user_id, newest.visibility, newest.in_full,
       whole.messages, whole.unread, whole.has_attachments, whole.subject, people.participants
  FROM (SELECT m.*, c.user_id, c.visibility, c.own, c.in_full
          FROM shown_mailboxes($1, $2) c
         CROSS JOIN LATERAL (
               (SELECT m.tenant_id, m.id, m.connection_id, m.thread_id, m.internal_date, m.snippet
                  FROM messages m
                 WHERE c.own AND m.tenant_id = $1 AND m.connection_id = c.connection_id
                   AND m.deleted_at IS NULL AND NOT m.traced
                   AND ($4::timestamptz IS NULL OR (m.internal_date, m.id) < ($4, $5::uuid))
                   AND NOT EXISTS (
                       SELECT FROM messages n
                        WHERE n.tenant_id = m.tenant_id AND n.connection_id = m.connection_id
                          AND n.thread_id = m.thread_id
                          AND n.deleted_at IS NULL AND NOT n.traced
                          AND (n.internal_date, n.id) > (m.internal_date, m.id)
                        OFFSET 0)
                 ORDER BY m.internal_date DESC, m.id DESC
                 LIMIT $6)
                UNION ALL
               (SELECT m.tenant_id, m.id, m.connection_id, m.thread_id, m.internal_date, m.snippet
                  FROM messages m
                 WHERE NOT c.own AND m.tenant_id = $1 AND m.connection_id = c.connection_id
                   AND m.activity_id IS NOT NULL AND m.deleted_at IS NULL AND NOT m.traced
                   AND ($4::timestamptz IS NULL OR (m.internal_date, m.id) < ($4, $5::uuid))
                   AND NOT EXISTS (
                       SELECT FROM messages n
                        WHERE n.tenant_id = m.tenant_id AND n.connection_id = m.connection_id
                          AND n.thread_id = m.thread_id AND n.activity_id IS NOT NULL
                          AND n.deleted_at IS NULL AND NOT n.traced
                          AND (n.internal_date, n.id) > (m.internal_date, m.id)
                        OFFSET 0)
                 ORDER BY m.internal_date DESC, m.id DESC
                 LIMIT $6)) m
         WHERE ($3::uuid IS NULL OR c.connection_id = $3)
         ORDER BY m.internal_date DESC, m.id DESC
         LIMIT $6) newest
 CROSS JOIN LATERAL (
       SELECT count(*) AS messages,
              count(*) FILTER (WHERE t.labels @> '{UNREAD}') AS unread,
              bool_or(jsonb_path_exists(t.attachments, '$[*] ? (@.inline == false)'))
                  AS has_attachments,
              (array_agg(t.subject ORDER BY t.internal_date, t.id))[1] AS subject
         FROM messages t
        WHERE t.tenant_id = newest.tenant_id AND t.connection_id = newest.connection_id
          AND t.thread_id = newest.thread_id AND t.deleted_at IS NULL AND NOT t.traced
          AND (newest.own OR t.activity_id IS NOT NULL)) whole
 CROSS JOIN LATERAL (
       SELECT jsonb_agg(known.person ORDER BY known.place) AS participants
         FROM (SELECT min(p.place) AS place,
                      (array_agg(p.person ORDER BY p.person -> 'name' = 'null', p.place))[1]
                          AS person
                 FROM (SELECT named.person,
                              row_number() OVER (ORDER BY t.internal_date, t.id, named.place)
                                  AS place
                         FROM messages t
                        CROSS JOIN LATERAL jsonb_array_elements(
                              jsonb_build_array(t.sender) || (t.recipients -> 'to')
                              || (t.recipients -> 'cc')) WITH ORDINALITY AS named (person, place)
                        WHERE t.tenant_id = newest.tenant_id
                          AND t.connection_id = newest.connection_id
                          AND t.thread_id = newest.thread_id
                          AND t.deleted_at IS NULL AND NOT t.traced
                          AND (newest.own OR t.activity_id IS NOT NULL)
                          AND named.person <> 'null') p
                GROUP BY lower(p.person ->> 'address')
                ORDER BY place
                LIMIT 20) known) people
 ORDER BY newest.internal_date DESC, newest.id DESC
"""


async def list_threads(conn: Conn, wanted: WantedThreads) -> list[Thread]:
    """Return up to `limit` threads, that with the newest message first."""
    rows = await conn.fetch(
        LIST_THREADS,
        wanted.tenant_id,
        wanted.user_id,
        wanted.connection_id,
        *(wanted.before or (None, None)),
        wanted.limit,
    )
    return [_thread(row) for row in rows]


LIST_THREAD_MESSAGES = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM messages m
  JOIN shown_mailboxes($1, $7) c ON c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND m.connection_id = $2 AND m.thread_id = $3
   AND m.deleted_at IS NULL AND NOT m.traced AND (c.own OR m.activity_id IS NOT NULL)
   AND ($4::timestamptz IS NULL OR (m.internal_date, m.id) > ($4, $5::uuid))
 ORDER BY m.internal_date, m.id
 LIMIT $6
"""


async def list_thread_messages(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    thread_id: str,
    *,
    user_id: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[StoredMessage]:
    """Return up to `limit` messages of a thread that the caller may see, oldest first.

    Args:
        conn: any.
        tenant_id: the caller's.
        connection_id: whose thread it is.
        thread_id: Google's.
        user_id: the caller; None: a service.
        after: date and id of the last one they have seen.
        limit: at most so many.
    """
    rows = await conn.fetch(
        LIST_THREAD_MESSAGES,
        tenant_id,
        connection_id,
        thread_id,
        *(after or (None, None)),
        limit,
        user_id,
    )
    return [stored(row) for row in rows]
