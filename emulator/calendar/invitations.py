"""The mails that Calendar sends about events: nothing leaves, but everything is counted.

Source: https://developers.google.com/workspace/calendar/api/concepts/sharing
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from emulator.calendar.event import StoredEvent
from emulator.clock import Clock
from emulator.people import Directory

Json = dict[str, Any]
Kind = Literal["invitation", "update", "cancellation", "response"]
Wish = Literal["all", "externalOnly", "none"]

_MOST_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Invitation:
    """One mail to one guest, or to an organizer."""

    to: str
    kind: Kind
    event_id: str
    uid: str
    summary: str
    calendar_id: str
    at_ms: int

    def json(self) -> Json:
        """Return it as the control API prints it."""
        return {
            "to": self.to,
            "kind": self.kind,
            "eventId": self.event_id,
            "iCalUID": self.uid,
            "summary": self.summary,
            "calendarId": self.calendar_id,
            "at_ms": self.at_ms,
        }


@dataclass(slots=True)
class Invitations:
    """Everything that was sent, oldest first."""

    clock: Clock
    people: Directory
    sent: list[Invitation] = field(default_factory=list)

    def send(
        self, kind: Kind, event: StoredEvent, to: Iterable[str], *, sender: str, wish: Wish
    ) -> None:
        """Mail people about an event, as far as `sendUpdates` wants it.

        Args:
            kind: what it is about.
            event: the event, as it is now.
            to: addresses; the sender is left out.
            sender: id of the calendar that it comes from.
            wish: `externalOnly` leaves out those who have a calendar here.
        """
        if wish == "none":
            return
        for email in to:
            is_here = self.people.find(email) is not None
            if email == sender or (wish == "externalOnly" and is_here):
                continue
            self.sent.append(
                Invitation(
                    email, kind, event.id, event.uid, str(event.facts.get("summary", "")), sender,
                    self.clock.now_ms(),
                )
            )  # fmt: skip
        del self.sent[:-_MOST_KEPT]
