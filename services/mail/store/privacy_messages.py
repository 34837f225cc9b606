"""SQL that finds the messages somebody appears in, and takes them out of those."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.mail.domain.erasing import Remains
from services.mail.domain.message import Attachment, CalendarPart, Content, Direction, Report
from services.mail.domain.search import vector
from services.mail.store.reading import people_of, person_of

LIST_CONCERNED = """
SELECT m.id,
       EXISTS (SELECT FROM message_addresses a
                WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id
                  AND a.hash = ANY($4::bytea[]))
       OR EXISTS (SELECT FROM unnest($5::text[]) AS n (needle)
                   WHERE strpos(m.everything, n.needle) > 0) AS concerned
  FROM (SELECT tenant_id, id,
               lower(concat_ws(E'\\n', sender::text, recipients::text, subject, snippet, body_text,
                               body_html, new_text, rfc822_message_id, in_reply_to,
                               array_to_string(reference_ids, ' '), attachments::text,
                               calendar::text, report::text)) AS everything
          FROM messages WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3) m
 ORDER BY m.id
"""


async def list_concerned(
    conn: Conn,
    tenant_id: str,
    *,
    after: UUID,
    limit: int,
    hashes: Sequence[bytes],
    needles: Sequence[str],
) -> tuple[list[UUID], UUID | None]:
    """Look through the next messages; return those that may concern somebody, and the last one.

    Every message is looked at: what mentions an address is in no index. None: it was the end.

    Args:
        needles: what the texts would hold, in small letters.
    """
    rows = await conn.fetch(LIST_CONCERNED, tenant_id, after, limit, list(hashes), list(needles))
    found = [row["id"] for row in rows if row["concerned"]]
    return found, rows[-1]["id"] if len(rows) == limit else None


LIST_MAILBOXES = """
SELECT id, connection_id FROM messages
 WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY connection_id, id
"""


async def by_mailbox(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """Return those messages by the connection they belong to."""
    found: dict[UUID, list[UUID]] = {}
    for row in await conn.fetch(LIST_MAILBOXES, tenant_id, list(ids)) if ids else ():
        found.setdefault(row["connection_id"], []).append(row["id"])
    return found


LIST_NAMES = """
SELECT DISTINCT p.person ->> 'name' AS name
  FROM message_addresses a
  JOIN messages m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
 CROSS JOIN LATERAL (SELECT m.sender
                     UNION ALL SELECT jsonb_path_query(m.recipients, '$.*[*]')) AS p (person)
 WHERE a.tenant_id = $1 AND a.hash = ANY($2::bytea[])
   AND lower(p.person ->> 'address') = ANY($3::text[]) AND p.person ->> 'name' <> ''
 LIMIT $4
"""


async def list_names(
    conn: Conn, tenant_id: str, hashes: Sequence[bytes], addresses: Sequence[str], *, limit: int
) -> list[str]:
    """Return names that headers give to an address; `addresses` are folded."""
    rows = await conn.fetch(LIST_NAMES, tenant_id, list(hashes), list(addresses), limit)
    return [row["name"] for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A message, a trace or a tombstone, with whatever is held of it."""

    id: UUID
    connection_id: UUID
    google_id: str
    thread_id: str
    internal_date: datetime
    direction: Direction | None
    traced: bool
    deleted: bool
    content: Content
    snippet: str
    activity_id: UUID | None


LOCK_CONTENT = """
SELECT id, connection_id, google_id, thread_id, internal_date, direction, traced,
       deleted_at IS NOT NULL AS deleted, sender, recipients, subject, snippet, body_text,
       body_html, new_text, rfc822_message_id, in_reply_to, reference_ids, attachments, calendar,
       report, sent_at, activity_id
  FROM messages
 WHERE tenant_id = $1 AND id = ANY($2::uuid[])
 ORDER BY google_id
   FOR UPDATE
"""


