"""Contacts as calls make, change and remove them; in a turn that the caller begins and ends."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from libs.common.errors import Conflict, NotFound
from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.domain.person import Known
from services.contacts.store import connections, people
from services.contacts.store import contacts as store
from services.contacts.sync.changing.turn import Turn

ORIGIN: Final = Origin.CRM
"""Of whatever a call changes: the CRM's side did it."""


async def get_contact(turn: Turn, contact_id: UUID, user_id: str | None) -> Contact:
    """Return a live contact that a user may see; None: a service, which sees all.

    Raises:
        NotFound: there is none.
    """
    return visible((await turn.find([contact_id])).get(contact_id), user_id)


def visible(contact: Contact | None, user_id: str | None) -> Contact:
    """Return a contact that is there and that a user may see.

    Raises:
        NotFound: it is not, or they may not; `merged_into` says what it is a part of since.
    """
    if contact is None or not contact.is_visible_to(user_id):
        raise NotFound("There is no such contact.")
    if contact.merged_into is not None:
        raise NotFound("It is a part of another contact.", merged_into=str(contact.merged_into))
    if not contact.is_live:
        raise NotFound("There is no such contact.")
    return contact


async def create(turn: Turn, new: NewContact) -> Contact:
    """Return a contact that is new, or that is there again under the CRM's id of it.

    Raises:
        Conflict: `entity-taken`: another contact has the CRM's id.
    """
    before = await _of_entity(turn, new.entity_id)
    if before is None:
        return turn.create(new, origin=ORIGIN)
    return turn.change(
        before,
        new.card,
        origin=ORIGIN,
        ours=True,
        owner_user_id=new.owner_user_id,
        deleted_at=None,
        merged_into=None,
    )


async def change(turn: Turn, contact: Contact, card: Card, **more: Any) -> Contact:
    """Return a contact with another card, and other attributes: `owner_user_id`, `entity_id`.

    Raises:
        Conflict: `entity-taken`: another contact has the CRM's id; `entity-linked`: this one has
            another of the CRM's ids already.
    """
    entity_id = more.get("entity_id", contact.entity_id)
    if entity_id != contact.entity_id:
        if contact.entity_id is not None:
            raise Conflict("It is another contact of the CRM's already.", slug="entity-linked")
        before = await _of_entity(turn, entity_id)
        if before is not None:
            await store.release_entity(turn.conn, turn.tenant_id, before.id)
            more["crm_version"] = before.crm_version
    return turn.change(contact, card, origin=ORIGIN, ours=True, **more)


async def delete(
    turn: Turn, contact: Contact, *, from_google: bool, user_id: str | None
) -> Contact:
    """Return a contact that is there no more.

    Args:
        turn: as `begin` made it.
        contact: it is there.
        from_google: it goes from the address books of whoever says so, too, whoever put it there.
        user_id: who says so; None: a service, for the contact's owner.
    """
    if from_google:
        of = contact.owner_user_id if user_id is None else user_id
        for one in await _people_of(turn, contact, of):
            turn.keep_person(replace(one, made_by_us=True))
    return turn.delete(contact, origin=ORIGIN)


def check_version(contact: Contact, version: int | None) -> None:
    """Let a change of the version that was seen pass; None: whatever it is.

    Raises:
        Conflict: `stale-version`: it was changed meanwhile.
    """
    if version is not None and version != contact.version:
        raise Conflict(
            "The contact was changed meanwhile.", slug="stale-version", version=contact.version
        )


async def _of_entity(turn: Turn, entity_id: str | None) -> Contact | None:
    """Return the contact that was the CRM's with that id, and is gone; None: none was.

    Raises:
        Conflict: `entity-taken`: one is.
    """
    if entity_id is None:
        return None
    found = await store.find_by_entity(turn.conn, turn.tenant_id, entity_id)
    if found is None:
        return None
    if found.is_live:
        raise Conflict(
            "Another contact is the CRM's with that id.",
            slug="entity-taken",
            contact_id=str(found.id),
        )
    return (await turn.find([found.id]))[found.id]


async def _people_of(turn: Turn, contact: Contact, user_id: str | None) -> Sequence[Known]:
    """Return the live people a contact is in a user's own address books."""
    linked = (await people.list_of_contacts(turn.conn, turn.tenant_id, [contact.id]))[contact.id]
    mine = {
        one.id for one in await connections.list_connections(turn.conn, turn.tenant_id, user_id)
    }
    return [
        one for one in linked if one.is_live and user_id is not None and one.connection_id in mine
    ]
