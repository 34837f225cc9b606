"""SQL on a service's table `connections`: the columns all services have, and its own."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from libs.common.connections.model import Access, Connected, Purge, State
from libs.common.db import Connection as Conn
from libs.common.errors import NotFound

C = TypeVar("C", bound=Connected)

CORE = (
    "tenant_id",
    "connection_id",
    "account_id",
    "user_id",
    "email",
    "access",
    "state",
    "reauthorize_url",
    "event_sequence",
    "purge",
    "updated_at",
)


def core_of(row: Any) -> dict[str, Any]:
    """Return the fields of `Connected` that a row has."""
    return {
        "tenant_id": row["tenant_id"],
        "id": row["connection_id"],
        "account_id": row["account_id"],
        "user_id": row["user_id"],
        "email": row["email"],
        "access": Access(row["access"]),
        "state": State(row["state"]),
        "reauthorize_url": row["reauthorize_url"],
        "event_sequence": row["event_sequence"],
        "purge": Purge(row["purge"]),
        "updated_at": row["updated_at"],
    }


def _core(connection: Connected) -> tuple[Any, ...]:
    """Return what `core_of` reads, in the order of `CORE`."""
    return (
        connection.tenant_id,
        connection.id,
        connection.account_id,
        connection.user_id,
        connection.email,
        connection.access.value,
        connection.state.value,
        connection.reauthorize_url,
        connection.event_sequence,
        connection.purge.value,
        connection.updated_at,
    )


class ConnectionRows(Generic[C]):
    """A service's copy of who connected what.

    Args:
        own: the service's own columns, constants all.
        of: makes a value of a row with `CORE` and those.
        begins: which of its own a row begins with; `put` leaves those of an older row alone.
        values: the values of these, of a connection.
    """

    def __init__(
        self,
        own: Sequence[str],
        of: Callable[[Any], C],
        *,
        begins: Sequence[str],
        values: Callable[[C], tuple[Any, ...]],
    ) -> None:
        self._of = of
        self._values = values
        self._columns = (*CORE, *own)
        columns = ", ".join(self._columns)
        select = f"SELECT {columns} FROM connections"  # noqa: S608 - constants
        self._find = f"{select} WHERE tenant_id = $1 AND connection_id = $2"
        self._lock = f"{self._find} FOR UPDATE"
        self._list = (
            f"{select} WHERE tenant_id = $1 AND ($2::text IS NULL OR user_id = $2)"
            " AND purge = 'none' ORDER BY connection_id"
        )
        self._live = (
            f"{select} WHERE state <> 'disconnected' AND updated_at < $1"
            " AND (tenant_id, connection_id) > ($2, $3) ORDER BY tenant_id, connection_id LIMIT $4"
        )
        given = (*CORE, *begins)
        places = ", ".join(f"${place}" for place in range(1, len(given) + 1))
        replaced = ", ".join(f"{name} = EXCLUDED.{name}" for name in CORE[2:])
        self._put = (
            f"INSERT INTO connections AS c ({', '.join(given)}) VALUES ({places})"  # noqa: S608
            f" ON CONFLICT (tenant_id, connection_id) DO UPDATE SET {replaced}"
            " WHERE c.event_sequence <= EXCLUDED.event_sequence AND c.erased_at IS NULL"
            " RETURNING true"
        )

    def columns(self, table: str) -> str:
        """Return the columns that make a connection, for a query that joins others to `table`."""
        return ", ".join(f"{table}.{name}" for name in self._columns)

    async def find(self, conn: Conn, tenant_id: str, connection_id: UUID) -> C | None:
        """Return the tenant's connection, None when it has no such one (with the product)."""
        row = await conn.fetchrow(self._find, tenant_id, connection_id)
        return None if row is None else self._of(row)

    async def lock(self, conn: Conn, tenant_id: str, connection_id: UUID) -> C | None:
        """Return and lock the tenant's connection until the transaction ends."""
        row = await conn.fetchrow(self._lock, tenant_id, connection_id)
        return None if row is None else self._of(row)

    async def list(self, conn: Conn, tenant_id: str, user_id: str | None) -> list[C]:
        """Return the tenant's connections, only `user_id`'s own unless that is None."""
        return [self._of(row) for row in await conn.fetch(self._list, tenant_id, user_id)]

    async def get(
        self, conn: Conn, tenant_id: str, connection_id: UUID, *, user_id: str | None
    ) -> C:
        """Return a connection as the caller may see it: their own, or any for a service (None).

        Raises:
            NotFound: there is none, it is somebody else's, or it is being removed.
        """
        found = await self.find(conn, tenant_id, connection_id)
        if found is None or found.purge is not Purge.NONE or user_id not in (None, found.user_id):
            raise NotFound("There is no such connection.")
        return found

    async def put(self, conn: Conn, new: C) -> bool:
        """Add or replace a connection; False when what is there is newer.

        What the tenant set of it (settings, pauses) stays.
        """
        return bool(await conn.fetchval(self._put, *_core(new), *self._values(new)))

    async def list_live(
        self, conn: Conn, *, unchanged_since: datetime, after: tuple[str, UUID], limit: int
    ) -> Sequence[C]:
        """Return a page of connections, of any tenant, not over and not fresher than that."""
        return [
            self._of(row) for row in await conn.fetch(self._live, unchanged_since, *after, limit)
        ]


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
PURGE_FEEDS = "DELETE FROM feeds WHERE tenant_id = $1 AND connection_id = $2"
PURGE_CONNECTION = """
UPDATE connections SET purge = 'done', email = '', reauthorize_url = NULL
 WHERE tenant_id = $1 AND connection_id = $2 AND purge = 'wanted'
RETURNING true
"""


async def purge_connection(conn: Conn, tenant_id: str, connection_id: UUID) -> bool:
    """Remove the connection's feeds and jobs; of itself leave ids and its newest number.

    Those stay so that an event that comes late does not bring it back. False: nothing of it had
    to go (any more).
    """
    if not await conn.fetchval(PURGE_CONNECTION, tenant_id, connection_id):
        return False
    await conn.execute(PURGE_DEAD_ITEMS, tenant_id, connection_id)
    await conn.execute(PURGE_JOBS, tenant_id, connection_id)
    await conn.execute(PURGE_FEEDS, tenant_id, connection_id)
    return True


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
