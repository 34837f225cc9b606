"""Lists of a card: which item is the primary one, and how one takes the place of another."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar

from services.contacts.domain.card import Address, Card, Email, Phone, Url

I = TypeVar("I", Email, Phone, Address, Url)  # noqa: E741 - an item


def led(items: Iterable[I]) -> tuple[I, ...]:
    """Return items of which exactly one is primary, each once: the first that is, or the first."""
    given = tuple(items)
    if not given or (len(given) == 1 and given[0].primary):
        return given
    unique: dict[str, I] = {}
    for one in given:
        kept = unique.get(one.key)
        if kept is None:
            unique[one.key] = one
        elif one.primary:
            unique[one.key] = replace(kept, primary=True)
    kept_items = list(unique.values())
    first = next((one for one in kept_items if one.primary), None)
    if first is None and kept_items:
        first = kept_items[0]
    return tuple(
        one if one.primary is (one is first) else replace(one, primary=one is first)
        for one in kept_items
    )


def main_item(items: Sequence[I], fits: Callable[[I], bool]) -> I | None:
    """Return the item a CRM means that knows only one: the primary one, or the first that fits."""
    fitting = [one for one in items if fits(one)]
    return next((one for one in fitting if one.primary), fitting[0] if fitting else None)


def put_item(items: Sequence[I], new: I, *, instead_of: I | None) -> tuple[I, ...]:
    """Return items in which `new` has the place of another, and its type; others stay.

    One that is there already becomes that one; what it was put in place of stays then, too.
    """
    same = next((one for one in items if one.key == new.key), None)
    if same is not None and same is not instead_of:
        is_primary = instead_of is None or instead_of.primary
        changed = [
            replace(new, type=new.type or one.type, primary=is_primary or one.primary)
            if one is same
            else replace(one, primary=one.primary and not is_primary)
            for one in items
        ]
        return led(changed)
    if instead_of is None:
        return led(chain(items, (new,)))
    taken = replace(new, type=new.type or instead_of.type, primary=instead_of.primary)
    return led([taken if one is instead_of else one for one in items])


def led_card(card: Card) -> Card:
    """Return a card in whose lists exactly one item is primary, and each is once."""
    return replace(
        card,
        emails=led(card.emails),
        phones=led(card.phones),
        addresses=led(card.addresses),
        urls=led(card.urls),
    )


def united(main: Card, other: Card) -> Card:
    """Return what two cards of the same person come to: nothing of either is lost.

    Where both have a text, `main` has its; the other's notes are added, since nobody else has them.
    """
    texts: dict[str, Any] = {
        name: getattr(main, name) or getattr(other, name)
        for name in ("organization", "title", "department", "birthday")
    }
    named = main if main.name else other
    texts |= {name: getattr(named, name) for name in NAMES}
    told = other.notes if other.notes not in main.notes else ""
    texts["notes"] = "\n\n".join(one for one in (main.notes, told) if one)
    return led_card(
        Card(
            **texts,
            emails=(*main.emails, *_others(other.emails)),
            phones=(*main.phones, *_others(other.phones)),
            addresses=(*main.addresses, *_others(other.addresses)),
            urls=(*main.urls, *_others(other.urls)),
            custom={**other.custom, **main.custom},
        )
    )


NAMES = ("prefix", "given_name", "middle_name", "family_name", "suffix")


def _others(items: Sequence[I]) -> tuple[I, ...]:
    return tuple(replace(one, primary=False) for one in items)
