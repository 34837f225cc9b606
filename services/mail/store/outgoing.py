"""SQL on outgoing messages: as they are wanted, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from services.mail.domain.message import Person
from services.mail.domain.sending.outgoing import Enclosure, Head, Outgoing, OutgoingState


def outgoing_of(row: Any, enclosures: Sequence[Enclosure] = ()) -> Outgoing:
    """Return a row of outgoing."""
    return Outgoing(
        tenant_id=row["tenant_id"],
        id=row["id"],
        connection_id=row["connection_id"],
        created_by=row["created_by"],
        state=OutgoingState(row["state"]),
        reason=row["reason"],
        send_at=row["send_at"],
        version=row["version"],
        sequence=row["sequence"],
        head=Head.from_json(row["head"]),
        text=row["body_text"],
        html=row["body_html"],
        entities=tuple(EntityRef(*one) for one in row["entities"]),
        enclosures=tuple(enclosures),
        size=row["size"],
        thread_id=row["thread_id"],
        draft_id=row["draft_id"],
        google_id=row["google_id"],
        agreed=row["agreed"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )


ADD_OUTGOING = """
INSERT INTO outgoing
       (tenant_id, id, connection_id, created_by, state, send_at, head, body_text, body_html,
        entities, recipients, size, thread_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""
ADD_ENCLOSURE = """
INSERT INTO outgoing_attachments
       (tenant_id, outgoing_id, place, filename, content_type, size, sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def add_outgoing(conn: Conn, new: Outgoing) -> None:
    """Add a message; the content of its attachments follows by `add_chunk`."""
    await conn.execute(
        ADD_OUTGOING,
        new.tenant_id,
        new.id,
        new.connection_id,
        new.created_by,
        new.state.value,
        new.send_at,
        new.head.to_json(),
        new.text,
        new.html,
        [[one.entity_type, one.entity_id] for one in new.entities],
        len(new.head.recipients()),
        new.size,
        new.thread_id,
        new.created_at,
    )
    await _add_enclosures(conn, new)


async def _add_enclosures(conn: Conn, new: Outgoing) -> None:
    for one in new.enclosures:
        await conn.execute(
            ADD_ENCLOSURE,
            new.tenant_id,
            new.id,
            one.place,
            one.filename,
            one.content_type,
            one.size,
            one.sha256,
        )


ADD_CHUNK = """
INSERT INTO outgoing_chunks (tenant_id, outgoing_id, place, number, content)
VALUES ($1, $2, $3, $4, $5)
"""


async def add_chunk(
    conn: Conn, outgoing: Outgoing, place: int, number: int, content: bytes
) -> None:
    """Add the next chunk of an attachment; numbers begin at 0."""
    await conn.execute(ADD_CHUNK, outgoing.tenant_id, outgoing.id, place, number, content)


FIND_CHUNK = """
SELECT content FROM outgoing_chunks
 WHERE tenant_id = $1 AND outgoing_id = $2 AND place = $3 AND number = $4
"""


async def find_chunk(conn: Conn, outgoing: Outgoing, place: int, number: int) -> bytes | None:
    """Return a chunk of an attachment; None behind the last."""
    content: bytes | None = await conn.fetchval(
        FIND_CHUNK, outgoing.tenant_id, outgoing.id, place, number
    )
    return content


FIND_OUTGOING = """
SELECT o.tenant_id, o.id, o.connection_id, o.created_by, o.state, o.reason, o.send_at, o.version,
       o.sequence, o.head, o.body_text, o.body_html, o.entities, o.size, o.thread_id, o.draft_id,
       o.google_id, o.agreed, o.created_at, o.ended_at
  FROM outgoing o
 WHERE o.tenant_id = $1 AND o.id = $2
"""
LOCK_OUTGOING = FIND_OUTGOING + "   FOR UPDATE"
LIST_ENCLOSURES = """
SELECT place, filename, content_type, size, sha256 FROM outgoing_attachments
 WHERE tenant_id = $1 AND outgoing_id = $2 ORDER BY place
"""


async def find_outgoing(
    conn: Conn, tenant_id: str, outgoing_id: UUID, *, lock: bool = False
) -> Outgoing | None:
    """Return the tenant's outgoing message, locked if wanted; None: it has no such one."""
    row = await conn.fetchrow(LOCK_OUTGOING if lock else FIND_OUTGOING, tenant_id, outgoing_id)
    if row is None:
        return None
    found = await conn.fetch(LIST_ENCLOSURES, tenant_id, outgoing_id)
    return outgoing_of(row, [Enclosure(**dict(one)) for one in found])


FIND_SIZE = "SELECT size FROM outgoing WHERE tenant_id = $1 AND id = $2"


async def find_size(conn: Conn, tenant_id: str, outgoing_id: UUID) -> int | None:
    """Return the bytes of an outgoing message; None: there is no such one."""
    size: int | None = await conn.fetchval(FIND_SIZE, tenant_id, outgoing_id)
    return size


LIST_OUTGOING = """
SELECT o.tenant_id, o.id, o.connection_id, o.created_by, o.state, o.reason, o.send_at, o.version,
       o.sequence, o.head, o.body_text, o.body_html, o.entities, o.size, o.thread_id, o.draft_id,
       o.google_id, o.agreed, o.created_at, o.ended_at
  FROM outgoing o
  JOIN connections c ON c.tenant_id = o.tenant_id AND c.connection_id = o.connection_id
 WHERE o.tenant_id = $1 AND ($2::text IS NULL OR c.user_id = $2) AND c.purge = 'none'
   AND ($3::uuid IS NULL OR o.connection_id = $3)
   AND o.state = ANY($4::text[])
   AND ($5::uuid IS NULL OR o.id < $5)
 ORDER BY o.id DESC
 LIMIT $6
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedOutgoing:
    """Which outgoing messages to list; None does not restrict."""

    tenant_id: str
    user_id: str | None
    connection_id: UUID | None = None
    states: tuple[OutgoingState, ...]
    before: UUID | None = None
    limit: int


async def list_outgoing(conn: Conn, wanted: WantedOutgoing) -> list[Outgoing]:
    """Return up to `limit` outgoing messages, newest first, without their attachments."""
    rows = await conn.fetch(
        LIST_OUTGOING,
        wanted.tenant_id,
        wanted.user_id,
        wanted.connection_id,
        [one.value for one in wanted.states],
        wanted.before,
        wanted.limit,
    )
    return [outgoing_of(row) for row in rows]


NOTE_DRAFT = """
UPDATE outgoing SET draft_id = $3, thread_id = COALESCE($4, thread_id),
       agreed = COALESCE($5, agreed)
 WHERE tenant_id = $1 AND id = $2
"""


async def note_draft(
    conn: Conn,
    outgoing: Outgoing,
    draft_id: str | None,
    *,
    thread_id: str | None = None,
    agreed: Mapping[str, Any] | None = None,
) -> None:
    """Keep Gmail's id of the draft (None: it is gone), its thread, and what both sides have."""
    await conn.execute(NOTE_DRAFT, outgoing.tenant_id, outgoing.id, draft_id, thread_id, agreed)


FOLLOW_DRAFT = """
UPDATE outgoing
   SET head = $3, body_text = $4, body_html = $5, recipients = $6, reason = NULL,
       version = version + CASE WHEN (head, body_text, body_html)
                                     IS DISTINCT FROM ($3::jsonb, $4::text, $5::text)
                                THEN 1 ELSE 0 END
 WHERE tenant_id = $1 AND id = $2 AND version = $7
"""


async def follow_draft(conn: Conn, draft: Outgoing) -> None:
    """Let a draft be what both sides came to, unless somebody has edited it here meanwhile."""
    await conn.execute(
        FOLLOW_DRAFT,
        draft.tenant_id,
        draft.id,
        draft.head.to_json(),
        draft.text,
        draft.html,
        len(draft.head.recipients()),
        draft.version,
    )


EDIT_DRAFT = """
UPDATE outgoing
   SET head = $3, body_text = $4, body_html = $5, entities = $6, recipients = $7, size = $8,
       thread_id = $9, reason = NULL, version = version + 1
 WHERE tenant_id = $1 AND id = $2 AND state = 'draft' AND version = $10
RETURNING version
"""
DROP_ENCLOSURES = "DELETE FROM outgoing_attachments WHERE tenant_id = $1 AND outgoing_id = $2"


async def edit_draft(conn: Conn, draft: Outgoing, *, keep_enclosures: bool) -> int | None:
    """Replace what a draft says; return its new version. None: it is none, or not of this version.

    Unless they are kept, its attachments go, and those of `draft` are added without content.
    """
    version: int | None = await conn.fetchval(
        EDIT_DRAFT,
        draft.tenant_id,
        draft.id,
        draft.head.to_json(),
        draft.text,
        draft.html,
        [[one.entity_type, one.entity_id] for one in draft.entities],
        len(draft.head.recipients()),
        draft.size,
        draft.thread_id,
        draft.version,
    )
    if version is not None and not keep_enclosures:
        await conn.execute(DROP_ENCLOSURES, draft.tenant_id, draft.id)
        await _add_enclosures(conn, draft)
    return version


END_OUTGOING = """
UPDATE outgoing
   SET state = $3, reason = $4, ended_at = $5, google_id = COALESCE($6, google_id),
       thread_id = COALESCE($7, thread_id), draft_id = NULL, agreed = NULL,
       sequence = sequence + $8
 WHERE tenant_id = $1 AND id = $2 AND (ended_at IS NULL OR ($3 = 'sent' AND state = 'unknown'))
RETURNING sequence
"""
DROP_CHUNKS = "DELETE FROM outgoing_chunks WHERE tenant_id = $1 AND outgoing_id = $2"


async def end_outgoing(
    conn: Conn,
    tenant_id: str,
    outgoing_id: UUID,
    state: OutgoingState,
    *,
    now: datetime,
    reason: str | None = None,
    google_id: str | None = None,
    thread_id: str | None = None,
    told: bool = False,
) -> int | None:
    """End an outgoing message and let its attachments go; return the sequence of its event.

    None: it had ended already. One of unknown fate may still turn out to be sent.

    Args:
        told: an event tells of it.
    """
    sequence: int | None = await conn.fetchval(
        END_OUTGOING,
        tenant_id,
        outgoing_id,
        state.value,
        reason,
        now,
        google_id,
        thread_id,
        int(told),
    )
    if sequence is not None:
        await conn.execute(DROP_CHUNKS, tenant_id, outgoing_id)
    return sequence


SET_REASON = "UPDATE outgoing SET reason = $3 WHERE tenant_id = $1 AND id = $2"


async def set_reason(conn: Conn, outgoing: Outgoing, reason: str | None) -> None:
    """Say why it is not sent yet; None: nothing is in its way."""
    await conn.execute(SET_REASON, outgoing.tenant_id, outgoing.id, reason)


QUEUE_OUTGOING = """
UPDATE outgoing SET state = 'queued', send_at = $3, reason = NULL
 WHERE tenant_id = $1 AND id = $2 AND state = 'draft'
RETURNING true
"""


async def queue_outgoing(conn: Conn, outgoing: Outgoing, *, send_at: datetime | None) -> bool:
    """Let a draft go out; False: it is none any more."""
    return bool(await conn.fetchval(QUEUE_OUTGOING, outgoing.tenant_id, outgoing.id, send_at))


CLAIM_RETURN = """
UPDATE outgoing SET google_id = $4, thread_id = $5
 WHERE tenant_id = $1 AND connection_id = $2 AND id = $3
   AND (google_id IS NULL OR google_id = $4)
   AND NOT EXISTS (SELECT FROM messages m WHERE m.tenant_id = $1 AND m.id = $3)
RETURNING entities, state
"""


@dataclass(frozen=True, slots=True)
class Returned:
    """A send that came back through the mailbox."""

    entities: tuple[EntityRef, ...]
    state: OutgoingState


async def claim_return(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    outgoing_id: UUID,
    *,
    google_id: str,
    thread_id: str,
) -> Returned | None:
    """Note which message an outgoing one became; None: that message is not ours, or not the first.

    Anybody can write our header into a message; only the first that names a send of this mailbox
    is that send.
    """
    row = await conn.fetchrow(
        CLAIM_RETURN, tenant_id, connection_id, outgoing_id, google_id, thread_id
    )
    if row is None:
        return None
    entities = tuple(EntityRef(*one) for one in row["entities"])
    return Returned(entities, OutgoingState(row["state"]))


LIST_OURS = """
SELECT google_id FROM messages
 WHERE tenant_id = $1 AND connection_id = $2 AND google_id = ANY($3::text[]) AND sent_by_crm
"""


async def list_ours(
    conn: Conn, tenant_id: str, connection_id: UUID, google_ids: Sequence[str]
) -> frozenset[str]:
    """Return which of these messages the CRM itself sent."""
    rows = await conn.fetch(LIST_OURS, tenant_id, connection_id, list(google_ids))
    return frozenset(row["google_id"] for row in rows)


MARK_OURS = """
UPDATE messages SET sent_by_crm = true WHERE tenant_id = $1 AND id = ANY($2::uuid[])
"""


async def mark_ours(conn: Conn, tenant_id: str, message_ids: Sequence[UUID]) -> None:
    """Note that the CRM itself sent these messages: they are kept whatever is kept else."""
    await conn.execute(MARK_OURS, tenant_id, list(message_ids))


IS_SEND = """
SELECT EXISTS (SELECT FROM outgoing WHERE tenant_id = $1 AND connection_id = $2 AND id = $3)
"""


async def is_send(conn: Conn, tenant_id: str, connection_id: UUID, outgoing_id: UUID) -> bool:
    """Say whether that is an outgoing message of this mailbox."""
    return bool(await conn.fetchval(IS_SEND, tenant_id, connection_id, outgoing_id))


@dataclass(frozen=True, slots=True)
class SentToday:
    """What counts towards Google's limit of a day."""

    messages: int
    recipients: int
    oldest: datetime | None
    """When the first of them was asked for: a day later there is room again."""


COUNT_SENT = """
SELECT c.account_id, count(*) AS messages, COALESCE(sum(o.recipients), 0)::bigint AS recipients,
       min(COALESCE(o.send_at, o.created_at)) AS oldest
  FROM outgoing o
  JOIN connections c ON c.tenant_id = o.tenant_id AND c.connection_id = o.connection_id
 WHERE c.account_id = ANY($1::uuid[]) AND o.state IN ('queued', 'sent', 'unknown')
   AND o.created_at > $2::timestamptz - interval '400 days'
   AND COALESCE(o.send_at, o.created_at) BETWEEN $2::timestamptz AND $3::timestamptz
 GROUP BY c.account_id
"""
COUNT_SENT_ELSEWHERE = """
SELECT c.account_id, count(*) AS messages FROM messages m
  JOIN connections c ON c.tenant_id = m.tenant_id AND c.connection_id = m.connection_id
 WHERE c.account_id = ANY($1::uuid[]) AND c.tenant_id = $2 AND m.direction = 'outbound'
   AND m.internal_date > $3 AND NOT m.sent_by_crm AND m.deleted_at IS NULL AND NOT m.traced
 GROUP BY c.account_id
"""


async def count_sent(
    conn: Conn, tenant_id: str, account_ids: Sequence[UUID], *, since: datetime, until: datetime
) -> dict[UUID, SentToday]:
    """Return what accounts send between two moments: by us for any tenant, and as far as seen.

    A message sent elsewhere counts as one recipient: more of it is not known without reading.
    """
    ids = list(account_ids)
    ours = {row["account_id"]: row for row in await conn.fetch(COUNT_SENT, ids, since, until)}
    rows = await conn.fetch(COUNT_SENT_ELSEWHERE, ids, tenant_id, since)
    elsewhere = {row["account_id"]: int(row["messages"]) for row in rows}
    found: dict[UUID, SentToday] = {}
    for one in ids:
        row, more = ours.get(one), elsewhere.get(one, 0)
        found[one] = (
            SentToday(more, more, None)
            if row is None
            else SentToday(row["messages"] + more, row["recipients"] + more, row["oldest"])
        )
    return found


CANCEL_OUTGOING = """
UPDATE outgoing
   SET state = CASE WHEN id = ANY($3::uuid[]) THEN 'unknown'
                    WHEN state = 'draft' THEN 'discarded' ELSE 'cancelled' END,
       reason = $4, ended_at = $5, draft_id = NULL, agreed = NULL
 WHERE tenant_id = $1 AND connection_id = $2 AND ended_at IS NULL
RETURNING id
"""
DROP_ALL_CHUNKS = """
DELETE FROM outgoing_chunks WHERE tenant_id = $1 AND outgoing_id = ANY($2::uuid[])
"""


async def cancel_outgoing(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    uncertain: Sequence[UUID],
    reason: str,
    now: datetime,
) -> None:
    """End all outgoing messages of a connection that is over, and let their attachments go.

    `uncertain` ones may be sent.
    """
    rows = await conn.fetch(CANCEL_OUTGOING, tenant_id, connection_id, list(uncertain), reason, now)
    await conn.execute(DROP_ALL_CHUNKS, tenant_id, [row["id"] for row in rows])


PURGE_OUTGOING = """
DELETE FROM outgoing
 WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM outgoing WHERE ended_at < $1
                            ORDER BY ended_at LIMIT $2)
"""


async def purge_outgoing(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` outgoing messages that ended before then; return how many."""
    tag: str = await conn.execute(PURGE_OUTGOING, before, limit)
    return int(tag.rpartition(" ")[2])


DELETE_OUTGOING = "DELETE FROM outgoing WHERE tenant_id = $1 AND connection_id = $2"


async def delete_outgoing(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove all outgoing messages of a connection whose data must go."""
    await conn.execute(DELETE_OUTGOING, tenant_id, connection_id)


LIST_SEND_AS = "SELECT send_as FROM connections WHERE tenant_id = $1 AND connection_id = $2"


async def list_send_as(conn: Conn, tenant_id: str, connection_id: UUID) -> list[Person] | None:
    """Return whom the mailbox may send as, as Google last said; None: it was never asked."""
    found = await conn.fetchval(LIST_SEND_AS, tenant_id, connection_id)
    return None if found is None else [Person(**one) for one in found]


SET_SEND_AS = "UPDATE connections SET send_as = $3 WHERE tenant_id = $1 AND connection_id = $2"


async def set_send_as(
    conn: Conn, tenant_id: str, connection_id: UUID, people: Sequence[Person]
) -> None:
    """Keep what Google says whom the mailbox may send as."""
    stored = [{"address": one.address, "name": one.name} for one in people]
    await conn.execute(SET_SEND_AS, tenant_id, connection_id, stored)
