"""What stays of contacts when somebody's data is erased. Pure: no I/O, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from libs.common.addresses import fold_address
from libs.common.scrubbing import Scrubber
from services.contacts.domain.card import Card, card_of

ADDRESSES: Final = ("address", "value", "email")
"""What values are called that say whose an item of a list is: here, at Google, in events."""


def is_theirs(card: Card, addresses: frozenset[str]) -> bool:
    """Say whether a card is the person's: it has an address, and none but these (folded).

    Another address is another person, here as everywhere.
    """
    keys = frozenset(card.email_keys)
    return bool(keys) and keys <= addresses


def names_of(cards: Iterable[Card]) -> frozenset[str]:
    """Return what the person of these cards is called, and their telephone numbers."""
    found: set[str] = set()
    for card in cards:
        found |= {card.name, " ".join(one for one in (card.given_name, card.family_name) if one)}
        found |= {text for one in card.phones for text in (one.number, one.e164 or "")}
    return frozenset(one for one in found if one)


def without(card: Card, scrubber: Scrubber) -> Card:
    """Return a card without the person: not among its addresses, and in no text."""
    return card_of(without_person(card.stored, scrubber))


def without_person(value: Any, scrubber: Scrubber) -> Any:
    """Return a JSON value without the person: no key, no item of a list and no text names them."""
    if isinstance(value, Mapping):
        return {
            key: without_person(one, scrubber)
            for key, one in value.items()
            if not scrubber.mentions(key)
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        kept = [one for one in value if not _is_person(one, scrubber)]
        return [without_person(one, scrubber) for one in kept]
    return scrubber.text(value) if isinstance(value, str) else value


def _is_person(value: Any, scrubber: Scrubber) -> bool:
    named = [value] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        named = [one for key in ADDRESSES if isinstance(one := value.get(key), str)]
    return any(fold_address(one) in scrubber.addresses for one in named)
