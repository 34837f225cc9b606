"""What a person or a tenant wants of calendars and appointments."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.errors import InvalidInput
from libs.common.writes import MergePolicy
from services.calendar.domain.templates import (
    DEFAULT_BODY,
    DEFAULT_PREFIX,
    DEFAULT_TITLE,
    LONGEST_PREFIX,
    Style,
    check_template,
    check_variables,
)
from services.calendar.domain.times import is_zone

MOST_REMINDERS = 5
MOST_MINUTES = 40_320
"""Four weeks, as far as Google reminds ahead."""
MOST_DAYS = 3_650


class Direction(StrEnum):
    """Which side's changes reach the other."""

    BIDIRECTIONAL = "bidirectional"
    TO_GOOGLE = "to_google"
    FROM_GOOGLE = "from_google"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDefaults:
    """What holds for all connections of a tenant that do not say otherwise."""

    prefix: str = DEFAULT_PREFIX
    title_template: str = DEFAULT_TITLE
    body_template: str = DEFAULT_BODY
    variables: Mapping[str, str] = field(default_factory=dict)
    """The company's own, for its templates."""
    timezone: str = "America/Sao_Paulo"

    def stored(self) -> dict[str, Any]:
        """Return what a column keeps of it: whatever is not the default."""
        return _differing(asdict(self), asdict(TENANT_DEFAULT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """One connection's own."""

    enabled: bool = True
    direction: Direction = Direction.BIDIRECTIONAL
    sync_past_days: int = 7
    sync_future_days: int = 30
    prefix: str | None = None
    """None, here and below: the tenant's."""
    title_template: str | None = None
    body_template: str | None = None
    include_client_info: bool = True
    include_notes: bool = False
    reminder_minutes: tuple[int, ...] = (15, 60)
    timezone: str | None = None
    conflict_policy: MergePolicy = MergePolicy.MANUAL
    target_calendar_id: UUID | None = None
    """Where events are written; None: the primary calendar."""

    @property
    def writes(self) -> bool:
        """Say whether the CRM's changes reach Google."""
        return self.enabled and self.direction is not Direction.FROM_GOOGLE

    @property
    def reads(self) -> bool:
        """Say whether Google's changes reach the CRM."""
        return self.enabled and self.direction is not Direction.TO_GOOGLE

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when to when events are kept in step."""
        past, future = timedelta(days=self.sync_past_days), timedelta(days=self.sync_future_days)
        return now - past, now + future

    def stored(self) -> dict[str, Any]:
        """Return what a column keeps of it, as JSON: whatever is not the default."""
        mine = asdict(self)
        mine["target_calendar_id"] = self.target_calendar_id and str(self.target_calendar_id)
        mine["reminder_minutes"] = list(self.reminder_minutes)
        default = asdict(DEFAULT) | {"reminder_minutes": list(DEFAULT.reminder_minutes)}
        return _differing(mine, default)


DEFAULT = Preferences()
TENANT_DEFAULT = TenantDefaults()


def preferences_of(column: Mapping[str, Any]) -> Preferences:
    """Return preferences as `stored` left them; what this release does not know is left out."""
    given = {name: column[name] for name in Preferences.__dataclass_fields__ if name in column}
    if "direction" in given:
        given["direction"] = Direction(given["direction"])
    if "conflict_policy" in given:
        given["conflict_policy"] = MergePolicy(given["conflict_policy"])
    if "reminder_minutes" in given:
        given["reminder_minutes"] = tuple(given["reminder_minutes"])
    if given.get("target_calendar_id"):
        given["target_calendar_id"] = UUID(given["target_calendar_id"])
    return Preferences(**given)


def tenant_defaults_of(column: Mapping[str, Any]) -> TenantDefaults:
    """Return defaults as `stored` left them; what this release does not know is left out."""
    names = TenantDefaults.__dataclass_fields__
    return TenantDefaults(**{name: column[name] for name in names if name in column})


def check_preferences(wanted: Preferences, tenant: TenantDefaults) -> None:
    """Refuse preferences that could not be followed.

    Raises:
        InvalidInput: names the field.
    """
    for name in ("sync_past_days", "sync_future_days"):
        if not 0 <= getattr(wanted, name) <= MOST_DAYS:
            raise InvalidInput.field(name, f"is not within 0..{MOST_DAYS}")
    minutes = wanted.reminder_minutes
    if len(minutes) > MOST_REMINDERS or len(set(minutes)) < len(minutes):
        raise InvalidInput.field("reminder_minutes", f"takes {MOST_REMINDERS} different ones")
    if not all(0 <= one <= MOST_MINUTES for one in minutes):
        raise InvalidInput.field("reminder_minutes", f"are not within 0..{MOST_MINUTES}")
    resolved = TenantDefaults(
        prefix=tenant.prefix if wanted.prefix is None else wanted.prefix,
        title_template=wanted.title_template or DEFAULT_TITLE,
        body_template=wanted.body_template or DEFAULT_BODY,
        variables=tenant.variables,
        timezone=wanted.timezone or tenant.timezone,
    )
    check_tenant_defaults(resolved)


def check_tenant_defaults(wanted: TenantDefaults) -> None:
    """Refuse defaults that could not be followed.

    Raises:
        InvalidInput: names the field.
    """
    check_variables("variables", wanted.variables)
    check_template("title_template", wanted.title_template, variables=wanted.variables)
    check_template("body_template", wanted.body_template, variables=wanted.variables)
    if len(wanted.prefix) > LONGEST_PREFIX:
        raise InvalidInput.field("prefix", f"is longer than {LONGEST_PREFIX} characters")
    if not is_zone(wanted.timezone):
        raise InvalidInput.field("timezone", "is no zone of the IANA database")


def style_of(preferences: Preferences, tenant: TenantDefaults) -> Style:
    """Return how appointments look with these preferences."""
    style = Style(
        prefix=tenant.prefix,
        title=preferences.title_template or tenant.title_template,
        body=preferences.body_template or tenant.body_template,
        variables=tenant.variables,
        include_client_info=preferences.include_client_info,
        include_notes=preferences.include_notes,
        reminder_minutes=preferences.reminder_minutes,
        zone=preferences.timezone or tenant.timezone,
    )
    return style if preferences.prefix is None else replace(style, prefix=preferences.prefix)


def _differing(mine: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mine.items() if value != default[name]}
