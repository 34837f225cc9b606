"""What we ask the People API to write: cards in, Google's JSON out.

Google replaces a field as a whole. So whatever is written is what Google has of that field, with
only those items changed that the card changed: items and parts of items that no card knows stay.
Items that come from elsewhere than the contact (as from the person's own profile) are not ours.

Source: https://developers.google.com/people/api/rest/v1/people#Person
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.contacts.domain.card import Address, Card, Email, Item, Phone, Url

Json = dict[str, Any]

OURS: Final = "causeway"
"""The key of `clientData` under which our id is."""
NAME_PARTS: Final = {
    "prefix": "honorificPrefix",
    "given_name": "givenName",
    "middle_name": "middleName",
    "family_name": "familyName",
    "suffix": "honorificSuffix",
}
JOB_PARTS: Final = {"organization": "name", "title": "title", "department": "department"}
ADDRESS_PARTS: Final = {
    "street": "streetAddress",
    "extended": "extendedAddress",
    "po_box": "poBox",
    "postal_code": "postalCode",
    "city": "city",
    "region": "region",
    "country": "country",
    "country_code": "countryCode",
}
_DERIVED: Final = ("displayName", "displayNameLastFirst", "unstructuredName")
"""Parts of a name that Google makes of the others."""
_DATE: Final = re.compile(r"(?:(\d{4})|-)-(\d\d)-(\d\d)")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written of one person."""

    body: Json
    mask: tuple[str, ...]
    """The fields that are written; none: there is nothing to write."""


def creation(card: Card, our_id: str) -> Json:
    """Return the body of a person that is new."""
    return {**_fields(card, Card(), {}), "clientData": [_mark(our_id)]}


def change(card: Card, base: Card, items: Mapping[str, Any], etag: str, our_id: str) -> Change:
    """Return what makes a person say what the card says; memberships are never a part of it.

    Args:
        card: as the person should be.
        base: as the person is, as far as a card knows it.
        items: as the person is, as Google said it.
        etag: the same.
        our_id: written along if the person does not have it yet.
    """
    now = _fields(card, base, items)
    was = {name: _own(items.get(name, ())) for name in _WRITERS}
    fields = {name: value for name, value in now.items() if value != was[name]}
    fields |= {name: [] for name, value in was.items() if value and name not in now}
    if not fields:
        return Change({}, ())
    marks = _own(items.get("clientData", ()))
    if not any(_is_mark(one, our_id) for one in marks):
        fields["clientData"] = [*marks, _mark(our_id)]
    sources = list(items.get("metadata", {}).get("sources", ()))
    body = {"etag": etag, "metadata": {"sources": sources}, **fields}
    return Change(body, tuple(sorted(fields)))


def _fields(card: Card, base: Card, items: Mapping[str, Any]) -> Json:
    """Return every field that a card knows of, as it should be written."""
    found = {name: write(card, base, _own(items.get(name, ()))) for name, write in _WRITERS.items()}
    return {name: value for name, value in found.items() if value}


def _own(items: Sequence[Json]) -> list[Json]:
    """Return the items that are the contact's own."""
    return [
        one
        for one in items
        if one.get("metadata", {}).get("source", {}).get("type", "CONTACT") == "CONTACT"
    ]


def main_of(items: Sequence[Json]) -> Json | None:
    """Return the item of a list that speaks for all of them: the primary one, or the first."""
    primary = (one for one in items if one.get("metadata", {}).get("primary"))
    return next(primary, items[0] if items else None)


def _names(card: Card, base: Card, items: list[Json]) -> list[Json]:
    return _single(card, base, items, NAME_PARTS, derived=_DERIVED)


def _organizations(card: Card, base: Card, items: list[Json]) -> list[Json]:
    return _single(card, base, items, JOB_PARTS, derived=())


def _single(
    card: Card,
    base: Card,
    items: list[Json],
    parts: Mapping[str, str],
    *,
    derived: Sequence[str],
) -> list[Json]:
    """Return a field whose main item says some of the card; the others stay."""
    if all(getattr(card, ours) == getattr(base, ours) for ours in parts):
        return items
    main = main_of(items)
    written = {key: value for key, value in (main or {}).items() if key not in derived}
    for ours, theirs in parts.items():
        value = getattr(card, ours)
        if value:
            written[theirs] = value
        else:
            written.pop(theirs, None)
    if not _says_something(written):
        return [one for one in items if one is not main]
    if main is None:
        return [written]
    return [written if one is main else one for one in items]


def _birthdays(card: Card, base: Card, items: list[Json]) -> list[Json]:
    if card.birthday == base.birthday:
        return items
    if not card.birthday:
        return []
    kept = {key: value for key, value in (main_of(items) or {}).items() if key == "metadata"}
    found = _DATE.fullmatch(card.birthday)
    if found is None:
        return [{**kept, "text": card.birthday}]
    parts = zip(("year", "month", "day"), found.groups(), strict=True)
    return [{**kept, "date": {name: int(text) for name, text in parts if text}}]


