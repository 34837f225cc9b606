"""SQL that finds who people of an address book can be. The caller has the tenant's lock."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.connection import Connection

MOST_CANDIDATES: Final = 20
"""Contacts that are looked at for one address or number: thousands may share a switchboard's."""


def _sharing(column: str, place: int) -> str:
    """Return the part of the statement that goes by the keys of a column.

    Whatever Postgres knows of the tables, and it knows nothing of a tenant who is new, there is
    one way only: by the index of the keys, and once over the address book if that finds anybody.
    """
    # OFFSET 0 keeps the tenant out of there, by which all of its contacts would be walked for each
    # key. An aggregate, and no LIMIT: that could be taken for a reason to walk them in order.
    return f"""
SELECT unnest((SELECT (array_agg(c.id ORDER BY c.id))[1:$6]
                 FROM (SELECT id, tenant_id, entity_id, owner_user_id FROM contacts
                        WHERE deleted_at IS NULL AND {column} @> ARRAY[k.key] OFFSET 0) AS c
                WHERE c.tenant_id = $1
                  AND (c.entity_id IS NOT NULL OR c.owner_user_id IS NULL OR c.owner_user_id = $3)
                  AND c.id NOT IN (SELECT p.contact_id FROM people p
                                    WHERE p.tenant_id = $1 AND p.connection_id = $2
                                      AND p.gone_at IS NULL AND p.contact_id IS NOT NULL))) AS id
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
    # Planned each time: a plan that was made while the table was small walks it for every key, and
    # is kept until Postgres looks at the table again.
    statement = await conn.prepare(FIND)
    rows = await statement.fetch(
        one.tenant_id, one.id, one.user_id, list(emails), list(phones), MOST_CANDIDATES
    )
    return sorted(row["id"] for row in rows)
