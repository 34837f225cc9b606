"""What the calendar service publishes about meetings, appointments and conflicts."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.events.base import Event
from libs.common.events.feeds import FeedEvent, FeedStateEvent

SOURCE = "/causeway/calendar"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class Time(_Fact):
    """Whole days, the end being the first day after them; or two instants in a zone."""

    all_day: bool
    start: str
    """`2026-11-26`, or `2026-11-26T09:00:00Z`."""
    end: str
    zone: str | None = None
    """An IANA name: by whose clock it recurs."""


class Person(_Fact):
    """Somebody, by address."""

    email: str
    name: str | None = None


class Guest(Person):
    """Somebody invited, and what they answered."""

    response: Literal["needsAction", "declined", "tentative", "accepted"]
    optional: bool = False
    organizer: bool = False
    resource: bool = False
    """A room or a thing."""


class EventCopy(_Fact):
    """A meeting in one calendar."""

    connection_id: UUID
    user_id: str
    calendar_id: UUID
    google_event_id: str


class _EventEvent(Event):
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "event"

    event_id: str
    """The same for all colleagues who have it; of an occurrence `<series>_<original start>`."""
    series_id: UUID
    occurrence: str | None
    """Where in its series an exception belongs: `20261126T090000Z`, `20261126`."""
    connection_id: UUID
    """Of the copy that speaks for all."""
    user_id: str
    calendar_id: UUID
    google_event_id: str
    ical_uid: str


class _EventFacts(_EventEvent):
    title: str
    """`(No title)` without one; `(Busy)` of what is private."""
    status: Literal["confirmed", "tentative", "cancelled"]
    time: Time | None
    recurrence: tuple[str, ...] = ()
    """RRULE, RDATE and EXDATE lines (RFC 5545)."""
    location: str = ""
    organizer: Person | None = None
    attendees: tuple[Guest, ...] = Field(default=(), max_length=200)
    html_link: str | None = None
    meet_link: str | None = None
    visibility: str = "default"
    transparency: Literal["opaque", "transparent"] = "opaque"
    event_type: str = "default"
    busy_only: bool = False
    """It is private: when it is, is all there is to know."""
    appointment_id: str | None = None
    """Of the appointment of the CRM that it mirrors."""
    copies: tuple[EventCopy, ...] = Field(default=(), max_length=100)


class EventCreated(_EventFacts):
    """A meeting is in a colleague's calendar that was in none before."""

    type: ClassVar[str] = "calendar.event.created.v1"


class EventUpdated(_EventFacts):
    """Something of a meeting changed: its time, its guests, their answers, who has it."""

    type: ClassVar[str] = "calendar.event.updated.v1"


class EventCancelled(_EventEvent):
    """A meeting, or one occurrence of a series, does not take place, or is in no calendar more."""

    type: ClassVar[str] = "calendar.event.cancelled.v1"


class AppointmentChanged(Event):
    """A person changed or cancelled an appointment's event in Google.

    `changes` has what that means for the appointment: the fields that differ, as they are now.
    """

    type: ClassVar[str] = "calendar.appointment.changed.v1"
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "appointment"

    appointment_id: str
    version: int
    """Of the appointment that the event mirrored."""
    connection_id: UUID
    user_id: str
    google_event_id: str
    cancelled: bool
    changes: dict[str, Any]
    """Such as `start`, `duration` (minutes), `zone`, and texts of the event itself."""


class Reference(_Fact):
    """A lead, deal or contact of the CRM."""

    type: str
    id: str


class Participant(Person):
    """Somebody who takes part, and as what."""

    role: Literal["organizer", "attendee", "optional"]


class Activity(_Fact):
    """What happens with entities of the CRM, in the one form all kinds share."""

    id: UUID
    type: Literal["meeting"] = "meeting"
    title: str
    snippet: str = Field(default="", max_length=500)
    direction: Literal["inbound", "outbound"]
    """`outbound`: a colleague organises it."""
    entities: tuple[Reference, ...]
    """All it concerns now; none: it is no activity any more."""
    participants: tuple[Participant, ...] = Field(default=(), max_length=200)
    occurred_at: datetime
    """When it begins."""
    start: datetime | None = None
    end: datetime | None = None
    created_by: str
    """The user whose copy speaks for all."""
    source: Literal["google_calendar"] = "google_calendar"
    event_id: str


class ActivityLogged(Event):
    """A meeting concerns other entities, or is another, than before; each event has all."""

    type: ClassVar[str] = "calendar.activity.logged.v1"
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "activity"

    connection_id: UUID
    activity: Activity


class _ConflictEvent(Event):
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "conflict"

    conflict_id: UUID
    connection_id: UUID
    user_id: str
    google_event_id: str
    appointment_id: str | None
    fields: tuple[str, ...]
    """Which both sides changed, each to another value."""


class ConflictDetected(_ConflictEvent):
    """Both sides changed the same; a person has to choose."""

    type: ClassVar[str] = "calendar.conflict.detected.v1"


class ConflictResolved(_ConflictEvent):
    """Somebody chose, or there is nothing to choose any more."""

    type: ClassVar[str] = "calendar.conflict.resolved.v1"

    resolution: Literal["google", "crm", "mixed", "obsolete"]


class ReminderDue(Event):
    """A meeting or appointment is about to begin; told once for each reminder."""

    type: ClassVar[str] = "calendar.reminder.due.v1"
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "reminder"

    reminder_id: UUID
    connection_id: UUID
    user_id: str
    event_id: str
    google_event_id: str
    appointment_id: str | None
    title: str
    starts_at: datetime
    minutes: int
    """Before its start."""


class FeedDegraded(FeedStateEvent):
    """Reading a calendar fails, waits for somebody, or left something behind; or why it does."""

    type: ClassVar[str] = "calendar.feed.degraded.v1"
    source: ClassVar[str] = SOURCE


class FeedRecovered(FeedStateEvent):
    """A calendar is read again as it should be."""

    type: ClassVar[str] = "calendar.feed.recovered.v1"
    source: ClassVar[str] = SOURCE


class ResyncCounts(_Fact):
    """How many events a full comparison found in which way."""

    listed: int = 0
    """At Google."""
    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0
    """Not listed, and not removed."""


class FeedResynced(FeedEvent):
    """A calendar was compared with Google in full, and what differed was taken over."""

    type: ClassVar[str] = "calendar.feed.resynced.v1"
    source: ClassVar[str] = SOURCE

    calendar_id: UUID
    reason: Literal["backfill", "gap", "audit", "request"]
    started_at: datetime
    finished_at: datetime
    counts: ResyncCounts


EVENTS: tuple[type[Event], ...] = (
    EventCreated,
    EventUpdated,
    EventCancelled,
    AppointmentChanged,
    ActivityLogged,
    ConflictDetected,
    ConflictResolved,
    ReminderDue,
    FeedDegraded,
    FeedRecovered,
    FeedResynced,
)
