"""SQL on connections: the service's copy of who connected which mailbox, and what goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.errors import NotFound
from services.mail.domain.connection import Access, Connection, Purge, State
from services.mail.domain.message import Policy
from services.mail.domain.preferences import preferences_of
from services.mail.domain.visibility import Visibility


def connection_of(row: Any) -> Connection:
    """Return a row of connections."""
    return Connection(
        tenant_id=row["tenant_id"],
        id=row["connection_id"],
        account_id=row["account_id"],
        user_id=row["user_id"],
        email=row["email"],
        access=Access(row["access"]),
        policy=Policy(row["policy"]),
        state=State(row["state"]),
        reauthorize_url=row["reauthorize_url"],
        event_sequence=row["event_sequence"],
        purge=Purge(row["purge"]),
        updated_at=row["updated_at"],
        backfill_days=row["backfill_days"],
        complete_since=row["complete_since"],
        preferences=preferences_of(row["preferences"]),
        preferences_version=row["preferences_version"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        tenant_paused_at=row["tenant_paused_at"],
        visibility=Visibility(row["visibility"]),
    )


FIND_CONNECTION = """
SELECT tenant_id, connection_id, account_id, user_id, email, access, policy, state,
       reauthorize_url, event_sequence, purge, updated_at, backfill_days, complete_since,
       preferences, preferences_version, paused_at, paused_by, tenant_paused_at, visibility
  FROM connections
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def find_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> Connection | None:
    """Return the tenant's connection, None when it has no such one (with mail)."""
    row = await conn.fetchrow(FIND_CONNECTION, tenant_id, connection_id)
    return None if row is None else connection_of(row)


LOCK_CONNECTION = """
SELECT tenant_id, connection_id, account_id, user_id, email, access, policy, state,
       reauthorize_url, event_sequence, purge, updated_at, backfill_days, complete_since,
       preferences, preferences_version, paused_at, paused_by, tenant_paused_at, visibility
  FROM connections
 WHERE tenant_id = $1 AND connection_id = $2
   FOR UPDATE
"""


async def lock_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> Connection | None:
    """Return and lock the tenant's connection until the transaction ends."""
    row = await conn.fetchrow(LOCK_CONNECTION, tenant_id, connection_id)
    return None if row is None else connection_of(row)


LIST_CONNECTIONS = """
SELECT tenant_id, connection_id, account_id, user_id, email, access, policy, state,
       reauthorize_url, event_sequence, purge, updated_at, backfill_days, complete_since,
       preferences, preferences_version, paused_at, paused_by, tenant_paused_at, visibility
  FROM connections
 WHERE tenant_id = $1 AND ($2::text IS NULL OR user_id = $2) AND purge = 'none'
 ORDER BY connection_id
"""


async def list_connections(conn: Conn, tenant_id: str, user_id: str | None) -> list[Connection]:
    """Return the tenant's connections, only `user_id`'s own unless that is None."""
    return [connection_of(row) for row in await conn.fetch(LIST_CONNECTIONS, tenant_id, user_id)]


async def get_connection(
    conn: Conn, tenant_id: str, connection_id: UUID, *, user_id: str | None
) -> Connection:
    """Return a connection as the caller may see it: their own, or any for a service (None).

    Raises:
        NotFound: there is none, it is somebody else's, or it is being removed.
    """
    found = await find_connection(conn, tenant_id, connection_id)
    if found is None or found.purge is not Purge.NONE or user_id not in (None, found.user_id):
        raise NotFound("There is no such connection.")
    return found


PUT_CONNECTION = """
INSERT INTO connections AS c
       (tenant_id, connection_id, account_id, user_id, email, access, policy, state,
        reauthorize_url, event_sequence, purge, updated_at, backfill_days, tenant_paused_at,
        visibility)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (tenant_id, connection_id) DO UPDATE
   SET account_id = EXCLUDED.account_id, user_id = EXCLUDED.user_id, email = EXCLUDED.email,
       access = EXCLUDED.access, state = EXCLUDED.state,
       reauthorize_url = EXCLUDED.reauthorize_url,
       event_sequence = EXCLUDED.event_sequence,
       purge = EXCLUDED.purge, updated_at = EXCLUDED.updated_at
 WHERE c.event_sequence <= EXCLUDED.event_sequence
   AND c.erased_at IS NULL
RETURNING true
"""


async def put_connection(conn: Conn, new: Connection) -> bool:
    """Add or replace a connection; False when what is there is newer.

    What the tenant set of it (settings, pauses) stays.
    """
    put = await conn.fetchval(
        PUT_CONNECTION,
        new.tenant_id,
        new.id,
        new.account_id,
        new.user_id,
        new.email,
        new.access.value,
        new.policy.value,
        new.state.value,
        new.reauthorize_url,
        new.event_sequence,
        new.purge.value,
        new.updated_at,
        new.backfill_days,
        new.tenant_paused_at,
        new.visibility.value,
    )
    return bool(put)


SET_SETTINGS = """
UPDATE connections
   SET policy = $3, backfill_days = $4, preferences = $5, preferences_version = $6
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_settings(conn: Conn, changed: Connection) -> None:
    """Set what is kept of this connection's mail, and how far back it reaches.

    To be called under the directory's exclusive lock: whoever decides on mail has it shared.
    """
    await conn.execute(
        SET_SETTINGS,
        changed.tenant_id,
        changed.id,
        changed.policy.value,
        changed.backfill_days,
        changed.preferences.stored(),
        changed.preferences_version,
    )


SET_VISIBILITY = """
UPDATE connections SET visibility = $3 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_visibility(
    conn: Conn, tenant_id: str, connection_id: UUID, visibility: Visibility
) -> None:
    """Set what colleagues see of this connection's mail from now on."""
    await conn.execute(SET_VISIBILITY, tenant_id, connection_id, visibility.value)


