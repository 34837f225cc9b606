"""SQL on watches: one per Google account, renewed by whoever holds the row's lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn

ADD_WATCH = "INSERT INTO watches (account_id) VALUES ($1) ON CONFLICT DO NOTHING"
CLAIM_WATCH = """
UPDATE watches SET lease_until = $4
 WHERE account_id = $1 AND lease_until <= $3
   AND (renew_at <= $3 OR topic IS DISTINCT FROM $2)
RETURNING true
"""


async def claim_watch(
    conn: Conn, account_id: UUID, topic: str, *, now: datetime, lease_until: datetime
) -> bool:
    """Say whether the account's watch is due and now ours to renew, until `lease_until`."""
    await conn.execute(ADD_WATCH, account_id)
    return bool(await conn.fetchval(CLAIM_WATCH, account_id, topic, now, lease_until))


MARK_WATCHED = """
UPDATE watches
   SET topic = $2, history_id = $3, expires_at = $4, renew_at = $5,
       lease_until = '-infinity', failure = NULL
 WHERE account_id = $1
"""


async def mark_watched(
    conn: Conn,
    account_id: UUID,
    topic: str,
    *,
    history_id: int,
    expires_at: datetime,
    renew_at: datetime,
) -> None:
    """Keep what Google answered, and give the lease back."""
    await conn.execute(MARK_WATCHED, account_id, topic, history_id, expires_at, renew_at)


MARK_UNWATCHED = """
UPDATE watches SET renew_at = $2, lease_until = '-infinity', failure = $3 WHERE account_id = $1
"""


async def mark_watch_failed(
    conn: Conn, account_id: UUID, *, failure: str, retry_at: datetime
) -> None:
    """Keep why it failed (a short constant) and when to try again; the old watch may still run."""
    await conn.execute(MARK_UNWATCHED, account_id, retry_at, failure)


DROP_LEASE = "UPDATE watches SET lease_until = '-infinity' WHERE account_id = $1"


async def drop_lease(conn: Conn, account_id: UUID) -> None:
    """Let others renew the watch at once; only for whoever claimed it."""
    await conn.execute(DROP_LEASE, account_id)


MAKE_DUE = "UPDATE watches SET renew_at = '-infinity' WHERE account_id = $1"


async def make_due(conn: Conn, account_id: UUID) -> None:
    """Let whoever runs the account's feed next renew its watch, if it has one."""
    await conn.execute(MAKE_DUE, account_id)


REMOVE_WATCH = "DELETE FROM watches WHERE account_id = $1"


async def remove_watch(conn: Conn, account_id: UUID) -> None:
    """Forget the account's watch."""
    await conn.execute(REMOVE_WATCH, account_id)


@dataclass(frozen=True, slots=True)
class WatchRow:
    """What is shown of a watch."""

    expires_at: datetime | None
    failure: str | None


LIST_WATCHES = """
SELECT account_id, expires_at, failure FROM watches WHERE account_id = ANY($1::uuid[])
"""


async def list_watches(conn: Conn, account_ids: Sequence[UUID]) -> dict[UUID, WatchRow]:
    """Return the watches of those accounts."""
    rows = await conn.fetch(LIST_WATCHES, list(account_ids))
    return {row["account_id"]: WatchRow(row["expires_at"], row["failure"]) for row in rows}


SET_MARK = """
UPDATE watches SET marked_history_id = $2, marked_at = $3
 WHERE account_id = $1 AND (marked_at IS NULL OR marked_at <= $4)
"""


async def set_mark(
    conn: Conn, account_id: UUID, history_id: int, *, now: datetime, unless_after: datetime
) -> None:
    """Keep the mailbox's number of this moment, unless a mark younger than that stands."""
    await conn.execute(SET_MARK, account_id, history_id, now, unless_after)
