"""Parts of an erasure that every service with connections has."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from libs.common.connections.model import Connected, Purge, State, Told
from libs.common.connections.rows import ConnectionRows
from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import privacy as directory_privacy
from libs.common.directory import store as directory
from libs.common.directory.privacy import Named
from libs.common.privacy import tables
from libs.common.privacy.model import Person, Request, Step
from libs.common.privacy.tables import DECISIONS, DeadThing, NamedIn
from libs.common.scrubbing import Scrubber

AT_ONCE = 100
ENTITIES_AT_ONCE = 500
FIRST = UUID(int=0)
TO_CRM = "crm-entity:"

C = TypeVar("C", bound=Connected)
Reading = Callable[[bytes], Iterable[str]]
"""Returns further texts that are hidden in a payload."""


def after_of(request: Request) -> UUID:
    """Return behind which id the next step looks."""
    return UUID(request.place["after"]) if request.place else FIRST


def place_at(last: UUID | None) -> Mapping[str, Any] | None:
    """Return the place behind an id; None: that was all."""
    return None if last is None else {"after": str(last)}


class Takes(Protocol):
    """Brings connections to where they were told to be; see `Following`."""

    async def take(self, conn: Conn, told: Told) -> bool:
        """Apply what was told, in the caller's transaction."""
        ...

    async def purge_some(self, conn: Conn, tenant_id: str, connection_id: UUID) -> int:
        """Remove some of what was read, in the caller's transaction; return how many."""
        ...


class Holdings(Protocol):
    """What a service holds of its connections."""

    connections: str
    """What a person calls them, in the plural."""
    content: str
    """And what was read there: records of which `purge_some` says how many went."""

    async def count(self, conn: Conn, tenant_id: str, connection_id: UUID) -> Mapping[str, int]:
        """Return how much is held of a connection, by kind."""
        ...

    async def purge_rest(self, conn: Conn, tenant_id: str, connection_id: UUID) -> None:
        """Remove what `purge_some` leaves."""
        ...

    async def forget(
        self, conn: Conn, tenant_id: str, connection_id: UUID, *, now: datetime
    ) -> None:
        """Leave nothing of a connection that was purged but that it is none any more."""
        ...


class ErasedConnections(Generic[C]):
    """All connections the user has or had: ended, emptied, and then nobody's."""

    def __init__(
        self,
        takes: Takes,
        rows: ConnectionRows[C],
        holdings: Holdings,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """Call itself as `holdings` calls connections."""
        self.name = holdings.connections
        self._takes = takes
        self._rows = rows
        self._holdings = holdings
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Do the next bounded piece on the first connection of which something is left."""
        if person.user_id is None:
            return Step()
        ids = await tables.list_connections_of(conn, person.tenant_id, person.user_id)
        if not request.erases:
            return await self._counted(conn, person.tenant_id, ids)
        if not ids:
            return Step()
        found = await self._piece(conn, person.tenant_id, ids[0])
        return Step(found=found, place={"left": len(ids)})

    async def _piece(self, conn: Conn, tenant_id: str, connection_id: UUID) -> dict[str, int]:
        current = await self._rows.lock(conn, tenant_id, connection_id)
        if current is None:
            return {}
        if current.purge is Purge.NONE:
            await self._takes.take(conn, _over(current))
            return {self._holdings.connections: 1}
        if current.purge is Purge.DONE:
            await self._holdings.forget(conn, tenant_id, connection_id, now=self._now())
            return {}
        gone = await self._takes.purge_some(conn, tenant_id, connection_id)
        if gone:
            return {self._holdings.content: gone}
        await self._holdings.purge_rest(conn, tenant_id, connection_id)
        return {}

    async def _counted(self, conn: Conn, tenant_id: str, ids: Sequence[UUID]) -> Step:
        found = {self._holdings.connections: len(ids)}
        for one in ids:
            for kind, count in (await self._holdings.count(conn, tenant_id, one)).items():
                found[kind] = found.get(kind, 0) + count
        return Step(found={kind: count for kind, count in found.items() if count})


def _over(current: Connected) -> Told:
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


class ErasedNames:
    """Where a user is named outside of what they connected: decisions, owners of entities."""

    name = "names"

    def __init__(self, *elsewhere: NamedIn, directory: bool = True) -> None:
        """Look there besides the tables that every service has, and in its directory."""
        self._places = (DECISIONS, *elsewhere)
        self._has_directory = directory

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Count them once, then take them out."""
        if person.user_id is None:
            return Step()
        of, user_id = person.tenant_id, person.user_id
        found: dict[str, int] = {}
        if request.place is None:
            found = await tables.count_named(conn, self._places, of, user_id)
            if self._has_directory and (owned := await tables.count_owned(conn, of, user_id)):
                found["entities owned"] = owned
        if not request.erases:
            return Step(found=found)
        await tables.forget_named(conn, self._places, of, user_id)
        if not self._has_directory:
            return Step(found=found)
        is_all = await tables.forget_owner(conn, of, user_id, limit=ENTITIES_AT_ONCE)
        return Step(found=found, place=None if is_all else {"more": True})


class ErasedDeadItems:
    """What could not be taken in; also what could not even be attributed.

    Args:
        hidden: finds texts that a payload does not show as they are.
    """

    name = "dead_items"

    def __init__(self, *, hidden: Reading | None = None) -> None:
        self._hidden = hidden

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next dead items."""
        if not person.addresses:
            return Step()
        rows = await tables.list_dead_items(
            conn, person.tenant_id, after=after_of(request), limit=AT_ONCE
        )
        scrubber = Scrubber(person.addresses)
        named = [one for one in rows if names_somebody(one, scrubber, self._hidden)]
        if request.erases:
            await tables.drop_dead_items(conn, [one.id for one in named])
        gone = sum(one.is_tenants for one in named)
        last = rows[-1].id if len(rows) == AT_ONCE else None
        return Step(found={"dead items": gone} if gone else {}, place=place_at(last))


def names_somebody(one: DeadThing, scrubber: Scrubber, hidden: Reading | None = None) -> bool:
    """Say whether a dead item names the person."""
    if scrubber.mentions(one.words):
        return True
    if one.payload is None:
        return False
    if scrubber.mentions(one.payload.decode(errors="replace")):
        return True
    return hidden is not None and any(map(scrubber.mentions, hidden(one.payload)))


class ErasedFromDirectory:
    """The directory's copy. The entity is the CRM's: the notes say which it must see to itself."""

    name = "directory"

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Take the addresses from the next entities."""
        if not person.addresses:
            return Step()
        of, wanted = person.tenant_id, person.addresses
        after = EntityRef.from_subject(request.place["after"]) if request.place else None
        if request.erases:
            await directory.lock_exclusive(conn, of)
        named = await directory_privacy.list_named(conn, of, wanted, after=after, limit=AT_ONCE)
        scrubber = Scrubber(wanted)
        for one in named if request.erases else ():
            name, phones = _what_stays(one, person, scrubber)
            await directory_privacy.forget_person(
                conn, of, one.ref, wanted, name=name, phones=phones
            )
        return Step(
            found={"entities": len(named)} if named else {},
            notes=[f"{TO_CRM}{one.ref}" for one in named],
            place={"after": str(named[-1].ref)} if len(named) == AT_ONCE else None,
        )


def _what_stays(one: Named, person: Person, scrubber: Scrubber) -> tuple[str, tuple[str, ...]]:
    """Return an entity's name and phones: none of one that stood for nobody else."""
    if not one.others(person.addresses):
        return "", ()
    return scrubber.text(one.name), one.phones
