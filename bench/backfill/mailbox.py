"""The mailbox every arm takes in, and what must stand in its database afterwards."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from bench.house.letters import OWNER, PEOPLE, person
from bench.house.stub import mailbox_id
from libs.common.connections.model import Access, State
from libs.common.db import transaction
from libs.common.directory import Entity
from libs.common.directory import store as directory
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy

TENANT = "acme"
KNOWN = 4
"""Every fourth correspondent is an entity of the CRM."""
SINCE = datetime(2026, 1, 1, tzinfo=UTC)

ROWS = """
SELECT (SELECT count(*) FROM messages WHERE connection_id = $1) AS messages,
       (SELECT count(*) FROM message_addresses WHERE connection_id = $1) AS addresses,
       (SELECT count(*) FROM message_links l JOIN messages m ON m.id = l.message_id
         WHERE m.connection_id = $1) AS links,
       (SELECT count(*) FROM outbox
         WHERE convert_from(body, 'UTF8')::jsonb #>> '{data,connection_id}' = $1::text) AS events
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows a mailbox has become."""

    messages: int
    addresses: int
    links: int
    events: int


def mailbox(number: int, messages: int) -> Connection:
    """Return a connection whose mailbox at the stub has so many messages."""
    return Connection(
        tenant_id=TENANT,
        id=mailbox_id(number, messages),
        account_id=UUID(int=number + 1),
        user_id="alice",
        email=OWNER,
        access=Access.READ,
        policy=Policy.ALL,
        state=State.ACTIVE,
        updated_at=datetime.now(UTC),
        backfill_days=30,
    )


async def know_people(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Tell the directory who is a contact of the CRM."""
    entities = [
        Entity(
            entity_type="contact",
            entity_id=str(number),
            version=1,
            name=f"Person {number}",
            emails=(person(number),),
        )
        for number in range(0, PEOPLE, KNOWN)
    ]
    async with transaction(pool) as conn:
        await directory.lock_exclusive(conn, TENANT)
        await directory.upsert_entities(conn, TENANT, entities, datetime.now(UTC))


async def count_rows(pool: "asyncpg.Pool[asyncpg.Record]", connection_id: UUID) -> Rows:
    """Return what the mailbox has become."""
    async with pool.acquire() as conn:
        row = await conn.fetchrow(ROWS, connection_id)
    if row is None:
        raise LookupError("a count is a row")
    return Rows(**dict(row))
