"""The shapes of Calendar's answers, as far as they concern us."""

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from libs.common.moments import Moment
from services.calendar.domain.times import is_zone

LONGEST_DESCRIPTION = 16_384
LONGEST_TEXT = 2_048
MARK = "causeway."
"""Begins the names of our private extended properties."""
MEET = "hangoutsMeet"


def cut(text: str) -> str:
    """Return what we keep of a text."""
    return text[:LONGEST_TEXT]


def _known_zone(value: Any) -> Any:
    return value if isinstance(value, str) and is_zone(value) else None


Id = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[!-~]+$")]
Text = Annotated[str, AfterValidator(cut)]
Zone = Annotated[str | None, BeforeValidator(_known_zone)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
"""Milliseconds since 1970, up to the year 9999."""


class Answer(BaseModel):
    """A part of an answer, its names in Google's writing.

    Frozen, and without lists: what is absent is one value for all then, not a copy for each.
    """

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class TimeAnswer(Answer):
    """A day, or an instant with the zone it recurs in."""

    day: date | None = Field(default=None, alias="date")
    date_time: Moment | None = None
    time_zone: Zone = None


class PersonAnswer(Answer):
    """Organiser or creator."""

    email: str | None = None
    display_name: str | None = None
    is_self: bool = Field(default=False, alias="self")


class AttendeeAnswer(PersonAnswer):
    """Somebody invited."""

    response_status: str = ""
    optional: bool = False
    organizer: bool = False
    resource: bool = False
    comment: str | None = None
    additional_guests: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class OverrideAnswer(Answer):
    """One reminder."""

    method: Text
    minutes: Annotated[int, Field(ge=0, le=40_320)]


class RemindersAnswer(Answer):
    """The reminders of an event."""

    use_default: bool = False
    overrides: tuple[OverrideAnswer, ...] = ()


class Typed(Answer):
    """What has a type."""

    type: str = ""


class SolutionAnswer(Answer):
    """The kind of a conference."""

    key: Typed = Typed()


class StatusAnswer(Answer):
    """How far something is: pending, success or failure."""

    status_code: str = ""


class CreateAnswer(Answer):
    """A room that was asked for."""

    conference_solution_key: Typed = Typed()
    status: StatusAnswer = StatusAnswer()


class ConferenceAnswer(Answer):
    """The conference of an event, or the wish for one."""

    create_request: CreateAnswer | None = None
    conference_solution: SolutionAnswer | None = None


class PropertiesAnswer(Answer):
    """What programs noted of an event; of this calendar's copy alone."""

    private: dict[str, str] = {}


class EventAnswer(Answer):
    """An event. Of a cancelled one nothing but the id is certain; its texts are as long as may be.

    Source: https://developers.google.com/workspace/calendar/api/v3/reference/events
    """

    id: Id
    etag: str = ""
    updated: Moment | None = None
    ical_uid: str = Field(default="", alias="iCalUID")
    status: str = "confirmed"
    start: TimeAnswer | None = None
    end: TimeAnswer | None = None
    recurrence: tuple[str, ...] = ()
    recurring_event_id: Id | None = None
    original_start_time: TimeAnswer | None = None
    event_type: str = "default"
    transparency: str = "opaque"
    visibility: str = "default"
    guests_can_modify: bool = False
    summary: str = ""
    description: str = ""
    location: str = ""
    attendees: tuple[AttendeeAnswer, ...] = ()
    attendees_omitted: bool = False
    organizer: PersonAnswer = PersonAnswer()
    creator: PersonAnswer = PersonAnswer()
    html_link: str = ""
    hangout_link: str = ""
    conference_data: ConferenceAnswer = ConferenceAnswer()
    reminders: RemindersAnswer = RemindersAnswer(useDefault=True)
    extended_properties: PropertiesAnswer | None = None


class EventsAnswer(Answer):
    """events.list and events.instances; each item is read for itself."""

    items: list[Any] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None
    time_zone: Zone = None
    default_reminders: list[OverrideAnswer] = []
    updated: Moment | None = None


class ConferencePropertiesAnswer(Answer):
    """What rooms the events of a calendar can have."""

    allowed_conference_solution_types: list[str] = []


class EntryAnswer(Answer):
    """A calendar in the list; of a deleted one nothing but the id is certain."""

    id: Id
    summary: Text = ""
    summary_override: Text = ""
    time_zone: Zone = None
    access_role: str = ""
    primary: bool = False
    selected: bool = False
    hidden: bool = False
    deleted: bool = False
    background_color: Text | None = None
    conference_properties: ConferencePropertiesAnswer = ConferencePropertiesAnswer()


class CalendarListAnswer(Answer):
    """calendarList.list; each item is read for itself."""

    items: list[Any] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None


class WatchAnswer(Answer):
    """events.watch and calendarList.watch."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    resource_id: Annotated[str, Field(min_length=1, max_length=1024)]
    resource_uri: str = Field(default="", max_length=4096)
    expiration: Millis | None = None
