"""SQL on activities: their numbers, the links of their copies, and how they are listed.

The number of an activity is taken under its row's lock, which a transaction takes of all the
activities it tells of at once, in the order of their ids, and after all messages it locks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from services.mail.domain.activities import Activity, Copy
from services.mail.domain.visibility import Visibility, withheld
from services.mail.store.links import facts_of

NUMBER_ACTIVITIES = """
WITH numbered AS (
    INSERT INTO activities AS a (tenant_id, id, sequence, occurred_at)
    SELECT $1, n.id, new.first, n.occurred_at
      FROM unnest($2::uuid[], $3::timestamptz[]) AS n (id, occurred_at), activity_numbers new
     ORDER BY n.id
    ON CONFLICT (tenant_id, id) DO UPDATE SET sequence = a.sequence + 1
    RETURNING id, sequence, occurred_at
), linked AS (
    INSERT INTO message_links (tenant_id, entity_type, entity_id, message_id, occurred_at)
    SELECT $1, n.entity_type, n.entity_id, n.message_id, a.occurred_at
      FROM unnest($4::text[], $5::text[], $6::uuid[], $7::uuid[])
           AS n (entity_type, entity_id, message_id, activity_id)
      JOIN numbered a ON a.id = n.activity_id
    ON CONFLICT DO NOTHING
)
SELECT id, sequence, occurred_at, sequence = new.first AS is_new,
       COALESCE((SELECT c.visibility FROM connections c
                  WHERE c.tenant_id = $1 AND c.connection_id = $8), 'private') AS visibility
  FROM numbered, activity_numbers new
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A message that concerns an entity."""

    ref: EntityRef
    message_id: UUID
    activity_id: UUID


@dataclass(frozen=True, slots=True)
class Numbered:
    """An activity under its next number."""

    sequence: int
    occurred_at: datetime
    is_new: bool
    """It was never told of before."""
    visibility: Visibility
    """Of the mailbox in hand, as it is now: a run may have begun under another."""


async def number_activities(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    dates: Mapping[UUID, datetime],
    links: Sequence[Link],
) -> dict[UUID, Numbered]:
    """Lock activities, give each its next number, and add links of their copies.

    Args:
        conn: inside a transaction that locks no message afterwards.
        tenant_id: whose.
        connection_id: the mailbox of the copies in hand.
        dates: by activity, the date of the copy in hand; it counts for one that is new.
        links: their activities are among `dates`.
    """
    rows = await conn.fetch(
        NUMBER_ACTIVITIES,
        tenant_id,
        list(dates),
        list(dates.values()),
        [one.ref.entity_type for one in links],
        [one.ref.entity_id for one in links],
        [one.message_id for one in links],
        [one.activity_id for one in links],
        connection_id,
    )
    return {
        row["id"]: Numbered(
            row["sequence"], row["occurred_at"], row["is_new"], Visibility(row["visibility"])
        )
        for row in rows
    }


LIST_COPIES = """
SELECT m.id, m.google_id, m.internal_date, m.direction, m.sender, m.recipients, m.subject,
       m.snippet, m.rfc822_message_id, m.sent_at, m.activity_id, m.connection_id, m.thread_id,
       c.user_id, c.visibility, c.in_full,
       ARRAY(SELECT ARRAY[l.entity_type, l.entity_id]
               FROM message_links l
              WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id) AS refs
  FROM messages m
  JOIN shown_mailboxes($1, $3) c ON c.connection_id = m.connection_id
 WHERE m.tenant_id = $1 AND m.activity_id = ANY($2::uuid[])
   AND m.deleted_at IS NULL AND NOT m.traced
 ORDER BY m.activity_id, m.id
"""


async def list_copies(
    conn: Conn, tenant_id: str, ids: Sequence[UUID], *, user_id: str | None = None
) -> dict[UUID, list[Copy]]:
    """Return the copies of each activity that a user may see (None: all), by message id."""
    found: dict[UUID, list[Copy]] = {}
    for row in await conn.fetch(LIST_COPIES, tenant_id, list(ids), user_id):
        found.setdefault(row["activity_id"], []).append(_copy(row))
    return found


def _copy(row: Any) -> Copy:
    facts = facts_of(row)
    if not row["in_full"]:
        facts = replace(facts, content=withheld(facts.content), snippet="")
    return Copy(
        facts=facts,
        connection_id=row["connection_id"],
        user_id=row["user_id"],
        visibility=Visibility(row["visibility"]),
        refs=tuple(EntityRef(*one) for one in row["refs"]),
        in_full=row["in_full"],
    )


LIST_ACTIVITIES = """
WITH page AS (
    SELECT DISTINCT l.occurred_at, m.activity_id
      FROM message_links l
      JOIN messages m ON m.tenant_id = l.tenant_id AND m.id = l.message_id
      JOIN shown_mailboxes($1, $4) c ON c.connection_id = m.connection_id
     WHERE l.tenant_id = $1 AND l.entity_type = $2 AND l.entity_id = $3
       AND m.activity_id IS NOT NULL AND m.deleted_at IS NULL AND NOT m.traced
       AND l.occurred_at <= COALESCE($5, 'infinity'::timestamptz)
       AND ($5::timestamptz IS NULL OR (l.occurred_at, m.activity_id) < ($5, $6::uuid))
     ORDER BY l.occurred_at DESC, m.activity_id DESC
     LIMIT $7
)
SELECT page.occurred_at, m.id, m.google_id, m.internal_date, m.direction, m.sender, m.recipients,
       m.subject, m.snippet, m.rfc822_message_id, m.sent_at, m.activity_id, m.connection_id,
       m.thread_id, c.user_id, c.visibility, c.in_full,
       ARRAY(SELECT ARRAY[l.entity_type, l.entity_id]
               FROM message_links l
              WHERE l.tenant_id = m.tenant_id AND l.message_id = m.id) AS refs
  FROM page
  JOIN messages m ON m.tenant_id = $1 AND m.activity_id = page.activity_id
  JOIN shown_mailboxes($1, $4) c ON c.connection_id = m.connection_id
 WHERE m.deleted_at IS NULL AND NOT m.traced
 ORDER BY page.occurred_at DESC, page.activity_id DESC, m.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedActivities:
    """Of which entity, as a user may see them (None: all of the tenant's)."""

    tenant_id: str
    ref: EntityRef
    user_id: str | None
    before: tuple[datetime, UUID] | None = None
    """Date and id of the last one the caller has seen."""
    limit: int


async def list_activities(conn: Conn, wanted: WantedActivities) -> list[Activity]:
    """Return up to `limit` activities of an entity, newest first, each with its copies."""
    rows = await conn.fetch(
        LIST_ACTIVITIES,
        wanted.tenant_id,
        wanted.ref.entity_type,
        wanted.ref.entity_id,
        wanted.user_id,
        *(wanted.before or (None, None)),
        wanted.limit,
    )
    found: dict[tuple[datetime, UUID], list[Copy]] = {}
    for row in rows:
        found.setdefault((row["occurred_at"], row["activity_id"]), []).append(_copy(row))
    return [
        Activity(id=activity_id, occurred_at=occurred_at, copies=tuple(copies))
        for (occurred_at, activity_id), copies in found.items()
    ]
