"""What is told of a contact, from how it was and how it is.

An address book is told of by the ten thousand: events are sealed without being made, and tests
hold them to their schemas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from libs.common.events import contacts as events
from libs.common.events.base import Origin
from libs.common.events.envelope import EventClass, Sealed
from services.contacts.domain.card import Email, Phone
from services.contacts.domain.contact import ENTITY_TYPE, Contact
from services.contacts.domain.flat import changed_fields
from services.contacts.domain.mapping import crm_fields
from services.contacts.domain.person import Link
from services.contacts.domain.preferences import TenantDefaults

EMAIL: Final = tuple(one.name for one in fields(Email))
PHONE: Final = tuple(one.name for one in fields(Phone))
_EMAIL: Final = attrgetter(*EMAIL)
_PHONE: Final = attrgetter(*PHONE)


def contact_event(
    before: Contact | None,
    after: Contact,
    *,
    links: Sequence[Link],
    defaults: TenantDefaults,
    origin: Origin,
) -> Sealed | None:
    """Return the event of a contact that changed, under its sequence; None: nobody knew of it.

    Args:
        before: as it was told of last; None: it never was.
        after: as it is.
        links: where it is at Google.
        defaults: of its tenant, for the names of fields.
        origin: of the change.
    """
    known = before if before is not None and before.is_live else None
    if after.is_live:
        facts = _identity(after, origin) | _facts(after, links, defaults)
        if known is None:
            return _sealed(events.ContactCreated, facts, after)
        changed = sorted(changed_fields(known.card, after.card))
        return _sealed(events.ContactUpdated, facts | {"changed": changed}, after)
    if known is None:
        return None
    facts = _identity(known, origin) | {"version": after.version}
    if after.merged_into is not None:
        merged = facts | {"into_contact_id": str(after.merged_into)}
        return _sealed(events.ContactMerged, merged, after)
    return _sealed(events.ContactDeleted, facts, after)


def _sealed(kind: EventClass[Any], facts: Mapping[str, Any], contact: Contact) -> Sealed:
    return Sealed.of(
        kind,
        facts,
        tenant_id=contact.tenant_id,
        aggregate_id=str(contact.id),
        sequence=contact.sequence,
        time=contact.updated_at,
    )


def _identity(contact: Contact, origin: Origin) -> dict[str, Any]:
    return {
        "origin": origin,
        "contact_id": str(contact.id),
        "version": contact.version,
        "owner_user_id": contact.owner_user_id,
        "entity": {"type": ENTITY_TYPE, "id": contact.entity_ref},
        "visible_to": "owner" if contact.is_private else "tenant",
    }


def _facts(contact: Contact, links: Sequence[Link], defaults: TenantDefaults) -> dict[str, Any]:
    card = contact.card
    return {
        "name": card.shown_name,
        "emails": [dict(zip(EMAIL, _EMAIL(one), strict=True)) for one in card.emails],
        "phones": [dict(zip(PHONE, _PHONE(one), strict=True)) for one in card.phones],
        "organization": card.organization,
        "title": card.title,
        "fields": crm_fields(card, defaults),
        "links": [
            {"connection_id": str(one.connection_id), "resource": one.resource}
            for one in links[: events.MOST_LINKS]
        ],
    }
