"""Connections and their products."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Database
from libs.common.errors import NotFound
from services.auth.domain.model import Access, Connection, Grant, Product, State, Wish

ADD_CONNECTION = """
INSERT INTO connections (tenant_id, id, user_id, state, reason, return_url, created_at, updated_at)
VALUES ($1, $2, $3, 'pending', 'consent_pending', $4, $5, $5)
"""


async def add_connection(conn: Database, connection: Connection, wishes: Sequence[Wish]) -> None:
    """Add a pending connection with the products it is to have."""
    await conn.execute(
        ADD_CONNECTION,
        connection.tenant_id,
        connection.id,
        connection.user_id,
        connection.return_url,
        connection.created_at,
    )
    await wish_products(
        conn, connection.tenant_id, connection.id, wishes, now=connection.created_at
    )


WISH_PRODUCTS = """
INSERT INTO connection_products (tenant_id, connection_id, product, wanted, wanted_at)
SELECT $1, $2, product, wanted, $5
  FROM unnest($3::text[], $4::text[]) AS wish (product, wanted)
ON CONFLICT (tenant_id, connection_id, product) DO UPDATE
   SET wanted = excluded.wanted, wanted_at = excluded.wanted_at, disconnected_at = NULL,
       purged = false
"""


async def wish_products(
    conn: Database, tenant_id: str, connection_id: UUID, wishes: Sequence[Wish], *, now: datetime
) -> None:
    """Record what the connection is to have; what is granted of it is for `set_grants`."""
    await conn.execute(
        WISH_PRODUCTS,
        tenant_id,
        connection_id,
        [wish.product for wish in wishes],
        [wish.access for wish in wishes],
        now,
    )


WANTED_SINCE = """
SELECT EXISTS (SELECT FROM connection_products
                WHERE tenant_id = $1 AND connection_id = $2
                  AND ($3::text IS NULL OR product = $3)
                  AND disconnected_at IS NULL AND wanted_at > $4)
"""


async def is_wanted_since(
    conn: Database, connection: Connection, product: Product | None, moment: datetime
) -> bool:
    """Return whether somebody has consented to the product (None: any) after that moment."""
    given = connection.tenant_id, connection.id, product, moment
    return bool(await conn.fetchval(WANTED_SINCE, *given))


LIST_CONNECTIONS = """
SELECT c.id, c.tenant_id, c.user_id, c.account_id, a.email, c.state, c.reason, c.return_url,
       c.connected_at, c.created_at, p.products
  FROM connections AS c
  LEFT JOIN accounts AS a ON a.id = c.account_id
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_array(product, wanted, access, scopes) ORDER BY product)
              AS products
         FROM connection_products
        WHERE tenant_id = c.tenant_id AND connection_id = c.id AND disconnected_at IS NULL
       ) AS p ON true
 WHERE c.tenant_id = $1
   AND ($2::text IS NULL OR c.user_id = $2)
   AND ($3::text IS NULL OR c.state = $3)
   AND ($4::text IS NULL OR EXISTS (
       SELECT FROM connection_products AS f
        WHERE f.tenant_id = c.tenant_id AND f.connection_id = c.id
          AND f.product = $4 AND f.access IS NOT NULL))
   AND ($5::uuid IS NULL OR c.id < $5)
 ORDER BY c.id DESC
 LIMIT $6
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which connections of a tenant to list; None leaves a criterion out."""

    tenant_id: str
    user_id: str | None = None
    state: State | None = None
    product: Product | None = None


async def list_connections(
    conn: Database, wanted: Filter, *, before: UUID | None, limit: int
) -> list[Connection]:
    """Return at most `limit` connections, newest first, those older than `before`."""
    rows = await conn.fetch(
        LIST_CONNECTIONS,
        wanted.tenant_id,
        wanted.user_id,
        wanted.state,
        wanted.product,
        before,
        limit,
    )
    return [_connection(row) for row in rows]


LIST_LIVE = """
SELECT c.id, c.tenant_id, c.user_id, c.account_id, a.email, c.state, c.reason, c.return_url,
       c.connected_at, c.created_at, p.products
  FROM connections AS c
  JOIN accounts AS a ON a.id = c.account_id
  JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_array(product, wanted, access, scopes) ORDER BY product)
              AS products,
              bool_or(product = $1 AND access IS NOT NULL) AS has_product
         FROM connection_products
        WHERE tenant_id = c.tenant_id AND connection_id = c.id AND disconnected_at IS NULL
       ) AS p ON p.has_product
 WHERE c.state IN ('active', 'degraded', 'reauthorization_required', 'disabled')
   AND ($2::uuid IS NULL OR c.id > $2)
 ORDER BY c.id
 LIMIT $3
