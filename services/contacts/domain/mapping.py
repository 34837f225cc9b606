"""The CRM's names of fields, and what they are in a card."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.contacts.domain.card import LISTS, SINGLE, Address, Card, Email, Item, Url
from services.contacts.domain.items import NAMES, led, led_card, main_item, put_item
from services.contacts.domain.naming import (
    CUSTOM,
    ITEM_LISTS,
    NAME,
    PARTS,
    Single,
    claimed_types,
    names_of,
    singles_of,
    target_of,
)
from services.contacts.domain.phones import phone_of
from services.contacts.domain.preferences import TenantDefaults

PART_NAMES: Final = (*PARTS, "country_code")
NOTES: Final = "notes"


def crm_fields(card: Card, defaults: TenantDefaults) -> dict[str, Any]:
    """Return a card under the names the tenant's CRM has for its fields; without its notes.

    All that is known is there: a field that is not has no value.
    """
    names = names_of(defaults)
    found: dict[str, Any] = {}
    for own, text in card.custom.items():
        name = names.get(f"{CUSTOM}/{own}", own)
        if target_of(name, defaults)[1] == f"{CUSTOM}/{own}":
            found[name] = text
    for target, value in card.stored.items():
        if target not in (NOTES, CUSTOM) and target in names:
            found[names[target]] = value
    if names.get(NAME) in defaults.mapping and card.name:
        found[names[NAME]] = card.name
    for listed, singles in singles_of(defaults).items():
        if items := getattr(card, listed):
            for single in singles:
                found |= _shown(main_item(items, single.fits), single)
    return found


def _shown(item: Item | None, single: Single) -> dict[str, str]:
    """Return what a CRM has of the one item it knows, by its names."""
    if item is None:
        return {}
    return {name: text for part, name in single.parts.items() if (text := getattr(item, part))}


def card_of_crm(fields: Mapping[str, Any], card: Card, defaults: TenantDefaults) -> Card:
    """Return a card after what the CRM says of some fields: null empties one, others stay.

    A name that means one item of a list sets the primary one, and leaves the others. When two
    names mean the same and their values differ, the one counts that is closer to the tenant's own;
    the other is kept as a field of the tenant's own, as is what nobody knows.
    """
    wanted, custom = _by_target(fields, defaults)
    card = _with_texts(card, wanted)
    for name in LISTS:
        if name in wanted:
            card = _with_list(card, name, wanted[name], defaults)
    for target, value in wanted.items():
        head, _, kind = target.partition("/")
        if head in ITEM_LISTS:
            card = _with_item(card, head, kind, value, defaults)
    card = _with_addresses(card, wanted, defaults)
    for name, value in custom.items():
        card = _with_custom(card, name, _text(value))
    return led_card(card)


def _by_target(
    fields: Mapping[str, Any], defaults: TenantDefaults
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what each target is to be, and the tenant's own fields."""
    ranked = sorted(((*target_of(name, defaults), name) for name in fields), key=lambda one: one[0])
    wanted: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for _, target, name in ranked:
        value = fields[name]
        if target.startswith(f"{CUSTOM}/"):
            custom[target.removeprefix(f"{CUSTOM}/")] = value
        elif not _text(wanted.get(target)):
            wanted[target] = value if _text(value) else wanted.get(target)
        elif _text(value) not in ("", _text(wanted[target])):
            custom[name] = value
    return wanted, custom


def _with_texts(card: Card, wanted: Mapping[str, Any]) -> Card:
    texts: dict[str, Any] = {name: _text(wanted[name]) for name in SINGLE if name in wanted}
    if NAME in wanted and not any(texts.get(name) for name in ("given_name", "family_name")):
        whole = _text(wanted[NAME])
        if whole != card.name:
            texts |= {**dict.fromkeys(NAMES, ""), "given_name": whole}
    return replace(card, **texts)


def _with_custom(card: Card, name: str, value: str) -> Card:
    custom = {key: one for key, one in card.custom.items() if key != name}
    if value:
        custom[name] = value
    return replace(card, custom=custom)


