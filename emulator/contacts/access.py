"""What every People method does first: whose book is it, and what may this token see?"""

from typing import Final

from emulator.contacts.book import Book
from emulator.contacts.errors import not_found
from emulator.errors import insufficient_scope, invalid_credentials
from emulator.people import Person
from emulator.rest.call import Call

_AUTH: Final = "https://www.googleapis.com/auth/"
_CONTACTS: Final = frozenset({f"{_AUTH}contacts", f"{_AUTH}contacts.readonly"})
_OTHERS: Final = f"{_AUTH}contacts.other.readonly"
_CONTACT_SOURCE: Final = "READ_SOURCE_TYPE_CONTACT"
_PROFILE_SOURCE: Final = "READ_SOURCE_TYPE_PROFILE"


def person(call: Call) -> Person:
    """Return whose token it is."""
    found = call.world.people.find(call.token.sub) if call.token else None
    if found is None:
        raise invalid_credentials()
    return found


def book(call: Call) -> Book:
    """Return the book of the token's person; what was told long enough ago can be seen."""
    found = call.world.contacts.book(person(call).sub)
    found.settle()
    return found


def needs_contacts(call: Call) -> None:
    """Raise a 403 for a token that reads no contacts, where the method takes others, too."""
    if call.token is None or not _CONTACTS & set(call.token.scopes):
        raise insufficient_scope("people.googleapis.com", call.method.id)


def needs_others(call: Call) -> None:
    """Raise a 403 for a token that reads no "other contacts"."""
    if call.token is None or _OTHERS not in call.token.scopes:
        raise insufficient_scope("people.googleapis.com", call.method.id)


def only_me(call: Call) -> None:
    """Raise a 404 for the connections of somebody else."""
    if call.path["resourceName"] not in {"people/me", f"people/{person(call).sub}"}:
        raise not_found()


def wants_contacts(sources: list[str] | None) -> bool:
    """Return whether contact sources are asked for; they are by default."""
    return not sources or _CONTACT_SOURCE in sources


def wants_profiles(sources: list[str] | None) -> bool:
    """Return whether profiles are asked for; they are by default."""
    return not sources or _PROFILE_SOURCE in sources
