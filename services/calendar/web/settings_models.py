"""What goes in and out over HTTP of a connection's and a tenant's settings."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.writes import MergePolicy
from services.calendar.domain.connection import Connection
from services.calendar.domain.preferences import (
    MOST_DAYS,
    MOST_MINUTES,
    MOST_REMINDERS,
    TENANT_DEFAULT,
    Direction,
    Preferences,
    TenantDefaults,
    style_of,
)
from services.calendar.domain.templates import (
    DEFAULT_BODY,
    DEFAULT_PREFIX,
    DEFAULT_TITLE,
    LONGEST_BODY_TEMPLATE,
    LONGEST_PREFIX,
    LONGEST_TITLE_TEMPLATE,
    LONGEST_VALUE,
    MOST_VARIABLES,
)

Prefix = Annotated[str, Field(max_length=LONGEST_PREFIX)]
Title = Annotated[str, Field(min_length=1, max_length=LONGEST_TITLE_TEMPLATE)]
Body = Annotated[str, Field(min_length=1, max_length=LONGEST_BODY_TEMPLATE)]
Zone = Annotated[str, Field(min_length=1, max_length=64)]
Value = Annotated[str, Field(max_length=LONGEST_VALUE)]
Minutes = Annotated[int, Field(ge=0, le=MOST_MINUTES)]


class ConnectionSettings(BaseModel):
    """What somebody wants of a connection's calendars. What is left out has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="False: nothing goes either way until it is")
    direction: Direction = Field(
        default=Direction.BIDIRECTIONAL,
        description="to_google: what happens in Google is not taken in, and goes from here; "
        "from_google: nothing is written to Google",
    )
    sync_past_days: int = Field(default=7, ge=0, le=MOST_DAYS)
    sync_future_days: int = Field(default=30, ge=0, le=MOST_DAYS)
    prefix: Prefix | None = Field(
        default=None,
        description="Before titles of appointments; null, here and below: the tenant's",
    )
    title_template: Title | None = None
    body_template: Body | None = Field(
        default=None, description="A line goes whose variables have no value"
    )
    include_client_info: bool = Field(
        default=True, description="Name, telephone and e-mail address of clients"
    )
    include_notes: bool = False
    reminder_minutes: list[Minutes] = Field(
        default=[15, 60],
        max_length=MOST_REMINDERS,
        description="How long before meetings calendar.reminder.due.v1 is told",
    )
    timezone: Zone | None = Field(default=None, description="An IANA name; null: the tenant's")
    conflict_policy: MergePolicy = Field(
        default=MergePolicy.MANUAL,
        description="Whose value stays when both sides changed a field, each to another one",
    )
    target_calendar_id: UUID | None = Field(
        default=None, description="Where events are written; null: the primary calendar"
    )

    def preferences(self) -> Preferences:
        """Return what it says."""
        given = self.model_dump(include=set(ConnectionSettings.model_fields))
        return Preferences(**{**given, "reminder_minutes": tuple(self.reminder_minutes)})


class Effective(BaseModel):
    """What holds once connection and tenant have been asked."""

    prefix: str
    title_template: str
    body_template: str
    timezone: str


class ConnectionSettingsOut(ConnectionSettings):
    """A connection's settings, and what they come to."""

    model_config = ConfigDict(frozen=True)

    effective: Effective

    @classmethod
    def of(cls, connection: Connection, tenant: TenantDefaults) -> Self:
        """Return those of a connection."""
        mine = connection.preferences
        style = style_of(mine, tenant)
        return cls(
            **{name: getattr(mine, name) for name in ConnectionSettings.model_fields}
            | {"reminder_minutes": list(mine.reminder_minutes)},
            effective=Effective(
                prefix=style.prefix,
                title_template=style.title,
                body_template=style.body,
                timezone=style.zone,
            ),
        )


class TenantSettings(BaseModel):
    """What holds for all connections of a tenant that do not say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    prefix: Prefix = DEFAULT_PREFIX
    title_template: Title = DEFAULT_TITLE
    body_template: Body = DEFAULT_BODY
    variables: dict[str, Value] = Field(
        default={},
        max_length=MOST_VARIABLES,
        description="The company's own, for templates: `{company}`",
    )
    timezone: Zone = Field(default=TENANT_DEFAULT.timezone, description="An IANA name")

    def defaults(self) -> TenantDefaults:
        """Return what it says."""
        return TenantDefaults(**self.model_dump())
