"""A card as a flat table of values, in which two sides' changes are told apart one by one.

A text is one value. Of a list every item is one, so that an address which one side adds and
another which the other side adds both stay. An item that took the place of one both sides knew
(as an address that was corrected) is a change of that one: two corrections meet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.contacts.domain.card import LISTS, SINGLE, Card, Item, item_of, parts_of

Flat = dict[str, Any]
CUSTOM: Final = "custom"


def flat(card: Card, base: Card | None = None) -> Flat:
    """Return the values of a card by key; items that took the place of one of `base` have its key.

    A key is `title`, `emails/<what makes it the same>`, `emails!primary` or `custom/<name>`.
    """
    found: Flat = {name: value for name in SINGLE if (value := getattr(card, name))}
    for name in LISTS:
        known = getattr(base, name) if base else ()
        for key, one in _keyed(getattr(card, name), known):
            found[f"{name}/{key}"] = _plain(one)
            if one.primary:
                found[f"{name}!primary"] = key
    for name, value in card.custom.items():
        found[f"{CUSTOM}/{name}"] = value
    return found


def card_from(values: Mapping[str, Any], *orders: Card) -> Card:
    """Return the card with these values; items in the order of the first card that has them.

    The inverse of `flat`: values that are None are not there.
    """
    given: dict[str, Any] = {name: values[name] for name in SINGLE if values.get(name)}
    for name in LISTS:
        given[name] = _items(name, values, orders)
    custom = {
        key.removeprefix(f"{CUSTOM}/"): value
        for key, value in values.items()
        if key.startswith(f"{CUSTOM}/") and value
    }
    return Card(**given, custom=custom)


def field_of(key: str) -> str:
    """Return the field of a card that a key is a part of: `emails` of `emails/a@x.org`."""
    return key.partition("/")[0].partition("!")[0]


def filled_fields(card: Card) -> frozenset[str]:
    """Return the fields in which a card differs from an empty one, as `changed_fields` does."""
    stored = card.stored
    if not card.custom:
        return frozenset(stored)
    own = (f"{CUSTOM}/{name}" for name in card.custom)
    return frozenset((*(name for name in stored if name != CUSTOM), *own))


def changed_fields(before: Card, after: Card) -> frozenset[str]:
    """Return the fields in which two cards differ; of `custom` as `custom/<name>`."""
    found = {name for name in (*SINGLE, *LISTS) if getattr(before, name) != getattr(after, name)}
    names = {*before.custom, *after.custom}
    found |= {
        f"{CUSTOM}/{name}" for name in names if before.custom.get(name) != after.custom.get(name)
    }
    return frozenset(found)


def _plain(one: Item) -> dict[str, Any]:
    """Return an item's value without which one is primary."""
    parts = parts_of(one)
    parts.pop("primary", None)
    return parts


def _keyed(items: Sequence[Item], known: Sequence[Item]) -> list[tuple[str, Item]]:
    """Return items with their keys; each once."""
    present = {one.key for one in items}
    free = [one for one in known if one.key not in present]
    before = {one.key for one in known}
    keyed: dict[str, Item] = {}
    for one in items:
        key = one.key
        if key not in before:
            taken = next((old for old in free if old.type == one.type), None)
            if taken is not None:
                free.remove(taken)
                key = taken.key
        keyed.setdefault(key, one)
    return list(keyed.items())


def _items(name: str, values: Mapping[str, Any], orders: Sequence[Card]) -> tuple[Item, ...]:
    prefix = f"{name}/"
    found = {
        key.removeprefix(prefix): item_of(name, value)
        for key, value in values.items()
        if key.startswith(prefix) and value
    }
    places: dict[str, int] = {}
    for card in orders:
        for one in getattr(card, name):
            places.setdefault(one.key, len(places))
    primary = values.get(f"{name}!primary")
    if primary not in found:
        primary = None
    last = len(places)
    ordered = sorted(found.items(), key=lambda pair: places.get(pair[1].key, last))
    unique: dict[str, Item] = {}
    for key, one in ordered:
        unique.setdefault(one.key, replace(one, primary=key == primary))
    return tuple(unique.values())
