"""SQL on what a run has to know of its mailbox's live feed, and a live run of itself."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.feeds import Feed
from services.mail.domain.connection import Connection
from services.mail.store.connections import ROWS, connection_of


@dataclass(frozen=True, slots=True)
class Beginning:
    """Whose mailbox it is."""

    connection: Connection
    watched: bool
    """Its watch needs nothing from us: `claim_watch` would refuse it."""


FIND_BEGINNING = f"""
SELECT {ROWS.columns("c")},
       EXISTS (SELECT FROM watches w
                WHERE w.account_id = c.account_id
                  AND (w.lease_until > $4
                       OR (w.renew_at > $4 AND w.topic IS NOT DISTINCT FROM $3))) AS watched
  FROM connections c
 WHERE c.tenant_id = $1 AND c.connection_id = $2
"""  # noqa: S608 - constants


async def find_beginning(conn: Conn, feed: Feed, topic: str, *, now: datetime) -> Beginning | None:
    """Return the feed's connection and whether it is watched for `topic`, None when it is gone."""
    row = await conn.fetchrow(FIND_BEGINNING, feed.tenant_id, feed.connection_id, topic, now)
    return None if row is None else Beginning(connection_of(row), row["watched"])


@dataclass(frozen=True, slots=True)
class Ending:
    """What is wrong although the mailbox was read, and what proves how far it was read."""

    dead_items: bool
    """Something of this feed waits for a person."""
    watch_failure: str | None
    """Why the last attempt to watch failed."""
    mark: int | None
    """The number the mailbox had at the last mark, None when that is younger than asked."""
    mark_is_due: bool
    """There is no younger mark."""


FIND_ENDING = """
SELECT EXISTS (SELECT FROM dead_items WHERE tenant_id = $1 AND feed_id = $2) AS dead_items,
       w.failure AS watch_failure,
       CASE WHEN w.marked_at <= $4 THEN w.marked_history_id END AS mark,
       COALESCE(w.marked_at <= $4, true) AS mark_is_due
  FROM (SELECT $3::uuid AS account_id) AS mine
  LEFT JOIN watches w USING (account_id)
"""


async def find_ending(conn: Conn, feed: Feed, account_id: UUID, *, before: datetime) -> Ending:
    """Return how a run of `feed` ends; the mark counts if it was set at or before `before`."""
    row = await conn.fetchrow(FIND_ENDING, feed.tenant_id, feed.id, account_id, before)
    assert row is not None  # noqa: S101 - a LEFT JOIN of one row
    return Ending(**row)


LIVE_CURSOR = """
SELECT cursor::bigint FROM feeds
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'mail.live'
"""


async def live_cursor(conn: Conn, feed: Feed) -> int:
    """Return up to which record the live feed of the same mailbox has taken in its history."""
    return int(await conn.fetchval(LIVE_CURSOR, feed.tenant_id, feed.connection_id) or 0)


HOLD_LIVE_CURSOR = """
SELECT cursor::bigint FROM feeds
 WHERE tenant_id = $1 AND connection_id = $2 AND kind = 'mail.live'
   FOR SHARE
"""


async def hold_live_cursor(conn: Conn, feed: Feed) -> int:
    """Return the same, and let it not move on before the caller's transaction ends.

    To be called after the directory's lock and before the caller locks its own feed: a live run,
    also one that opens a repair, locks them in this order.
    """
    return int(await conn.fetchval(HOLD_LIVE_CURSOR, feed.tenant_id, feed.connection_id) or 0)
