"""The people who have a Google account here."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

SUB_DIGITS = 21
_PRIVATE = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Alias:
    """Another address that a person sends from and receives at."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One Google account. `sub` never changes; the address may.

    Attributes:
        sends_as: the address that is the default "From", one of the aliases; empty for `email`.
    """

    sub: str
    email: str
    name: str
    email_verified: bool = True
    disabled: bool = False
    aliases: tuple[Alias, ...] = ()
    sends_as: str = ""

    @property
    def given_name(self) -> str:
        """Return the first word of the name."""
        return self.name.split(" ", 1)[0]

    @property
    def family_name(self) -> str:
        """Return the rest of the name, possibly empty."""
        return self.name.partition(" ")[2]

    @property
    def domain(self) -> str:
        """Return the Workspace domain (claim `hd`); empty for a private account."""
        domain = self.email.partition("@")[2]
        return "" if domain in _PRIVATE else domain


class Directory:
    """Everyone who exists, found by address (in any case) or by `sub`."""

    def __init__(self) -> None:
        self._by_sub: dict[str, Person] = {}
        self._by_email: dict[str, str] = {}

    def __iter__(self) -> Iterator[Person]:
        """Yield people in the order of their arrival."""
        return iter(self._by_sub.values())

    def add(self, email: str, name: str = "", *, sub: str | None = None) -> Person:
        """Return the new person, or the one who already has the address."""
        known = self.find(email)
        if known is not None:
            return known
        number = sub or "1" + "".join(secrets.choice("0123456789") for _ in range(SUB_DIGITS - 1))
        shown = name or email.partition("@")[0].replace(".", " ").title()
        person = Person(sub=number, email=email.lower(), name=shown)
        self._by_sub[number] = person
        self._by_email[person.email] = number
        return person

    def find(self, hint: str) -> Person | None:
        """Return the person with this address or `sub`, or None."""
        return self._by_sub.get(hint) or self._by_sub.get(self._by_email.get(hint.lower(), ""))

    def receiver(self, address: str) -> Person | None:
        """Return the person whose mail comes to this address, an alias or their own, or None."""
        wanted = address.lower()
        by_alias = (p for p in self if any(alias.email == wanted for alias in p.aliases))
        return self.find(address) or next(by_alias, None)

    def change(self, sub: str, **fields: object) -> Person:
        """Return the person after replacing `fields` (see `Person`)."""
        old = self._by_sub[sub]
        new = replace(old, **fields)  # type: ignore[arg-type] # by field name
        self._by_sub[sub] = new
        del self._by_email[old.email]
        self._by_email[new.email] = sub
        return new
