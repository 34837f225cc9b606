"""SQL that reads messages for those who may see them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import NotFound
from services.mail.domain.message import (
    Attachment,
    CalendarPart,
    Content,
    Direction,
    Keep,
    Person,
    Report,
)
from services.mail.domain.visibility import Visibility, withheld


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A whole row."""

    id: UUID
    connection_id: UUID
    google_id: str
    thread_id: str
    internal_date: datetime
    direction: Direction
    content: Content
    snippet: str
    size: int
    labels: tuple[str, ...]
    kept: Keep = Keep.WHOLE
    """What it lacks beyond that is not kept, whatever it says at Google."""
    user_id: str
    """Whose mailbox it is in."""
    visibility: Visibility
    own: bool
    """It is the caller's own, or the caller is a service: they may change it."""
    in_full: bool
    """The caller may see what it says; else its content is left out."""


def person_of(value: Any) -> Person:
    """Return a person as a column keeps one."""
    return Person(address=value["address"], name=value["name"])


def people_of(value: Any) -> tuple[Person, ...]:
    """Return people as a column keeps them."""
    return tuple(person_of(one) for one in value)


def stored(row: Any) -> StoredMessage:
    """Return a row of messages as far as the caller may see it: content or not.

    What rows from before a column was there lack is empty.
    """
    found = _stored(row)
    if found.in_full:
        return found
    return replace(found, content=withheld(found.content), snippet="", size=0, labels=())


def _stored(row: Any) -> StoredMessage:
    return StoredMessage(
        id=row["id"],
        connection_id=row["connection_id"],
        google_id=row["google_id"],
        thread_id=row["thread_id"],
        internal_date=row["internal_date"],
        direction=Direction(row["direction"]),
        content=Content(
            sender=None if row["sender"] is None else person_of(row["sender"]),
            to=people_of(row["recipients"]["to"]),
            cc=people_of(row["recipients"]["cc"]),
            bcc=people_of(row["recipients"]["bcc"]),
            subject=row["subject"],
            rfc822_message_id=row["rfc822_message_id"],
            in_reply_to=row["in_reply_to"],
            references=tuple(row["reference_ids"]),
            text=row["body_text"],
            attachments=tuple(Attachment(**one) for one in row["attachments"]),
            html=row["body_html"],
            new_text=row["new_text"] or "",
            date=row["sent_at"],
            calendar=tuple(
                CalendarPart(method=one["method"], uids=tuple(one["uids"]))
                for one in row["calendar"] or ()
            ),
            report=None if row["report"] is None else Report(**row["report"]),
        ),
        snippet=row["snippet"],
        size=row["size"],
        labels=tuple(row["labels"]),
        kept=Keep[row["kept"].upper()],
        user_id=row["user_id"],
        visibility=Visibility(row["visibility"]),
        own=row["own"],
        in_full=row["in_full"],
    )


FIND_MESSAGE = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM messages m
  JOIN shown_mailboxes($1, $3) c ON c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND m.id = $2 AND m.deleted_at IS NULL AND NOT m.traced
   AND (c.own OR m.activity_id IS NOT NULL)
"""


async def get_message(
    conn: Conn, tenant_id: str, message_id: UUID, *, user_id: str | None
) -> StoredMessage:
    """Return a message as the caller may see it; a service (None) sees any of its tenant's.

    Raises:
        NotFound: there is none, it is gone, or the caller may not know of it.
    """
    row = await conn.fetchrow(FIND_MESSAGE, tenant_id, message_id, user_id)
    if row is None:
        raise NotFound("There is no such message.")
    return stored(row)


FIND_MESSAGES = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM messages m
  JOIN shown_mailboxes($1, $3) c ON c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND m.id = ANY($2::uuid[]) AND m.deleted_at IS NULL AND NOT m.traced
   AND c.own
"""


async def get_messages(
    conn: Conn, tenant_id: str, message_ids: Sequence[UUID], *, user_id: str | None
) -> dict[UUID, StoredMessage]:
    """Return those of the messages that the caller may change, by id: not colleagues'."""
    rows = await conn.fetch(FIND_MESSAGES, tenant_id, list(message_ids), user_id)
    return {row["id"]: stored(row) for row in rows}


FIND_COPY = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM messages m
  JOIN shown_mailboxes($1, NULL) c ON c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND m.connection_id = $2 AND m.rfc822_message_id = $3
   AND m.deleted_at IS NULL AND NOT m.traced
 ORDER BY m.internal_date DESC
 LIMIT 1
