"""SQL on groups and who is in them."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.db import Connection as Conn

GROUPS_OF = """
SELECT m.contact_id, m.group_id
  FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
 WHERE m.tenant_id = $1 AND m.contact_id = ANY($2::uuid[]) AND g.deleted_at IS NULL
"""


async def groups_of_contacts(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID]
) -> dict[UUID, frozenset[UUID]]:
    """Return the groups of each contact."""
    found: dict[UUID, set[UUID]] = {one: set() for one in contact_ids}
    for row in await conn.fetch(GROUPS_OF, tenant_id, list(contact_ids)):
        found[row["contact_id"]].add(row["group_id"])
    return {one: frozenset(groups) for one, groups in found.items()}
