"""Contacts as vCards: 2.1 to 4.0 are read, 3.0 is written.

Source: https://www.rfc-editor.org/rfc/rfc2426 and https://www.rfc-editor.org/rfc/rfc6350
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import vobject

from services.contacts.domain.card import Address, Card, Email, Item, Url
from services.contacts.domain.items import led_card
from services.contacts.domain.phones import phone_of
from services.contacts.domain.rows import Row

BEGIN: Final = re.compile(r"^BEGIN:VCARD[ \t]*$", re.IGNORECASE | re.MULTILINE)
END: Final = re.compile(r"^END:VCARD[ \t]*$", re.IGNORECASE | re.MULTILINE)
LONGEST_CARD: Final = 1_000_000
"""Characters; pictures are in cards, too."""
WHOLE_DAY: Final = re.compile(r"(\d{4}|--)-?(\d{2})-?(\d{2})")
APPLE_LABEL: Final = re.compile(r"^_\$!<(.*)>!\$_$")
KINDS: Final[Mapping[str, str]] = {"cell": "mobile"}
WRITTEN_KINDS: Final[Mapping[str, str]] = {"mobile": "CELL", "home": "HOME", "work": "WORK"}
NO_KINDS: Final = frozenset({"internet", "voice", "pref", "x400", "msg"})
OWN: Final = "x-causeway-field"
UNWRITABLE: Final = re.compile(r'["\x00-\x1f\x7f]+')
"""What no parameter may hold. Source: RFC 6350, 3.3"""
"""A field of the tenant's own: `<name>=<value>`."""
UNREADABLE: Final = (
    vobject.base.VObjectError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)
"""What the library raises for a card that is none."""


def read_vcards(text: str, *, region: str) -> Iterator[Row]:
    """Yield the cards of a file, each by itself: a broken one takes none along.

    Args:
        text: of the file.
        region: where numbers without a country code are from.
    """
    starts = [found.start() for found in BEGIN.finditer(text)]
    line, before = 1, 0
    for number, start in enumerate(starts, start=1):
        after = starts[number] if number < len(starts) else len(text)
        line += text.count("\n", before, start)
        before = start
        ended = END.search(text, start, after)
        if ended is None:
            yield Row(number=number, line=line, card=None, problem="has no end")
        elif ended.end() - start > LONGEST_CARD:
            yield Row(number=number, line=line, card=None, problem="is too long")
        else:
            yield _row(text[start : ended.end()] + "\n", number, line, region)


def _row(text: str, number: int, line: int, region: str) -> Row:
    try:
        content = vobject.readOne(text, allowQP=True).contents
        card = _card(content, region)
    except UNREADABLE:
        return Row(number=number, line=line, card=None, problem="is no vCard")
    return Row(number=number, line=line, card=card)


def _card(content: Mapping[str, Sequence[Any]], region: str) -> Card:
    labels = {
        one.group: APPLE_LABEL.sub(r"\1", _text(one.value))
        for one in content.get("x-ablabel", ())
        if one.group
    }
    organization, department = _organization(content)
    phones = [
        phone_of(_text(one.value).removeprefix("tel:"), region, **_marks(one, labels))
        for one in content.get("tel", ())
        if _text(one.value)
    ]
    emails = [
        Email(address=_text(one.value), type=marks["kind"], primary=marks["primary"])
        for one in content.get("email", ())
        if _text(one.value) and (marks := _marks(one, labels))
    ]
    urls = [
        Url(value=_text(one.value), type=marks["kind"], primary=marks["primary"])
        for one in content.get("url", ())
        if _text(one.value) and (marks := _marks(one, labels))
    ]
    return led_card(
        Card(
            **_name(content),
            organization=organization,
            department=department,
            title=_first(content, "title"),
            birthday=_day(_first(content, "bday")),
            notes="\n\n".join(_text(one.value) for one in content.get("note", ())),
            emails=tuple(emails),
            phones=tuple(phones),
            addresses=tuple(_addresses(content, labels)),
            urls=tuple(urls),
            custom=dict(_own(content)),
        )
    )


