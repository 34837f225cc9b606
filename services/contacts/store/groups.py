"""SQL on groups and who is in them. Who changes them has the tenant's lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.group import Group

COLUMNS = """
tenant_id, id, owner_user_id, name, version, sequence, created_at, updated_at, deleted_at
"""


def group_of(row: Any) -> Group:
    """Return a row of groups."""
    return Group(**dict(row))


PUT = """
INSERT INTO groups (tenant_id, id, owner_user_id, name, version, sequence, created_at, updated_at,
                    deleted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (tenant_id, id) DO UPDATE
   SET name = EXCLUDED.name, version = EXCLUDED.version, sequence = EXCLUDED.sequence,
       updated_at = EXCLUDED.updated_at, deleted_at = EXCLUDED.deleted_at
"""


async def put_group(conn: Conn, group: Group) -> None:
    """Add a group, or replace it by what it is now."""
    await conn.execute(
        PUT,
        group.tenant_id,
        group.id,
        group.owner_user_id,
        group.name,
        group.version,
        group.sequence,
        group.created_at,
        group.updated_at,
        group.deleted_at,
    )


FIND = f"SELECT {COLUMNS} FROM groups WHERE tenant_id = $1 AND id = ANY($2::uuid[])"  # noqa: S608


async def find_groups(conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> dict[UUID, Group]:
    """Return the tenant's groups with these ids, deleted ones too."""
    rows = await conn.fetch(FIND, tenant_id, list(ids))
    return {row["id"]: group_of(row) for row in rows}


FIND_BY_NAME = f"""
SELECT {COLUMNS} FROM groups
 WHERE tenant_id = $1 AND owner_user_id = $2 AND lower(name) = lower($3) AND deleted_at IS NULL
"""  # noqa: S608 - constants


async def find_by_name(conn: Conn, tenant_id: str, owner_user_id: str, name: str) -> Group | None:
    """Return a user's live group of that name, however it is capitalised."""
    row = await conn.fetchrow(FIND_BY_NAME, tenant_id, owner_user_id, name)
    return None if row is None else group_of(row)


GROUPS_OF = """
SELECT m.contact_id, m.group_id
  FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
 WHERE m.tenant_id = $1 AND m.contact_id = ANY($2::uuid[]) AND g.deleted_at IS NULL
   AND ($3::text IS NULL OR g.owner_user_id = $3)
"""


async def groups_of_contacts(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID], *, owner_user_id: str | None = None
) -> dict[UUID, frozenset[UUID]]:
    """Return the groups of each contact; with `owner_user_id` those of that user."""
    found: dict[UUID, set[UUID]] = {one: set() for one in contact_ids}
    for row in await conn.fetch(GROUPS_OF, tenant_id, list(contact_ids), owner_user_id):
        found[row["contact_id"]].add(row["group_id"])
    return {one: frozenset(groups) for one, groups in found.items()}


JOIN = """
INSERT INTO group_members (tenant_id, group_id, contact_id, added_at)
SELECT $1, $2, c.id, $4 FROM contacts c
 WHERE c.tenant_id = $1 AND c.id = ANY($3::uuid[]) AND c.deleted_at IS NULL
 ORDER BY c.id
    ON CONFLICT DO NOTHING
RETURNING contact_id
"""


async def join(
    conn: Conn, tenant_id: str, group_id: UUID, contact_ids: Sequence[UUID], *, now: datetime
) -> list[UUID]:
    """Let contacts be in a group; return those that were not.

    Who is there no more is in none, though a person at Google may still be that contact: it is to
    be deleted there.
    """
    rows = await conn.fetch(JOIN, tenant_id, group_id, list(contact_ids), now)
    return sorted(row["contact_id"] for row in rows)


LEAVE = """
DELETE FROM group_members
 WHERE tenant_id = $1 AND group_id = $2 AND contact_id = ANY($3::uuid[])
RETURNING contact_id
"""


async def leave(
    conn: Conn, tenant_id: str, group_id: UUID, contact_ids: Sequence[UUID]
) -> list[UUID]:
    """Let contacts be in a group no more; return those that were."""
    rows = await conn.fetch(LEAVE, tenant_id, group_id, list(contact_ids))
    return sorted(row["contact_id"] for row in rows)


MEMBERS = """
SELECT contact_id FROM group_members
 WHERE tenant_id = $1 AND group_id = $2 ORDER BY contact_id
"""


async def members_of(conn: Conn, tenant_id: str, group_id: UUID) -> list[UUID]:
    """Return who is in a group."""
    return [row["contact_id"] for row in await conn.fetch(MEMBERS, tenant_id, group_id)]


MOVE = """
WITH gone AS (
    DELETE FROM group_members WHERE tenant_id = $1 AND contact_id = $2 RETURNING group_id
)
INSERT INTO group_members (tenant_id, group_id, contact_id, added_at)
SELECT $1, gone.group_id, $3, $4 FROM gone
    ON CONFLICT DO NOTHING
"""


async def move_memberships(
    conn: Conn, tenant_id: str, contact_id: UUID, *, to: UUID, now: datetime
) -> None:
    """Let a contact be in another's groups, and that one in none: they are one now."""
    await conn.execute(MOVE, tenant_id, contact_id, to, now)


LIST = f"""
SELECT {COLUMNS} FROM groups
 WHERE tenant_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR owner_user_id = $2)
   AND ($3::uuid IS NULL OR id > $3)
 ORDER BY id
 LIMIT $4
"""  # noqa: S608 - constants


async def list_groups(
    conn: Conn, tenant_id: str, *, owner_user_id: str | None, after: UUID | None, limit: int
) -> list[Group]:
    """Return the next groups in the order in which they were made: a user's own; None: all."""
    rows = await conn.fetch(LIST, tenant_id, owner_user_id, after, limit)
    return [group_of(row) for row in rows]


COUNT = """
SELECT m.group_id, count(*) AS members
  FROM group_members m JOIN contacts c ON c.tenant_id = m.tenant_id AND c.id = m.contact_id
 WHERE m.tenant_id = $1 AND m.group_id = ANY($2::uuid[]) AND c.deleted_at IS NULL
 GROUP BY m.group_id
"""


async def count_members(conn: Conn, tenant_id: str, group_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many contacts each group has."""
    rows = await conn.fetch(COUNT, tenant_id, list(group_ids))
    counts = {row["group_id"]: int(row["members"]) for row in rows}
    return {one: counts.get(one, 0) for one in group_ids}
