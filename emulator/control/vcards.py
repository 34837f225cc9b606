"""vCard files that a person imports into their contacts, versions 2.1 to 4.0.

Source: https://datatracker.ietf.org/doc/html/rfc6350
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Final

import vobject

from emulator.contacts import masks, values
from emulator.contacts.book import Book
from emulator.contacts.contact import Json
from emulator.contacts.group import JOINABLE
from emulator.control.contacts import group_of
from emulator.control.http import ControlError, breathe
from emulator.errors import ApiError

_CARD: Final = re.compile(
    r"^BEGIN:VCARD\s*$.*?^END:VCARD\s*$", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_DAY: Final = re.compile(r"(?:(\d{4})|-)-?(\d{2})-?(\d{2})")
_PLACES: Final = ("home", "work")
_APPLE_LABEL: Final = re.compile(r"^_\$!<(.*)>!\$_$")


async def load(mine: Book, raw: bytes) -> Json:
    """Make contacts of the cards of a file; return their names and what could not be loaded.

    Raises:
        ControlError: 400; it is no vCard file.
    """
    # Not every program that writes these files says in what charset.
    text = _decoded(raw)
    cards = _CARD.findall(text)
    if not cards:
        raise ControlError(400, "this is no vCard file")
    loaded, refused = [], []
    for number, card in enumerate(cards):
        await breathe(number)
        try:
            person, labels = _read(card)
            groups = [key for label in labels for key in _group(mine, label)]
            made = mine.add(values.accepted(person, masks.writable()), groups)
            loaded.append(made.name)
        except (ApiError, vobject.base.VObjectError, ValueError, AttributeError) as exc:
            refused.append({"card": number, "reason": str(exc)})
    return {"resourceNames": loaded, "refused": refused}


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _group(mine: Book, label: str) -> list[str]:
    if label in JOINABLE:
        return [label]
    return [group_of(mine, label, is_new=True).key] if label.strip() else []


def _read(card: str) -> tuple[Json, list[str]]:
    """Return a card as a person of the API, and the labels it names."""
    read = vobject.readOne(card, allowQP=True)
    content: dict[str, list[Any]] = read.contents
    marks = {line.group: line.value for line in content.get("x-ablabel", ()) if line.group}
    person: Json = {
        "names": list(_names(content)),
        "emailAddresses": [_typed(line, marks) for line in content.get("email", ())],
        "phoneNumbers": [_phone(line, marks) for line in content.get("tel", ())],
        "addresses": [_address(line, marks) for line in content.get("adr", ())],
        "urls": [_typed(line, marks) for line in content.get("url", ())],
        "organizations": list(_organizations(content)),
        "nicknames": [{"value": _text(line.value)} for line in content.get("nickname", ())],
        "birthdays": [_birthday(line.value) for line in content.get("bday", ())][:1],
        "biographies": _notes(content.get("note", ())),
    }
    labels = [label for line in content.get("categories", ()) for label in _listed(line.value)]
    return person, labels


def _names(content: dict[str, list[Any]]) -> Iterator[Json]:
    shown = next((_text(line.value) for line in content.get("fn", ())), "")
    for line in content.get("n", ())[:1]:
        parts = {
            "familyName": line.value.family,
            "givenName": line.value.given,
            "middleName": line.value.additional,
            "honorificPrefix": line.value.prefix,
            "honorificSuffix": line.value.suffix,
        }
        name = {part: _text(value) for part, value in parts.items() if _text(value)}
        if name:
            yield name
            return
    yield {"unstructuredName": shown}


def _organizations(content: dict[str, list[Any]]) -> Iterator[Json]:
    titles = [_text(line.value) for line in content.get("title", ())]
    for line in content.get("org", ())[:1]:
        name, *departments = _listed(line.value)
        title = titles[0] if titles else ""
        yield {"name": name, "department": " ".join(filter(None, departments)), "title": title}
        return
    yield from ({"title": title} for title in titles[:1])


def _notes(lines: Iterable[Any]) -> list[Json]:
    text = "\n\n".join(_text(line.value) for line in lines)
    return [{"value": text, "contentType": "TEXT_PLAIN"}] if text else []


def _typed(line: Any, marks: dict[str, str]) -> Json:
    words = _words(line)
    place = next((place for place in _PLACES if place in words), "")
    return _finished({"value": _text(line.value).strip()}, line, place, marks)


def _phone(line: Any, marks: dict[str, str]) -> Json:
    words = _words(line)
    place = next((place for place in _PLACES if place in words), "")
    kind = place
    if "fax" in words:
        kind = f"{place or 'other'}Fax"
    elif "cell" in words:
        kind = "workMobile" if place == "work" else "mobile"
    elif "pager" in words:
        kind = "pager"
    number = _text(line.value).removeprefix("tel:").strip()
    return _finished({"value": number}, line, kind, marks)


def _address(line: Any, marks: dict[str, str]) -> Json:
    parts = {
        "streetAddress": line.value.street,
        "extendedAddress": line.value.extended,
        "poBox": line.value.box,
        "city": line.value.city,
        "region": line.value.region,
        "postalCode": line.value.code,
        "country": line.value.country,
    }
    words = _words(line)
    place = next((place for place in _PLACES if place in words), "")
    found = {part: _text(value, "\n") for part, value in parts.items() if _text(value)}
    return _finished(found, line, place, marks)


def _finished(item: Json, line: Any, kind: str, marks: dict[str, str]) -> Json:
    """Return the item with its type, and as the primary one if the card prefers it."""
    own = _APPLE_LABEL.sub(r"\1", marks.get(line.group or "", ""))
    if kind or own:
        item["type"] = kind or own
    if "pref" in _words(line):
        item["metadata"] = {"sourcePrimary": True}
    return item


def _birthday(value: str) -> Json:
    found = _DAY.match(value.strip().replace("--", "-", 1))
    if found is None:
        return {"text": value}
    year, month, day = (int(part or 0) for part in found.groups())
    date(year or 2000, month, day)
    return {"date": {"month": month, "day": day, **({"year": year} if year else {})}}


def _words(line: Any) -> set[str]:
    """Return the types of a line; version 2.1 writes them without `TYPE=`."""
    named = [word for value in line.params.get("TYPE", ()) for word in value.split(",")]
    bare = [name for name, given in line.params.items() if not given]
    return {word.lower() for word in (*named, *bare, *line.singletonparams)}


def _text(value: Any, between: str = " ") -> str:
    return between.join(_listed(value))


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