SET_COMPLETE_SINCE = """
UPDATE connections SET complete_since = LEAST(complete_since, $3)
 WHERE tenant_id = $1 AND connection_id = $2
"""


async def set_complete_since(
    conn: Conn, tenant_id: str, connection_id: UUID, since: datetime
) -> None:
    """Note that the mailbox is here in full from `since` on; never later than noted before."""
    await conn.execute(SET_COMPLETE_SINCE, tenant_id, connection_id, since)


LIST_LIVE = """
SELECT tenant_id, connection_id, account_id, user_id, email, access, policy, state,
       reauthorize_url, event_sequence, purge, updated_at, backfill_days, complete_since,
       preferences, preferences_version, paused_at, paused_by, tenant_paused_at, visibility
  FROM connections
 WHERE state <> 'disconnected' AND updated_at < $1
   AND (tenant_id, connection_id) > ($2, $3)
 ORDER BY tenant_id, connection_id
 LIMIT $4
"""


async def list_live(
    conn: Conn, *, unchanged_since: datetime, after: tuple[str, UUID], limit: int
) -> list[Connection]:
    """Return a page of connections, of any tenant, that are not over and not fresher than that."""
    rows = await conn.fetch(LIST_LIVE, unchanged_since, *after, limit)
    return [connection_of(row) for row in rows]


ACCOUNT_IN_USE = """
SELECT EXISTS (SELECT FROM connections WHERE account_id = $1 AND state <> 'disconnected')
"""


async def is_account_in_use(conn: Conn, account_id: UUID) -> bool:
    """Say whether any connection, of any tenant, still stands on the account."""
    return bool(await conn.fetchval(ACCOUNT_IN_USE, account_id))


LIST_PURGING = "SELECT tenant_id, connection_id FROM connections WHERE purge = 'wanted'"


async def list_purging(conn: Conn) -> list[tuple[str, UUID]]:
    """Return the connections, of any tenant, whose data must go."""
    rows = await conn.fetch(LIST_PURGING)
    return [(row["tenant_id"], row["connection_id"]) for row in rows]


PURGE_DEAD_ITEMS = """
DELETE FROM dead_items d USING feeds f
 WHERE f.tenant_id = $1 AND f.connection_id = $2
   AND d.tenant_id = f.tenant_id AND d.feed_id = f.id
"""
PURGE_JOBS = "DELETE FROM jobs WHERE tenant_id = $1 AND connection_id = $2"
PURGE_LABELS = "DELETE FROM labels WHERE tenant_id = $1 AND connection_id = $2"
PURGE_RETELLING = "DELETE FROM retellings WHERE tenant_id = $1 AND connection_id = $2"
PURGE_FEEDS = "DELETE FROM feeds WHERE tenant_id = $1 AND connection_id = $2"
PURGE_CONNECTION = """
UPDATE connections SET purge = 'done', email = '', reauthorize_url = NULL
 WHERE tenant_id = $1 AND connection_id = $2 AND purge = 'wanted'
RETURNING true
"""


async def purge_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> None:
    """Remove the connection's feeds, jobs and labels; of itself leave ids and its newest number.

    Those stay so that an event that comes late does not bring it back.
    """
    if await conn.fetchval(PURGE_CONNECTION, tenant_id, connection_id):
        await conn.execute(PURGE_DEAD_ITEMS, tenant_id, connection_id)
        await conn.execute(PURGE_JOBS, tenant_id, connection_id)
        await conn.execute(PURGE_LABELS, tenant_id, connection_id)
        await conn.execute(PURGE_RETELLING, tenant_id, connection_id)
        await conn.execute(PURGE_FEEDS, tenant_id, connection_id)


DELETE_PURGED = """
DELETE FROM connections
 WHERE (tenant_id, connection_id) IN (
       SELECT tenant_id, connection_id FROM connections
        WHERE purge = 'done' AND updated_at < $1 LIMIT $2)
"""


async def delete_purged(conn: Conn, *, before: datetime, limit: int) -> int:
    """Forget up to `limit` connections whose data went before then; return how many.

    That must be longer ago than an event can be late: the age of the log stream.
    """
    tag: str = await conn.execute(DELETE_PURGED, before, limit)
    return int(tag.rpartition(" ")[2])


@dataclass(frozen=True, slots=True)
class Counts:
    """What is held for a connection."""

    messages: int
    traces: int
    dead_items: int


COUNT_MESSAGES = """
SELECT connection_id, count(*) FILTER (WHERE NOT traced) AS messages,
       count(*) FILTER (WHERE traced) AS traces
  FROM messages
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND deleted_at IS NULL
 GROUP BY connection_id
"""
COUNT_DEAD_ITEMS = """
SELECT f.connection_id, count(*) AS dead_items
  FROM dead_items d JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
 WHERE d.tenant_id = $1 AND f.connection_id = ANY($2::uuid[])
 GROUP BY f.connection_id
"""


async def count_held(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """Return how many messages and dead items each of those connections has."""
    messages = {
        row["connection_id"]: (row["messages"], row["traces"])
        for row in await conn.fetch(COUNT_MESSAGES, tenant_id, list(ids))
    }
    dead = {
        row["connection_id"]: row["dead_items"]
        for row in await conn.fetch(COUNT_DEAD_ITEMS, tenant_id, list(ids))
    }
    return {one: Counts(*messages.get(one, (0, 0)), dead.get(one, 0)) for one in ids}
