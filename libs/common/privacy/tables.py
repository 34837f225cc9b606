"""SQL on people in the tables that every service has. The caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.db import Connection

LIST_USERS_CONNECTIONS = """
SELECT connection_id FROM connections
 WHERE tenant_id = $1 AND user_id = $2 AND erased_at IS NULL
 ORDER BY connection_id
"""


async def list_connections_of(conn: Connection, tenant_id: str, user_id: str) -> list[UUID]:
    """Return all connections the user has or had, as far as something of theirs is left."""
    rows = await conn.fetch(LIST_USERS_CONNECTIONS, tenant_id, user_id)
    return [row["connection_id"] for row in rows]


LIST_DEAD_ITEMS = """
SELECT id, tenant_id, lower(concat_ws(E'\\n', item, cause)) AS words, payload
  FROM dead_items
 WHERE (tenant_id = $1 OR tenant_id IS NULL) AND id > $2
 ORDER BY id LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class DeadThing:
    """A dead item, as far as it may name somebody."""

    id: UUID
    is_tenants: bool
    """False: it could not be attributed; whether there is such a one is for no tenant to know."""
    words: str
    payload: bytes | None


async def list_dead_items(
    conn: Connection, tenant_id: str, *, after: UUID, limit: int
) -> list[DeadThing]:
    """Return the next dead items of the tenant, and of nobody."""
    rows = await conn.fetch(LIST_DEAD_ITEMS, tenant_id, after, limit)
    return [
        DeadThing(row["id"], row["tenant_id"] is not None, row["words"], row["payload"])
        for row in rows
    ]


DROP_DEAD_ITEMS = "DELETE FROM dead_items WHERE id = ANY($1::uuid[])"


async def drop_dead_items(conn: Connection, ids: Sequence[UUID]) -> None:
    """Remove dead items."""
    await conn.execute(DROP_DEAD_ITEMS, list(ids))


@dataclass(frozen=True, slots=True)
class NamedIn:
    """Where a user is named outside of what they connected.

    `count` and `forget` are statements on a tenant ($1) and a user's id ($2).
    """

    kind: str
    """What the records are called in words a person understands."""
    count: str
    forget: str


COUNT_DECISIONS = """
SELECT count(*) FROM holds WHERE tenant_id = $1 AND decided_by = 'user:' || $2::text
"""
FORGET_DECISIONS = """
UPDATE holds SET decided_by = 'user:erased' WHERE tenant_id = $1 AND decided_by = 'user:' || $2
"""
DECISIONS = NamedIn("decisions", COUNT_DECISIONS, FORGET_DECISIONS)


async def count_named(
    conn: Connection, places: Sequence[NamedIn], tenant_id: str, user_id: str
) -> dict[str, int]:
    """Return how often a user is named, by kind; of what there is none there is no entry."""
    found: dict[str, int] = {}
    for place in places:
        count: int = await conn.fetchval(place.count, tenant_id, user_id)
        if count:
            found[place.kind] = found.get(place.kind, 0) + count
    return found


async def forget_named(
    conn: Connection, places: Sequence[NamedIn], tenant_id: str, user_id: str
) -> None:
    """Name a user no more."""
    for place in places:
        await conn.execute(place.forget, tenant_id, user_id)


COUNT_OWNED = "SELECT count(*) FROM entities WHERE tenant_id = $1 AND owner_user_id = $2"


async def count_owned(conn: Connection, tenant_id: str, user_id: str) -> int:
    """Return how many entities are a user's."""
    found: int = await conn.fetchval(COUNT_OWNED, tenant_id, user_id)
    return found


FORGET_OWNER = """
UPDATE entities SET owner_user_id = NULL
 WHERE (tenant_id, entity_type, entity_id) IN (
       SELECT tenant_id, entity_type, entity_id FROM entities
        WHERE tenant_id = $1 AND owner_user_id = $2 LIMIT $3)
"""


async def forget_owner(conn: Connection, tenant_id: str, user_id: str, *, limit: int) -> bool:
    """Let up to `limit` entities be nobody's; False: there may be more."""
    tag: str = await conn.execute(FORGET_OWNER, tenant_id, user_id, limit)
    return int(tag.rpartition(" ")[2]) < limit