"""


async def find_copy(
    conn: Conn, tenant_id: str, connection_id: UUID, rfc822_message_id: str
) -> StoredMessage | None:
    """Return the mailbox's copy of a message; None: it has none. Whose mailbox is not asked."""
    row = await conn.fetchrow(FIND_COPY, tenant_id, connection_id, rfc822_message_id)
    return None if row is None else stored(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages to list; None does not restrict."""

    tenant_id: str
    user_id: str | None
    connection_id: UUID | None = None
    thread_id: str | None = None
    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    before: tuple[datetime, UUID] | None = None
    """Date and id of the last one the caller has seen."""
    limit: int


LIST_MESSAGES = """
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
           AND ($4::text IS NULL OR m.thread_id = $4)
           AND ($5::text IS NULL OR m.labels @> ARRAY[$5])
           AND m.internal_date >= COALESCE($6, '-infinity'::timestamptz)
           AND m.internal_date < COALESCE($7, 'infinity'::timestamptz)
           AND ($8::timestamptz IS NULL OR (m.internal_date, m.id) < ($8, $9::uuid))
         ORDER BY m.internal_date DESC, m.id DESC
         LIMIT $10)
        UNION ALL
       (SELECT *
          FROM messages m
         WHERE NOT c.own AND m.tenant_id = $1 AND m.connection_id = c.connection_id
           AND m.activity_id IS NOT NULL AND m.deleted_at IS NULL AND NOT m.traced
           AND ($4::text IS NULL OR m.thread_id = $4)
           AND ($5::text IS NULL OR c.in_full AND m.labels @> ARRAY[$5])
           AND m.internal_date >= COALESCE($6, '-infinity'::timestamptz)
           AND m.internal_date < COALESCE($7, 'infinity'::timestamptz)
           AND ($8::timestamptz IS NULL OR (m.internal_date, m.id) < ($8, $9::uuid))
         ORDER BY m.internal_date DESC, m.id DESC
         LIMIT $10)) m
 WHERE ($3::uuid IS NULL OR c.connection_id = $3)
 ORDER BY m.internal_date DESC, m.id DESC
 LIMIT $10
"""


LIST_CONCERNING = """
SELECT m.id, m.connection_id, m.google_id, m.thread_id, m.internal_date, m.direction, m.sender,
       m.recipients, m.subject, m.snippet, m.body_text, m.rfc822_message_id, m.in_reply_to,
       m.reference_ids, m.attachments, m.size, m.labels, m.body_html, m.new_text, m.sent_at,
       m.calendar, m.report, m.kept, c.user_id, c.visibility, c.own, c.in_full
  FROM message_links l
  JOIN messages m ON m.tenant_id = l.tenant_id AND m.id = l.message_id
  JOIN shown_mailboxes($1, $2) c ON c.connection_id = m.connection_id
 WHERE l.tenant_id = $1 AND l.entity_type = $11 AND l.entity_id = $12
   AND m.deleted_at IS NULL AND NOT m.traced
   AND ($3::uuid IS NULL OR c.connection_id = $3)
   AND ($4::text IS NULL OR m.thread_id = $4)
   AND ($5::text IS NULL OR c.in_full AND m.labels @> ARRAY[$5])
   AND m.internal_date >= COALESCE($6, '-infinity'::timestamptz)
   AND m.internal_date < COALESCE($7, 'infinity'::timestamptz)
   AND ($8::timestamptz IS NULL OR (m.internal_date, m.id) < ($8, $9::uuid))
 ORDER BY m.internal_date DESC, m.id DESC
 LIMIT $10
"""


async def list_messages(conn: Conn, wanted: Wanted) -> list[StoredMessage]:
    """Return up to `limit` messages, newest first; with an entity, only what concerns it."""
    given = (
        wanted.tenant_id,
        wanted.user_id,
        wanted.connection_id,
        wanted.thread_id,
        wanted.label,
        wanted.since,
        wanted.until,
        *(wanted.before or (None, None)),
        wanted.limit,
    )
    if wanted.entity_type is None:
        rows = await conn.fetch(LIST_MESSAGES, *given)
    else:
        rows = await conn.fetch(LIST_CONCERNING, *given, wanted.entity_type, wanted.entity_id)
    return [stored(row) for row in rows]
