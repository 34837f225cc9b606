"""Every SQL statement on the quota. The caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Connection
from libs.common.quota.model import Limit, Used

LOCK_SEED = 0x0CA05E3C0
"""Keeps the scopes' advisory locks apart from others in the database."""

TAKE = """
SELECT paused.until,
       CASE WHEN paused.until IS NULL
            THEN quota_take($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7, $8, $9)
       END AS granted
  FROM (SELECT max(until) AS until FROM quota_pauses WHERE scope = $1 AND until > $2) AS paused
"""


async def take(
    conn: Connection,
    account: str,
    wanted: Sequence[Limit],
    *,
    least: int,
    most: int,
    now: datetime,
) -> datetime | int | None:
    """Book from `least` to `most` units in every scope; return how many, None: not enough is free.

    A moment is returned instead, and nothing booked, when the scope `account` is paused until
    then. The scopes are locked until the transaction ends, in one order, so nobody deadlocks:
    use a transaction of its own. It commits without waiting for the disk, since the project's
    lock is everybody's: a database that crashes may forget the bookings of its last second.
    """
    row = await conn.fetchrow(
        TAKE,
        account,
        now,
        [limit.scope for limit in wanted],
        [limit.slot for limit in wanted],
        [limit.since for limit in wanted],
        [limit.ceiling for limit in wanted],
        least,
        most,
        LOCK_SEED,
    )
    assert row is not None  # noqa: S101 - an aggregate has a row
    taken: datetime | int | None = row["granted"] if row["until"] is None else row["until"]
    return taken


READ_USED = """
SELECT u.scope, u.slot, u.used
  FROM unnest($1::text[], $2::bigint[]) AS wanted (scope, since)
  JOIN quota_usage AS u ON u.scope = wanted.scope AND u.slot >= wanted.since
"""


async def read_used(conn: Connection, wanted: Sequence[Limit]) -> dict[str, Used]:
    """Return, by scope, the units of every slot that counts; scopes without any are missing."""
    scopes, since = [limit.scope for limit in wanted], [limit.since for limit in wanted]
    found: dict[str, dict[int, int]] = {}
    for row in await conn.fetch(READ_USED, scopes, since):
        found.setdefault(row["scope"], {})[row["slot"]] = row["used"]
    return dict(found)


PAUSE = """
INSERT INTO quota_pauses (scope, until) VALUES ($1, $2)
ON CONFLICT (scope) DO UPDATE SET until = greatest(quota_pauses.until, EXCLUDED.until)
"""


async def pause(conn: Connection, scope: str, until: datetime) -> None:
    """Stop spending in the scope until then, or until the later moment already noted."""
    await conn.execute(PAUSE, scope, until)


READ_PAUSES = "SELECT scope, until FROM quota_pauses WHERE scope = ANY($1::text[]) AND until > $2"


async def read_pauses(
    conn: Connection, scopes: Sequence[str], *, now: datetime
) -> dict[str, datetime]:
    """Return until when those of the scopes that are paused stay so."""
    rows = await conn.fetch(READ_PAUSES, list(scopes), now)
    return {row["scope"]: row["until"] for row in rows}


DELETE_USAGE = """
DELETE FROM quota_usage
 WHERE (scope, slot) IN (SELECT scope, slot FROM quota_usage WHERE slot < $1 LIMIT $2)
"""
DELETE_PAUSES = """
DELETE FROM quota_pauses
 WHERE scope IN (SELECT scope FROM quota_pauses WHERE until < $1 LIMIT $2)
"""


async def purge(conn: Connection, *, before: datetime, limit: int = 10_000) -> int:
    """Remove up to `limit` slots that began, and pauses that ended, before then; return how many.

    Args:
        conn: inside the caller's transaction.
        before: at least two days ago, since a day's slot begins with the day.
        limit: of rows of each kind.
    """
    slots = await conn.execute(DELETE_USAGE, int(before.timestamp()), limit)
    pauses = await conn.execute(DELETE_PAUSES, before, limit)
    return int(slots.rpartition(" ")[2]) + int(pauses.rpartition(" ")[2])
