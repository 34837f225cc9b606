"""All calendars of the world, and what people have made of them."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

from emulator.calendar.agenda import Agenda, Facts
from emulator.calendar.channels import Channel, Channels
from emulator.calendar.event import StoredEvent
from emulator.calendar.invitations import Invitations
from emulator.calendar.shelf import Shelf
from emulator.clock import Clock
from emulator.config import Switches
from emulator.people import Directory, Person

Json = dict[str, Any]

GROUP_SUFFIX: Final = "@group.calendar.google.com"
HOLIDAYS: Final = "en.usa#holiday@group.v.calendar.google.com"


class Calendars:
    """Every calendar by its id, every person's list of them, the mails and the channels."""

    def __init__(
        self,
        clock: Clock,
        people: Directory,
        switches: Callable[[], Switches],
        send: Callable[[Channel, dict[str, str]], None],
    ) -> None:
        self.clock = clock
        self.people = people
        self.switches = switches
        self.agendas: dict[str, Agenda] = {}
        self.invitations = Invitations(clock, people)
        self.channels = Channels(clock, send)
        self.timers: set[asyncio.TimerHandle] = set()
        self._primary: dict[str, str] = {}
        self._shelves: dict[str, Shelf] = {}
        self._moved: dict[str, str] = {}

    def primary(self, person: Person, *, time_zone: str = "UTC") -> Agenda:
        """Return a person's own calendar, made at first use."""
        found = self._primary.get(person.sub)
        if found is None:
            facts = Facts(summary=person.email, time_zone=time_zone)
            made = self._add(person.email, person.sub, facts, is_primary=True)
            self._primary[person.sub] = made.id
            self.shelf(person.sub).add(made.id, is_selected=True)
            return made
        return self.agendas[found]

    def create(self, owner: Person, facts: Facts, *, made_by: str = "") -> Agenda:
        """Return a new secondary calendar, which is on its owner's list."""
        self.primary(owner)
        made = self._add(f"c_{secrets.token_hex(32)}{GROUP_SUFFIX}", owner.sub, facts)
        made.made_by = made_by
        self.shelf(owner.sub).add(made.id, is_selected=True)
        return made

    def create_public(self, calendar_id: str, facts: Facts) -> Agenda:
        """Return a calendar of Google's own that all may read and nobody can watch."""
        found = self.agendas.get(calendar_id) or self._add(calendar_id, "", facts)
        found.public, found.is_watchable = "reader", False
        return found

    def find(self, calendar_id: str) -> Agenda | None:
        """Return a calendar by its id; people's own come into being when they are asked for."""
        found = self.agendas.get(calendar_id)
        if found is None:
            person = self.people.find(calendar_id)
            found = self.primary(person) if person and "@" in calendar_id else None
        if found is None:
            found = self.agendas.get(self._moved.get(calendar_id, ""))
        return None if found is None or found.is_deleted else found

    def home(self, email: str) -> Agenda | None:
        """Return the calendar where invitations to an address end, if it is here."""
        person = self.people.receiver(email)
        return self.primary(person) if person is not None else self.find(email)

    def addresses(self, agenda: Agenda) -> frozenset[str]:
        """Return every address that stands for a calendar."""
        person = self.people.find(agenda.owner) if agenda.is_primary else None
        aliases = [alias.email for alias in person.aliases] if person else []
        return frozenset({agenda.id, *agenda.former, *aliases})

    def shelf(self, sub: str) -> Shelf:
        """Return a person's calendar list."""
        found = self._shelves.get(sub)
        if found is None:
            found = Shelf(sub, self.channels.list_changed)
            self._shelves[sub] = found
        return found

    def share(self, agenda: Agenda, sub: str, role: str) -> None:
        """Let a person do something with a calendar; `none` takes it back."""
        agenda.roles.pop(sub, None)
        if role != "none":
            agenda.roles[sub] = role
        if agenda.role(sub) == "none":
            self.shelf(sub).remove(agenda.id)
        else:
            self.shelf(sub).touch(agenda.id)

    def facts_changed(self, agenda: Agenda) -> None:
        """Tell every list that a calendar's own facts have changed."""
        agenda.stamp()
        for shelf in self._shelves.values():
            shelf.touch(agenda.id)

    def drop(self, agenda: Agenda) -> None:
        """Delete a secondary calendar for everybody."""
        agenda.is_deleted = True
        for shelf in self._shelves.values():
            shelf.remove(agenda.id)

    def rename(self, person: Person, new: str) -> None:
        """Give a person's own calendar the person's new address; the old one still leads to it."""
        agenda = self.primary(person)
        del self.agendas[agenda.id]
        agenda.former.add(agenda.id)
        self._moved |= dict.fromkeys(agenda.former, new)
        shelf = self.shelf(person.sub)
        shelf.rename(agenda.id, new)
        if agenda.facts.summary == agenda.id:
            agenda.facts.summary = new
        self.channels.retarget(agenda.id, new)
        agenda.id = new
        self.agendas[new] = agenda
        self._primary[person.sub] = new

    def later(self, delay_s: float, work: Callable[[], None]) -> None:
        """Do something after a while, unless everything is forgotten before."""

        def run() -> None:
            self.timers.discard(timer)
            work()

        timer = asyncio.get_running_loop().call_later(delay_s, run)
        self.timers.add(timer)

    def close(self) -> None:
        """Forget what was still to be done."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
        self.channels.close()

    def _add(
        self, calendar_id: str, owner: str, facts: Facts, *, is_primary: bool = False
    ) -> Agenda:
        made = Agenda(
            calendar_id, owner, self.clock, self._changed, facts=facts, is_primary=is_primary
        )
        self.agendas[calendar_id] = made
        return made

    def _changed(self, agenda: Agenda, event: StoredEvent) -> None:
        self.channels.events_changed(agenda, event)