def _biographies(card: Card, base: Card, items: list[Json]) -> list[Json]:
    if card.notes == base.notes:
        return items
    if not card.notes:
        return []
    return [{**(main_of(items) or {}), "value": card.notes, "contentType": "TEXT_PLAIN"}]


def _emails(card: Card, base: Card, items: list[Json]) -> list[Json]:
    def is_it(one: Json, item: Item) -> bool:
        return isinstance(item, Email) and Email(address=one.get("value", "")).key == item.key

    return _list(card.emails, base.emails, items, is_it, lambda one: {"value": one.address})


def _phones(card: Card, base: Card, items: list[Json]) -> list[Json]:
    def is_it(one: Json, item: Item) -> bool:
        text = one.get("value", "")
        return isinstance(item, Phone) and (
            text == item.number
            or (item.e164 is not None and one.get("canonicalForm") == item.e164)
            or Phone(number=text).key == Phone(number=item.number).key
        )

    return _list(card.phones, base.phones, items, is_it, lambda one: {"value": one.number})


def _addresses(card: Card, base: Card, items: list[Json]) -> list[Json]:
    def is_it(one: Json, item: Item) -> bool:
        parts = {ours: one.get(theirs, "") for ours, theirs in ADDRESS_PARTS.items()}
        if not any(parts.values()):
            parts["street"] = one.get("formattedValue", "")
        return Address(**parts).key == item.key

    def written(one: Any) -> Json:
        given = {theirs: getattr(one, ours) for ours, theirs in ADDRESS_PARTS.items()}
        return {"formattedValue": "", **given}

    return _list(card.addresses, base.addresses, items, is_it, written)


def _urls(card: Card, base: Card, items: list[Json]) -> list[Json]:
    def is_it(one: Json, item: Item) -> bool:
        return Url(value=one.get("value", "")).key == item.key

    return _list(card.urls, base.urls, items, is_it, lambda one: {"value": one.value})


def _list(
    wanted: Sequence[Item],
    known: Sequence[Item],
    items: list[Json],
    is_it: Callable[[Json, Item], bool],
    written: Callable[[Any], Json],
) -> list[Json]:
    """Return the items of a list: those of no card's as they are, the others as the card's are."""
    if tuple(wanted) == tuple(known):
        return items
    before = {one.key: one for one in known}
    left = {one.key: one for one in wanted}
    found: list[Json] = []
    for raw in items:
        key = next((one.key for one in (*wanted, *known) if is_it(raw, one)), None)
        now = None if key is None else left.pop(key, None)
        if key is None:
            found.append(raw)
        elif now is not None:
            found.append(raw if now == before.get(key) else _item(raw, now, written(now)))
    found += [_item({}, one, written(one)) for one in left.values()]
    return found


def _item(raw: Json, item: Item, written: Json) -> Json:
    """Return an item as the card has it, with whatever else Google knows of it."""
    derived = ("formattedType", "canonicalForm")
    kept = {key: value for key, value in raw.items() if key not in derived}
    values = {**kept, **written, "type": item.type, "metadata": _metadata(raw, item)}
    return {key: value for key, value in values.items() if value}


def _metadata(raw: Json, item: Item) -> Json:
    about = {
        key: value
        for key, value in raw.get("metadata", {}).items()
        if key not in {"primary", "sourcePrimary"}
    }
    return {**about, "sourcePrimary": True} if item.primary else about


def _user_defined(card: Card, base: Card, items: list[Json]) -> list[Json]:
    """Return the custom fields; of several with one name those that no card knows stay."""
    if dict(card.custom) == dict(base.custom):
        return items
    left = dict(card.custom)
    found: list[Json] = []
    for raw in items:
        key = raw.get("key", "")
        if key not in base.custom or raw.get("value") != base.custom[key]:
            found.append(raw)
        elif key in left:
            found.append({**raw, "value": left.pop(key)})
    return found + [{"key": key, "value": value} for key, value in left.items()]


def _says_something(item: Json) -> bool:
    return any(value for key, value in item.items() if key not in {"metadata", "type", "current"})


def _mark(our_id: str) -> Json:
    return {"key": OURS, "value": our_id}


def _is_mark(one: Json, our_id: str) -> bool:
    return one.get("key") == OURS and one.get("value") == our_id


_WRITERS: Final[Mapping[str, Callable[[Card, Card, list[Json]], list[Json]]]] = {
    "names": _names,
    "organizations": _organizations,
    "birthdays": _birthdays,
    "biographies": _biographies,
    "emailAddresses": _emails,
    "phoneNumbers": _phones,
    "addresses": _addresses,
    "urls": _urls,
    "userDefined": _user_defined,
}
