"""What goes in and out over HTTP of calendars and events."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.directory.fields import EntityId, EntityType
from libs.common.moments import Moment
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

    from_: Moment | None = Field(
        default=None, alias="from", description="Without it: as far back as the settings reach"
    )
    to: Moment | None = Field(
        default=None,
        description="Without it: as far ahead as the settings reach; at most "
        f"{LONGEST_WINDOW_DAYS} days after from",
    )
    calendar_id: UUID | None = Field(default=None, description="Only in this calendar")
    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    entity_type: EntityType | None = Field(
        default=None, description="With entity_id: only what concerns this entity"
    )
    entity_id: EntityId | None = None
