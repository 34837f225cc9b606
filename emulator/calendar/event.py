"""One event as one calendar has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from emulator.calendar.times import Moment

Json = dict[str, Any]

CANCELLED: Final = "cancelled"
CONFIRMED: Final = "confirmed"

SHARED_FACTS: Final = (
    "summary", "description", "location", "attachments", "conferenceData", "hangoutLink",
    "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests", "anyoneCanAddSelf",
    "source", "eventType", "gadget",
)  # fmt: skip
"""What every copy of an event says; the rest of `facts` belongs to one copy alone."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event, a series or an exception of one. It is replaced, never changed.

    Attributes:
        facts: further fields as they are shown, with their defaults left out.
        master: id of the series that this is an instance of, else empty.
        original: when the series would have had this instance.
        attendees: guests; `email` is in lower case.
        shared: `extendedProperties.shared`.
        private: `extendedProperties.private`, of this calendar's copy.
        reminders: of each person who set their own, by `sub`.
        revision: the change of the calendar that brought this state; 0 for an instance that was
            only computed.
        place: where it stands in listings.
        gone: an exception that its series no longer has room for.
    """

    id: str
    uid: str
    start: Moment | None
    end: Moment | None
    organizer: Json
    creator: Json
    status: str = CONFIRMED
    facts: Json = field(default_factory=dict)
    recurrence: tuple[str, ...] = ()
    master: str = ""
    original: Moment | None = None
    attendees: tuple[Json, ...] = ()
    shared: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict)
    reminders: Mapping[str, Json] = field(default_factory=dict)
    sequence: int = 0
    created_s: float = 0.0
    updated_s: float = 0.0
    etag: str = ""
    revision: int = 0
    place: int = -1
    gone: bool = False
    rendered: dict[str, Json] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_cancelled(self) -> bool:
        """Return whether it was deleted."""
        return self.status == CANCELLED

    @property
    def is_series(self) -> bool:
        """Return whether it recurs."""
        return bool(self.recurrence)

    @property
    def type(self) -> str:
        """Return the event type."""
        return str(self.facts.get("eventType", "default"))

    def organized_by(self, email: str) -> bool:
        """Return whether that calendar or person is the organizer."""
        return bool(self.organizer.get("email", "") == email)

    def changed(self, **fields: Any) -> "StoredEvent":
        """Return it with other fields; what was rendered of the old one is forgotten."""
        return replace(self, **fields, rendered={})

    def content(self) -> "StoredEvent":
        """Return it without what every change moves, to compare two states."""
        return replace(self, etag="", revision=0, place=-1, updated_s=0.0, rendered={})

    def shared_content(self) -> tuple[object, ...]:
        """Return what belongs to the organizer and is the same in every copy."""
        return (
            self.start, self.end, self.status, self.recurrence, self.attendees,
            dict(self.shared), {k: self.facts[k] for k in SHARED_FACTS if k in self.facts},
        )  # fmt: skip


def guest(event: StoredEvent, email: str) -> Json | None:
    """Return the guest with that address, or None."""
    return next((entry for entry in event.attendees if entry["email"] == email), None)
