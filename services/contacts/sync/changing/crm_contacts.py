"""Contacts as the CRM tells of them: its changes are taken in by version, in any order."""

from typing import Any
from uuid import UUID

from libs.common.events import crm
from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.items import united
from services.contacts.domain.mapping import card_of_crm
from services.contacts.domain.matching import candidates
from services.contacts.domain.preferences import TenantDefaults
from services.contacts.store import contacts as store
from services.contacts.store import tenant_defaults
from services.contacts.sync.changing.turn import Turn

ORIGIN = Origin.CRM


async def take_in(turn: Turn, event: crm.ContactEvent) -> bool:
    """Take in what the CRM says of a contact; say whether that was news.

    A version that is not newer than the newest changes nothing; of the same version a deletion
    stays.
    """
    found = await _named(turn, event.contact_id)
    if isinstance(event, crm.ContactDeleted):
        return await _delete(turn, event, found)
    if found is not None and found.crm_version >= event.version:
        return False
    defaults = await tenant_defaults.find_defaults(turn.conn, turn.tenant_id)
    if found is None:
        await _begin(turn, event, defaults)
    else:
        await _change(turn, event, found, defaults)
    return True


async def _begin(turn: Turn, event: crm.ContactUpserted, defaults: TenantDefaults) -> None:
    """Take in a contact that nobody knew as the CRM's: somebody who is here already, or new."""
    card = card_of_crm(event.fields, Card(), defaults)
    known = await _same(turn, card, event.owner_user_id)
    if known is None:
        new = NewContact(
            owner_user_id=event.owner_user_id,
            card=card,
            entity_id=event.contact_id,
            crm_version=event.version,
        )
        turn.create(new, origin=ORIGIN)
        return
    turn.change(
        known,
        united(card, known.card),
        origin=ORIGIN,
        ours=True,
        **_attributes(event, known),
    )


async def _change(
    turn: Turn, event: crm.ContactUpserted, found: Contact, defaults: TenantDefaults
) -> None:
    main = await _followed(turn, found)
    if main.id != found.id:
        turn.change(found, found.card, origin=ORIGIN, ours=True, crm_version=event.version)
        card = card_of_crm(event.fields, main.card, defaults)
        turn.change(main, card, origin=ORIGIN, ours=True)
        return
    turn.change(
        found,
        card_of_crm(event.fields, found.card, defaults),
        origin=ORIGIN,
        ours=True,
        **_attributes(event, found),
        deleted_at=None,
        merged_into=None,
    )


async def _delete(turn: Turn, event: crm.ContactDeleted, found: Contact | None) -> bool:
    if found is None:
        nobody = NewContact(
            owner_user_id=None,
            card=Card(),
            entity_id=event.contact_id,
            crm_version=event.version,
        )
        turn.delete(turn.create(nobody, origin=ORIGIN), origin=ORIGIN, crm_version=event.version)
        return False
    if found.crm_version > event.version:
        return False
    if not found.is_live:
        turn.change(found, found.card, origin=ORIGIN, ours=True, crm_version=event.version)
        return False
    turn.delete(found, origin=ORIGIN, crm_version=event.version)
    return True


def _attributes(event: crm.ContactUpserted, contact: Contact) -> dict[str, Any]:
    return {
        "entity_id": event.contact_id,
        "crm_version": event.version,
        "owner_user_id": event.owner_user_id or contact.owner_user_id,
    }


async def _named(turn: Turn, contact_id: str) -> Contact | None:
    """Return the contact that the CRM means: by its own id of it, or by ours that it took over."""
    found = await store.find_by_entity(turn.conn, turn.tenant_id, contact_id)
    if found is None:
        try:
            ours = UUID(contact_id)
        except ValueError:
            return None
        found = (await turn.find([ours])).get(ours)
        if found is None or found.entity_id is not None or str(found.id) != contact_id:
            return None
    return (await turn.find([found.id]))[found.id]


async def _followed(turn: Turn, contact: Contact) -> Contact:
    """Return what a contact is a part of since; itself if it is no part of what is there."""
    main = contact
    while main.merged_into is not None:
        after = (await turn.find([main.merged_into])).get(main.merged_into)
        if after is None:
            return contact
        main = after
    return main if main.is_live else contact


async def _same(turn: Turn, card: Card, owner_user_id: str | None) -> Contact | None:
    """Return the one contact that is nobody's in the CRM and can only be this one.

    Of a contact with an owner it is theirs, or the tenant's: what others have is their own affair.
    Of several the owner's own counts; of several of theirs none does.
    """
    sharing = [
        one
        for one in await turn.find_by_keys(card)
        if one.entity_id is None
        and (owner_user_id is None or one.owner_user_id in (None, owner_user_id))
    ]
    found = candidates(card, (), sharing)
    if len(found) == 1:
        return found[0]
    own = [one for one in found if one.owner_user_id == owner_user_id is not None]
    return own[0] if len(own) == 1 else None
