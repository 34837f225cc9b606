"""SQL that finds who people of an address book can be. The caller has the tenant's lock."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.connection import Connection

MOST_CANDIDATES: Final = 20
"""Contacts that are looked at for one address or number: thousands may share a switchboard's."""


def _sharing(column: str, place: int) -> str:
    """Return the part of the statement that goes by the keys of a column."""
    # An aggregate, and no LIMIT: that could be taken for a reason to walk all contacts in order.
    return f"""
SELECT unnest((SELECT (array_agg(c.id ORDER BY c.id))[1:$6]
                 FROM contacts c
                WHERE c.tenant_id = $1 AND c.deleted_at IS NULL AND c.{column} @> ARRAY[k.key]
                  AND (c.entity_id IS NOT NULL OR c.owner_user_id IS NULL OR c.owner_user_id = $3)
                  AND NOT EXISTS (SELECT FROM people p
                                   WHERE p.tenant_id = $1 AND p.contact_id = c.id
                                     AND p.connection_id = $2 AND p.gone_at IS NULL))) AS id
  FROM unnest(${place}::text[]) AS k (key)
"""  # noqa: S608 - constants


FIND = " UNION ".join((_sharing("emails", 4), _sharing("phones", 5)))


async def find_candidates(
    conn: Conn, connection: Connection, *, emails: Sequence[str], phones: Sequence[str]
) -> list[UUID]:
    """Return contacts that have any of these keys and can be somebody new of an address book.

    They are live, its user may see them, and they are nobody there yet. Of one key there are
    `MOST_CANDIDATES` at most, always the same.
    """
    one = connection
    rows = await conn.fetch(
        FIND, one.tenant_id, one.id, one.user_id, list(emails), list(phones), MOST_CANDIDATES
    )
    return sorted(row["id"] for row in rows)
