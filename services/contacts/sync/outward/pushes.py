"""Queueing what has to be written into address books, after contacts or people have changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.person import Known
from services.contacts.domain.pushing import needs_write
from services.contacts.store import connections, people
from services.contacts.store.groups import groups_of_contacts
from services.contacts.sync.outward.queueing import queue_step

PERSON: Final = "contacts.person"
"""The kind of write that brings one contact into step in one address book."""


async def queue_pushes(
    conn: Conn, tenant_id: str, contacts: Sequence[Contact], *, now: datetime
) -> int:
    """Queue a write for each contact and address book that differ; return how many.

    A write says which contact is to be brought into step, not how: what is written is decided when
    it is carried, so that one that waits already speaks for all changes until then.
    """
    if not contacts:
        return 0
    targets = [
        one for one in await connections.list_connections(conn, tenant_id, None) if one.may_write
    ]
    if not targets:
        return 0
    ids = [one.id for one in contacts]
    known = await people.list_of_contacts(conn, tenant_id, ids)
    groups = await groups_of_contacts(conn, tenant_id, ids)
    queued = 0
    for connection in sorted(targets, key=lambda one: one.id):
        behind = [
            one
            for one in contacts
            if needs_write(connection, one, person_in(connection, known[one.id]), groups[one.id])
        ]
        ids = [one.id for one in behind]
        queued += await queue_step(conn, connection, PERSON, ids, now=now)
    return queued


def person_in(connection: Connection, known: Sequence[Known]) -> Known | None:
    """Return the person that a contact is in an address book; the live one comes first."""
    return next((one for one in known if one.connection_id == connection.id), None)


def contact_id_of(item: str) -> UUID:
    """Return the contact that a write is of."""
    return UUID(item)