"""


async def list_live(
    conn: Database, product: Product, *, after: UUID | None, limit: int
) -> list[Connection]:
    """Return confirmed connections of every tenant that have `product`, by id."""
    return [_connection(row) for row in await conn.fetch(LIST_LIVE, product, after, limit)]


FIND_CONNECTION = """
SELECT c.id, c.tenant_id, c.user_id, c.account_id, a.email, c.state, c.reason, c.return_url,
       c.connected_at, c.created_at, p.products
  FROM connections AS c
  LEFT JOIN accounts AS a ON a.id = c.account_id
  LEFT JOIN LATERAL (
       SELECT jsonb_agg(jsonb_build_array(product, wanted, access, scopes) ORDER BY product)
              AS products
         FROM connection_products
        WHERE tenant_id = c.tenant_id AND connection_id = c.id AND disconnected_at IS NULL
       ) AS p ON true
 WHERE c.id = $1
"""


async def find_connection(conn: Database, connection_id: UUID) -> Connection | None:
    """Return the connection, whoever it belongs to, or None."""
    row = await conn.fetchrow(FIND_CONNECTION, connection_id)
    return _connection(row) if row else None


async def get_connection(
    conn: Database, connection_id: UUID, *, tenant_id: str, user_id: str | None
) -> Connection:
    """Return the connection if it is the tenant's, and the user's unless `user_id` is None.

    Raises:
        NotFound: there is none, or it belongs to somebody else.
    """
    found = await find_connection(conn, connection_id)
    if found is None or found.tenant_id != tenant_id or user_id not in (None, found.user_id):
        raise NotFound("There is no such connection.")
    return found


LOCK_CONNECTION = "SELECT id FROM connections WHERE id = $1 FOR UPDATE"


async def lock_connection(conn: Database, connection_id: UUID) -> Connection | None:
    """Lock and return the connection as it is now, or None; lock its account first."""
    await conn.execute(LOCK_CONNECTION, connection_id)
    return await find_connection(conn, connection_id)


LOCK_BY_ACCOUNT = """
SELECT id FROM connections
 WHERE account_id = $1 AND state <> 'disconnected'
 ORDER BY id
   FOR UPDATE
"""


async def lock_connections_of(
    conn: Database, account_id: UUID, *, also: UUID | None = None
) -> list[Connection]:
    """Lock and return the account's connections that were not ended, by id.

    Args:
        conn: in a transaction that holds the account's lock.
        account_id: whose connections.
        also: a connection to lock with them though it may be nobody's yet.
    """
    rows = await conn.fetch(LOCK_BY_ACCOUNT, account_id)
    ids = sorted({row["id"] for row in rows} | ({also} if also else set()))
    found = [await lock_connection(conn, connection_id) for connection_id in ids]
    return [connection for connection in found if connection is not None]


SET_STATE = """
UPDATE connections
   SET state = $2, reason = $3, updated_at = $4, connected_at = coalesce(connected_at, $5),
       confirmation_digest = NULL
 WHERE id = $1
"""


async def set_state(
    conn: Database,
    connection_id: UUID,
    state: State,
    reason: str | None,
    *,
    now: datetime,
    connected: bool = False,
) -> None:
    """Record where the connection stands; `connected` stamps the first confirmation."""
    connected_at = now if connected else None
    await conn.execute(SET_STATE, connection_id, state, reason, now, connected_at)


AWAIT_CONFIRMATION = """
UPDATE connections
   SET reason = 'confirmation_pending', confirmation_digest = $2, updated_at = $3
 WHERE id = $1 AND state = 'pending'
"""


async def await_confirmation(
    conn: Database, connection_id: UUID, digest: bytes, *, now: datetime
) -> None:
    """Record that consent was given, and the digest of what the browser was told."""
    await conn.execute(AWAIT_CONFIRMATION, connection_id, digest, now)


IS_CONFIRMATION = """
SELECT coalesce(confirmation_digest = $2, false) FROM connections WHERE id = $1
"""


async def is_confirmation(conn: Database, connection_id: UUID, digest: bytes) -> bool:
    """Return whether the digest is that of what the browser was told."""
    return bool(await conn.fetchval(IS_CONFIRMATION, connection_id, digest))


SET_ACCOUNT = """
UPDATE connections SET account_id = $2, return_url = $3, updated_at = $4 WHERE id = $1
"""


async def set_account(
    conn: Database, connection_id: UUID, account_id: UUID, return_url: str, *, now: datetime
) -> None:
    """Tie the connection to the account that consented."""
    await conn.execute(SET_ACCOUNT, connection_id, account_id, return_url, now)


SET_GRANT = """
UPDATE connection_products
   SET access = $4, scopes = $5
 WHERE tenant_id = $1 AND connection_id = $2 AND product = $3 AND disconnected_at IS NULL
