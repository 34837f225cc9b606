"""SQL on watch channels, and on whose turn it is to open the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from services.calendar.domain.channel import Channel, ChannelState


@dataclass(frozen=True, slots=True)
class Watch:
    """How a calendar is watched."""

    failure: str | None
    """Why the last attempt failed; None: it did not."""
    is_due: bool
    """Its next channel is to be opened."""


ADD_WATCH = "INSERT INTO watches (account_id, google_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
CLAIM_WATCH = """
UPDATE watches SET lease_until = $4
 WHERE account_id = $1 AND google_id = $2 AND lease_until <= $3 AND renew_at <= $3
RETURNING true
"""


async def claim_watch(
    conn: Conn, account_id: UUID, google_id: str, *, now: datetime, lease_until: datetime
) -> bool:
    """Say whether a calendar's channel is due and now ours to open, until `lease_until`."""
    await conn.execute(ADD_WATCH, account_id, google_id)
    return bool(await conn.fetchval(CLAIM_WATCH, account_id, google_id, now, lease_until))


DROP_LEASE = """
UPDATE watches SET lease_until = '-infinity' WHERE account_id = $1 AND google_id = $2
"""


async def drop_lease(conn: Conn, account_id: UUID, google_id: str) -> None:
    """Let others open a channel at once; only for whoever claimed that."""
    await conn.execute(DROP_LEASE, account_id, google_id)


INTEND = """
INSERT INTO channels (id, account_id, google_id, state, created_at, expires_at)
VALUES ($1, $2, $3, 'intended', $4, $5)
"""


