"""SQL on nicknames. Who changes them has the tenant's lock."""

from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.nickname import Nickname, Tone

COLUMNS = """
tenant_id, id, contact_id, text, tone, keywords, context, is_default, created_at, updated_at
"""


def nickname_of(row: Any) -> Nickname:
    """Return a row of nicknames."""
    return Nickname(**{**dict(row), "tone": Tone(row["tone"]), "keywords": tuple(row["keywords"])})


LIST = f"""
SELECT {COLUMNS} FROM nicknames WHERE tenant_id = $1 AND contact_id = $2 ORDER BY id
"""  # noqa: S608 - constants


async def list_nicknames(conn: Conn, tenant_id: str, contact_id: UUID) -> list[Nickname]:
    """Return a contact's nicknames, the oldest first."""
    return [nickname_of(row) for row in await conn.fetch(LIST, tenant_id, contact_id)]


FIND = f"""
SELECT {COLUMNS} FROM nicknames WHERE tenant_id = $1 AND contact_id = $2 AND id = $3
"""  # noqa: S608 - constants


async def find_nickname(
    conn: Conn, tenant_id: str, contact_id: UUID, nickname_id: UUID
) -> Nickname | None:
    """Return a contact's nickname; None: it has no such one."""
    row = await conn.fetchrow(FIND, tenant_id, contact_id, nickname_id)
    return None if row is None else nickname_of(row)


NO_DEFAULT = """
UPDATE nicknames SET is_default = false
 WHERE tenant_id = $1 AND contact_id = $2 AND tone = $3 AND is_default AND id <> $4
"""
PUT = """
INSERT INTO nicknames AS n
       (tenant_id, id, contact_id, text, tone, keywords, context, is_default, created_at,
        updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (tenant_id, id) DO UPDATE
   SET contact_id = EXCLUDED.contact_id, text = EXCLUDED.text, tone = EXCLUDED.tone,
       keywords = EXCLUDED.keywords, context = EXCLUDED.context,
       is_default = EXCLUDED.is_default, updated_at = EXCLUDED.updated_at
"""


async def put_nickname(conn: Conn, one: Nickname) -> None:
    """Add a nickname, or replace it; a default takes that from the one before it."""
    if one.is_default:
        await conn.execute(NO_DEFAULT, one.tenant_id, one.contact_id, one.tone.value, one.id)
    await conn.execute(
        PUT,
        one.tenant_id,
        one.id,
        one.contact_id,
        one.text,
        one.tone.value,
        list(one.keywords),
        one.context,
        one.is_default,
        one.created_at,
        one.updated_at,
    )


DELETE = "DELETE FROM nicknames WHERE tenant_id = $1 AND contact_id = $2 AND id = $3 RETURNING true"


async def delete_nickname(conn: Conn, tenant_id: str, contact_id: UUID, nickname_id: UUID) -> bool:
    """Remove a contact's nickname; say whether there was one."""
    return bool(await conn.fetchval(DELETE, tenant_id, contact_id, nickname_id))
