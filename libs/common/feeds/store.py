"""Every SQL statement on feeds and signals. The caller owns the transaction.

Locks are taken signal first, then feed, each in key order: claims, finishes and pushes
cannot deadlock, and page commits (feed only) never wait for a push.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection
from libs.common.feeds.model import Feed, FeedState, NewFeed
from libs.common.ids import new_id

CHANNEL = "feeds"
"""NOTIFY channel that wakes idle runners: of the kind the payload names, or of both."""
PAYLOADS = {False: "live", True: "background"}
"""By whether the runs take long."""


def _feed(row: Any) -> Feed:
    return Feed(
        tenant_id=row["tenant_id"],
        id=row["id"],
        connection_id=row["connection_id"],
        account_id=row["account_id"],
        kind=row["kind"],
        resource=row["resource"],
        fingerprint=row["fingerprint"],
        cursor=row["cursor"],
        state=FeedState(row["state"]),
        reason=row["reason"],
        failures=row["failures"],
        last_sync_at=row["last_sync_at"],
        sequence=row["sequence"],
    )


REOPEN_SIGNAL = """
UPDATE signals s
   SET address = $5, generation = generation + 1, due_at = $6, not_before = '-infinity',
       running = false, background = $7
  FROM feeds f
 WHERE f.tenant_id = $1 AND f.connection_id = $2 AND f.kind = $3 AND f.resource = $4
   AND s.tenant_id = f.tenant_id AND s.feed_id = f.id
"""
UPSERT_FEED = """
INSERT INTO feeds
       (tenant_id, id, connection_id, account_id, kind, resource, fingerprint, created_at, cursor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (tenant_id, connection_id, kind, resource) DO UPDATE
   SET state = 'active', reason = NULL, failures = 0,
       account_id = EXCLUDED.account_id,
       cursor = CASE WHEN $10::boolean THEN EXCLUDED.cursor
                     WHEN feeds.account_id <> EXCLUDED.account_id
                       OR feeds.fingerprint <> EXCLUDED.fingerprint THEN EXCLUDED.cursor
                     WHEN feeds.state = 'closed' THEN COALESCE(EXCLUDED.cursor, feeds.cursor)
                     ELSE feeds.cursor END,
       fingerprint = EXCLUDED.fingerprint,
       lease_epoch = feeds.lease_epoch + 1, lease_until = NULL
RETURNING tenant_id, id, connection_id, account_id, kind, resource, fingerprint, cursor,
          state, reason, failures, last_sync_at, sequence
"""
INSERT_SIGNAL = """
INSERT INTO signals (tenant_id, feed_id, address, due_at, background)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, feed_id) DO NOTHING
"""


async def open_feed(
    conn: Connection, new: NewFeed, *, now: datetime, due_at: datetime | None = None
) -> Feed:
    """Return the feed of `new`, created or opened again, due at once or at `due_at`.

    One that was paused or closed keeps its cursor, unless it now belongs to another account or
    its fingerprint changed: then the cursor is void and dropped. In its place, and in place of
    a closed one's, comes `new.cursor`. A worker still running it is fenced out.
    """
    due_at = now if due_at is None else due_at
    identity = (new.tenant_id, new.connection_id, new.kind, new.resource)
    await conn.execute(REOPEN_SIGNAL, *identity, new.address, due_at, new.background)
    row = await conn.fetchrow(
        UPSERT_FEED,
        new.tenant_id,
        new_id(),
        new.connection_id,
        new.account_id,
        new.kind,
        new.resource,
        new.fingerprint,
        now,
        new.cursor,
        new.restart,
    )
    feed = _feed(row)
    await conn.execute(INSERT_SIGNAL, feed.tenant_id, feed.id, new.address, due_at, new.background)
    await conn.execute(NOTIFY)
    return feed


NOTIFY = f"NOTIFY {CHANNEL}"  # an identifier cannot be a parameter
STOP_SIGNALS = """
UPDATE signals s SET due_at = 'infinity', running = false
  FROM (SELECT s2.tenant_id, s2.feed_id
          FROM signals s2 JOIN feeds f ON f.tenant_id = s2.tenant_id AND f.id = s2.feed_id
         WHERE f.tenant_id = $1 AND f.connection_id = $2
         ORDER BY s2.tenant_id, s2.feed_id FOR UPDATE OF s2) mine
 WHERE s.tenant_id = mine.tenant_id AND s.feed_id = mine.feed_id
