"""Signals: what a push raises, in rows that page commits never lock."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection

CHANNEL = "feeds"
"""NOTIFY channel that wakes idle runners: of the kind the payload names, or of both."""
PAYLOADS = {False: "live", True: "background"}
"""By whether the runs take long; the statements on signals and leases say the same."""

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


RAISE_LATER = """
WITH hit AS (
    SELECT tenant_id, feed_id FROM signals
     WHERE address = ANY($1::text[])
     ORDER BY tenant_id, feed_id
       FOR UPDATE
)
UPDATE signals s
   SET generation = generation + 1,
       due_at = CASE WHEN running OR due_at = 'infinity' THEN due_at
                     ELSE LEAST(due_at, GREATEST($2::timestamptz, not_before)) END
  FROM hit WHERE s.tenant_id = hit.tenant_id AND s.feed_id = hit.feed_id
"""


async def raise_later(
    conn: Connection, addresses: Sequence[str], *, due_at: datetime, timeout_s: float
) -> None:
    """Raise the signals of the feeds called by `addresses`, to be due at `due_at` at the latest.

    As `raise_signals`, but nobody is woken: runners look by themselves for what has become due.
    """
    await conn.execute(RAISE_LATER, list(addresses), due_at, timeout=timeout_s)


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


HURRY = "UPDATE signals SET due_at = now(), not_before = '-infinity' WHERE isfinite(due_at)"


async def hurry(conn: Connection) -> None:
    """Make every feed due that is neither paused nor closed; for when no runner is at work."""
    await conn.execute(HURRY)
