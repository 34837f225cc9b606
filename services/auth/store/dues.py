"""What is due for accounts: next attempts, renewals, revocations, and how refreshes ended."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Database
from services.auth.domain.model import Account
from services.auth.domain.rules import Window
from services.auth.store.connections import count

PLAN_RETRY = "UPDATE accounts SET refused_at = $2, retry_at = $3 WHERE id = $1"


async def plan_retry(
    conn: Database, account_id: UUID, *, refused_at: datetime | None, retry_at: datetime | None
) -> None:
    """Record Google's first refusal, if it was one, and when to ask again (None: never)."""
    await conn.execute(PLAN_RETRY, account_id, refused_at, retry_at)


PUT_OFF_RETRY = """
UPDATE accounts SET retry_at = $2 WHERE id = $1 AND (retry_at IS NULL OR retry_at <= $3)
"""


async def put_off_retry(
    conn: Database, account_id: UUID, *, retry_at: datetime, now: datetime
) -> None:
    """Plan an attempt at `retry_at` unless one is still to come."""
    await conn.execute(PUT_OFF_RETRY, account_id, retry_at, now)


LIST_DUE_RETRIES = """
SELECT id FROM accounts WHERE retry_at <= $1 ORDER BY retry_at LIMIT $2
"""


async def list_due_retries(conn: Database, *, now: datetime, limit: int) -> list[UUID]:
    """Return accounts whose next attempt is due."""
    return [row["id"] for row in await conn.fetch(LIST_DUE_RETRIES, now, limit)]


LIST_EXPIRING = """
SELECT id FROM accounts
 WHERE state IN ('active', 'degraded') AND refresh_token IS NOT NULL AND retry_at IS NULL
   AND (access_expires_at IS NULL OR access_expires_at < $1)
   AND EXISTS (
       SELECT FROM connections AS c
        WHERE c.account_id = accounts.id AND c.state IN ('active', 'degraded'))
 ORDER BY access_expires_at NULLS FIRST
 LIMIT $2
"""


async def list_expiring(conn: Database, *, before: datetime, limit: int) -> list[UUID]:
    """Return accounts in use whose access token ends before `before`."""
    return [row["id"] for row in await conn.fetch(LIST_EXPIRING, before, limit)]


IS_IN_USE = """
SELECT EXISTS (
    SELECT FROM connections AS c
     WHERE c.account_id = $1 AND c.state <> 'disconnected'
       AND EXISTS (
           SELECT FROM connection_products AS p
            WHERE p.tenant_id = c.tenant_id AND p.connection_id = c.id
              AND p.disconnected_at IS NULL))
"""


async def is_in_use(conn: Database, account_id: UUID) -> bool:
    """Return whether any connection of the account still has a product."""
    in_use: bool = await conn.fetchval(IS_IN_USE, account_id)
    return in_use


ASK_REVOCATION = """
UPDATE accounts SET revoke_at = $2 WHERE id = $1 AND revoke_at IS NULL
"""


async def ask_revocation(conn: Database, account_id: UUID, *, now: datetime) -> None:
    """Have the grant revoked at Google, from now on until it succeeds."""
    await conn.execute(ASK_REVOCATION, account_id, now)


ASK_ORPHAN_REVOCATIONS = """
UPDATE accounts
   SET revoke_at = $1
 WHERE refresh_token IS NOT NULL AND revoke_at IS NULL
   AND NOT EXISTS (
       SELECT FROM connections AS c
        WHERE c.account_id = accounts.id AND c.state <> 'disconnected')
"""


async def ask_orphan_revocations(conn: Database, *, now: datetime) -> int:
    """Have the grants of accounts nobody is connected to revoked; return how many."""
    return count(await conn.execute(ASK_ORPHAN_REVOCATIONS, now))


DROP_REVOCATION = "UPDATE accounts SET revoke_at = NULL, revoke_attempts = 0 WHERE id = $1"


async def drop_revocation(conn: Database, account_id: UUID) -> None:
    """Keep the grant after all: somebody connected it again."""
    await conn.execute(DROP_REVOCATION, account_id)


