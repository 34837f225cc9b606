"""SQL on what accounts have sent, which Google limits by the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn


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
