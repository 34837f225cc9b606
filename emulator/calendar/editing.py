"""What happens when somebody writes an event: the same for a client and for a person's own app."""

from dataclasses import dataclass, replace
from typing import Any

from emulator.calendar import conferences, guests, series
from emulator.calendar.agenda import Agenda
from emulator.calendar.errors import deleted
from emulator.calendar.event import CANCELLED, SHARED_FACTS, StoredEvent
from emulator.calendar.invitations import Wish
from emulator.calendar.state import Calendars

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who writes into which calendar, and who is to be mailed about it."""

    calendars: Calendars
    agenda: Agenda
    sub: str
    wish: Wish = "none"

    def add(self, event: StoredEvent, *, is_import: bool = False) -> StoredEvent:
        """Store a new event, and bring it to its guests if it is the calendar's own.

        What is imported stays where it is: its guests were invited elsewhere.
        """
        stored = self.agenda.put(event)
        if self._organizes(stored) and not is_import:
            guests.spread(self.calendars, self.agenda, None, stored)
            self._mail("invitation", stored, _emails(stored))
        conferences.finish_later(self.calendars, self.agenda, stored)
        return self.agenda.events[stored.id]

    def change(self, before: StoredEvent, after: StoredEvent) -> StoredEvent:
        """Store an event's new state; what reaches others depends on whose event it is."""
        if after.is_cancelled and not before.is_cancelled:
            return self.remove(before)
        if before.content() == after.content():
            return before
        if self._organizes(before):
            return self._change_own(before, after)
        return self._change_copy(before, after)

    def remove(self, event: StoredEvent) -> StoredEvent:
        """Delete an event or one instance: for all if it is the calendar's own, else decline it.

        Raises:
            ApiError: 410; it is deleted already.
        """
        if event.is_cancelled:
            raise deleted()
        gone = self.agenda.put(event.changed(status=CANCELLED, sequence=event.sequence + 1))
        series.settle(self.agenda, gone)
        if self._organizes(event):
            guests.withdraw(self.calendars, self.agenda, event)
            self._mail("cancellation", event, _emails(event))
            return gone
        entry = guests.own_entry(self.calendars, self.agenda, event)
        if entry is not None:
            self._respond(event, {**entry, "responseStatus": "declined"})
        return gone

    def _change_own(self, before: StoredEvent, after: StoredEvent) -> StoredEvent:
        if _times(before) != _times(after):
            after = replace(after, sequence=max(after.sequence, before.sequence + 1))
        stored = self._put(before, after)
        series.settle(self.agenda, stored)
        guests.spread(self.calendars, self.agenda, before, stored)
        old, new = _emails(before), _emails(stored)
        self._mail("invitation", stored, [email for email in new if email not in old])
        self._mail("cancellation", stored, [email for email in old if email not in new])
        if before.shared_content() != stored.shared_content():
            self._mail("update", stored, [email for email in new if email in old])
        conferences.finish_later(self.calendars, self.agenda, stored)
        return self.agenda.events[stored.id]

    def _change_copy(self, before: StoredEvent, after: StoredEvent) -> StoredEvent:
        stored = self._put(before, after)
        series.settle(self.agenda, stored)
        entry = guests.own_entry(self.calendars, self.agenda, stored)
        answered = guests.has_new_answer(
            guests.own_entry(self.calendars, self.agenda, before), entry
        )
        found = guests.origin(self.calendars, before)
        if found is not None and found[1].facts.get("guestsCanModify"):
            agenda, event = found
            own_facts = {n: v for n, v in event.facts.items() if n not in SHARED_FACTS}
            shared = {n: v for n, v in stored.facts.items() if n in SHARED_FACTS}
            theirs = event.changed(
                start=stored.start, end=stored.end, recurrence=stored.recurrence,
                attendees=stored.attendees, shared=stored.shared, facts={**own_facts, **shared},
            )  # fmt: skip
            Desk(self.calendars, agenda, agenda.owner, self.wish).change(event, theirs)
        elif answered and entry is not None:
            self._respond(stored, entry)
        return self.agenda.events[stored.id]

    def _put(self, before: StoredEvent, after: StoredEvent) -> StoredEvent:
        """Store a state; `updated` stays when nothing but reminders changed."""
        quiet = replace(before, reminders=after.reminders).content() == after.content()
        return self.agenda.put(after, touches=not quiet)

    def _respond(self, event: StoredEvent, answer: Json) -> None:
        if guests.respond(self.calendars, event, answer):
            self._mail("response", event, [str(event.organizer.get("email", ""))])

    def _organizes(self, event: StoredEvent) -> bool:
        return guests.organizes(self.calendars, self.agenda, event)

    def _mail(self, kind: Any, event: StoredEvent, to: list[str]) -> None:
        self.calendars.invitations.send(kind, event, to, sender=self.agenda.id, wish=self.wish)


def _emails(event: StoredEvent) -> list[str]:
    return [entry["email"] for entry in event.attendees]


def _times(event: StoredEvent) -> tuple[object, ...]:
    return (event.start, event.end, event.recurrence)