IS_REVOCATION_DUE = "SELECT coalesce(revoke_at <= $2, false) FROM accounts WHERE id = $1"


async def is_revocation_due(conn: Database, account_id: UUID, *, now: datetime) -> bool:
    """Return whether the grant is to be revoked now."""
    return bool(await conn.fetchval(IS_REVOCATION_DUE, account_id, now))


POSTPONE_REVOCATION = """
UPDATE accounts
   SET revoke_attempts = revoke_attempts + 1,
       revoke_at = $3::timestamptz
           + make_interval(secs => least($4 * 2 ^ least(revoke_attempts, 30), $5))
 WHERE id = $1 AND token_version = $2 AND revoke_at IS NOT NULL
RETURNING revoke_attempts
"""


async def postpone_revocation(
    conn: Database, account: Account, *, now: datetime, first_s: float, longest_s: float
) -> int:
    """Plan the next attempt, each time twice as far away; return how many were made.

    0 means that it is no longer wanted.
    """
    attempts: int | None = await conn.fetchval(
        POSTPONE_REVOCATION, account.id, account.token_version, now, first_s, longest_s
    )
    return attempts or 0


LIST_DUE_REVOCATIONS = """
SELECT id FROM accounts WHERE revoke_at <= $1 ORDER BY revoke_at LIMIT $2
"""


async def list_due_revocations(conn: Database, *, now: datetime, limit: int) -> list[UUID]:
    """Return accounts to revoke now."""
    return [row["id"] for row in await conn.fetch(LIST_DUE_REVOCATIONS, now, limit)]


EMPTY_VAULT = """
UPDATE accounts
   SET state = 'disconnected', reason = 'revoked', scopes = '{}', updated_at = $3,
       refresh_token = NULL, refresh_key_id = NULL, refresh_hash = NULL,
       refresh_prefix_hash = NULL, access_token = NULL, access_key_id = NULL,
       access_expires_at = NULL, refused_at = NULL, retry_at = NULL, revoke_at = NULL,
       revoke_attempts = 0, token_version = token_version + 1
 WHERE id = $1 AND token_version = $2 AND revoke_at IS NOT NULL
"""


async def empty_vault(conn: Database, account: Account, *, now: datetime) -> bool:
    """Forget every token of a revoked account; False: a new consent came in between."""
    status = await conn.execute(EMPTY_VAULT, account.id, account.token_version, now)
    return count(status) == 1


DELETE_ORPHANS = """
DELETE FROM accounts
 WHERE id IN (
       SELECT a.id FROM accounts AS a
        WHERE a.state = 'disconnected' AND a.updated_at < $1
          AND NOT EXISTS (SELECT FROM connections AS c WHERE c.account_id = a.id)
        LIMIT $2)
"""


async def delete_orphans(conn: Database, before: datetime, *, limit: int) -> int:
    """Delete accounts no connection names any more; return how many."""
    return count(await conn.execute(DELETE_ORPHANS, before, limit))


ADD_REFRESH = "INSERT INTO refreshes (account_id, at, failed) VALUES ($1, $2, $3)"


async def add_refresh(conn: Database, account_id: UUID, *, failed: bool, now: datetime) -> None:
    """Note how a refresh ended."""
    await conn.execute(ADD_REFRESH, account_id, now, failed)


READ_WINDOW = """
SELECT count(DISTINCT account_id) AS accounts,
       count(DISTINCT account_id) FILTER (WHERE failed) AS failed
  FROM refreshes
 WHERE at >= $1
"""


async def read_window(conn: Database, since: datetime) -> Window:
    """Return how many accounts were refreshed since, and how many of them failed."""
    row = await conn.fetchrow(READ_WINDOW, since)
    return Window(row["accounts"], row["failed"]) if row else Window(0, 0)


DELETE_REFRESHES = "DELETE FROM refreshes WHERE at < $1"


async def delete_refreshes(conn: Database, before: datetime) -> int:
    """Delete notes older than `before`; return how many."""
    return count(await conn.execute(DELETE_REFRESHES, before))
