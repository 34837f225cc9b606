"""What is held of a user, to be shown or erased."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Database
from services.auth.domain.model import Connection
from services.auth.store.connections import count, find_connection

Rows = list[tuple[str, dict[str, Any]]]

CONNECTIONS = """
SELECT c.id::text COLLATE "C" AS position,
       to_jsonb(c) - '{tenant_id,confirmation_digest,sequence}'::text[]
       || jsonb_build_object('products', (
              SELECT COALESCE(jsonb_agg(to_jsonb(p) - '{tenant_id,connection_id}'::text[]
                                        ORDER BY p.product), '[]')
                FROM connection_products AS p
               WHERE p.tenant_id = c.tenant_id AND p.connection_id = c.id)) AS record
  FROM connections AS c
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND c.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
ACCOUNTS = """
SELECT a.id::text COLLATE "C" AS position,
       jsonb_build_object(
           'id', a.id, 'google_subject', a.subject, 'email', a.email, 'state', a.state,
           'reason', a.reason, 'granted_scopes', a.scopes,
           'holds_refresh_token', a.refresh_token IS NOT NULL,
           'access_token_expires_at', a.access_expires_at,
           'created_at', a.created_at, 'updated_at', a.updated_at) AS record
  FROM accounts AS a
 WHERE a.id IN (SELECT account_id FROM connections WHERE tenant_id = $1 AND user_id = $2)
   AND a.id::text COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
LINKS = """
SELECT encode(t.digest, 'hex') COLLATE "C" AS position,
       jsonb_build_object('kind', t.kind, 'connection_id', t.connection_id,
                          'return_url', t.return_url, 'wishes', t.wishes,
                          'login_hint', t.login_hint, 'expires_at', t.expires_at) AS record
  FROM (SELECT 'ticket' AS kind, digest, tenant_id, connection_id, return_url, wishes, login_hint,
               expires_at FROM tickets
        UNION ALL
        SELECT 'consent', digest, tenant_id, connection_id, return_url, wishes, login_hint,
               expires_at FROM consents) AS t
  JOIN connections AS c ON c.tenant_id = t.tenant_id AND c.id = t.connection_id
 WHERE c.tenant_id = $1 AND c.user_id = $2 AND encode(t.digest, 'hex') COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
REFRESHES = """
SELECT (r.account_id || '/' || r.at) COLLATE "C" AS position, to_jsonb(r) AS record
  FROM refreshes AS r
 WHERE r.account_id IN (SELECT account_id FROM connections WHERE tenant_id = $1 AND user_id = $2)
   AND (r.account_id || '/' || r.at) COLLATE "C" > $3
 ORDER BY position LIMIT $4
"""
OF_A_USER = {
    "connection": CONNECTIONS,
    "google account": ACCOUNTS,
    "open link": LINKS,
    "refresh": REFRESHES,
}
"""What is shown of a user, by kind; never a token or a secret."""


async def read_of_user(
    conn: Database, kind: str, tenant_id: str, user_id: str, *, after: str, limit: int
) -> Rows:
    """Return the next records of a user; `kind` is a key of `OF_A_USER`."""
    rows = await conn.fetch(OF_A_USER[kind], tenant_id, user_id, after, limit)
    return [(row["position"], row["record"]) for row in rows]


LIST_OF_USER = """
SELECT id FROM connections WHERE tenant_id = $1 AND user_id = $2 ORDER BY id
"""


async def list_of_user(conn: Database, tenant_id: str, user_id: str) -> list[Connection]:
    """Return all connections of a user, whatever their state."""
    ids = [row["id"] for row in await conn.fetch(LIST_OF_USER, tenant_id, user_id)]
    found = [await find_connection(conn, one) for one in ids]
    return [one for one in found if one is not None]


DELETE_CONNECTION = "DELETE FROM connections WHERE tenant_id = $1 AND id = $2"


async def delete_connection(conn: Database, connection: Connection) -> None:
    """Remove a connection with its products, tickets and consents."""
    await conn.execute(DELETE_CONNECTION, connection.tenant_id, connection.id)


IS_NAMED = "SELECT EXISTS (SELECT FROM connections WHERE account_id = $1)"


async def is_named(conn: Database, account_id: UUID) -> bool:
    """Say whether any connection, of any tenant and in any state, names the account."""
    return bool(await conn.fetchval(IS_NAMED, account_id))


HAS_GRANT = """
SELECT refresh_token IS NOT NULL OR access_token IS NOT NULL FROM accounts WHERE id = $1
"""
DELETE_REFRESHES = "DELETE FROM refreshes WHERE account_id = $1"
DELETE_ACCOUNT = "DELETE FROM accounts WHERE id = $1"


async def has_grant(conn: Database, account_id: UUID) -> bool:
    """Say whether anything that opens the account at Google is held."""
    return bool(await conn.fetchval(HAS_GRANT, account_id))


async def delete_account(conn: Database, account_id: UUID) -> None:
    """Remove an account whose row the caller has locked and that no connection names."""
    await conn.execute(DELETE_REFRESHES, account_id)
    await conn.execute(DELETE_ACCOUNT, account_id)


FORGET_HINTED_TICKETS = """
DELETE FROM tickets WHERE tenant_id = $1 AND lower(login_hint) = ANY($2::text[])
"""
FORGET_HINTED_CONSENTS = """
DELETE FROM consents WHERE tenant_id = $1 AND lower(login_hint) = ANY($2::text[])
"""


async def forget_hinted(conn: Database, tenant_id: str, addresses: Sequence[str]) -> int:
    """Make open links void that would begin with one of the addresses; return how many."""
    tickets = count(await conn.execute(FORGET_HINTED_TICKETS, tenant_id, list(addresses)))
    return tickets + count(await conn.execute(FORGET_HINTED_CONSENTS, tenant_id, list(addresses)))


COUNT_HINTED = """
SELECT (SELECT count(*) FROM tickets WHERE tenant_id = $1 AND lower(login_hint) = ANY($2::text[]))
     + (SELECT count(*) FROM consents
         WHERE tenant_id = $1 AND lower(login_hint) = ANY($2::text[]))
"""


async def count_hinted(conn: Database, tenant_id: str, addresses: Sequence[str]) -> int:
    """Return how many open links would begin with one of the addresses."""
    return int(await conn.fetchval(COUNT_HINTED, tenant_id, list(addresses)))


LIST_MAILBOXES_USERS = """
SELECT DISTINCT c.user_id
  FROM connections AS c JOIN accounts AS a ON a.id = c.account_id
 WHERE c.tenant_id = $1 AND lower(a.email) = ANY($2::text[])
 ORDER BY c.user_id LIMIT 20
"""


async def list_users_with(conn: Database, tenant_id: str, addresses: Sequence[str]) -> list[str]:
    """Return users of the tenant who connected a mailbox with one of the addresses."""
    rows = await conn.fetch(LIST_MAILBOXES_USERS, tenant_id, list(addresses))
    return [row["user_id"] for row in rows]
