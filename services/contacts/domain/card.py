"""What is known of a person, whoever keeps it: names, addresses, numbers, and the rest.

Values, and their form in JSON: as columns, events and calls have them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

from libs.common.addresses import fold_address

SINGLE: Final = (
    "prefix",
    "given_name",
    "middle_name",
    "family_name",
    "suffix",
    "organization",
    "title",
    "department",
    "birthday",
    "notes",
)
"""Fields with one text."""
LISTS: Final = ("emails", "phones", "addresses", "urls")
"""Fields with any number of items, one of them the primary one."""
NAMELESS: Final = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """An e-mail address, as typed; compared folded."""

    address: str
    type: str = ""
    """`home`, `work`, `other`, or a word of the person's own; "": none."""
    primary: bool = False

    @property
    def text(self) -> str:
        """Return it as typed."""
        return self.address

    @property
    def key(self) -> str:
        """Return what makes it the same address."""
        return fold_address(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A phone number, as typed and, where it can be understood, as E.164."""

    number: str
    e164: str | None = None
    """Source: ITU-T E.164; None: it is no number of any region, and kept as typed."""
    type: str = ""
    primary: bool = False

    @property
    def text(self) -> str:
        """Return it as typed."""
        return self.number

    @property
    def key(self) -> str:
        """Return what makes it the same number."""
        digits = "".join(char for char in self.number if char.isalnum() or char in "+*#")
        return self.e164 or digits.casefold() or self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address by its parts."""

    street: str = ""
    extended: str = ""
    po_box: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    country_code: str = ""
    """ISO 3166-1 alpha-2."""
    type: str = ""
    primary: bool = False

    @property
    def key(self) -> str:
        """Return what makes it the same address."""
        place = (self.postal_code, self.city, self.region, self.country)
        parts = (self.street, self.extended, self.po_box, *place)
        return "|".join(" ".join(one.casefold().split()) for one in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A page of the person's, as typed."""

    value: str
    type: str = ""
    primary: bool = False

    @property
    def text(self) -> str:
        """Return it as typed."""
        return self.value

    @property
    def key(self) -> str:
        """Return what makes it the same page."""
        return self.value.strip().rstrip("/")


Item = Email | Phone | Address | Url


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known of a person; of each list the items are in the person's own order.

    What follows from it is worked out once: a card is compared, kept and told of several times.
    """

    prefix: str = ""
    given_name: str = ""
    middle_name: str = ""
    family_name: str = ""
    suffix: str = ""
    organization: str = ""
    title: str = ""
    department: str = ""
    birthday: str = ""
    """`1980-05-02`, `--05-02` without a year (ISO 8601), or whatever was typed."""
    notes: str = ""
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    addresses: tuple[Address, ...] = ()
    urls: tuple[Url, ...] = ()
    custom: Mapping[str, str] = field(default_factory=dict)
    """The tenant's own fields, by name."""

    @property
    def name(self) -> str:
        """Return the name as it is spoken, "" without one."""
        parts = (self.prefix, self.given_name, self.middle_name, self.family_name, self.suffix)
        return " ".join(one for one in parts if one)

    @property
    def shown_name(self) -> str:
        """Return what a person is called in a list: by name, organization, address or number."""
        return (
            self.name
            or self.organization
            or next((one.address for one in self.emails), "")
            or next((one.number for one in self.phones), NAMELESS)
        )

    @cached_property
    def email_keys(self) -> tuple[str, ...]:
        """Return the addresses as they are compared, each once."""
        return tuple(dict.fromkeys(one.key for one in self.emails))

    @cached_property
    def phone_keys(self) -> tuple[str, ...]:
        """Return the numbers that are understood, as E.164, each once."""
        return tuple(dict.fromkeys(one.e164 for one in self.phones if one.e164))

    @property
    def search_text(self) -> str:
        """Return what a search looks into, case-folded."""
        words: list[str] = [self.name, self.organization, self.title]
        words += [one.address for one in self.emails]
        words += [text for one in self.phones for text in (one.number, one.e164 or "")]
        return "\n".join(one for one in words if one).casefold()[:4000]

    @cached_property
    def stored(self) -> Mapping[str, Any]:
        """Return it as a column keeps it, without what is empty; for reading only."""
        found: dict[str, Any] = {
            name: value for name, value in zip(SINGLE, _SINGLE(self), strict=True) if value
        }
        for name, items in zip(LISTS, _LISTS(self), strict=True):
            if items:
                found[name] = [parts_of(one) for one in items]
        if self.custom:
            found["custom"] = dict(self.custom)
        return found


ITEMS: Final[Mapping[str, type[Any]]] = {
    "emails": Email,
    "phones": Phone,
    "addresses": Address,
    "urls": Url,
}


def card_of(stored: Mapping[str, Any]) -> Card:
    """Return what a column keeps; what it has besides is of another release."""
    given: dict[str, Any] = {name: stored[name] for name in SINGLE if name in stored}
    for name in LISTS:
        given[name] = tuple(item_of(name, one) for one in stored.get(name, ()))
    return Card(**given, custom=dict(stored.get("custom", {})))


def item_of(name: str, stored: Mapping[str, Any]) -> Item:
    """Return an item of the list of that name."""
    made = ITEMS[name]
    known = _PARTS[made]
    item: Item = made(**{part: value for part, value in stored.items() if part in known})
    return item


def parts_of(item: Item) -> dict[str, Any]:
    """Return an item's values by name, without what is empty."""
    made = type(item)
    return {
        name: value for name, value in zip(_PARTS[made], _VALUES[made](item), strict=True) if value
    }


def items_of(card: Card) -> Iterator[tuple[str, Item]]:
    """Yield every item with the name of its list."""
    for name in LISTS:
        for one in getattr(card, name):
            yield name, one


_SINGLE: Final = attrgetter(*SINGLE)
_LISTS: Final = attrgetter(*LISTS)
_PARTS: Final = {made: tuple(one.name for one in fields(made)) for made in ITEMS.values()}
_VALUES: Final = {made: attrgetter(*parts) for made, parts in _PARTS.items()}
