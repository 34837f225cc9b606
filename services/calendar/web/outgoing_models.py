"""What goes in and out over HTTP of changes of events."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from libs.common.addresses import fold_address, is_address
from libs.common.appointments import Zone
from libs.common.directory.fields import EntityId, EntityType
from libs.common.fields import plain_text
from libs.common.waiting import LONGEST_WAIT_S
from services.calendar.domain.event import Notify, Response
from services.calendar.domain.times import Days, Span, stored
from services.calendar.sync.outward.scopes import Scope

LONGEST_TITLE = 1_024
LONGEST_DESCRIPTION = 8_192
MOST_GUESTS = 200
MOST_REMINDERS = 5
MOST_MINUTES = 40_320
MOST_LINES = 50
MOST_ENTITIES = 50
FIRST_YEAR, LAST_YEAR = 1970, 9000
"""Between which an instant has a day in every zone."""
DEFAULT_WAIT_S = 10


def _email(value: str) -> str:
    folded = fold_address(value)
    if not is_address(folded):
        raise ValueError("must be an e-mail address")
    return folded


Title = Annotated[str, Field(max_length=LONGEST_TITLE), AfterValidator(plain_text)]
Description = Annotated[str, Field(max_length=LONGEST_DESCRIPTION), AfterValidator(plain_text)]
Line = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(plain_text)]


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GuestIn(_In):
    """Somebody to invite."""

    email: Annotated[str, Field(max_length=320), AfterValidator(_email)]
    optional: bool = False


class ReminderIn(_In):
    """A reminder that Google gives the calendar's person."""

    method: Literal["email", "popup"]
    minutes: int = Field(ge=0, le=MOST_MINUTES)


class EntityIn(_In):
    """A lead, deal or contact of the CRM that it concerns."""

    type: EntityType
    id: EntityId


class TimesIn(_In):
    """When it is: two instants, or whole days of which `end` is the first after them."""

    start: AwareDatetime | date
    end: AwareDatetime | date
    zone: Zone | None = Field(default=None, description="IANA name; without it, the calendar's")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if isinstance(self.start, datetime) != isinstance(self.end, datetime):
            raise ValueError("start and end must both be days, or both instants")
        if self.start.year < FIRST_YEAR or self.end.year > LAST_YEAR:
            raise ValueError(f"must be within the years {FIRST_YEAR}..{LAST_YEAR}")
        if self.end <= self.start:
            raise ValueError("end must be after start")
        return self

    def stored(self, *, zone: str) -> dict[str, Any]:
        """Return it as the domain's field `time`."""
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            return stored(Span(self.start, self.end, self.zone or zone))
        return stored(Days(self.start, self.end))


class _EventIn(_In):
    title: Title | None = None
    description: Description | None = None
    location: Title | None = None
    time: TimesIn | None = None
    recurrence: list[Line] | None = Field(
        default=None, max_length=MOST_LINES, description="RRULE, RDATE and EXDATE lines (RFC 5545)"
    )
    attendees: list[GuestIn] | None = Field(default=None, max_length=MOST_GUESTS)
    reminders: list[ReminderIn] | None = Field(
        default=None, max_length=MOST_REMINDERS, description="Empty: the calendar's own"
    )
    meet: bool | None = Field(default=None, description="With a Meet room")
    visibility: Literal["default", "public", "private"] | None = None
    transparency: Literal["opaque", "transparent"] | None = None
    notify: Notify | None = Field(
        default=None, description="Whom Google writes to; must be said of a meeting with guests"
    )
    entities: list[EntityIn] | None = Field(
        default=None, max_length=MOST_ENTITIES, description="Whom it concerns, whoever is invited"
    )

    def fields(self, *, zone: str) -> dict[str, Any]:
        """Return what was given, as the domain's fields."""
        given: dict[str, Any] = {
            "summary": self.title,
            "description": self.description,
            "location": self.location,
            "time": None if self.time is None else self.time.stored(zone=zone),
            "recurrence": self.recurrence,
            "attendees": _guests(self.attendees),
            "reminders": _reminders(self.reminders),
            "visibility": self.visibility,
            "transparency": self.transparency,
            "conference": None if self.meet is None else "meet" if self.meet else "none",
        }
        return {name: value for name, value in given.items() if value is not None}


class NewEvent(_EventIn):
    """An event to make."""

    connection_id: UUID | None = Field(
        default=None, description="Whose; a user with one connection need not say"
    )
    calendar_id: UUID | None = Field(default=None, description="Without it, the settings' own")
    title: Title
    time: TimesIn
    reminders: list[ReminderIn] | None = Field(
        default=[ReminderIn(method="email", minutes=1440), ReminderIn(method="popup", minutes=10)],
        max_length=MOST_REMINDERS,
        description="Empty: the calendar's own",
    )


class EventChange(_EventIn):
    """What changes of an event."""

    scope: Scope | None = Field(
        default=None, description="Of an occurrence: only it (default), what follows too, or all"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.fields(zone="UTC") and self.entities is None:
            raise ValueError("must change something")
        return self


class EventCancellation(_In):
    """How an event is cancelled."""

    scope: Scope | None = Field(
        default=None, description="Of an occurrence: only it (default), what follows too, or all"
    )
    notify: Notify | None = Field(default=None, description="Whom Google writes to")
    wait: int = Field(default=DEFAULT_WAIT_S, ge=0, le=LONGEST_WAIT_S)


class EventAnswer(_In):
    """What the calendar's person answers to an invitation."""

    response: Literal[Response.ACCEPTED, Response.DECLINED, Response.TENTATIVE]
    comment: Title | None = None
    notify: Notify | None = Field(default=None, description="Whom Google writes to")


class WaitQuery(_In):
    """How long to wait for Google."""

    wait: int = Field(
        default=DEFAULT_WAIT_S,
        ge=0,
        le=LONGEST_WAIT_S,
        description="Answer when Google has done it, or after so many seconds with 202",
    )


class WrittenOut(BaseModel):
    """An event on its way to Google, or there."""

    id: str
    google_event_id: str
    html_link: str | None = Field(description="Null until Google has it")
    state: Literal["queued", "sending", "done", "failed", "unknown", "conflict", "cancelled"]
    reason: str | None
    write_id: UUID


def _guests(given: list[GuestIn] | None) -> list[dict[str, Any]] | None:
    if given is None:
        return None
    found = {one.email: one.optional for one in given}
    return [{"email": email, "optional": optional} for email, optional in sorted(found.items())]


def _reminders(given: list[ReminderIn] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    pairs = sorted({(one.minutes, one.method) for one in given})
    return {
        "use_default": not pairs,
        "overrides": [{"method": method, "minutes": minutes} for minutes, method in pairs],
    }