async def intend(
    conn: Conn,
    channel_id: UUID,
    account_id: UUID,
    google_id: str,
    *,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep a channel that Google is about to be asked for."""
    await conn.execute(INTEND, channel_id, account_id, google_id, now, expires_at)


OPEN = """
UPDATE channels
   SET state = CASE WHEN state = 'intended' THEN 'watching' ELSE state END,
       resource_id = $2, expires_at = $3
 WHERE id = $1
"""
SUPERSEDE = """
UPDATE channels SET state = 'superseded'
 WHERE account_id = $1 AND google_id = $2 AND id <> $3 AND state IN ('intended', 'watching')
   AND EXISTS (SELECT FROM channels WHERE id = $3 AND state = 'watching')
"""
MARK_WATCHED = """
UPDATE watches SET renew_at = $3, lease_until = '-infinity', failure = NULL
 WHERE account_id = $1 AND google_id = $2
"""


async def opened(
    conn: Conn,
    channel_id: UUID,
    account_id: UUID,
    google_id: str,
    *,
    resource_id: str,
    expires_at: datetime,
    renew_at: datetime,
) -> None:
    """Keep what Google answered; older channels of the calendar are superseded by this one.

    If nobody wants the calendar watched any more it is superseded itself.
    """
    await conn.execute(OPEN, channel_id, resource_id, expires_at)
    await conn.execute(SUPERSEDE, account_id, google_id, channel_id)
    await conn.execute(MARK_WATCHED, account_id, google_id, renew_at)


MARK_FAILED = """
UPDATE watches SET renew_at = $3, lease_until = '-infinity', failure = $4
 WHERE account_id = $1 AND google_id = $2
"""


async def failed(
    conn: Conn, account_id: UUID, google_id: str, *, failure: str, retry_at: datetime
) -> None:
    """Keep why no channel was opened (a short constant), and when to try again."""
    await conn.execute(MARK_FAILED, account_id, google_id, retry_at, failure)


@dataclass(frozen=True, slots=True)
class Watched:
    """A channel, and of which calendar it tells."""

    channel: Channel
    account_id: UUID
    google_id: str


FIND = """
SELECT id, account_id, google_id, resource_id, state, last_number, expires_at
  FROM channels WHERE id = $1
"""


async def find_channel(conn: Conn, channel_id: UUID) -> Watched | None:
    """Return a channel, None when there is none (any more)."""
    row = await conn.fetchrow(FIND, channel_id)
    if row is None:
        return None
    channel = Channel(
        id=row["id"],
        state=ChannelState(row["state"]),
        resource_id=row["resource_id"],
        last_number=row["last_number"],
        expires_at=row["expires_at"],
    )
    return Watched(channel, row["account_id"], row["google_id"])


NOTE = """
UPDATE channels SET last_number = GREATEST(last_number, $2), resource_id = COALESCE(resource_id, $3)
 WHERE id = $1 AND (last_number < $2 OR resource_id IS NULL)
   AND set_config('synchronous_commit', 'off', true) = 'off'
"""


async def note_notice(conn: Conn, channel_id: UUID, *, number: int, resource_id: str) -> None:
    """Keep the number of the newest notice, and how Google calls the resource.

    That it reaches the disk is not waited for: a notice that is taken in twice does no harm.
    """
    await conn.execute(NOTE, channel_id, number, resource_id)


LIST_STOPPABLE = """
SELECT id, resource_id FROM channels
 WHERE account_id = $1 AND google_id = $2 AND state = 'superseded' AND resource_id IS NOT NULL
"""


async def list_stoppable(conn: Conn, account_id: UUID, google_id: str) -> list[tuple[UUID, str]]:
    """Return channels of a calendar that tell in vain, with Google's names of the resource."""
    rows = await conn.fetch(LIST_STOPPABLE, account_id, google_id)
    return [(row["id"], row["resource_id"]) for row in rows]


STOPPED = "UPDATE channels SET state = 'stopped' WHERE id = $1"


async def mark_stopped(conn: Conn, channel_id: UUID) -> None:
    """Note that Google was told; the id stays known until the channel would have ended."""
    await conn.execute(STOPPED, channel_id)


END_WATCHES = "DELETE FROM watches WHERE account_id = $1 AND ($2::text IS NULL OR google_id = $2)"
END_CHANNELS = """
UPDATE channels SET state = 'superseded'
 WHERE account_id = $1 AND ($2::text IS NULL OR google_id = $2)
   AND state IN ('intended', 'watching')
"""


async def end_watches(conn: Conn, account_id: UUID, google_id: str | None = None) -> None:
    """Let nothing be told any more of an account's calendars, or of one."""
    await conn.execute(END_WATCHES, account_id, google_id)
    await conn.execute(END_CHANNELS, account_id, google_id)


FOLLOWED = """
SELECT EXISTS (SELECT FROM connections c
                 JOIN feeds f ON f.tenant_id = c.tenant_id AND f.connection_id = c.connection_id
                WHERE c.account_id = $1 AND f.resource = $2 AND f.kind = 'calendar.events'
                  AND f.state <> 'closed')
"""


async def is_followed(conn: Conn, account_id: UUID, google_id: str) -> bool:
    """Say whether a calendar of an account is read for any connection, of any tenant."""
    return bool(await conn.fetchval(FOLLOWED, account_id, google_id))


LIST_ENDED = """
SELECT id, resource_id FROM channels
 WHERE account_id = $1 AND state = 'superseded' AND resource_id IS NOT NULL
"""


async def list_ended(conn: Conn, account_id: UUID) -> list[tuple[UUID, str]]:
    """Return all channels of an account that tell in vain."""
    return [(row["id"], row["resource_id"]) for row in await conn.fetch(LIST_ENDED, account_id)]


MAKE_DUE = "UPDATE watches SET renew_at = '-infinity' WHERE account_id = $1"


async def make_due(conn: Conn, account_id: UUID) -> None:
    """Let whoever reads the account's calendars next open channels anew."""
    await conn.execute(MAKE_DUE, account_id)


PURGE = """
DELETE FROM channels WHERE id IN (SELECT id FROM channels WHERE expires_at < $1 LIMIT $2)
"""


async def purge_expired(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` channels that ended before then; return how many."""
    tag: str = await conn.execute(PURGE, before, limit)
    return int(tag.rpartition(" ")[2])


@dataclass(frozen=True, slots=True)
class WatchRow:
    """What is shown of how a calendar is watched."""

    expires_at: datetime | None
    failure: str | None


LIST_WATCHES = """
SELECT w.account_id, w.google_id, w.failure,
       (SELECT max(c.expires_at) FROM channels c
         WHERE c.account_id = w.account_id AND c.google_id = w.google_id AND c.state = 'watching')
       AS expires_at
  FROM watches w WHERE w.account_id = ANY($1::uuid[])
"""


async def list_watches(conn: Conn, account_ids: Sequence[UUID]) -> dict[tuple[UUID, str], WatchRow]:
    """Return how the calendars of those accounts are watched."""
    rows = await conn.fetch(LIST_WATCHES, list(account_ids))
    return {
        (row["account_id"], row["google_id"]): WatchRow(row["expires_at"], row["failure"])
        for row in rows
    }
