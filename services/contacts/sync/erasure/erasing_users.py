"""Erasing a user: what they connected, what is theirs alone, and whose the rest was."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from libs.common.connections.rows import ConnectionRows
from libs.common.db import Connection as Conn
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.privacy import Person, Request, Step
from libs.common.privacy.parts import AT_ONCE, ErasedConnections, Takes, after_of, place_at
from services.contacts.domain.connection import Connection
from services.contacts.store import groups
from services.contacts.store import privacy as store
from services.contacts.store.connections import purge_connection
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn


class AddressBooks:
    """The holdings of contacts; see `ErasedConnections`."""

    connections = "connections"
    content = "people of their address books"

    async def count(self, conn: Conn, tenant_id: str, connection_id: UUID) -> dict[str, int]:
        """Return how many people of a connection are held."""
        return {self.content: await store.count_content(conn, tenant_id, connection_id)}

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what is held besides people."""
        await purge_connection(conn, tenant_id, connection_id)

    async def forget(
        self, conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime
    ) -> None:
        """Leave nothing of a connection but its id."""
        await store.forget_user(conn, tenant_id, connection_id, now=now)


class ErasedAddressBooks:
    """All connections of a user; see `ErasedConnections`."""

    name = "connections"

    def __init__(
        self, takes: Takes, rows: ConnectionRows[Connection], *, now: Callable[[], datetime]
    ) -> None:
        self._inner = ErasedConnections(takes, rows, AddressBooks(), now=now)

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Do the next bounded piece; the tenant's lock comes before any row of a connection."""
        if person.user_id is not None and request.erases:
            await directory.lock_exclusive(conn, person.tenant_id)
        return await self._inner.step(conn, request, person)


class ErasedOwned:
    """Contacts of theirs: those that only they see go, the CRM's are nobody's from then on."""

    name = "contacts of theirs"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next contacts."""
        if person.user_id is None:
            return Step()
        of, after = person.tenant_id, after_of(request)
        turn = await Turn.begin(conn, of, now=self._now())
        ids = await store.list_owned(conn, of, person.user_id, after=after, limit=AT_ONCE)
        live = [one for one in (await turn.find(ids)).values() if one.is_live]
        for one in live if request.erases else ():
            if one.entity_id is None:
                turn.delete(one, origin=Origin.REPAIR)
            else:
                turn.change(one, one.card, origin=Origin.REPAIR, ours=False, owner_user_id=None)
        if request.erases:
            await turn.end()
            await store.disown(conn, of, ids)
        last = ids[-1] if len(ids) == AT_ONCE else None
        return Step(found={self.name: len(live)} if live else {}, place=place_at(last))


class ErasedGroups:
    """Groups of theirs, which nobody else has."""

    name = "groups of theirs"

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next groups."""
        if person.user_id is None:
            return Step()
        of, after = person.tenant_id, after_of(request)
        turn = await Turn.begin(conn, of, now=self._now())
        ids = await store.list_owned_groups(conn, of, person.user_id, after=after, limit=AT_ONCE)
        live = [one for one in (await groups.find_groups(conn, of, ids)).values() if one.is_live]
        grouping = Grouping(turn)
        for one in live if request.erases else ():
            await grouping.delete(one, origin=Origin.REPAIR)
        if request.erases:
            await turn.end()
            await store.disown_groups(conn, of, ids)
        last = ids[-1] if len(ids) == AT_ONCE else None
        return Step(found={self.name: len(live)} if live else {}, place=place_at(last))
