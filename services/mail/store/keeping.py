"""SQL that keeps less, or more, of messages that are held."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.message import Content, Direction, Fetched, Keep, Person
from services.mail.domain.search import vector
from services.mail.store.messages import NewMessage, columns_of
from services.mail.store.reading import people_of, person_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held of a message, as far as it decides on how much of it may be."""

    id: UUID
    google_id: str
    thread_id: str
    internal_date: datetime
    labels: frozenset[str]
    label_history_id: int
    kept: Keep
    direction: Direction | None
    """None of a trace."""
    content: Content
    """What an activity says of it, and goes by; of a trace nothing."""
    snippet: str
    activity_id: UUID | None
    """Of which activity it is a copy; None: it is linked to nobody."""
    erased: bool
    """Somebody was erased from it: more of it is never held again."""


def _held(row: Any) -> Held:
    kept = Keep[row["kept"].upper()]
    recipients = row["recipients"] or {"to": (), "cc": (), "bcc": ()}
    return Held(
        id=row["id"],
        google_id=row["google_id"],
        thread_id=row["thread_id"],
        internal_date=row["internal_date"],
        labels=frozenset(row["labels"]),
        label_history_id=row["label_history_id"],
        kept=min(kept, Keep.TRACE) if row["traced"] else kept,
        direction=None if row["direction"] is None else Direction(row["direction"]),
        content=Content(
            sender=None if row["sender"] is None else person_of(row["sender"]),
            to=people_of(recipients["to"]),
            cc=people_of(recipients["cc"]),
            bcc=people_of(recipients["bcc"]),
            subject=row["subject"] or "",
            rfc822_message_id=row["rfc822_message_id"],
            date=row["sent_at"],
        ),
        snippet=row["snippet"] or "",
        activity_id=row["activity_id"],
        erased=row["erased"],
    )


LOCK_HELD = """
SELECT id, google_id, thread_id, internal_date, labels, label_history_id, kept, traced, direction,
       sender, recipients, subject, snippet, rfc822_message_id, sent_at, activity_id,
       erased_at IS NOT NULL AS erased
  FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = ANY($3::text[])
   AND deleted_at IS NULL
 ORDER BY google_id
   FOR UPDATE
"""


async def lock_held(
    conn: Conn, tenant_id: str, connection_id: UUID, google_ids: Sequence[str]
) -> list[Held]:
    """Return and lock those of the messages that are held, in the order rows are locked."""
    rows = await conn.fetch(LOCK_HELD, tenant_id, connection_id, list(google_ids))
    return [_held(row) for row in rows]


LOCK_NEXT = """
SELECT id, google_id, thread_id, internal_date, labels, label_history_id, kept, traced, direction,
       sender, recipients, subject, snippet, rfc822_message_id, sent_at, activity_id,
       erased_at IS NOT NULL AS erased
  FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id > $3
   AND deleted_at IS NULL AND NOT traced
 ORDER BY google_id
 LIMIT $4
   FOR UPDATE
"""


async def lock_next(
    conn: Conn, tenant_id: str, connection_id: UUID, *, after: str, limit: int
) -> list[Held]:
    """Return and lock the next messages of which more than a trace is held."""
    rows = await conn.fetch(LOCK_NEXT, tenant_id, connection_id, after, limit)
    return [_held(row) for row in rows]


LOCK_OLD = """
SELECT id, google_id, thread_id, internal_date, labels, label_history_id, kept, traced, direction,
       sender, recipients, subject, snippet, rfc822_message_id, sent_at, activity_id,
       erased_at IS NOT NULL AS erased
  FROM messages
 WHERE tenant_id = $1 AND deleted_at IS NULL AND NOT traced
   AND id = ANY (ARRAY(
       SELECT o.id FROM messages o
        WHERE o.tenant_id = $1 AND o.connection_id = $2 AND o.internal_date < $3
          AND o.deleted_at IS NULL AND NOT o.traced
        ORDER BY o.internal_date
        LIMIT $4))
 ORDER BY google_id
   FOR UPDATE
"""


async def lock_old(
    conn: Conn, tenant_id: str, connection_id: UUID, *, before: datetime, limit: int
) -> list[Held]:
    """Return and lock some messages from before then of which more than a trace is held."""
    rows = await conn.fetch(LOCK_OLD, tenant_id, connection_id, before, limit)
    return [_held(row) for row in rows]


LIST_RAISABLE = """
SELECT google_id FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id > $3 AND deleted_at IS NULL
   AND erased_at IS NULL
   AND CASE WHEN traced AND kept <> 'nothing' THEN 'trace' ELSE kept END = ANY($4::text[])
   AND internal_date >= COALESCE($5, '-infinity'::timestamptz)
 ORDER BY google_id
 LIMIT $6
"""


async def list_raisable(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    after: str,
    levels: frozenset[Keep],
    since: datetime | None,
    limit: int,
) -> list[str]:
    """Return the next messages, by Google's id, of which no more than one of `levels` is held."""
    names = sorted(one.name.lower() for one in levels)
    rows = await conn.fetch(LIST_RAISABLE, tenant_id, connection_id, after, names, since, limit)
    return [row["google_id"] for row in rows]


