"""What is told of a contact, from how it was and how it is."""

from collections.abc import Sequence
from typing import Any, Literal

from libs.common.events import contacts as events
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from services.contacts.domain.contact import ENTITY_TYPE, Contact
from services.contacts.domain.flat import changed_fields
from services.contacts.domain.mapping import crm_fields
from services.contacts.domain.person import Link
from services.contacts.domain.preferences import TenantDefaults


def contact_event(
    before: Contact | None,
    after: Contact,
    *,
    links: Sequence[Link],
    defaults: TenantDefaults,
    origin: Origin,
) -> Envelope | None:
    """Return the event of a contact that changed, under its sequence; None: nobody knew of it.

    Args:
        before: as it was told of last; None: it never was.
        after: as it is.
        links: where it is at Google.
        defaults: of its tenant, for the names of fields.
        origin: of the change.
    """
    was_there = before is not None and before.is_live
    facts = _identity(after)
    event: events.ContactCreated | events.ContactUpdated | events.ContactDeleted
    if not after.is_live:
        if before is None or not before.is_live:
            return None
        facts = _identity(before) | {"version": after.version}
        if after.merged_into is not None:
            merged = events.ContactMerged(origin=origin, into_contact_id=after.merged_into, **facts)
            return _sealed(merged, after)
        event = events.ContactDeleted(origin=origin, **facts)
    else:
        facts |= _facts(after, links, defaults)
        if before is None or not was_there:
            event = events.ContactCreated(origin=origin, **facts)
        else:
            changed = tuple(sorted(changed_fields(before.card, after.card)))
            event = events.ContactUpdated(origin=origin, changed=changed, **facts)
    return _sealed(event, after)


def _sealed(event: Any, contact: Contact) -> Envelope:
    return Envelope.of(
        event,
        tenant_id=contact.tenant_id,
        aggregate_id=str(contact.id),
        sequence=contact.sequence,
        time=contact.updated_at,
    )


def _identity(contact: Contact) -> dict[str, Any]:
    visible: Literal["tenant", "owner"] = "tenant"
    if contact.entity_id is None and contact.owner_user_id is not None:
        visible = "owner"
    return {
        "contact_id": contact.id,
        "version": contact.version,
        "owner_user_id": contact.owner_user_id,
        "entity": events.Reference(type=ENTITY_TYPE, id=contact.entity_ref),
        "visible_to": visible,
    }


def _facts(contact: Contact, links: Sequence[Link], defaults: TenantDefaults) -> dict[str, Any]:
    card = contact.card
    return {
        "name": card.shown_name,
        "emails": tuple(
            events.EmailFact(address=one.address, type=one.type, primary=one.primary)
            for one in card.emails
        ),
        "phones": tuple(
            events.PhoneFact(number=one.number, e164=one.e164, type=one.type, primary=one.primary)
            for one in card.phones
        ),
        "organization": card.organization,
        "title": card.title,
        "fields": crm_fields(card, defaults),
        "links": tuple(
            events.GoogleLink(connection_id=one.connection_id, resource=one.resource)
            for one in links
        ),
    }
