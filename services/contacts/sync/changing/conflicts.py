"""What a person has to choose: kept when it is found, and done when somebody has chosen.

While a value waits, both sides have Google's; the CRM's is kept beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal
from uuid import UUID

from libs.common import outbox
from libs.common.errors import Conflict as ConflictError
from libs.common.errors import InvalidInput, NotFound
from libs.common.events import contacts as published
from libs.common.events.base import Origin
from libs.common.ids import new_id
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.flat import card_from, flat
from services.contacts.domain.merging import MergedCard
from services.contacts.domain.person import Known
from services.contacts.store import conflicts as store
from services.contacts.store import labels, people
from services.contacts.store.conflicts import Conflict, ConflictKind
from services.contacts.sync.changing.conflict_facts import conflict_envelope, conflict_facts
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.intake import Intake

Side = Literal["google", "crm"]
NEW: Final = "new"
"""The person of a match is a contact of their own."""
IGNORE: Final = "ignore"
"""The person of a match becomes no contact."""


class FieldConflicts:
    """Keeps values that both sides changed, each to another one, for a person who chooses."""

    async def note(
        self,
        turn: Turn,
        connection: Connection,
        contact: Contact,
        resource: str,
        merged: MergedCard,
        *,
        origin: Origin,
    ) -> None:
        """Keep what has to be chosen; what is kept already is not told of again.

        Args:
            turn: of the merge.
            connection: whose address book.
            contact: as it is after the merge.
            resource: the person that it is.
            merged: what the merge came to.
            origin: why it was made.
        """
        keys = sorted(merged.conflicts)
        if not keys:
            return
        found = await _newest(turn, connection, ConflictKind.FIELDS, resource)
        before = found if found is not None and found.state == "open" else None
        sides: dict[str, Any] = {
            name: {
                **(getattr(before, name) if before else {}),
                **_part(getattr(merged, name), keys),
            }
            for name in ("base", "ours", "theirs")
        }
        if before is not None and all(getattr(before, name) == sides[name] for name in sides):
            return
        new = Conflict(
            tenant_id=turn.tenant_id,
            id=new_id(),
            kind=ConflictKind.FIELDS,
            connection_id=connection.id,
            resource=resource,
            contact_id=contact.id,
            created_at=turn.now,
            **sides,
        )
        opened = await store.open_conflict(turn.conn, new)
        event = published.ConflictDetected(**conflict_facts(connection, opened), origin=origin)
        await outbox.append(turn.conn, conflict_envelope(event, opened, now=turn.now))


async def resolve_fields(
    turn: Turn,
    connection: Connection,
    found: Conflict,
    choice: Side | Mapping[str, Side],
    *,
    by: str,
) -> Conflict:
    """Do as a person chose: values that are the CRM's are written, the others stay as they are.

    Args:
        turn: in which it is done.
        connection: whose address book.
        found: of kind `fields`.
        choice: whose value stays, of all keys or of each.
        by: who chose.

    Raises:
        InvalidInput: a key has no choice, or is none of the conflict's.
        Conflict: `conflict-resolved`: somebody has chosen already.
        NotFound: the contact is gone.
    """
    keys = sorted(found.ours.keys() | found.theirs.keys())
    sides = dict.fromkeys(keys, choice) if isinstance(choice, str) else dict(choice)
    for key in keys:
        if key not in sides:
            raise InvalidInput.field(f"choice.{key}", "needs a choice")
    for key in sides:
        if key not in keys:
            raise InvalidInput.field(f"choice.{key}", "is no part of this conflict")
    chosen = [key for key in keys if sides[key] == "crm"]
    if chosen:
        contact = await _contact(turn, found.contact_id)
        values = flat(contact.card, card_from(found.base))
        values |= {key: found.ours.get(key) for key in chosen}
        card = card_from(values, contact.card)
        turn.change(contact, card, origin=Origin.CRM, ours=True)
    return await end_conflict(turn, connection, found, sides, by=by)


async def resolve_match(
    turn: Turn,
    intake: Intake,
    connection: Connection,
    found: Conflict,
    choice: UUID | str,
    *,
    by: str,
) -> Conflict:
    """Do as a person chose: they are that contact, a new one, or none.

    Args:
        turn: in which it is done.
        intake: links the person.
        connection: whose address book.
        found: of kind `match`.
        choice: one of its candidates, `NEW` or `IGNORE`.
        by: who chose.

    Raises:
        InvalidInput: it is none of these.
        Conflict: `conflict-resolved`: somebody has chosen already; `already-linked`: the contact
            is another person of the address book by now.
        NotFound: the contact or the person is gone.
    """
    known = (
        await people.find_people(turn.conn, turn.tenant_id, connection.id, [found.resource])
    ).get(found.resource)
    if known is None or not known.is_live:
        raise NotFound("There is no such person any more.")
    ended = await end_conflict(turn, connection, found, {"contact": str(choice)}, by=by)
    for one in found.candidates:
        turn.touch(one)  # whoever it is not may be written there now
    if choice == NEW:
        new = NewContact(owner_user_id=connection.user_id, card=known.base)
        contact = turn.create(new, origin=Origin.LIVE)
        turn.keep_person(replace(known, contact_id=contact.id))
        await _regroup(turn, connection, known, contact)
    elif isinstance(choice, UUID):
        if choice not in found.candidates:
            raise InvalidInput.field("choice", "is no candidate")
        contact = await _contact(turn, choice)
        await _refuse_linked(turn, connection, contact)
        await intake.link(turn, connection, known, contact, origin=Origin.CRM)
    elif choice != IGNORE:
        raise InvalidInput.field("choice", "is none of the possible ones")
    return ended


async def _regroup(turn: Turn, connection: Connection, known: Known, contact: Contact) -> None:
    """Let a contact be in the groups whose labels the person has."""
    groups = await labels.groups_by_label(turn.conn, turn.tenant_id, connection.id)
    grouping = Grouping(turn)
    for label in known.groups:
        if label in groups:
            grouping.join(groups[label], [contact.id], origin=Origin.LIVE)


async def _refuse_linked(turn: Turn, connection: Connection, contact: Contact) -> None:
    others = await people.list_of_contacts(turn.conn, turn.tenant_id, [contact.id])
    if any(one.connection_id == connection.id and one.is_live for one in others[contact.id]):
        raise ConflictError("The contact is somebody in this address book.", slug="already-linked")


async def _contact(turn: Turn, contact_id: UUID | None) -> Contact:
    found = {} if contact_id is None else await turn.find([contact_id])
    contact = found.get(contact_id) if contact_id is not None else None
    if contact is None or not contact.is_live:
        raise NotFound("There is no such contact any more.")
    return contact


async def _newest(turn: Turn, connection: Connection, kind: str, resource: str) -> Conflict | None:
    return await store.find_newest(
        turn.conn, turn.tenant_id, connection.id, kind=kind, resource=resource
    )


def _part(values: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: values[key] for key in keys if values.get(key) is not None}


async def end_conflict(
    turn: Turn,
    connection: Connection,
    found: Conflict,
    choice: Mapping[str, Any],
    *,
    by: str,
    origin: Origin = Origin.CRM,
) -> Conflict:
    """Return a conflict that is over, and tell of it.

    Raises:
        Conflict: `conflict-resolved`: somebody has chosen already.
    """
    ended = await store.resolve_conflict(
        turn.conn, found.tenant_id, found.id, choice=choice, by=by, now=turn.now
    )
    if ended is None:
        raise ConflictError("Somebody has chosen already.", slug="conflict-resolved")
    event = published.ConflictResolved(
        **conflict_facts(connection, ended), origin=origin, resolved_by=by
    )
    await outbox.append(turn.conn, conflict_envelope(event, ended, now=turn.now))
    return ended
