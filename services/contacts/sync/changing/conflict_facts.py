"""What is told of conflicts, and their end when there is nothing to choose any more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.events import contacts as published
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from services.contacts.domain.connection import Connection
from services.contacts.store import conflicts as store
from services.contacts.store import connections
from services.contacts.store.conflicts import Conflict, ConflictKind


async def end_conflicts_of(
    conn: Conn, tenant_id: str, contact_ids: Sequence[UUID], *, now: datetime
) -> None:
    """End what is open over values of contacts that are gone."""
    if not contact_ids:
        return
    for one in await store.list_of_contacts(conn, tenant_id, contact_ids):
        ended = await store.resolve_conflict(conn, tenant_id, one.id, choice={}, by=None, now=now)
        connection = await connections.find_connection(conn, tenant_id, one.connection_id)
        if ended is None or connection is None:
            continue
        event = published.ConflictResolved(**conflict_facts(connection, ended), origin=Origin.LIVE)
        await outbox.append(conn, conflict_envelope(event, ended, now=now))


def conflict_facts(connection: Connection, one: Conflict) -> dict[str, Any]:
    """Return what is told of a conflict."""
    keys = one.ours.keys() | one.theirs.keys() if one.kind == ConflictKind.FIELDS else ()
    return {
        "conflict_id": one.id,
        "kind": one.kind,
        "connection_id": connection.id,
        "user_id": connection.user_id,
        "resource": one.resource,
        "contact_id": one.contact_id,
        "fields": tuple(sorted(keys)),
        "candidates": tuple(one.candidates),
    }


def conflict_envelope(
    event: published.ConflictDetected | published.ConflictResolved, one: Conflict, *, now: datetime
) -> Envelope:
    """Return an event of a conflict, under its sequence."""
    return Envelope.of(
        event,
        tenant_id=one.tenant_id,
        aggregate_id=str(one.id),
        sequence=one.sequence,
        time=now,
    )
