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
from libs.common.events.envelope import Envelope
from libs.common.ids import new_id
from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.flat import card_from, flat
from services.contacts.domain.merging import MergedCard, merge_cards
from services.contacts.domain.person import Known
from services.contacts.store import conflicts as store
from services.contacts.store import people
from services.contacts.store.conflicts import FIELDS, MATCH, Conflict
from services.contacts.sync.turn import Turn

Side = Literal["google", "crm"]
NEW: Final = "new"
"""The person of a match is a contact of their own."""
IGNORE: Final = "ignore"
"""The person of a match becomes no contact."""


async def note_fields(
    turn: Turn, connection: Connection, known: Known, merged: MergedCard
) -> Conflict | None:
    """Keep what both sides changed and a person has to choose; None: nothing, or nothing new.

    Args:
        turn: of the merge.
        connection: whose address book.
        known: the person, linked to the contact.
        merged: what the merge came to.
    """
    keys = sorted(merged.conflicts)
    if not keys:
        return None
    found = await _newest(turn, connection, FIELDS, known.resource)
    before = found if found is not None and found.state == "open" else None
    sides: dict[str, Any] = {
        name: {**(getattr(before, name) if before else {}), **_part(getattr(merged, name), keys)}
        for name in ("base", "ours", "theirs")
    }
    if before is not None and all(getattr(before, name) == sides[name] for name in sides):
        return None
    new = Conflict(
        tenant_id=turn.tenant_id,
        id=new_id(),
        kind=FIELDS,
        connection_id=connection.id,
        resource=known.resource,
        contact_id=known.contact_id,
        created_at=turn.now,
        **sides,
    )
    return await _open(turn, connection, new)


async def end_obsolete(turn: Turn, connection: Connection, resource: str, *, kind: str) -> None:
    """End the open conflict of that kind over a person: there is nothing to choose any more."""
    found = await _newest(turn, connection, kind, resource)
    if found is not None and found.state == "open":
        await _end(turn, connection, found, {}, by=None)


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
    return await _end(turn, connection, found, sides, by=by)


async def resolve_match(
    turn: Turn, connection: Connection, found: Conflict, choice: UUID | str, *, by: str
) -> Conflict:
    """Do as a person chose: they are that contact, a new one, or none.

    Args:
        turn: in which it is done.
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
    if choice == NEW:
        new = NewContact(owner_user_id=connection.user_id, card=known.base)
        contact = turn.create(new, origin=Origin.LIVE)
        turn.keep_person(replace(known, contact_id=contact.id))
    elif isinstance(choice, UUID):
        if choice not in found.candidates:
            raise InvalidInput.field("choice", "is no candidate")
        await link(turn, connection, known, await _contact(turn, choice))
    elif choice != IGNORE:
        raise InvalidInput.field("choice", "is none of the possible ones")
    return await _end(turn, connection, found, {"contact": str(choice)}, by=by)


async def link(turn: Turn, connection: Connection, known: Known, contact: Contact) -> Contact:
    """Let a person be a contact; return it with what both have.

    Raises:
        Conflict: `already-linked`: it is another person of the address book.
    """
    others = await people.list_of_contacts(turn.conn, turn.tenant_id, [contact.id])
    if any(one.connection_id == connection.id and one.is_live for one in others[contact.id]):
        raise ConflictError("The contact is somebody in this address book.", slug="already-linked")
    merged = merge_cards(
        Card(),
        contact.card,
        known.base,
        policy=connection.preferences.conflict_policy,
        changed=contact.changed,
        theirs_at=known.google_updated or turn.now,
    )
    after = turn.change(contact, merged.card, origin=Origin.LIVE, ours=False)
    linked = replace(known, contact_id=contact.id)
    turn.keep_person(linked)
    await note_fields(turn, connection, linked, merged)
    return after


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


async def _open(turn: Turn, connection: Connection, new: Conflict) -> Conflict:
    opened = await store.open_conflict(turn.conn, new)
    event = published.ConflictDetected(**_facts(connection, opened), origin=Origin.LIVE)
    await outbox.append(turn.conn, _envelope(event, opened, turn))
    return opened


async def _end(
    turn: Turn,
    connection: Connection,
    found: Conflict,
    choice: Mapping[str, Any],
    *,
    by: str | None,
) -> Conflict:
    ended = await store.resolve_conflict(
        turn.conn, found.tenant_id, found.id, choice=choice, by=by, now=turn.now
    )
    if ended is None:
        raise ConflictError("Somebody has chosen already.", slug="conflict-resolved")
    origin = Origin.LIVE if by is None else Origin.CRM
    event = published.ConflictResolved(**_facts(connection, ended), origin=origin, resolved_by=by)
    await outbox.append(turn.conn, _envelope(event, ended, turn))
    return ended


def _facts(connection: Connection, one: Conflict) -> dict[str, Any]:
    keys = one.ours.keys() | one.theirs.keys() if one.kind == FIELDS else ()
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


def _envelope(
    event: published.ConflictDetected | published.ConflictResolved, one: Conflict, turn: Turn
) -> Envelope:
    return Envelope.of(
        event,
        tenant_id=one.tenant_id,
        aggregate_id=str(one.id),
        sequence=one.sequence,
        time=turn.now,
    )
