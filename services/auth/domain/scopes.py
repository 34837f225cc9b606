"""Which Google scopes a product needs, and which products a set of scopes allows.

Source: https://developers.google.com/identity/protocols/oauth2/scopes
"""

from collections.abc import Iterable

from services.auth.domain.model import Access, Grant, Product, Wish

ROOT = "https://www.googleapis.com/auth/"
IDENTITY = ("openid", "email")

ASKED: dict[tuple[Product, Access], tuple[str, ...]] = {
    (Product.MAIL, Access.READ): (ROOT + "gmail.readonly",),
    (Product.MAIL, Access.WRITE): (ROOT + "gmail.modify",),
    (Product.CALENDAR, Access.READ): (ROOT + "calendar.readonly",),
    (Product.CALENDAR, Access.WRITE): (
        ROOT + "calendar.events",
        ROOT + "calendar.calendarlist.readonly",
    ),
    (Product.CONTACTS, Access.READ): (ROOT + "contacts.readonly",),
    (Product.CONTACTS, Access.WRITE): (ROOT + "contacts",),
}
"""The narrowest scopes that do the work: what the consent page will show."""

_FULL_MAIL = "https://mail.google.com/"
_CALENDAR_LISTS = (ROOT + "calendar.calendarlist.readonly", ROOT + "calendar.calendarlist")

ENOUGH: dict[tuple[Product, Access], tuple[frozenset[str], ...]] = {
    (Product.MAIL, Access.READ): (frozenset({ROOT + "gmail.readonly"}),),
    (Product.MAIL, Access.WRITE): (
        frozenset({ROOT + "gmail.modify"}),
        frozenset({_FULL_MAIL}),
    ),
    (Product.CALENDAR, Access.READ): (
        frozenset({ROOT + "calendar.readonly"}),
        *(frozenset({ROOT + "calendar.events.readonly", lists}) for lists in _CALENDAR_LISTS),
    ),
    (Product.CALENDAR, Access.WRITE): (
        frozenset({ROOT + "calendar"}),
        frozenset({ROOT + "calendar.events", ROOT + "calendar.readonly"}),
        *(frozenset({ROOT + "calendar.events", lists}) for lists in _CALENDAR_LISTS),
    ),
    (Product.CONTACTS, Access.READ): (frozenset({ROOT + "contacts.readonly"}),),
    (Product.CONTACTS, Access.WRITE): (frozenset({ROOT + "contacts"}),),
}
"""Each set alone is enough; whatever is enough to write is enough to read."""

_FAMILY: dict[Product, tuple[str, ...]] = {
    Product.MAIL: (ROOT + "gmail.", _FULL_MAIL),
    Product.CALENDAR: (ROOT + "calendar",),
    Product.CONTACTS: (ROOT + "contacts",),
}


def asked(wishes: Iterable[Wish]) -> tuple[str, ...]:
    """Return the scopes to ask Google for: always the identity, then each product's."""
    products = (scope for wish in wishes for scope in ASKED[wish.product, wish.access])
    return tuple(dict.fromkeys([*IDENTITY, *products]))


def granted(wishes: Iterable[Wish], scopes: frozenset[str]) -> tuple[Grant, ...]:
    """Return what `scopes` allow of each wish, never more than was wished for."""
    return tuple(
        Grant(
            wish.product,
            wish.access,
            _access(wish, scopes),
            tuple(sorted(s for s in scopes if s.startswith(_FAMILY[wish.product]))),
        )
        for wish in sorted(wishes, key=lambda wish: wish.product)
    )


def _access(wish: Wish, scopes: frozenset[str]) -> Access | None:
    if wish.access is Access.WRITE and _allows(wish.product, Access.WRITE, scopes):
        return Access.WRITE
    if any(_allows(wish.product, access, scopes) for access in Access):
        return Access.READ
    return None


def _allows(product: Product, access: Access, scopes: frozenset[str]) -> bool:
    return any(enough <= scopes for enough in ENOUGH[product, access])