def _name(content: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    for line in content.get("n", ())[:1]:
        parts = {
            "prefix": line.value.prefix,
            "given_name": line.value.given,
            "middle_name": line.value.additional,
            "family_name": line.value.family,
            "suffix": line.value.suffix,
        }
        found = {name: _text(value) for name, value in parts.items()}
        if any(found.values()):
            return found
    return {"given_name": _first(content, "fn")}


def _organization(content: Mapping[str, Sequence[Any]]) -> tuple[str, str]:
    for line in content.get("org", ())[:1]:
        parts = line.value if isinstance(line.value, list) else [line.value]
        name, *departments = [_text(one) for one in parts] or [""]
        return name, " ".join(one for one in departments if one)
    return "", ""


def _addresses(
    content: Mapping[str, Sequence[Any]], labels: Mapping[str, str]
) -> Iterator[Address]:
    for line in content.get("adr", ()):
        marks = _marks(line, labels)
        found = Address(
            street=_text(line.value.street),
            extended=_text(line.value.extended),
            po_box=_text(line.value.box),
            postal_code=_text(line.value.code),
            city=_text(line.value.city),
            region=_text(line.value.region),
            country=_text(line.value.country),
            type=marks["kind"],
            primary=marks["primary"],
        )
        if found.key.strip("|"):
            yield found


def _own(content: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, str]]:
    for line in content.get(OWN, ()):
        name, _, value = _text(line.value).partition("=")
        if name and value:
            yield name, value


def _marks(line: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return what kind of item a line is, and whether it is the primary one."""
    given = [*line.params.get("TYPE", ()), *getattr(line, "singletonparams", ())]
    words = [one.strip().casefold() for all_of_it in given for one in all_of_it.split(",")]
    kind = labels.get(line.group or "", "")
    if not kind:
        kind = next((KINDS.get(one, one) for one in words if one and one not in NO_KINDS), "")
    return {"kind": kind, "primary": "pref" in words or "PREF" in line.params}


def _first(content: Mapping[str, Sequence[Any]], name: str) -> str:
    return next((_text(line.value) for line in content.get(name, ())), "")


def _day(text: str) -> str:
    """Return a date as a card has it: `19800502` is `1980-05-02`, `--0502` is `--05-02`."""
    found = WHOLE_DAY.match(text)
    if found is None:
        return text
    year, month, day = found.groups()
    return f"--{month}-{day}" if year == "--" else f"{year}-{month}-{day}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_text(one) for one in value if one)
    return str(value or "").strip()


def vcard_of(card: Card) -> str:
    """Return a card as a vCard 3.0; its lines end as the standard wants."""
    made = vobject.vCard()
    made.add("n").value = vobject.vcard.Name(
        family=card.family_name,
        given=card.given_name,
        additional=card.middle_name,
        prefix=card.prefix,
        suffix=card.suffix,
    )
    made.add("fn").value = card.shown_name
    if card.organization or card.department:
        made.add("org").value = [card.organization, *filter(None, [card.department])]
    for name, text in (("title", card.title), ("bday", card.birthday), ("note", card.notes)):
        if text:
            made.add(name).value = text
    for email in card.emails:
        _add(made, "email", email.address, email)
    for phone in card.phones:
        _add(made, "tel", phone.number, phone)
    for one in card.addresses:
        value = vobject.vcard.Address(
            street=one.street,
            city=one.city,
            region=one.region,
            code=one.postal_code,
            country=one.country,
            box=one.po_box,
            extended=one.extended,
        )
        _add(made, "adr", value, one)
    for url in card.urls:
        _add(made, "url", url.value, url)
    for name, text in card.custom.items():
        made.add(OWN).value = f"{name}={text}"
    return str(made.serialize(validate=False))


def _add(made: Any, name: str, value: Any, item: Item) -> None:
    line = made.add(name)
    line.value = value
    kind = UNWRITABLE.sub(" ", WRITTEN_KINDS.get(item.type, item.type)).strip()
    kinds = [kind] if kind else []
    if item.primary:
        kinds.append("PREF")
    if kinds:
        line.type_paramlist = kinds
