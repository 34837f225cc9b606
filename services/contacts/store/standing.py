"""SQL on how connections stand: counts for their status, and for what is measured of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn

COUNT = """
SELECT c.connection_id,
       (SELECT count(*) FROM people p
         WHERE p.tenant_id = $1 AND p.connection_id = c.connection_id AND p.gone_at IS NULL)
       AS people,
       (SELECT count(*) FROM people p
         WHERE p.tenant_id = $1 AND p.connection_id = c.connection_id AND p.gone_at IS NULL
           AND p.contact_id IS NOT NULL) AS linked,
       (SELECT count(*) FROM dead_items d
          JOIN feeds f ON f.tenant_id = d.tenant_id AND f.id = d.feed_id
         WHERE f.tenant_id = $1 AND f.connection_id = c.connection_id) AS dead_items,
       (SELECT count(*) FROM conflicts k
         WHERE k.tenant_id = $1 AND k.connection_id = c.connection_id AND k.state = 'open')
       AS conflicts,
       (SELECT count(*) FROM holds h
         WHERE h.tenant_id = $1 AND h.connection_id = c.connection_id AND h.state = 'open')
       AS holds,
       (SELECT count(*) FROM writes w
         WHERE w.tenant_id = $1 AND w.connection_id = c.connection_id AND w.finished_at IS NULL)
       AS writes
  FROM unnest($2::uuid[]) AS c (connection_id)
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is held of a connection."""

    people: int = 0
    """In the address book."""
    linked: int = 0
    """Those of them who are contacts."""
    dead_items: int = 0
    conflicts: int = 0
    """That wait for somebody."""
    holds: int = 0
    """The same."""
    writes: int = 0
    """That wait to be carried, or are on their way."""


async def count_held(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """Return what is held of each of these connections."""
    return {
        row["connection_id"]: Counts(
            **{name: value for name, value in row.items() if name != "connection_id"}
        )
        for row in await conn.fetch(COUNT, tenant_id, list(ids))
    }


TOTALS = """
SELECT (SELECT count(*) FROM contacts c
         WHERE c.tenant_id = $1 AND c.deleted_at IS NULL
           AND ($2::text IS NULL OR c.owner_user_id IS NULL OR c.owner_user_id = $2
                OR c.entity_id IS NOT NULL)) AS contacts,
       (SELECT count(*) FROM groups g
         WHERE g.tenant_id = $1 AND g.deleted_at IS NULL
           AND ($2::text IS NULL OR g.owner_user_id = $2)) AS groups
"""


async def count_totals(conn: Conn, tenant_id: str, user_id: str | None) -> tuple[int, int]:
    """Return how many contacts and groups a user may see; None: how many there are."""
    (row,) = await conn.fetch(TOTALS, tenant_id, user_id)
    return int(row["contacts"]), int(row["groups"])


GROUPS = """
SELECT l.connection_id, g.id AS group_id, g.name, l.resource,
       (SELECT count(*) FROM group_members m
         WHERE m.tenant_id = $1 AND m.group_id = g.id) AS members,
       (SELECT count(*) FROM people p
         WHERE p.tenant_id = $1 AND p.connection_id = l.connection_id
           AND p.groups @> ARRAY[l.resource] AND p.gone_at IS NULL) AS members_at_google,
       (SELECT max(at) FROM sync_logs s
         WHERE s.tenant_id = $1 AND s.connection_id = l.connection_id AND s.kind = 'group'
           AND s.item_id = g.id AND s.status = 'success') AS last_change_at,
       (SELECT error FROM sync_logs s
         WHERE s.tenant_id = $1 AND s.connection_id = l.connection_id AND s.kind = 'group'
           AND s.item_id = g.id
         ORDER BY s.id DESC LIMIT 1) AS error
  FROM labels l JOIN groups g ON g.tenant_id = l.tenant_id AND g.id = l.group_id
 WHERE l.tenant_id = $1 AND l.connection_id = ANY($2::uuid[]) AND l.gone_at IS NULL
   AND g.deleted_at IS NULL
 ORDER BY g.name, g.id
"""


async def list_groups(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> list[Any]:
    """Return how the groups stand that are labels of these connections' address books."""
    return list(await conn.fetch(GROUPS, tenant_id, list(ids)))


ERRORS = """
SELECT DISTINCT ON (connection_id, error) connection_id, error, at,
       count(*) OVER (PARTITION BY connection_id, error) AS times
  FROM sync_logs
 WHERE tenant_id = $1 AND connection_id = ANY($2::uuid[]) AND status = 'error' AND at >= $3
 ORDER BY connection_id, error, at DESC
"""


async def list_errors(
    conn: Conn, tenant_id: str, ids: Sequence[UUID], *, since: datetime
) -> list[Any]:
    """Return what went wrong since then, each kind of error once, with when it last did."""
    return list(await conn.fetch(ERRORS, tenant_id, list(ids), since))


MEASURE = """
SELECT (SELECT count(*) FROM connections
         WHERE state IN ('active', 'degraded') AND purge = 'none') AS active,
       (SELECT max(last_sync_at) FROM feeds
         WHERE kind IN ('contacts.people', 'contacts.groups')) AS last_sync_at,
       (SELECT count(*) FROM sync_logs WHERE at >= $1 AND status = 'success') AS succeeded,
       (SELECT count(*) FROM sync_logs WHERE at >= $1 AND status = 'error') AS failed
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """How all connections stand together."""

    active: int
    last_sync_at: datetime | None
    succeeded: int
    """Changes either way that ended well."""
    failed: int


async def measure(conn: Conn, *, since: datetime) -> Measured:
    """Return how all connections stand, and how what went either way since then ended."""
    (row,) = await conn.fetch(MEASURE, since)
    return Measured(**dict(row.items()))
