"""The calendar every arm takes in, and what must stand in its database afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bench.backfill.mailbox import TENANT, know_people
from bench.house.letters import OWNER
from bench.house.stub import mailbox_id
from libs.common.connections.model import Access, State
from libs.common.db import Connection as Conn
from libs.common.db import Pool, open_pool, transaction
from services.calendar.domain.connection import Connection
from services.calendar.store import connections
from services.calendar.store.calendars import Calendar, find_by_google

GOOGLE_ID = "primary"
ZONE = "Europe/Paris"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)

ADD_CALENDAR = """
INSERT INTO calendars (tenant_id, id, connection_id, google_id, summary, zone, access_role,
                       is_primary, has_meet, hidden, updated_at)
VALUES ($1, $2, $2, $3, 'Alice', $4, 'owner', true, true, false, now())
"""
WATCHED = "INSERT INTO watches (account_id, google_id, renew_at) VALUES ($1, $2, 'infinity')"
ROWS = """
SELECT (SELECT md5(string_agg(concat_ws('|', google_id, series_id, occurrence, master_id, etag,
                                        google_updated, status, starts_at, people, body),
                              E'\n' ORDER BY google_id))
          FROM events WHERE connection_id = $1) AS events,
       (SELECT md5(string_agg(concat_ws('|', type, body - 'origin'), E'\n' ORDER BY type, body))
          FROM (SELECT type, convert_from(body, 'UTF8')::jsonb -> 'data' AS body FROM outbox) told
         WHERE $1::text IN (body ->> 'connection_id')) AS told,
       (SELECT count(*) FROM outbox
         WHERE convert_from(body, 'UTF8')::jsonb #>> '{data,connection_id}' = $1::text) AS number,
       (SELECT count(*) FROM meeting_links l JOIN events e USING (tenant_id, series_id, occurrence)
         WHERE connection_id = $1) AS links,
       (SELECT count(*) FROM meetings m JOIN events e USING (tenant_id, series_id, occurrence)
         WHERE connection_id = $1 AND m.digest IS NOT NULL) AS meetings,
       (SELECT count(*) FROM sync_logs WHERE connection_id = $1) AS lines
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a calendar has become: digests of what is kept and told, and how many rows."""

    events: str
    told: str
    number: int
    links: int
    meetings: int
    lines: int


def diary(number: int, events: int) -> Connection:
    """Return a connection whose calendar at the stub has so many events."""
    return Connection(
        tenant_id=TENANT,
        id=mailbox_id(number, events),
        account_id=UUID(int=number + 1),
        user_id="alice",
        email=OWNER,
        access=Access.READ,
        state=State.ACTIVE,
        updated_at=datetime.now(UTC),
        complete_since=SINCE,
    )


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[Pool]:
    """Yield a pool of connections."""
    pool = await open_pool(database, statement_timeout_s=120)
    try:
        yield pool
    finally:
        await pool.close()


async def prepare(database: str) -> None:
    """Tell a database who is a contact of the CRM."""
    async with opened(database) as pool:
        await know_people(pool)


async def put_diary(conn: Conn, connection: Connection) -> Calendar:
    """Let a connection and its one calendar be there; Google tells of it."""
    await connections.ROWS.put(conn, connection)
    await connections.set_complete_since(conn, TENANT, connection.id, SINCE)
    await conn.execute(ADD_CALENDAR, TENANT, connection.id, GOOGLE_ID, ZONE)
    await conn.execute(WATCHED, connection.account_id, GOOGLE_ID)
    found = await find_by_google(conn, TENANT, connection.id, GOOGLE_ID)
    if found is None:
        raise LookupError("what was added is there")
    return found


async def add_diary(database: str, connection: Connection) -> None:
    """Let a connection and its calendar be there for the arm by hand."""
    async with opened(database) as pool, transaction(pool) as conn:
        await put_diary(conn, connection)


async def rows_of(database: str, connection: Connection) -> Rows:
    """Return what a calendar has become."""
    async with opened(database) as pool:
        row = await pool.fetchrow(ROWS, connection.id)
    if row is None:
        raise LookupError("a count is a row")
    return Rows(**dict(row))
