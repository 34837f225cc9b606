"""Holds: what waits for a person's yes or no before it happens, such as deleting half a mailbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.errors import Conflict, NotFound
from libs.common.feeds.model import Feed
from libs.common.ids import new_id

ALWAYS_FINE = 50
"""So many may be affected without asking, whatever the total."""
SHARE = 5
"""More than one in so many is a lot."""


class HoldState(StrEnum):
    """What was decided."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One row of `holds`."""

    tenant_id: str
    id: UUID
    connection_id: UUID
    feed_id: UUID
    kind: str
    subject: str
    """What it is about within the feed."""
    affected: int
    total: int
    state: HoldState
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None


def needs_hold(affected: int, total: int) -> bool:
    """Say whether a person must decide: more than 50, and more than a fifth of the total."""
    return affected > ALWAYS_FINE and affected * SHARE > total


def _hold(row: Any) -> Hold:
    return Hold(**{**dict(row), "state": HoldState(row["state"])})


OPEN_HOLD = """
INSERT INTO holds (tenant_id, id, connection_id, feed_id, kind, subject, affected, total,
                   created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, feed_id, kind, subject) WHERE state = 'open' DO UPDATE SET state = 'open'
RETURNING tenant_id, id, connection_id, feed_id, kind, subject, affected, total, state,
          created_at, decided_at, decided_by
"""


async def open_hold(
    conn: Connection,
    feed: Feed,
    *,
    kind: str,
    subject: str,
    affected: int,
    total: int,
    now: datetime,
) -> Hold:
    """Return the open hold of the feed on `subject`: a new one, or as it was opened before.

    An approval is of the numbers a person saw: compare `affected` before acting on one.
    """
    row = await conn.fetchrow(
        OPEN_HOLD,
        feed.tenant_id,
        new_id(),
        feed.connection_id,
        feed.id,
        kind,
        subject,
        affected,
        total,
        now,
    )
    return _hold(row)


NEWEST_HOLD = """
SELECT tenant_id, id, connection_id, feed_id, kind, subject, affected, total, state,
       created_at, decided_at, decided_by
  FROM holds WHERE tenant_id = $1 AND feed_id = $2 AND kind = $3 AND subject = $4
 ORDER BY id DESC LIMIT 1
"""


async def newest_hold(conn: Connection, feed: Feed, *, kind: str, subject: str) -> Hold | None:
    """Return the feed's last hold on `subject`, decided or not; None when there was none."""
    row = await conn.fetchrow(NEWEST_HOLD, feed.tenant_id, feed.id, kind, subject)
    return None if row is None else _hold(row)


LIST_HOLDS = """
SELECT tenant_id, id, connection_id, feed_id, kind, subject, affected, total, state,
       created_at, decided_at, decided_by
  FROM holds
 WHERE tenant_id = $1 AND ($2::uuid[] IS NULL OR connection_id = ANY($2))
   AND ($3::text IS NULL OR state = $3) AND ($4::uuid IS NULL OR id < $4)
 ORDER BY id DESC
 LIMIT $5
"""


async def list_holds(
    conn: Connection,
    tenant_id: str,
    connection_ids: Sequence[UUID] | None,
    *,
    state: HoldState | None,
    before: UUID | None,
    limit: int,
) -> list[Hold]:
    """Return up to `limit` holds of those connections (None: the tenant's), newest first.

    Args:
        state: only those; None: all.
        before: only those that follow this one in the list.
    """
    ids = None if connection_ids is None else list(connection_ids)
    wanted = None if state is None else state.value
    rows = await conn.fetch(LIST_HOLDS, tenant_id, ids, wanted, before, limit)
    return [_hold(row) for row in rows]


FIND_HOLD = """
SELECT tenant_id, id, connection_id, feed_id, kind, subject, affected, total, state,
       created_at, decided_at, decided_by
  FROM holds WHERE tenant_id = $1 AND id = $2
"""


async def find_hold(conn: Connection, tenant_id: str, hold_id: UUID) -> Hold | None:
    """Return the tenant's hold; None when it has no such one."""
    row = await conn.fetchrow(FIND_HOLD, tenant_id, hold_id)
    return None if row is None else _hold(row)


LOCK_HOLD = "SELECT 1 FROM holds WHERE tenant_id = $1 AND id = $2 FOR UPDATE"

DECIDE_HOLD = """
UPDATE holds SET state = $3, decided_at = $4, decided_by = $5 WHERE tenant_id = $1 AND id = $2
RETURNING tenant_id, id, connection_id, feed_id, kind, subject, affected, total, state,
          created_at, decided_at, decided_by
"""


async def decide_hold(
    conn: Connection, tenant_id: str, hold_id: UUID, *, approve: bool, by: str, now: datetime
) -> Hold:
    """Return the hold as decided; the first answer stays, and giving it again changes nothing.

    Args:
        by: who decided; the caller has raised the signal of the feed that waits.

    Raises:
        NotFound: the tenant has no such hold.
        Conflict: `hold-decided`, the other way.
    """
    wanted = HoldState.APPROVED if approve else HoldState.REJECTED
    await conn.execute(LOCK_HOLD, tenant_id, hold_id)
    found = await find_hold(conn, tenant_id, hold_id)
    if found is None:
        raise NotFound("There is no such hold.")
    if found.state is wanted:
        return found
    if found.state is not HoldState.OPEN:
        raise Conflict("This was decided the other way.", slug="hold-decided")
    return _hold(await conn.fetchrow(DECIDE_HOLD, tenant_id, hold_id, wanted.value, now, by))


PURGE_DECIDED = """
DELETE FROM holds
 WHERE (tenant_id, id) IN (SELECT h.tenant_id, h.id FROM holds h
                            WHERE h.decided_at < $1
                              AND EXISTS (SELECT FROM holds n
                                           WHERE n.tenant_id = h.tenant_id
                                             AND n.feed_id = h.feed_id AND n.kind = h.kind
                                             AND n.subject = h.subject AND n.id > h.id)
                            LIMIT $2)
"""


async def purge_decided(conn: Connection, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` decisions from before then that newer ones replaced; return how many.

    The last one on a subject stays: work goes by it.
    """
    done: str = await conn.execute(PURGE_DECIDED, before, limit)
    return int(done.rpartition(" ")[2])
