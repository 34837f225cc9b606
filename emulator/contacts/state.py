"""Everybody's contacts."""

from collections.abc import Callable, Mapping

from emulator.clock import Clock
from emulator.config import Switches
from emulator.contacts.book import Book
from emulator.contacts.quotas import Quotas
from emulator.errors import ApiError
from emulator.people import Person
from emulator.quota import UsageLedger


class Contacts:
    """A book of contacts for every person, and what the People API counts."""

    def __init__(self, clock: Clock, switches: Callable[[], Switches], usage: UsageLedger) -> None:
        self._clock, self._switches, self._usage = clock, switches, usage
        self._books: dict[str, Book] = {}
        self.quotas = Quotas(clock, switches)
        self.writing: set[str] = set()

    def book(self, sub: str) -> Book:
        """Return a person's book, made at first use."""
        found = self._books.get(sub)
        if found is None:
            found = self._books[sub] = Book(self._clock, self._switches)
        return found

    def charge(self, person: Person, costs: Mapping[str, int]) -> None:
        """Count what a call costs a person.

        Raises:
            ApiError: 429; a quota is used up.
        """
        try:
            self.quotas.charge(person.email, costs)
        except ApiError:
            self._usage.refused[person.email] += 1
            raise
