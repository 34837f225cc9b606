"""The address book every arm takes in, and what must stand in its database afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bench.house.letters import OWNER
from bench.house.stub import mailbox_id
from libs.common.connections.model import Access, State
from libs.common.db import Connection as Conn
from libs.common.db import Pool, open_pool, transaction
from services.contacts.domain.connection import Connection
from services.contacts.store import connections

USER = "alice"
ROWS = """
SELECT (SELECT md5(string_agg(concat_ws('|', resource, account_id, etag, google_updated, base,
                                        person, emails, phones, groups, made_by_us, gone_at),
                              E'\n' ORDER BY resource))
          FROM people WHERE connection_id = $1) AS people,
       (SELECT md5(string_agg(concat_ws('|', p.resource, c.owner_user_id, c.entity_id, c.version,
                                        c.sequence, c.crm_version, c.card, c.name, c.emails,
                                        c.phones, c.search, c.deleted_at),
                              E'\n' ORDER BY p.resource))
          FROM people p JOIN contacts c ON c.tenant_id = p.tenant_id AND c.id = p.contact_id
         WHERE p.connection_id = $1) AS contacts,
       (SELECT md5(string_agg(concat_ws('|', type, body - 'contact_id' - 'entity' - 'origin'),
                              E'\n' ORDER BY type, body ->> 'links', body ->> 'version'))
          FROM (SELECT type, convert_from(body, 'UTF8')::jsonb -> 'data' AS body FROM outbox
                 WHERE type LIKE 'contacts.contact.%'
                   AND convert_from(body, 'UTF8')::jsonb ->> 'tenantid' = $2) told) AS told,
       (SELECT count(*) FROM outbox WHERE type LIKE 'contacts.contact.%'
           AND convert_from(body, 'UTF8')::jsonb ->> 'tenantid' = $2) AS number,
       (SELECT count(*) FROM group_members WHERE tenant_id = $2) AS members,
       (SELECT count(*) FROM sync_logs WHERE connection_id = $1 AND kind = 'contact') AS lines
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """What an address book has become: digests of what is kept and told, and how many rows."""

    people: str
    contacts: str
    told: str
    number: int
    members: int
    lines: int


def shelf(number: int, people: int, *, access: Access = Access.READ) -> Connection:
    """Return a connection whose address book at the stub has so many people.

    Each is of a tenant of its own: the people of all are the same ones, and would be matched.
    """
    return Connection(
        tenant_id=f"tenant-{number}",
        id=mailbox_id(number, people),
        account_id=UUID(int=number + 1),
        user_id=USER,
        email=OWNER,
        access=access,
        state=State.ACTIVE,
        updated_at=datetime.now(UTC),
    )


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[Pool]:
    """Yield a pool of connections."""
    pool = await open_pool(database, statement_timeout_s=120)
    try:
        yield pool
    finally:
        await pool.close()


async def put_shelf(conn: Conn, connection: Connection) -> None:
    """Let a connection be there."""
    await connections.ROWS.put(conn, connection)


async def add_shelf(database: str, connection: Connection) -> None:
    """Let a connection be there for the arm by hand."""
    async with opened(database) as pool, transaction(pool) as conn:
        await put_shelf(conn, connection)


async def rows_of(database: str, connection: Connection) -> Rows:
    """Return what an address book has become."""
    async with opened(database) as pool:
        row = await pool.fetchrow(ROWS, connection.id, connection.tenant_id)
    if row is None:
        raise LookupError("a count is a row")
    return Rows(**dict(row))
