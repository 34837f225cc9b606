"""SQL on conflicts over who somebody is. The caller has the tenant's lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A person of whom somebody has to say, or has said, who they are."""

    id: UUID
    resource: str
    candidates: tuple[UUID, ...]
    sequence: int
    is_open: bool


def _match(row: Any) -> Match:
    return Match(
        id=row["id"],
        resource=row["resource"],
        candidates=tuple(row["candidates"]),
        sequence=row["sequence"],
        is_open=row["is_open"],
    )


FIND = """
SELECT DISTINCT ON (resource) id, resource, candidates, sequence, state = 'open' AS is_open
  FROM conflicts
 WHERE tenant_id = $1 AND connection_id = $2 AND resource = ANY($3::text[])
   AND kind = 'match' AND (state = 'open' OR resolved_by IS NOT NULL)
 ORDER BY resource, state = 'open' DESC, created_at DESC
"""


async def find_newest(
    conn: Conn, tenant_id: str, connection_id: UUID, resources: Sequence[str]
) -> dict[str, Match]:
    """Return the newest conflict over each of these people of an address book, by resource name.

    Those that are open, or that somebody has answered.
    """
    rows = await conn.fetch(FIND, tenant_id, connection_id, list(resources))
    return {row["resource"]: _match(row) for row in rows}


IS_NOBODY = """
SELECT EXISTS (SELECT FROM conflicts
                WHERE tenant_id = $1 AND connection_id = $2 AND resource = $3 AND kind = 'match'
                  AND candidates = $4::uuid[] AND choice ->> 'contact' = 'ignore')
"""


async def is_nobody(
    conn: Conn, tenant_id: str, connection_id: UUID, resource: str, candidates: Sequence[UUID]
) -> bool:
    """Say whether somebody has said that a person is none of these contacts, and none at all."""
    where = tenant_id, connection_id, resource, list(candidates)
    return bool(await conn.fetchval(IS_NOBODY, *where))


PUT = """
INSERT INTO conflicts AS c
       (tenant_id, id, kind, connection_id, resource, candidates, theirs, created_at)
VALUES ($1, $2, 'match', $3, $4, $5, $6, $7)
    ON CONFLICT (tenant_id, connection_id, resource, kind) WHERE state = 'open' DO UPDATE
   SET candidates = EXCLUDED.candidates, theirs = EXCLUDED.theirs, sequence = c.sequence + 1
RETURNING id, resource, candidates, sequence, true AS is_open
"""


async def put_open(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    resource: str,
    *,
    new_id: UUID,
    candidates: Sequence[UUID],
    theirs: dict[str, Any],
    now: datetime,
) -> Match:
    """Return the open conflict over a person, with these candidates: a new one, or as it stands."""
    row = await conn.fetchrow(
        PUT, tenant_id, new_id, connection_id, resource, list(candidates), theirs, now
    )
    return _match(row)


END = """
UPDATE conflicts SET state = 'resolved', resolved_at = $3, sequence = sequence + 1
 WHERE tenant_id = $1 AND id = $2 AND state = 'open'
RETURNING id, resource, candidates, sequence, false AS is_open
"""


async def end(conn: Conn, tenant_id: str, conflict_id: UUID, *, now: datetime) -> Match | None:
    """Return the conflict over which nobody has to say any more; None: it was over."""
    row = await conn.fetchrow(END, tenant_id, conflict_id, now)
    return None if row is None else _match(row)


RENAME = """
UPDATE conflicts c SET resource = $4
 WHERE tenant_id = $1 AND connection_id = $2 AND resource = $3 AND state = 'open'
   AND NOT EXISTS (SELECT FROM conflicts o
                    WHERE o.tenant_id = $1 AND o.connection_id = $2 AND o.resource = $4
                      AND o.kind = c.kind AND o.state = 'open')
"""


async def rename(
    conn: Conn, tenant_id: str, connection_id: UUID, resource: str, *, to: str
) -> None:
    """Let open conflicts over a person be over the name that they have now."""
    await conn.execute(RENAME, tenant_id, connection_id, resource, to)


LIST_ASKED = """
SELECT DISTINCT asked.contact_id
  FROM conflicts c CROSS JOIN unnest(c.candidates) AS asked (contact_id)
 WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.kind = 'match' AND c.state = 'open'
   AND asked.contact_id = ANY($3::uuid[])
"""


async def list_asked(
    conn: Conn, tenant_id: str, connection_id: UUID, contact_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return those contacts of which somebody is asked whether they are in an address book."""
    rows = await conn.fetch(LIST_ASKED, tenant_id, connection_id, list(contact_ids))
    return frozenset(row["contact_id"] for row in rows)


LIST_OUTDATED = """
SELECT c.resource FROM conflicts c
 WHERE c.tenant_id = $1 AND c.connection_id = $2 AND c.kind = 'match' AND c.state = 'open'
   AND EXISTS (SELECT FROM unnest(c.candidates) AS asked (contact_id)
                 LEFT JOIN contacts k ON k.tenant_id = $1 AND k.id = asked.contact_id
                WHERE k.id IS NULL OR k.deleted_at IS NOT NULL)
 ORDER BY c.resource LIMIT $3
"""


async def list_outdated(
    conn: Conn, tenant_id: str, connection_id: UUID, *, limit: int
) -> list[str]:
    """Return people of whom somebody is asked who they are, by candidates that are gone since."""
    rows = await conn.fetch(LIST_OUTDATED, tenant_id, connection_id, limit)
    return [row["resource"] for row in rows]
