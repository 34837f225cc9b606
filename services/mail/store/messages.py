"""SQL that changes messages. Rows of one transaction are locked in the order of Google's ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.history import Relabelled
from services.mail.domain.message import Fetched, Keep, Known, direction
from services.mail.domain.search import vector


def known_of(row: Any) -> Known:
    """Return a row of the columns that decide on a change."""
    return Known(
        id=row["id"],
        google_id=row["google_id"],
        thread_id=row["thread_id"],
        labels=frozenset(row["labels"]),
        label_history_id=row["label_history_id"],
        sequence=row["sequence"],
        internal_date=row["internal_date"],
        traced=row["traced"],
        deleted=row["deleted"],
        activity_id=row["activity_id"],
    )


LIST_KNOWN = """
SELECT id, google_id, thread_id, labels, label_history_id, sequence, internal_date, traced,
       activity_id, deleted_at IS NOT NULL AS deleted
  FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = ANY($3::text[])
"""


async def list_known(
    conn: Conn, tenant_id: str, connection_id: UUID, google_ids: Sequence[str]
) -> dict[str, Known]:
    """Return what is held of those messages, by Google's id; tombstones included."""
    rows = await conn.fetch(LIST_KNOWN, tenant_id, connection_id, list(google_ids))
    return {row["google_id"]: known_of(row) for row in rows}


LOCK_KNOWN = """
SELECT id, google_id, thread_id, labels, label_history_id, sequence, internal_date, traced,
       activity_id, deleted_at IS NOT NULL AS deleted
  FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = ANY($3::text[])
 ORDER BY google_id
   FOR UPDATE
"""


async def lock_known(
    conn: Conn, tenant_id: str, connection_id: UUID, google_ids: Sequence[str]
) -> dict[str, Known]:
    """Return and lock what is held of those messages, by Google's id."""
    rows = await conn.fetch(LOCK_KNOWN, tenant_id, connection_id, list(google_ids))
    return {row["google_id"]: known_of(row) for row in rows}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message on its way in."""

    id: UUID
    message: Fetched
    activity_id: UUID | None = None
    """Of which activity it is a copy from the beginning; None: it concerns nobody."""


ADD_MESSAGES = """
INSERT INTO messages
       (tenant_id, connection_id, traced, sequence, stored_at, id, google_id, thread_id,
        internal_date, direction, sender, recipients, subject, snippet, body_text,
        rfc822_message_id, in_reply_to, reference_ids, attachments, size, labels,
        label_history_id, body_html, new_text, sent_at, calendar, report, search, activity_id,
        kept)