"""


async def set_grants(conn: Database, connection: Connection, grants: Sequence[Grant]) -> None:
    """Record what Google granted for the connection's products."""
    await conn.executemany(
        SET_GRANT,
        [
            (connection.tenant_id, connection.id, grant.product, grant.access, list(grant.scopes))
            for grant in grants
        ],
    )


END_PRODUCTS = """
UPDATE connection_products
   SET access = NULL, scopes = '{}', disconnected_at = coalesce(disconnected_at, $4),
       purged = purged OR $5
 WHERE tenant_id = $1 AND connection_id = $2 AND ($3::text IS NULL OR product = $3)
   AND (disconnected_at IS NULL OR ($5 AND NOT purged))
RETURNING product
"""


async def end_products(
    conn: Database,
    connection: Connection,
    product: Product | None,
    *,
    purge: bool,
    now: datetime,
) -> list[Product]:
    """End one product of the connection (None: all); return those this changed, sorted.

    A product that ended before is returned again only when `purge` is new to it.
    """
    rows = await conn.fetch(END_PRODUCTS, connection.tenant_id, connection.id, product, now, purge)
    return sorted(Product(row["product"]) for row in rows)


HAD_PRODUCT = """
SELECT EXISTS (
    SELECT FROM connection_products
     WHERE tenant_id = $1 AND connection_id = $2 AND product = $3)
"""


async def had_product(conn: Database, connection: Connection, product: Product) -> bool:
    """Return whether the connection has or ever had the product."""
    had: bool = await conn.fetchval(HAD_PRODUCT, connection.tenant_id, connection.id, product)
    return had


NEXT_SEQUENCE = "UPDATE connections SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence"


async def next_sequence(conn: Database, connection_id: UUID) -> int:
    """Return the number of the connection's next event, holding its row till the commit."""
    number: int = await conn.fetchval(NEXT_SEQUENCE, connection_id)
    return number


LIST_UNCONFIRMED = """
SELECT id, account_id FROM connections
 WHERE state = 'pending' AND updated_at < $1
 ORDER BY updated_at
 LIMIT $2
"""


async def list_unconfirmed(
    conn: Database, before: datetime, *, limit: int
) -> list[tuple[UUID, UUID | None]]:
    """Return pending connections untouched since `before`, with their accounts."""
    rows = await conn.fetch(LIST_UNCONFIRMED, before, limit)
    return [(row["id"], row["account_id"]) for row in rows]


DELETE_ENDED = """
DELETE FROM connections
 WHERE id IN (
       SELECT c.id FROM connections AS c
        WHERE c.state = 'disconnected' AND c.updated_at < $1
        LIMIT $2)
"""


async def delete_ended(conn: Database, before: datetime, *, limit: int) -> int:
    """Delete connections that ended before `before`; return how many."""
    return count(await conn.execute(DELETE_ENDED, before, limit))


def count(status: str) -> int:
    """Return the number of rows in a command's status (`DELETE 3`)."""
    return int(status.rpartition(" ")[2])


def _connection(row: Any) -> Connection:
    return Connection(
        id=row["id"],
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        account_id=row["account_id"],
        email=row["email"],
        state=State(row["state"]),
        reason=row["reason"],
        return_url=row["return_url"],
        grants=tuple(_grant(product) for product in row["products"] or ()),
        connected_at=row["connected_at"],
        created_at=row["created_at"],
    )


def _grant(product: Any) -> Grant:
    name, wanted, access, scopes = product
    return Grant(Product(name), Access(wanted), Access(access) if access else None, tuple(scopes))


LAST_CONSENT = "SELECT max(connected_at) FROM connections"


async def last_consent(conn: Database) -> datetime | None:
    """Return when anybody of any tenant connected last, None if nobody remembered has."""
    last: datetime | None = await conn.fetchval(LAST_CONSENT)
    return last


GRANTED_TO_ANYBODY = """
SELECT DISTINCT product, access FROM connection_products WHERE access IS NOT NULL
"""


async def granted_to_anybody(conn: Database) -> frozenset[tuple[Product, Access]]:
    """Return which access to which product anybody of any tenant has granted."""
    rows = await conn.fetch(GRANTED_TO_ANYBODY)
    return frozenset((Product(row["product"]), Access(row["access"])) for row in rows)
