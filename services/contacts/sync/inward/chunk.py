"""A chunk of an address book on its way in: what was found, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.person import Known
from services.contacts.store import labels, sync_logs
from services.contacts.store.sync_logs import Line
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.match_conflicts import MatchConflicts


@dataclass(slots=True)
class Taken:
    """What a chunk of an address book came to."""

    added: int = 0
    """New contacts."""
    changed: int = 0
    """Contacts that changed, or that somebody turned out to be."""
    removed: int = 0
    """Contacts that are gone, or not in this address book any more."""

    @property
    def is_anything(self) -> bool:
        """Say whether anything came of it."""
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Found:
    """A person of a chunk."""

    before: Known | None
    """As they were known."""
    card: Card
    """What Google has of them."""
    at: datetime
    """When they changed there."""
    known: Known
    """As they are to be known, but for the card and the contact."""


class Chunk:
    """What becomes of a chunk of people; `begin` makes it, `end` logs it."""

    def __init__(
        self,
        turn: Turn,
        connection: Connection,
        *,
        origin: Origin,
        contacts: Mapping[UUID, Contact],
        conflicts: MatchConflicts,
        groups: Mapping[str, UUID],
    ) -> None:
        self.turn = turn
        self.connection = connection
        self.origin = origin
        self.contacts = contacts
        self.conflicts = conflicts
        self._groups = groups
        self._grouping = Grouping(turn)
        self._taken = Taken()
        self._lines: list[Line] = []

    @classmethod
    async def begin(
        cls, turn: Turn, connection: Connection, found: Sequence[Found], *, origin: Origin
    ) -> "Chunk":
        """Return what is needed for these people of an address book."""
        ids = {one.known.contact_id for one in found if one.known.contact_id is not None}
        asked = [one.known.resource for one in found if one.before is not None]
        return cls(
            turn,
            connection,
            origin=origin,
            contacts=await turn.find(ids),
            conflicts=await MatchConflicts.of(turn, connection, asked),
            groups=await labels.groups_by_label(turn.conn, turn.tenant_id, connection.id),
        )

    def added(self, one: Found, contact: Contact) -> None:
        """Note that a person is a new contact."""
        self._taken.added += 1
        self._lines.append(line_of(self.connection, "create", contact.id, one.known.resource))
        self._regroup(contact.id, before=(), after=one.known.groups)

    def linked(self, one: Found, contact: Contact) -> None:
        """Note that a person turned out to be a contact."""
        self._taken.changed += 1
        self._lines.append(line_of(self.connection, "update", contact.id, one.known.resource))
        self._regroup(contact.id, before=(), after=one.known.groups)
        self.turn.linked(contact.id)

    def changed(self, one: Found, before: Contact, after: Contact) -> None:
        """Note what a person's change came to."""
        groups = () if one.before is None else one.before.groups
        self._regroup(before.id, before=groups, after=one.known.groups)
        if after is not before or groups != one.known.groups:
            self._taken.changed += 1
            self._lines.append(line_of(self.connection, "update", before.id, one.known.resource))

    def keep(self, one: Found, contact_id: UUID | None, *, made_by_us: bool | None = None) -> None:
        """Keep a person as they are now, as that contact; `made_by_us`: None: as it is known."""
        known = replace(one.known, base=one.card, contact_id=contact_id)
        if made_by_us is not None:
            known = replace(known, made_by_us=made_by_us)
        self.turn.keep_person(known)

    async def end(self) -> Taken:
        """Write the log; return what all came to."""
        turn = self.turn
        await sync_logs.add_lines(turn.conn, turn.tenant_id, self._lines, now=turn.now)
        return self._taken

    def _regroup(self, contact_id: UUID, *, before: Sequence[str], after: Sequence[str]) -> None:
        """Follow what changed at Google: what only our side changed is not touched."""
        for label in {*before} ^ {*after}:
            group_id = self._groups.get(label)
            if group_id is None:
                continue
            change = self._grouping.join if label in after else self._grouping.leave
            change(group_id, [contact_id], origin=self.origin)


def line_of(connection: Connection, action: str, contact_id: UUID, resource: str) -> Line:
    """Return the line of the log on what came from an address book."""
    return Line(
        connection_id=connection.id,
        direction="from_google",
        action=action,
        item_id=contact_id,
        resource=resource,
    )
