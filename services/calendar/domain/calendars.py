"""The calendars that a person's list shows."""

from dataclasses import dataclass
from enum import StrEnum


class AccessRole(StrEnum):
    """How far the person may go in a calendar.

    Source: https://developers.google.com/workspace/calendar/api/v3/reference/calendarList
    """

    NONE = "none"
    FREE_BUSY_READER = "freeBusyReader"
    READER = "reader"
    WRITER = "writer"
    OWNER = "owner"


WRITABLE = frozenset({AccessRole.WRITER, AccessRole.OWNER})


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """One calendar in somebody's list."""

    google_id: str
    summary: str = ""
    """As the person calls it."""
    zone: str | None = None
    """An IANA name."""
    access_role: AccessRole = AccessRole.NONE
    primary: bool = False
    selected: bool = False
    hidden: bool = False
    deleted: bool = False
    """It has gone from the list; nothing but its id is certain."""
    background_color: str | None = None
    conference_types: frozenset[str] = frozenset()
    """Kinds of rooms its events can have, such as `hangoutsMeet`."""

    @property
    def is_writable(self) -> bool:
        """Say whether the person may write events."""
        return self.access_role in WRITABLE

    @property
    def shows_details(self) -> bool:
        """Say whether more is seen than when somebody is busy."""
        return self.access_role not in {AccessRole.NONE, AccessRole.FREE_BUSY_READER}

    @property
    def has_meet(self) -> bool:
        """Say whether its events can have a Meet room."""
        return "hangoutsMeet" in self.conference_types
