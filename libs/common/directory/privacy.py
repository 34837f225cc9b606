"""SQL that takes a person's addresses out of the directory. The entity itself is the CRM's.

To be called under `store.lock_exclusive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from libs.common.db import Connection
from libs.common.directory.model import EntityRef

LIST_NAMED = """
SELECT e.entity_type, e.entity_id, e.name, e.phones, e.owner_user_id, e.version,
       ARRAY(SELECT a.address FROM entity_addresses a
              WHERE a.tenant_id = e.tenant_id AND a.entity_type = e.entity_type
                AND a.entity_id = e.entity_id ORDER BY a.address) AS emails
  FROM entities e
 WHERE e.tenant_id = $1
   AND (EXISTS (SELECT FROM entity_addresses a
                 WHERE a.tenant_id = e.tenant_id AND a.entity_type = e.entity_type
                   AND a.entity_id = e.entity_id AND a.address = ANY($2::text[]))
        OR EXISTS (SELECT FROM unnest($2::text[]) AS n (address)
                    WHERE strpos(lower(e.name), n.address) > 0))
   AND (e.entity_type, e.entity_id) > ($3, $4)
 ORDER BY e.entity_type, e.entity_id LIMIT $5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An entity that names a person."""

    ref: EntityRef
    name: str
    phones: tuple[str, ...]
    owner_user_id: str | None
    version: int
    emails: tuple[str, ...]
    """All of it, folded."""

    def others(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses it has besides those."""
        return tuple(one for one in self.emails if one not in addresses)


async def list_named(
    conn: Connection,
    tenant_id: str,
    addresses: Sequence[str],
    *,
    after: EntityRef | None,
    limit: int,
) -> list[Named]:
    """Return the next entities that have one of the addresses, or are called so."""
    place = ("", "") if after is None else (after.entity_type, after.entity_id)
    rows = await conn.fetch(LIST_NAMED, tenant_id, list(addresses), *place, limit)
    return [_named(row) for row in rows]


def _named(row: Any) -> Named:
    return Named(
        ref=EntityRef(row["entity_type"], row["entity_id"]),
        name=row["name"],
        phones=tuple(row["phones"]),
        owner_user_id=row["owner_user_id"],
        version=row["version"],
        emails=tuple(row["emails"]),
    )


DROP_ADDRESSES = """
DELETE FROM entity_addresses
 WHERE tenant_id = $1 AND entity_type = $2 AND entity_id = $3 AND address = ANY($4::text[])
"""
SET_NAME = """
UPDATE entities SET name = $4, phones = $5
 WHERE tenant_id = $1 AND entity_type = $2 AND entity_id = $3
"""


async def forget_person(
    conn: Connection,
    tenant_id: str,
    ref: EntityRef,
    addresses: Sequence[str],
    *,
    name: str,
    phones: Sequence[str],
) -> None:
    """Take addresses from an entity, and let it have no more than that name and those phones.

    Its version stays, so that nothing older or equal of the CRM's brings them back.
    """
    key = (tenant_id, ref.entity_type, ref.entity_id)
    await conn.execute(DROP_ADDRESSES, *key, list(addresses))
    await conn.execute(SET_NAME, *key, name, list(phones))
