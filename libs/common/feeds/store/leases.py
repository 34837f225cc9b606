"""Leases: who runs a feed, until when, and that nobody else commits meanwhile."""

from datetime import datetime

from libs.common.db import Connection
from libs.common.feeds.model import Feed, FeedState
from libs.common.feeds.store.rows import feed_of
from libs.common.feeds.store.signals import CHANNEL

CLAIM = """
SELECT (c.feed).tenant_id, (c.feed).id, (c.feed).connection_id, (c.feed).account_id,
       (c.feed).kind, (c.feed).resource, (c.feed).fingerprint, (c.feed).cursor, (c.feed).state,
       (c.feed).reason, (c.feed).failures, (c.feed).last_sync_at, (c.feed).sequence,
       (c.feed).lease_epoch, c.generation
  FROM claim_feeds($1, $2, $3, $4) AS c
"""


async def claim(
    conn: Connection,
    *,
    limit: int,
    now: datetime,
    lease_until: datetime,
    background: bool = False,
) -> list[tuple[Feed, int, int]]:
    """Take up to `limit` due feeds; return each with its lease epoch and signal generation.

    A lease that ran out is due like any other. One statement, which needs no transaction around;
    that it reaches the disk is not waited for.

    Args:
        background: take feeds whose runs take long; otherwise only the others.
    """
    rows = await conn.fetch(CLAIM, now, limit, lease_until, background)
    return [(feed_of(row), row["lease_epoch"], row["generation"]) for row in rows]


LOCK_SIGNAL = """
SELECT 1 FROM signals WHERE tenant_id = $1 AND feed_id = $2 FOR UPDATE
"""
RENEW_FEED = """
UPDATE feeds SET lease_until = $4 WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3
RETURNING id
"""
RENEW_SIGNAL = """
UPDATE signals SET due_at = $3 WHERE tenant_id = $1 AND feed_id = $2
"""


async def renew(conn: Connection, feed: Feed, epoch: int, *, lease_until: datetime) -> bool:
    """Extend the lease; False when somebody else has it, and nothing is changed."""
    # The lock is waited for in a statement of its own: the fence after it sees what was
    # committed meanwhile, which a join in one statement would not.
    await conn.execute(LOCK_SIGNAL, feed.tenant_id, feed.id)
    held = await conn.fetchval(RENEW_FEED, feed.tenant_id, feed.id, epoch, lease_until)
    if held is None:
        return False
    await conn.execute(RENEW_SIGNAL, feed.tenant_id, feed.id, lease_until)
    return True


ADVANCE = """
UPDATE feeds SET cursor = $4, fingerprint = $5
 WHERE tenant_id = $1 AND id = $2 AND lease_epoch = $3
RETURNING id
"""


async def advance(
    conn: Connection, feed: Feed, epoch: int, *, cursor: str, fingerprint: str
) -> bool:
    """Move the cursor if the lease is still ours; False when it is not."""
    row_id = await conn.fetchval(ADVANCE, feed.tenant_id, feed.id, epoch, cursor, fingerprint)
    return row_id is not None


FINISH = """
WITH locked AS MATERIALIZED (
    SELECT tenant_id, feed_id FROM signals
     WHERE tenant_id = $1 AND feed_id = $2
       AND ($14::boolean OR set_config('synchronous_commit', 'off', true) = 'off')
       FOR UPDATE
), feed AS (
    UPDATE feeds f SET lease_until = NULL, state = $4, reason = $5, failures = $6,
           last_sync_at = COALESCE($7, last_sync_at),
           sequence = sequence + CASE WHEN (state, reason) IS DISTINCT FROM ($4::text, $5::text)
                                      THEN 1 ELSE 0 END
      FROM locked l
     WHERE f.tenant_id = l.tenant_id AND f.id = l.feed_id AND f.lease_epoch = $3
    RETURNING f.tenant_id, f.id, f.connection_id, f.account_id, f.kind, f.resource,
              f.fingerprint, f.cursor, f.state, f.reason, f.failures, f.last_sync_at, f.sequence
), finished AS (
    UPDATE signals s
       SET running = false, not_before = $9::timestamptz,
           due_at = CASE WHEN $12::boolean THEN 'infinity'
                         WHEN generation <> $10 THEN GREATEST($11::timestamptz, $9)
                         ELSE GREATEST($8::timestamptz, $9) END
      FROM feed WHERE s.tenant_id = feed.tenant_id AND s.feed_id = feed.id
    RETURNING s.due_at, s.background
)
SELECT feed.*,
       (SELECT count(pg_notify($13, CASE WHEN background THEN 'background' ELSE 'live' END))
          FROM finished WHERE due_at <= $11)
  FROM feed
"""


async def finish(
    conn: Connection,
    feed: Feed,
    epoch: int,
    *,
    generation: int,
    due_at: datetime,
    not_before: datetime,
    state: FeedState,
    reason: str | None,
    failures: int,
    synced_at: datetime | None,
    now: datetime,
) -> Feed | None:
    """Give the lease back and say when to run next; None, and nothing, if it is not ours.

    When the signal moved since `generation`, the feed is due again at once, though never
    before `not_before`. What is due at once wakes idle runners. A paused or closed feed is not
    due until it is opened again. Returns the feed as it is now; its sequence rose if its state or
    reason changed. Only then is the disk waited for: a database that crashes and forgets any other
    end lets the feed run again when its lease is over.
    """
    # The signal's lock may be waited for, as in `renew`; then the fence is looked at again, since
    # an UPDATE checks its own conditions anew when the row moved meanwhile.
    row = await conn.fetchrow(
        FINISH,
        feed.tenant_id,
        feed.id,
        epoch,
        state.value,
        reason,
        failures,
        synced_at,
        due_at,
        not_before,
        generation,
        now,
        state in (FeedState.PAUSED, FeedState.CLOSED),
        CHANNEL,
        (state, reason) != (feed.state, feed.reason),
    )
    return None if row is None else feed_of(row)