SELECT $1, $2, false, 1, $3, n.id, n.google_id, n.thread_id, n.internal_date, n.direction,
       n.sender, n.recipients, n.subject, n.snippet, n.body_text, n.rfc822_message_id,
       n.in_reply_to, string_to_array(n.reference_ids, ' '), n.attachments, n.size,
       string_to_array(n.labels, ' '), n.label_history_id, n.body_html, n.new_text, n.sent_at,
       n.calendar, n.report, n.search::tsvector, n.activity_id, n.kept
  FROM unnest($4::uuid[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::jsonb[],
              $10::jsonb[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
              $16::text[], $17::jsonb[], $18::bigint[], $19::text[], $20::bigint[], $21::text[],
              $22::text[], $23::timestamptz[], $24::jsonb[], $25::jsonb[], $26::text[],
              $27::uuid[], $28::text[])
       AS n (id, google_id, thread_id, internal_date, direction, sender, recipients, subject,
             snippet, body_text, rfc822_message_id, in_reply_to, reference_ids, attachments, size,
             labels, label_history_id, body_html, new_text, sent_at, calendar, report, search,
             activity_id, kept)
 ORDER BY n.google_id
ON CONFLICT (tenant_id, connection_id, google_id) DO NOTHING
RETURNING id
"""


async def add_messages(
    conn: Conn, tenant_id: str, connection_id: UUID, new: Sequence[NewMessage], *, now: datetime
) -> set[UUID]:
    """Add messages, ready to be searched, with sequence 1; return the ids of the new ones."""
    if not new:
        return set()
    columns = zip(*(columns_of(one) for one in new), strict=True)
    rows = await conn.fetch(ADD_MESSAGES, tenant_id, connection_id, now, *columns)
    return {row["id"] for row in rows}


def columns_of(new: NewMessage) -> tuple[Any, ...]:
    """Return a row as the statement unnests it; ids and labels hold no spaces."""
    message, content = new.message, new.message.content
    text = content.text if message.kept is Keep.WHOLE else message.snippet
    return (
        new.id,
        message.google_id,
        message.thread_id,
        message.internal_date,
        direction(message.labels).value,
        content.sender,
        {"to": content.to, "cc": content.cc, "bcc": content.bcc},
        content.subject,
        message.snippet,
        content.text,
        content.rfc822_message_id,
        content.in_reply_to,
        " ".join(content.references),
        content.attachments,
        message.size,
        " ".join(sorted(message.labels)),
        message.history_id,
        content.html,
        content.new_text,
        content.date,
        content.calendar,
        content.report,
        vector(
            subject=content.subject,
            sender=content.sender,
            recipients=(*content.to, *content.cc, *content.bcc),
            text=text,
        ),
        new.activity_id,
        message.kept.name.lower(),
    )


async def add_message(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    message_id: UUID,
    message: Fetched,
    now: datetime,
) -> bool:
    """Add one message; False when it is there already."""
    new = [NewMessage(message_id, message)]
    return bool(await add_messages(conn, tenant_id, connection_id, new, now=now))


ADD_TRACES = """
INSERT INTO messages
       (tenant_id, connection_id, traced, stored_at, id, google_id, thread_id, internal_date,
        label_history_id, kept)
SELECT $1, $2, true, $3, n.id, n.google_id, n.thread_id, n.internal_date, n.label_history_id,
       n.kept
  FROM unnest($4::uuid[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[], $9::text[])
       AS n (id, google_id, thread_id, internal_date, label_history_id, kept)
 ORDER BY n.google_id
ON CONFLICT (tenant_id, connection_id, google_id) DO NOTHING
RETURNING id
"""


async def add_traces(
    conn: Conn, tenant_id: str, connection_id: UUID, new: Sequence[NewMessage], *, now: datetime
) -> set[UUID]:
    """Keep of messages only that they exist, and when; return the ids of those that were new."""
    if not new:
        return set()
    rows = await conn.fetch(
        ADD_TRACES,
        tenant_id,
        connection_id,
        now,
        [one.id for one in new],
        [one.message.google_id for one in new],
        [one.message.thread_id for one in new],
        [one.message.internal_date for one in new],
        [one.message.history_id for one in new],
        [min(one.message.kept, Keep.TRACE).name.lower() for one in new],
    )
    return {row["id"] for row in rows}


SET_LABELS = """
UPDATE messages SET labels = $3, label_history_id = $4, sequence = sequence + $5
 WHERE tenant_id = $1 AND id = $2
RETURNING sequence
"""


async def set_labels(
    conn: Conn, tenant_id: str, message_id: UUID, change: Relabelled, *, told: bool
) -> int:
    """Set the labels; return the sequence, one higher when an event tells of it (`told`)."""
    labels = sorted(change.labels)
    sequence: int = await conn.fetchval(
        SET_LABELS, tenant_id, message_id, labels, change.label_history_id, int(told)
    )
    return sequence


BURY_MESSAGE = """
UPDATE messages
   SET deleted_at = $3, sequence = sequence + 1, sender = NULL, recipients = NULL, subject = NULL,
       snippet = NULL, body_text = NULL, attachments = NULL, body_html = NULL, new_text = NULL,
       sent_at = NULL, calendar = NULL, report = NULL, search = NULL, activity_id = NULL
 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
RETURNING sequence
"""


async def bury_message(conn: Conn, tenant_id: str, message_id: UUID, *, now: datetime) -> int:
    """Leave a tombstone, without the content, of a message that is gone; return the sequence."""
    sequence: int = await conn.fetchval(BURY_MESSAGE, tenant_id, message_id, now)
    return sequence


REMOVE_TRACE = "DELETE FROM messages WHERE tenant_id = $1 AND id = $2 AND traced"


async def remove_trace(conn: Conn, tenant_id: str, message_id: UUID) -> None:
    """Remove the trace of a message that is gone."""
    await conn.execute(REMOVE_TRACE, tenant_id, message_id)


PURGE_TOMBSTONES = """
DELETE FROM messages
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM messages
                            WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2)
"""


async def purge_tombstones(conn: Conn, *, before: datetime, limit: int) -> int:
    """Remove up to `limit` of what is left of messages deleted before then; return how many."""
    tag: str = await conn.execute(PURGE_TOMBSTONES, before, limit)
    return int(tag.rpartition(" ")[2])