COUNT_HELD = """
SELECT count(*) FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL AND NOT traced
"""


async def count_whole(conn: Conn, tenant_id: str, connection_id: UUID) -> int:
    """Return of how many messages more than a trace is held."""
    return int(await conn.fetchval(COUNT_HELD, tenant_id, connection_id))


COUNT_RAISABLE = """
SELECT count(*) FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND deleted_at IS NULL AND erased_at IS NULL
   AND CASE WHEN traced AND kept <> 'nothing' THEN 'trace' ELSE kept END = ANY($3::text[])
   AND internal_date >= COALESCE($4, '-infinity'::timestamptz)
"""


async def count_raisable(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    levels: frozenset[Keep],
    since: datetime | None,
) -> int:
    """Return how many `list_raisable` has in all."""
    names = sorted(one.name.lower() for one in levels)
    return int(await conn.fetchval(COUNT_RAISABLE, tenant_id, connection_id, names, since))


EMPTY_MESSAGE = """
UPDATE messages
   SET traced = true, kept = $3, sequence = sequence + 1, sender = NULL, recipients = NULL,
       subject = NULL, snippet = NULL, body_text = NULL, body_html = NULL, new_text = NULL,
       sent_at = NULL, calendar = NULL, report = NULL, search = NULL, attachments = NULL,
       rfc822_message_id = NULL, in_reply_to = NULL, reference_ids = NULL, size = NULL,
       direction = NULL, labels = '{}', activity_id = NULL
 WHERE tenant_id = $1 AND id = $2 AND NOT traced
RETURNING sequence
"""


async def empty_message(conn: Conn, tenant_id: str, message_id: UUID, keep: Keep) -> int:
    """Leave of a message only a trace, or nothing but that it exists; return its next number."""
    name = keep.name.lower()
    sequence: int = await conn.fetchval(EMPTY_MESSAGE, tenant_id, message_id, name)
    if keep is Keep.NOTHING:
        await drop_hashes(conn, tenant_id, message_id)
    return sequence


DROP_HASHES = "DELETE FROM message_addresses WHERE tenant_id = $1 AND message_id = $2"


async def drop_hashes(conn: Conn, tenant_id: str, message_id: UUID) -> None:
    """Forget whom a message concerns."""
    await conn.execute(DROP_HASHES, tenant_id, message_id)


EMPTY_TRACE = """
UPDATE messages SET kept = 'nothing' WHERE tenant_id = $1 AND id = $2 AND traced
"""


async def empty_trace(conn: Conn, tenant_id: str, message_id: UUID) -> None:
    """Leave of a trace nothing but that there is such a message."""
    await conn.execute(EMPTY_TRACE, tenant_id, message_id)
    await drop_hashes(conn, tenant_id, message_id)


FILL_TRACE = """
UPDATE messages SET kept = 'trace' WHERE tenant_id = $1 AND id = $2 AND traced
"""


async def fill_trace(conn: Conn, tenant_id: str, message_id: UUID) -> None:
    """Note that the hashes of a trace are there again; adding them is the caller's."""
    await conn.execute(FILL_TRACE, tenant_id, message_id)


TRIM_MESSAGE = """
UPDATE messages
   SET kept = $3, subject = $4, snippet = $5, search = $6::text::tsvector,
       sequence = sequence + 1, body_text = '', body_html = NULL, new_text = '', calendar = NULL,
       report = NULL, attachments = '[]'
 WHERE tenant_id = $1 AND id = $2 AND NOT traced
RETURNING sequence
"""


async def trim_message(
    conn: Conn, tenant_id: str, message_id: UUID, *, keep: Keep, content: Content, snippet: str
) -> int:
    """Leave of a message the given, without its body; return its next number."""
    people: tuple[Person, ...] = (*content.to, *content.cc, *content.bcc)
    lexemes = vector(
        subject=content.subject, sender=content.sender, recipients=people, text=snippet
    )
    sequence: int = await conn.fetchval(
        TRIM_MESSAGE, tenant_id, message_id, keep.name.lower(), content.subject, snippet, lexemes
    )
    return sequence


RAISE_MESSAGE = """
UPDATE messages
   SET traced = false, stored_at = $2, sequence = sequence + 1,
       google_id = $4, thread_id = $5, internal_date = $6, direction = $7, sender = $8,
       recipients = $9, subject = $10, snippet = $11, body_text = $12, rfc822_message_id = $13,
       in_reply_to = $14, reference_ids = string_to_array($15, ' '), attachments = $16,
       size = $17, labels = string_to_array($18, ' '), label_history_id = $19, body_html = $20,
       new_text = $21, sent_at = $22, calendar = $23, report = $24, search = $25::text::tsvector,
       activity_id = COALESCE($26, activity_id), kept = $27
 WHERE tenant_id = $1 AND id = $3 AND deleted_at IS NULL
RETURNING sequence
"""


async def raise_message(
    conn: Conn, tenant_id: str, message_id: UUID, message: Fetched, *, now: datetime
) -> int | None:
    """Hold more of a message, under the same id; return its next number, None when it is gone."""
    columns = columns_of(NewMessage(message_id, message))
    sequence: int | None = await conn.fetchval(RAISE_MESSAGE, tenant_id, now, *columns)
    return sequence
