"""What is told of a contact, and that it is as its schema says."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from libs.common.events import contacts as events
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope, EventClass
from services.contacts.domain.card import Address, Card, Email, Phone
from services.contacts.domain.contact import Contact
from services.contacts.domain.person import Link
from services.contacts.domain.preferences import TenantDefaults
from services.contacts.sync.changing.facts import contact_event

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ID, OTHER = UUID(int=1), UUID(int=2)
CARD = Card(
    given_name="Zoé",
    organization="ACME",
    emails=(Email(address="zoe@example.org", type="work", primary=True),),
    phones=(Phone(number="11 98765-4321", e164="+5511987654321"), Phone(number="ask")),
    addresses=(Address(street="Rua A, 1", city="São Paulo", primary=True),),
    custom={"couleur": "bleu"},
)
ZOE = Contact(
    tenant_id="acme",
    id=ID,
    owner_user_id="ada",
    entity_id=None,
    card=CARD,
    version=3,
    sequence=9,
    created_at=NOON,
    updated_at=NOON,
)
GONE = replace(ZOE, card=Card(), version=4, deleted_at=NOON)
CASES: list[tuple[Contact | None, Contact, EventClass[Any]]] = [
    (None, ZOE, events.ContactCreated),
    (GONE, ZOE, events.ContactCreated),
    (ZOE, replace(ZOE, card=Card(given_name="Zo")), events.ContactUpdated),
    (ZOE, GONE, events.ContactDeleted),
    (ZOE, replace(GONE, merged_into=OTHER), events.ContactMerged),
    (None, replace(ZOE, entity_id="crm-1", owner_user_id=None), events.ContactCreated),
]


def told(before: Contact | None, after: Contact, *, links: int = 1) -> Envelope | None:
    """Return what is told of a change, as a consumer reads it."""
    sealed = contact_event(
        before,
        after,
        links=[Link(OTHER, f"people/c{number}") for number in range(links)],
        defaults=TenantDefaults(mapping={"portable": "phone/mobile"}),
        origin=Origin.LIVE,
    )
    return None if sealed is None else Envelope.from_json(sealed.to_json())


@pytest.mark.parametrize(("before", "after", "kind"), CASES)
def test_what_is_told_is_what_its_event_says_of_itself(
    before: Contact | None, after: Contact, kind: EventClass[Any]
) -> None:
    envelope = told(before, after)
    assert envelope is not None
    event: Event = envelope.parse(kind)
    assert event.model_dump(mode="json", by_alias=True) == envelope.data
    assert envelope.subject == f"contact/{ID}"


def test_a_change_names_the_fields_that_changed() -> None:
    envelope = told(ZOE, replace(ZOE, card=replace(CARD, title="CEO", custom={})))
    assert envelope is not None
    assert envelope.data["changed"] == ["custom/couleur", "title"]


def test_what_is_gone_is_told_without_what_it_was() -> None:
    envelope = told(ZOE, GONE)
    assert envelope is not None
    assert envelope.data["version"] == GONE.version
    assert "name" not in envelope.data


def test_nobody_hears_of_what_came_and_went_at_once() -> None:
    assert told(None, GONE) is None


def test_a_contact_in_more_address_books_than_an_event_holds_is_told() -> None:
    envelope = told(None, ZOE, links=events.MOST_LINKS + 1)
    assert envelope is not None
    assert len(envelope.parse(events.ContactCreated).links) == events.MOST_LINKS
