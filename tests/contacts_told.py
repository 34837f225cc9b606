"""Events as the contacts service tells them, for tests of whoever hears them."""

from typing import Any
from uuid import UUID

from libs.common.events import contacts
from libs.common.events.base import Origin
from libs.common.events.contacts import EmailFact, PhoneFact, Reference
from libs.common.events.envelope import Envelope
from tests.messaging import NOON

ANN = UUID("01900000-0000-7000-8000-000000000001")
"""A contact; the other one was made later."""
LATER = UUID("01900000-0000-7000-8000-000000000002")


def identity(
    contact_id: UUID = ANN, *, entity_id: str | None = None, visible_to: str = "tenant"
) -> dict[str, Any]:
    """Return what every event of a contact says; it is the CRM's with `entity_id`."""
    return {
        "origin": Origin.LIVE,
        "contact_id": contact_id,
        "version": 1,
        "owner_user_id": "ada",
        "entity": Reference(type="contact", id=entity_id or str(contact_id)),
        "visible_to": visible_to,
    }


def created(*emails: str, name: str = "Ann", **of: Any) -> contacts.ContactCreated:
    """Return that a contact is new."""
    return contacts.ContactCreated(**identity(**of), **_facts(emails, name))


def updated(*emails: str, name: str = "Ann", **of: Any) -> contacts.ContactUpdated:
    """Return that a contact has changed."""
    return contacts.ContactUpdated(**identity(**of), **_facts(emails, name))


def deleted(**of: Any) -> contacts.ContactDeleted:
    """Return that a contact is gone."""
    return contacts.ContactDeleted(**identity(**of))


def merged(**of: Any) -> contacts.ContactMerged:
    """Return that a contact is a part of another one."""
    return contacts.ContactMerged(**identity(**of), into_contact_id=LATER)


def _facts(emails: tuple[str, ...], name: str) -> dict[str, Any]:
    return {
        "name": name,
        "emails": tuple(EmailFact(address=one) for one in emails),
        "phones": (PhoneFact(number="(11) 2345", e164="+55112345"), PhoneFact(number="ext. 7")),
    }


def sealed(event: contacts.ContactEvent, sequence: int, *, tenant_id: str = "acme") -> Envelope:
    """Return the event in its envelope."""
    return Envelope.of(
        event,
        tenant_id=tenant_id,
        aggregate_id=str(event.contact_id),
        sequence=sequence,
        time=NOON,
    )