def _with_item(card: Card, head: str, kind: str, value: Any, defaults: TenantDefaults) -> Card:
    """Return a card in which the one item that a name means is another, or gone."""
    name = ITEM_LISTS[head]
    if isinstance(value, list):
        return _with_list(card, name, value, defaults)
    items: Sequence[Any] = getattr(card, name)
    current = main_item(items, _fits(head, kind, defaults))
    new = _item_of(name, value, defaults)
    if new is None:
        return _with(card, name, tuple(one for one in items if one is not current))
    typed = replace(new, type=kind or new.type)
    return _with(card, name, put_item(items, typed, instead_of=current))


def _fits(head: str, kind: str, defaults: TenantDefaults) -> Callable[[Item], bool]:
    return Single(kind, claimed_types(head, defaults)).fits


def _with_list(card: Card, name: str, value: Any, defaults: TenantDefaults) -> Card:
    """Return a card with another list; what is not said of an item stays as it was."""
    before = {one.key: one for one in getattr(card, name)}
    given = value if isinstance(value, list) else [value]
    items = [one for raw in given if (one := _item_of(name, raw, defaults)) is not None]
    kept = [
        replace(one, type=one.type or before[one.key].type) if one.key in before else one
        for one in items
    ]
    if not any(one.primary for one in kept):
        kept = [replace(one, primary=one.key in before and before[one.key].primary) for one in kept]
    return _with(card, name, led(kept))


def _with(card: Card, name: str, items: Any) -> Card:
    changed: dict[str, Any] = {name: items}
    return replace(card, **changed)


def _with_addresses(card: Card, wanted: Mapping[str, Any], defaults: TenantDefaults) -> Card:
    kinds: dict[str, dict[str, Any]] = {}
    for target, value in wanted.items():
        head, _, kind = target.partition("/")
        if head in PARTS:
            kinds.setdefault(kind, {})[head] = value
    for kind, parts in kinds.items():
        card = _with_address(card, kind, parts, defaults)
    return card


def _with_address(
    card: Card, kind: str, parts: Mapping[str, Any], defaults: TenantDefaults
) -> Card:
    fits = _fits("street", kind, defaults)
    current = main_item(card.addresses, fits)
    texts: dict[str, Any] = {}
    for part, value in parts.items():
        texts |= _parts_of(value, defaults) if isinstance(value, dict) else {part: _text(value)}
    if texts.get("country", current.country if current else "") != (
        current.country if current else ""
    ):
        texts.setdefault("country_code", "")
    changed = replace(current or Address(type=kind), **texts)
    if not any(getattr(changed, part) for part in PART_NAMES):
        left = tuple(one for one in card.addresses if one is not current)
        return replace(card, addresses=left)
    return replace(card, addresses=put_item(card.addresses, changed, instead_of=current))


def _item_of(name: str, value: Any, defaults: TenantDefaults) -> Any:
    """Return an item as the CRM gives it, a text or an object; None: it says nothing."""
    given = value if isinstance(value, dict) else {}
    kind, primary = _text(given.get("type")), given.get("primary") is True
    if name == "addresses":
        parts = _parts_of(given, defaults) if given else {"street": _text(value)}
        found = Address(**parts, type=kind, primary=primary)
        return found if any(getattr(found, part) for part in PART_NAMES) else None
    keys = ("value", "address", "email", "number", "phone", "url")
    text = _text(next((given[key] for key in keys if given.get(key)), "") if given else value)
    if not text:
        return None
    if name == "phones":
        return phone_of(text, defaults.region, kind=kind, primary=primary)
    if name == "emails":
        return Email(address=text, type=kind, primary=primary)
    return Url(value=text, type=kind, primary=primary)


def _parts_of(given: Mapping[str, Any], defaults: TenantDefaults) -> dict[str, Any]:
    """Return the parts of an address that the CRM gives as an object."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        target = name if name in PART_NAMES else target_of(name, defaults)[1]
        if target in PART_NAMES:
            found.setdefault(target, _text(value))
    return found


def _text(value: Any) -> str:
    """Return a value of the CRM's as text: as it is typed there, "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False)
