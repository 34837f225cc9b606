"""Erasing a user: their mailboxes with all that was read there, and where else they are named."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

from libs.common.connections.model import Purge, State, Told
from libs.common.db import Connection as Conn
from libs.common.privacy import Person, Request, Step
from services.mail.domain.connection import Connection
from services.mail.store import connections
from services.mail.store import privacy_rest as store
from services.mail.sync.connections import purge_rest

ENTITIES_AT_ONCE = 500


class Takes(Protocol):
    """Brings connections to where they were told to be; see `Connections`."""

    async def take(self, conn: Conn, told: Told) -> bool:
        """Apply what was told, in the caller's transaction."""
        ...

    async def purge_some(self, conn: Conn, tenant_id: str, connection_id: UUID) -> int:
        """Remove some messages, in the caller's transaction; return how many."""
        ...


class ErasedMailboxes:
    """All connections the user has or had: ended, emptied, and then nobody's."""

    name = "mailboxes"

    def __init__(self, takes: Takes, *, now: Callable[[], datetime]) -> None:
        self._takes = takes
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Do the next bounded piece on the first mailbox of which something is left."""
        if person.user_id is None:
            return Step()
        ids = await store.list_connections_of(conn, person.tenant_id, person.user_id)
        if not request.erases:
            return await _counted(conn, person.tenant_id, ids)
        if not ids:
            return Step()
        found = await self._piece(conn, person.tenant_id, ids[0])
        return Step(found=found, place={"left": len(ids)})

    async def _piece(self, conn: Conn, tenant_id: str, connection_id: UUID) -> dict[str, int]:
        current = await connections.lock_connection(conn, tenant_id, connection_id)
        if current is None:
            return {}
        if current.purge is Purge.NONE:
            await self._takes.take(conn, _over(current))
            return {"mailboxes": 1}
        if current.purge is Purge.DONE:
            await store.forget_user(conn, tenant_id, connection_id, now=self._now())
            return {}
        gone = await self._takes.purge_some(conn, tenant_id, connection_id)
        if gone:
            return {"messages of theirs": gone}
        await purge_rest(conn, tenant_id, connection_id)
        return {}


def _over(current: Connection) -> Told:
    return Told(
        tenant_id=current.tenant_id,
        id=current.id,
        account_id=current.account_id,
        user_id=current.user_id,
        email=current.email,
        access=None,
        state=State.DISCONNECTED,
        purge=True,
    )


async def _counted(conn: Conn, tenant_id: str, ids: list[UUID]) -> Step:
    found = {"mailboxes": len(ids), "messages of theirs": 0, "outgoing messages of theirs": 0}
    for one in ids:
        messages, letters = await store.count_content(conn, tenant_id, one)
        found["messages of theirs"] += messages
        found["outgoing messages of theirs"] += letters
    return Step(found={kind: count for kind, count in found.items() if count})


class ErasedNames:
    """Where a user is named outside of their mailboxes: decisions, owners of entities."""

    name = "names"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Count them once, then take them out."""
        if person.user_id is None:
            return Step()
        found: dict[str, int] = {}
        if request.place is None:
            named = await store.count_named(conn, person.tenant_id, person.user_id)
            found = {
                "decisions": named.decisions,
                "outgoing messages of others": named.letters,
                "entities owned": named.entities,
            }
        found = {kind: count for kind, count in found.items() if count}
        if not request.erases:
            return Step(found=found)
        is_all = await store.forget_named(
            conn, person.tenant_id, person.user_id, limit=ENTITIES_AT_ONCE
        )
        return Step(found=found, place=None if is_all else {"more": True})