"""
STOP_FEEDS = """
UPDATE feeds SET state = $3, reason = $4, lease_epoch = lease_epoch + 1, lease_until = NULL
 WHERE tenant_id = $1 AND connection_id = $2 AND state <> 'closed'
RETURNING id
"""


async def stop_feeds(
    conn: Connection, tenant_id: str, connection_id: UUID, *, state: FeedState, reason: str
) -> list[UUID]:
    """Pause or close all feeds of a connection; return their ids.

    Nothing is removed. A worker that is running one of them cannot commit any more.
    """
    await conn.execute(STOP_SIGNALS, tenant_id, connection_id)
    rows = await conn.fetch(STOP_FEEDS, tenant_id, connection_id, state.value, reason)
    return [row["id"] for row in rows]


LIST_FEEDS = """
SELECT f.tenant_id, f.id, f.connection_id, f.account_id, f.kind, f.resource, f.fingerprint,
       f.cursor, f.state, f.reason, f.failures, f.last_sync_at, f.sequence
  FROM feeds f WHERE f.tenant_id = $1 AND f.connection_id = ANY($2::uuid[])
 ORDER BY f.connection_id, f.kind, f.resource
"""


async def list_feeds(
    conn: Connection, tenant_id: str, connection_ids: Sequence[UUID]
) -> list[Feed]:
    """Return the feeds of those connections within the tenant."""
    return [_feed(row) for row in await conn.fetch(LIST_FEEDS, tenant_id, list(connection_ids))]


RAISE_SIGNALS = """
WITH hit AS (
    SELECT tenant_id, feed_id FROM signals
     WHERE address = ANY($1::text[])
     ORDER BY tenant_id, feed_id
       FOR UPDATE
), raised AS (
    UPDATE signals s
       SET generation = generation + 1,
           due_at = CASE WHEN running OR due_at = 'infinity' THEN due_at
                         ELSE LEAST(due_at, GREATEST($2::timestamptz, not_before)) END
      FROM hit WHERE s.tenant_id = hit.tenant_id AND s.feed_id = hit.feed_id
    RETURNING s.address, s.background
)
SELECT array_agg(DISTINCT address) AS known,
       count(pg_notify($3, 'background')) FILTER (WHERE background),
       count(pg_notify($3, 'live')) FILTER (WHERE NOT background)
  FROM raised
"""


async def raise_signals(
    conn: Connection, addresses: Sequence[str], *, now: datetime, timeout_s: float
) -> set[str]:
    """Raise the signal of every feed a push called by one of `addresses`; return those known.

    A feed that is running, or must wait for Google's permission, keeps its time: the moved
    generation alone makes it run again. One that is paused or closed is not woken.
    """
    known = await conn.fetchval(RAISE_SIGNALS, list(addresses), now, CHANNEL, timeout=timeout_s)
    return set(known or ())


RAISE_SIGNAL = """
WITH hit AS (
    SELECT tenant_id, feed_id FROM signals
     WHERE (tenant_id = $1 AND feed_id = $2) OR address = $5
     ORDER BY tenant_id, feed_id
       FOR UPDATE
), raised AS (
    UPDATE signals s
       SET generation = generation + 1,
           due_at = CASE WHEN running OR due_at = 'infinity' THEN due_at
                         ELSE LEAST(due_at, GREATEST($3::timestamptz, not_before)) END
      FROM hit WHERE s.tenant_id = hit.tenant_id AND s.feed_id = hit.feed_id
    RETURNING 1
)
SELECT pg_notify($4, '') FROM raised
"""


async def raise_signal(
    conn: Connection,
    tenant_id: str,
    feed_id: UUID,
    *,
    now: datetime,
    address: str | None = None,
) -> None:
    """Raise the signal of one feed and of those called by `address`, as `raise_signals` does.

    Locks are taken signal first: call it before anything that page commits lock too is locked.
    """
    await conn.execute(RAISE_SIGNAL, tenant_id, feed_id, now, CHANNEL, address)


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
    return [(_feed(row), row["lease_epoch"], row["generation"]) for row in rows]


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
    return None if row is None else _feed(row)


NEXT_SEQUENCE = """
UPDATE feeds SET sequence = sequence + 1 WHERE tenant_id = $1 AND id = $2 RETURNING sequence
"""


async def next_sequence(conn: Connection, feed: Feed) -> int:
    """Return the number of the feed's next event; the row is locked until the caller commits."""
    sequence: int = await conn.fetchval(NEXT_SEQUENCE, feed.tenant_id, feed.id)
    return sequence
