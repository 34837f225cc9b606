"""Every SQL statement on the quota. The caller owns the transaction."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Connection
from libs.common.quota.model import Limit, Used

LOCK_SEED = 0x0CA05E3C0
"""Keeps the scopes' advisory locks apart from others in the database."""

LOCK = """
SELECT count(pg_advisory_xact_lock(key)), set_config('synchronous_commit', 'off', true)
  FROM (SELECT DISTINCT hashtextextended(scope, $2) AS key
          FROM unnest($1::text[]) AS scope
         ORDER BY key) AS sorted
"""


async def lock(conn: Connection, scopes: Sequence[str]) -> None:
    """Wait for the scopes, until the transaction ends; taken in one order, so nobody deadlocks.

    A statement of its own: what is read after it sees what was committed meanwhile. The commit
    is not waited for, since the project's lock is everybody's: a database that crashes may
    forget the bookings of its last second, no more.
    """
    await conn.execute(LOCK, list(scopes), LOCK_SEED)


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


BOOK = """
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS wanted (scope, slot, since)
), expired AS (
    DELETE FROM quota_usage AS u USING wanted
     WHERE u.scope = wanted.scope AND u.slot < wanted.since
)
INSERT INTO quota_usage AS u (scope, slot, used)
SELECT scope, slot, $4::bigint FROM wanted
ON CONFLICT (scope, slot) DO UPDATE SET used = u.used + EXCLUDED.used
"""


async def book(conn: Connection, wanted: Sequence[Limit], units: int) -> None:
    """Count `units` in every scope; slots of theirs that count no more are removed."""
    scopes, slots = [limit.scope for limit in wanted], [limit.slot for limit in wanted]
    await conn.execute(BOOK, scopes, slots, [limit.since for limit in wanted], units)


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
