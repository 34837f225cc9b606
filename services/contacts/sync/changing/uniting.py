"""Two contacts that are the same person become one."""

from dataclasses import replace
from typing import Any

from libs.common.errors import InvalidInput
from libs.common.events.base import Origin
from services.contacts.domain.contact import Contact
from services.contacts.domain.items import united
from services.contacts.store import connections, people
from services.contacts.store import contacts as store
from services.contacts.store.groups import groups_of_contacts
from services.contacts.sync.changing.grouping import Grouping
from services.contacts.sync.changing.turn import Turn


async def unite(
    turn: Turn,
    contact: Contact,
    into: Contact,
    *,
    user_id: str | None,
    origin: Origin = Origin.CRM,
) -> Contact:
    """Let a contact be a part of another; return that one, which has what either has.

    People at Google, groups and nicknames are the other's then. Where both are people of the same
    address book, the one is deleted there if it is the user's own (the other gets what it had), or
    if we put it there; it stays in anybody else's.

    Args:
        turn: as `begin` made it.
        contact: it is there.
        into: another one that is.
        user_id: who says so; None: a service.
        origin: of the change.

    Raises:
        InvalidInput: `into` is the contact itself.
    """
    if contact.id == into.id:
        raise InvalidInput.field("into", "must be another contact")
    await _move_people(turn, contact, into, user_id)
    groups = await groups_of_contacts(turn.conn, turn.tenant_id, [contact.id])
    grouping = Grouping(turn)
    for group_id in sorted(groups[contact.id]):
        grouping.leave(group_id, [contact.id], origin=origin)
        grouping.join(group_id, [into.id], origin=origin)
    await store.move_nicknames(turn.conn, turn.tenant_id, contact.id, to=into.id, now=turn.now)
    more: dict[str, Any] = {"owner_user_id": _owner(contact, into)}
    given = contact
    if contact.entity_id is not None and into.entity_id is None:
        await store.release_entity(turn.conn, turn.tenant_id, contact.id)
        given = replace(contact, entity_id=None)
        more |= {"entity_id": contact.entity_id, "crm_version": contact.crm_version}
    kept = turn.merge(given, into, united(into.card, contact.card), origin=origin)
    return turn.change(kept, kept.card, origin=origin, ours=False, **more)


def _owner(contact: Contact, into: Contact) -> str | None:
    """Return whose both are then; what the whole tenant saw stays seen by all."""
    is_linked = (contact.entity_id or into.entity_id) is not None
    if not is_linked and None in (contact.owner_user_id, into.owner_user_id):
        return None
    return into.owner_user_id or contact.owner_user_id


async def _move_people(turn: Turn, contact: Contact, into: Contact, user_id: str | None) -> None:
    linked = await people.list_of_contacts(turn.conn, turn.tenant_id, [contact.id, into.id])
    taken = {one.connection_id for one in linked[into.id] if one.is_live}
    known = {one.connection_id for one in linked[into.id]}
    own = {
        one.id
        for one in await connections.list_connections(turn.conn, turn.tenant_id, user_id)
        if user_id is not None
    }
    for one in linked[contact.id]:
        if one.is_live and one.connection_id in taken:
            turn.keep_person(replace(one, made_by_us=one.made_by_us or one.connection_id in own))
        elif one.is_live or one.connection_id not in known:
            turn.keep_person(replace(one, contact_id=into.id))
            turn.linked(into.id)
