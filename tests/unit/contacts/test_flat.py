"""A card as a flat table: which fields two cards differ in."""

from services.contacts.domain.card import Card, Email, Phone
from services.contacts.domain.flat import changed_fields, filled_fields

FULL = Card(
    given_name="Zoé",
    notes="Met in Lyon",
    emails=(Email(address="zoe@example.org"),),
    phones=(Phone(number="+55 11 98765-4321"),),
    custom={"couleur": "bleu", "emails": "many"},
)


def test_fields_that_differ_are_named_and_those_of_ones_own_by_their_names() -> None:
    other = Card(given_name="Zo", notes="Met in Lyon", custom={"emails": "many"})
    assert changed_fields(FULL, other) == {"given_name", "emails", "phones", "custom/couleur"}


def test_what_a_card_begins_with_is_what_differs_from_an_empty_one() -> None:
    for card in (FULL, Card(), Card(title="CEO"), Card(custom={"a": "b"})):
        assert filled_fields(card) == changed_fields(Card(), card)
