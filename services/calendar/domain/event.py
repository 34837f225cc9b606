"""Events as Google has them, as far as they concern us."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from services.calendar.domain.times import When


class Status(StrEnum):
    """Whether it takes place."""

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    CANCELLED = "cancelled"


class Response(StrEnum):
    """What somebody invited has said."""

    NEEDS_ACTION = "needsAction"
    DECLINED = "declined"
    TENTATIVE = "tentative"
    ACCEPTED = "accepted"


class Notify(StrEnum):
    """Whom Google writes to about a change; nothing is ever sent that nobody asked for."""

    NONE = "none"
    ALL = "all"
    EXTERNAL = "external"
    """Only those who do not use Google Calendar."""


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody invited, or a room."""

    email: str
    """As Google has it; "" where Google names only an id."""
    name: str | None = None
    response: Response = Response.NEEDS_ACTION
    optional: bool = False
    organizer: bool = False
    resource: bool = False
    is_self: bool = False
    """It is the calendar's own person."""
    comment: str | None = None
    """What they said with their answer."""
    extra_guests: int = 0


@dataclass(frozen=True, slots=True)
class Reminder:
    """How long before its start somebody is reminded, and how."""

    method: str
    """`email` or `popup`."""
    minutes: int
    """0..40320 (four weeks)."""


@dataclass(frozen=True, slots=True)
class Reminders:
    """Those of the calendar, or an event's own."""

    use_default: bool = True
    overrides: tuple[Reminder, ...] = ()
    """At most 5, sorted; only without `use_default`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What an event says; of one that is shown as busy only there are none."""

    summary: str = ""
    description: str = ""
    location: str = ""
    attendees: tuple[Attendee, ...] = ()
    attendees_omitted: bool = False
    organizer_email: str | None = None
    organizer_name: str | None = None
    creator_email: str | None = None
    html_link: str | None = None
    meet_link: str | None = None
    meet_pending: bool = False
    """A Meet room was asked for and is not there yet."""
    reminders: Reminders = Reminders()
    visibility: str = "default"
    """default, public, private or confidential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event in one calendar: single, the master of a series, or an exception of one."""

    google_id: str
    etag: str
    updated: datetime | None
    ical_uid: str
    status: Status
    when: When | None
    """None: cancelled, and Google does not say when it was."""
    recurrence: tuple[str, ...] = ()
    """RRULE, RDATE and EXDATE lines; only a master has some."""
    master_id: str | None = None
    """The Google id of the series it is an exception of."""
    original: date | datetime | None = None
    """Where in the series it belongs, for ever; a day in a series of days."""
    event_type: str = "default"
    transparent: bool = False
    """It takes no time of the person's."""
    organized_here: bool = False
    """This calendar's copy is the organiser's."""
    busy_only: bool = False
    """Private or confidential, or nothing else may be seen: of `details` only the visibility."""
    guests_can_modify: bool = False
    details: Details = Details()
    marks: dict[str, str] = field(default_factory=dict)
    """Our private extended properties, without their prefix: `appointment`, `write`, `source`."""

    @property
    def is_master(self) -> bool:
        """Say whether it recurs."""
        return bool(self.recurrence)