async def lock_content(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> list[Held]:
    """Return and lock messages, in the order rows are locked."""
    return [_held(row) for row in await conn.fetch(LOCK_CONTENT, tenant_id, list(ids))]


def _held(row: Any) -> Held:
    people = row["recipients"] or {"to": (), "cc": (), "bcc": ()}
    return Held(
        id=row["id"],
        connection_id=row["connection_id"],
        google_id=row["google_id"],
        thread_id=row["thread_id"],
        internal_date=row["internal_date"],
        direction=None if row["direction"] is None else Direction(row["direction"]),
        traced=row["traced"],
        deleted=row["deleted"],
        content=Content(
            sender=None if row["sender"] is None else person_of(row["sender"]),
            to=people_of(people["to"]),
            cc=people_of(people["cc"]),
            bcc=people_of(people["bcc"]),
            subject=row["subject"] or "",
            rfc822_message_id=row["rfc822_message_id"],
            in_reply_to=row["in_reply_to"],
            references=tuple(row["reference_ids"] or ()),
            text=row["body_text"] or "",
            html=row["body_html"],
            new_text=row["new_text"] or "",
            date=row["sent_at"],
            attachments=tuple(Attachment(**one) for one in row["attachments"] or ()),
            calendar=tuple(
                CalendarPart(method=one["method"], uids=tuple(one["uids"]))
                for one in row["calendar"] or ()
            ),
            report=None if row["report"] is None else Report(**row["report"]),
        ),
        snippet=row["snippet"] or "",
        activity_id=row["activity_id"],
    )


EMPTY_MESSAGE = """
UPDATE messages
   SET traced = true, kept = 'nothing', erased_at = $3, sequence = sequence + $4,
       sender = NULL, recipients = NULL,
       subject = NULL, snippet = NULL, body_text = NULL, body_html = NULL, new_text = NULL,
       sent_at = NULL, calendar = NULL, report = NULL, search = NULL, attachments = NULL,
       rfc822_message_id = NULL, in_reply_to = NULL, reference_ids = NULL, size = NULL,
       direction = NULL, labels = '{}', activity_id = NULL
 WHERE tenant_id = $1 AND id = $2
RETURNING sequence
"""
DROP_ALL_HASHES = "DELETE FROM message_addresses WHERE tenant_id = $1 AND message_id = $2"
DROP_ALL_LINKS = "DELETE FROM message_links WHERE tenant_id = $1 AND message_id = $2"


async def empty_message(
    conn: Conn, tenant_id: str, message_id: UUID, *, now: datetime, told: bool
) -> int:
    """Leave nothing of a message but its ids and date; return the sequence of its event.

    Args:
        told: an event tells of it.
    """
    sequence: int = await conn.fetchval(EMPTY_MESSAGE, tenant_id, message_id, now, int(told))
    await conn.execute(DROP_ALL_HASHES, tenant_id, message_id)
    await conn.execute(DROP_ALL_LINKS, tenant_id, message_id)
    return sequence


REWRITE_MESSAGE = """
UPDATE messages
   SET erased_at = $3, sequence = sequence + 1, sender = $4, recipients = $5, subject = $6,
       snippet = $7, body_text = $8, body_html = NULL, new_text = $9, rfc822_message_id = $10,
       in_reply_to = $11, reference_ids = $12, attachments = $13, calendar = $14, report = $15,
       search = $16::text::tsvector
 WHERE tenant_id = $1 AND id = $2
RETURNING sequence
"""
DROP_HASHES = """
DELETE FROM message_addresses WHERE tenant_id = $1 AND message_id = $2 AND hash = ANY($3::bytea[])
"""


async def rewrite_message(
    conn: Conn,
    tenant_id: str,
    message_id: UUID,
    remains: Remains,
    *,
    hashes: Sequence[bytes],
    now: datetime,
) -> int:
    """Keep only what remains of a message, not found by those hashes; return its next number."""
    content = remains.content
    sequence: int = await conn.fetchval(
        REWRITE_MESSAGE,
        tenant_id,
        message_id,
        now,
        content.sender,
        {"to": content.to, "cc": content.cc, "bcc": content.bcc},
        content.subject,
        remains.snippet,
        content.text,
        content.new_text,
        content.rfc822_message_id,
        content.in_reply_to,
        list(content.references),
        content.attachments,
        content.calendar or None,
        content.report,
        vector(
            subject=content.subject,
            sender=content.sender,
            recipients=(*content.to, *content.cc, *content.bcc),
            text=content.text,
        ),
    )
    await conn.execute(DROP_HASHES, tenant_id, message_id, list(hashes))
    return sequence


UNEXPLAINED_LINKS = """
DELETE FROM message_links l
 WHERE l.tenant_id = $1 AND l.message_id = $2 AND l.entity_type = $3 AND l.entity_id = $4
   AND NOT l.explicit
   AND NOT EXISTS (SELECT FROM message_addresses a
                    WHERE a.tenant_id = l.tenant_id AND a.message_id = l.message_id
                      AND a.hash = ANY($5::bytea[]))
RETURNING true
"""


async def drop_unexplained(
    conn: Conn,
    tenant_id: str,
    message_id: UUID,
    *,
    entity: tuple[str, str],
    hashes: Sequence[bytes],
) -> bool:
    """Undo a link to an entity that no address of it explains any more; say whether it was one.

    Args:
        hashes: of the addresses the entity keeps.
    """
    return bool(
        await conn.fetchval(UNEXPLAINED_LINKS, tenant_id, message_id, *entity, list(hashes))
    )


LIST_ERASED = """
SELECT id FROM messages
 WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND erased_at IS NOT NULL
"""


async def list_erased(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> set[UUID]:
    """Return those messages from which somebody was erased."""
    return {row["id"] for row in await conn.fetch(LIST_ERASED, tenant_id, list(ids))}


LIST_NUMBERS = "SELECT id, sequence FROM activities WHERE tenant_id = $1 AND id = ANY($2::uuid[])"


async def list_numbers(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the number of the newest event of each of those activities."""
    rows = await conn.fetch(LIST_NUMBERS, tenant_id, list(ids))
    return {row["id"]: row["sequence"] for row in rows}
