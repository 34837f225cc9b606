"""What goes in and out over HTTP of calendars and events."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.common.pagination import Page, PageQuery
from services.calendar.domain.event import Response

MOST_CHOSEN = 50
LONGEST_WINDOW_DAYS = 732


class CalendarOut(BaseModel):
    """A calendar of somebody's list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    google_id: str
    summary: str
    zone: str
    access_role: str
    is_primary: bool
    is_writable: bool
    is_read: bool = Field(description="What happens in it is taken in")
    hidden: bool
    color: str | None


class CalendarsOut(BaseModel):
    """Calendars, by connection, the primary one first."""

    items: list[CalendarOut]


class CalendarsQuery(BaseModel):
    """Whose calendars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_id: UUID | None = Field(default=None, description="Only of this connection")


class Choice(BaseModel):
    """Which calendars of a connection are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_id: UUID
    calendar_ids: list[UUID] = Field(max_length=MOST_CHOSEN)


class TimeOut(BaseModel):
    """When something is."""

    all_day: bool
    start: str = Field(description="`2026-11-26`, or `2026-11-26T09:00:00Z`")
    end: str = Field(description="Of whole days: the first day after them")
    zone: str | None = Field(default=None, description="IANA name: by whose clock it recurs")


class GuestOut(BaseModel):
    """Somebody invited."""

    email: str
    name: str | None
    response: Response
    optional: bool
    organizer: bool
    resource: bool


class PersonOut(BaseModel):
    """Somebody, by address."""

    email: str
    name: str | None = None


class EntityOut(BaseModel):
    """A lead, deal or contact of the CRM."""

    type: str
    id: str


class ReminderOut(BaseModel):
    """A reminder that Google gives the person."""

    method: str
    minutes: int


class CopyOut(BaseModel):
    """The meeting in one calendar."""

    connection_id: UUID
    user_id: str
    calendar_id: UUID
    google_event_id: str


class EventOut(BaseModel):
    """A meeting, or one occurrence of a series."""

    id: str = Field(description="Of an occurrence: `<series>_<original start>`")
    series_id: UUID
    occurrence: str | None
    title: str
    status: Literal["confirmed", "tentative", "cancelled"]
    time: TimeOut | None
    starts_at: datetime | None
    ends_at: datetime | None
    recurrence: list[str]
    location: str
    description: str
    organizer: PersonOut | None
    attendees: list[GuestOut]
    html_link: str | None
    meet_link: str | None
    visibility: str
    transparency: str
    event_type: str
    busy_only: bool
    appointment_id: str | None
    entities: list[EntityOut]
    copies: list[CopyOut]
    etag: str = Field(description="For If-Match; it changes with every change at Google")


class EventPosition(BaseModel):
    """Where an event stands in a list by time."""

    starts_at: datetime
    id: str


EventPage = Page[EventOut]


class EventsQuery(PageQuery):
    """Which events: those that take place at any time within a window."""

    from_: datetime | None = Field(
        default=None, alias="from", description="Without it: as far back as the settings reach"
    )
    to: datetime | None = Field(
        default=None, description="Without it: as far ahead as the settings reach"
    )
    calendar_id: UUID | None = Field(default=None, description="Only in this calendar")
    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    entity_type: str | None = Field(default=None, max_length=32)
    entity_id: str | None = Field(default=None, max_length=128)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.entity_type is None) != (self.entity_id is None):
            raise ValueError("entity_type and entity_id must be given together")
        for moment in (self.from_, self.to):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("from and to must name their zone, such as Z")
        if self.from_ is not None and self.to is not None:
            if self.to <= self.from_:
                raise ValueError("to must be after from")
            if (self.to - self.from_).days > LONGEST_WINDOW_DAYS:
                raise ValueError(f"from..to must be at most {LONGEST_WINDOW_DAYS} days")
        return self
