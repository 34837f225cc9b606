"""SQL on what of groups has to be written into address books."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.db import Connection as Conn


@dataclass(frozen=True, slots=True)
class Members:
    """Who has to join a label, and who to leave it: names of people at Google."""

    add: tuple[str, ...]
    remove: tuple[str, ...]

    @property
    def is_anything(self) -> bool:
        """Say whether anybody has to."""
        return bool(self.add or self.remove)


DIFFERING = """
SELECT p.resource, m.contact_id IS NOT NULL AS joins
  FROM people p
  JOIN contacts c ON c.tenant_id = p.tenant_id AND c.id = p.contact_id AND c.deleted_at IS NULL
  LEFT JOIN group_members m
         ON m.tenant_id = p.tenant_id AND m.group_id = $3 AND m.contact_id = p.contact_id
 WHERE p.tenant_id = $1 AND p.connection_id = $2 AND p.gone_at IS NULL
   AND (m.contact_id IS NOT NULL) <> ($4 = ANY(p.groups))
 ORDER BY p.resource
 LIMIT $5
"""


async def find_differing(
    conn: Conn, tenant_id: str, connection_id: UUID, *, group_id: UUID, label: str, limit: int
) -> Members:
    """Return people whose label is not as the group of their contacts has it; some of them.

    People who are nobody's contact keep their labels.
    """
    rows = await conn.fetch(DIFFERING, tenant_id, connection_id, group_id, label, limit)
    return Members(
        add=tuple(row["resource"] for row in rows if row["joins"]),
        remove=tuple(row["resource"] for row in rows if not row["joins"]),
    )


RELABEL = """
UPDATE people
   SET groups = CASE WHEN resource = ANY($4::text[])
                     THEN ARRAY(SELECT DISTINCT unnest(groups || $3::text) ORDER BY 1)
                     ELSE array_remove(groups, $3) END
 WHERE tenant_id = $1 AND connection_id = $2
   AND (resource = ANY($4::text[]) OR resource = ANY($5::text[]))
"""


async def relabel(
    conn: Conn,
    tenant_id: str,
    connection_id: UUID,
    *,
    label: str,
    add: Sequence[str],
    remove: Sequence[str],
) -> None:
    """Keep that people have a label now, and others have not."""
    await conn.execute(RELABEL, tenant_id, connection_id, label, list(add), list(remove))


OWN_GROUPS = """
SELECT id FROM groups
 WHERE tenant_id = $1 AND owner_user_id = $2
   AND (deleted_at IS NULL
        OR EXISTS (SELECT FROM labels l
                    WHERE l.tenant_id = $1 AND l.connection_id = $3 AND l.group_id = groups.id
                      AND l.gone_at IS NULL))
 ORDER BY id
"""


async def list_concerning(
    conn: Conn, tenant_id: str, connection_id: UUID, *, user_id: str
) -> list[UUID]:
    """Return a user's groups, and deleted ones that still are labels of the address book."""
    rows = await conn.fetch(OWN_GROUPS, tenant_id, user_id, connection_id)
    return [row["id"] for row in rows]
