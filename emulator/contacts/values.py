"""What clients write into a person: checked, and completed with what Google computes."""

import re
from collections.abc import Callable, Container
from datetime import date
from typing import Final

from emulator.contacts.contact import GROUP_PREFIX, Fields, Json
from emulator.contacts.errors import invalid, singleton

SINGLETONS: Final = frozenset({"biographies", "birthdays", "genders", "names"})
MOST_ITEMS: Final = 500
LONGEST: Final = 1024
LONGEST_NOTE: Final = 65_536
LARGEST: Final = 131_072

_READ_ONLY: Final = ("formattedType", "formattedProtocol", "canonicalForm", "metadata")
_NO_VALUE: Final = frozenset({"type", "protocol", "contentType", *_READ_ONLY})
_NAME_PARTS: Final = ("honorificPrefix", "givenName", "middleName", "familyName", "honorificSuffix")
_ADDRESS_LINES: Final = ("streetAddress", "extendedAddress", "poBox")
_LEAP_YEAR: Final = 2000
_KINDS: Final = {
    "homeFax": "Home Fax",
    "homePage": "Home Page",
    "googleVoice": "Google Voice",
    "workFax": "Work Fax",
    "workMobile": "Work Mobile",
    "workPager": "Work Pager",
}
_TYPED: Final = frozenset(
    {
        "addresses", "calendarUrls", "emailAddresses", "events", "externalIds", "imClients",
        "miscKeywords", "organizations", "phoneNumbers", "relations", "sipAddresses", "urls",
    }
)  # fmt: skip


def accepted(person: Json, names: Container[str]) -> Fields:
    """Return the named fields of a body as they are stored; empty items are dropped.

    Raises:
        ApiError: 400; there are too many values, too long ones, or some that cannot be.
    """
    found: Fields = {}
    for name, given in person.items():
        if name == "memberships" or name not in names:
            continue
        items = [item for item in given if _says_something(item)]
        _check(name, items)
        if items:
            found[name] = [_completed(name, item) for item in items]
    if sum(map(_size, found.values())) > LARGEST:
        raise invalid("Contact person resource exceeds the maximum size.")
    return found


def memberships(person: Json) -> list[str]:
    """Return the ids of the groups that a body names; memberships of domains are ignored."""
    found = []
    for item in person.get("memberships", ()):
        name = item.get("contactGroupMembership", {}).get("contactGroupResourceName", "")
        if name:
            found.append(name.removeprefix(GROUP_PREFIX))
    return list(dict.fromkeys(found))


def canonical(number: str) -> str:
    """Return a phone number as E.164 if it says its country; else nothing."""
    plain = re.sub(r"[\s().\-/\u00a0]", "", number)
    plain = "+" + plain[2:] if plain.startswith("00") else plain
    return plain if re.fullmatch(r"\+[1-9][0-9]{6,14}", plain) else ""


def display_name(name: Json) -> str:
    """Return a name in the order in which it is spoken."""
    return " ".join(name[part] for part in _NAME_PARTS if name.get(part))


def _check(name: str, items: list[Json]) -> None:
    if name in SINGLETONS and len(items) > 1:
        raise singleton(name)
    if len(items) > MOST_ITEMS:
        raise invalid(f"Contact person resource may have at most {MOST_ITEMS} {name}.")
    if sum(bool(item.get("metadata", {}).get("sourcePrimary")) for item in items) > 1:
        raise invalid(f"Only one of the {name} can be the primary field of its source.")
    longest = LONGEST_NOTE if name == "biographies" else LONGEST
    for item in items:
        for part, value in item.items():
            if isinstance(value, str) and len(value) > longest:
                raise invalid(f"{name}.{part} exceeds the maximum length of {longest} characters.")


def _completed(name: str, item: Json) -> Json:
    stored = {part: value for part, value in item.items() if part not in _READ_ONLY}
    complete = _COMPLETED.get(name)
    if complete is not None:
        stored = complete(stored)
    if name in _TYPED and stored.get("type"):
        stored["formattedType"] = _kind(stored["type"])
    if item.get("metadata", {}).get("sourcePrimary"):
        stored["metadata"] = {"sourcePrimary": True}
    return stored


def _says_something(item: Json) -> bool:
    return any(value or value is False for part, value in item.items() if part not in _NO_VALUE)


def _size(items: list[Json]) -> int:
    return sum(len(v) for item in items for v in item.values() if isinstance(v, str))


def _kind(word: str) -> str:
    return _KINDS.get(word) or word[:1].upper() + word[1:]


def _name(item: Json) -> Json:
    for part in ("displayName", "displayNameLastFirst"):
        item.pop(part, None)
    if not display_name(item) and item.get("unstructuredName"):
        first, _, last = item["unstructuredName"].strip().rpartition(" ")
        parts = {"givenName": first, "familyName": last} if first else {"givenName": last}
        item |= {part: value for part, value in parts.items() if value}
    shown = display_name(item)
    if shown:
        rest = display_name({**item, "familyName": "", "honorificSuffix": ""})
        family = item.get("familyName", "")
        last_first = ", ".join(part for part in (family, rest) if part)
        if item.get("honorificSuffix"):
            last_first += f", {item['honorificSuffix']}"
        item |= {"displayName": shown, "displayNameLastFirst": last_first}
        item["unstructuredName"] = shown
    return item


def _phone(item: Json) -> Json:
    form = canonical(item.get("value", ""))
    return {**item, "canonicalForm": form} if form else item


def _address(item: Json) -> Json:
    written = item.get("formattedValue", "")
    lines = [item[part] for part in _ADDRESS_LINES if item.get(part)]
    place = " ".join(item[part] for part in ("postalCode", "city") if item.get(part))
    lines += [text for text in (place, item.get("region"), item.get("country")) if text]
    if lines:
        return {**item, "formattedValue": "\n".join(lines)}
    return {**item, "streetAddress": written} if written else item


def _birthday(item: Json) -> Json:
    if item.get("date"):
        check_date(item["date"], "birthdays")
    return item


def _event(item: Json) -> Json:
    if item.get("date"):
        check_date(item["date"], "events")
    return item


def _gender(item: Json) -> Json:
    return {**item, "formattedValue": _kind(item.get("value", ""))}


def _client(item: Json) -> Json:
    protocol = item.get("protocol")
    return {**item, "formattedProtocol": _kind(protocol)} if protocol else item


def check_date(value: Json, name: str) -> None:
    """Raise a 400 for a day that no calendar has; the year may be missing."""
    year, month, day = (int(value.get(part) or 0) for part in ("year", "month", "day"))
    try:
        date(year or _LEAP_YEAR, month or 1, day or 1)
    except ValueError as exc:
        raise invalid(f"Invalid date in {name}.") from exc


_COMPLETED: Final[dict[str, Callable[[Json], Json]]] = {
    "addresses": _address,
    "birthdays": _birthday,
    "events": _event,
    "genders": _gender,
    "imClients": _client,
    "names": _name,
    "phoneNumbers": _phone,
}
