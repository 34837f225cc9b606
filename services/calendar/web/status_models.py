"""What goes out over HTTP of how connections stand, and of the sync log."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.moments import Moment
from libs.common.operations.models import Progress
from libs.common.operations.rates import RateOut
from libs.common.pagination import Page, PageQuery
from libs.common.writes import MergePolicy
from services.calendar.domain.preferences import Direction

LogDirection = Literal["from_google", "to_google"]
Action = Literal["create", "update", "delete"]
Outcome = Literal["success", "error", "skipped"]


class FeedOut(BaseModel):
    """How one thing about somebody's calendars is being kept in step."""

    id: UUID
    kind: str = Field(
        description="calendar.list, calendar.events, calendar.audit, calendar.work, calendar.write"
    )
    calendar_id: UUID | None = Field(description="Of which calendar; null: of the connection")
    state: str
    reason: str | None
    summary: str = Field(description="State and reason in words")
    has_cursor: bool
    failures: int
    last_sync_at: datetime | None
    progress: Progress | None = Field(description="Of a comparison")


class WatchedOut(BaseModel):
    """A calendar that is read, and whether Google tells us of changes in it."""

    calendar_id: UUID
    google_id: str
    summary: str
    is_primary: bool
    watch: Literal["watched", "polled"]
    expires_at: datetime | None = Field(description="When the newest channel ends")
    failure: str | None = Field(description="Why no channel was opened; not-watchable: none can be")


class SettingsSummary(BaseModel):
    """The settings that say what goes which way."""

    enabled: bool
    direction: Direction
    sync_past_days: int
    sync_future_days: int
    conflict_policy: MergePolicy
    target_calendar_id: UUID | None


class QuotaOut(BaseModel):
    """Google's requests that are left to this account."""

    minute: int
    backfill_today: int


class ConnectionStatus(BaseModel):
    """One person's calendars."""

    connection_id: UUID
    user_id: str
    state: str
    access: str
    paused: bool = Field(description="Somebody switched it off here")
    settings: SettingsSummary
    ends_by: datetime | None = Field(
        description="Somebody ends it: what was mirrored is taken out of Google till then"
    )
    complete_since: datetime | None = Field(description="From when on calendars are here in full")
    feeds: list[FeedOut]
    calendars: list[WatchedOut] = Field(description="Those that are read")
    events: int
    dead_items: int
    open_conflicts: int
    quota: QuotaOut | None
    last_sync_at: datetime | None = Field(
        description="When all calendars that are read were last known to be in step"
    )
    last_day: RateOut


class StatusOut(BaseModel):
    """All connections the caller may see."""

    items: list[ConnectionStatus]


class LogQuery(PageQuery):
    """Which lines of the sync log."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    direction: LogDirection | None = None
    action: Action | None = None
    status: Outcome | None = None
    event_id: str | None = Field(default=None, max_length=64, description="Of a meeting")
    appointment_id: str | None = Field(default=None, max_length=256)
    since: Moment | None = Field(default=None, description="Only lines from then on")


class LogPosition(BaseModel):
    """Where a line stands in the log, which is newest first."""

    id: UUID


class LineOut(BaseModel):
    """What went one way, and how it ended."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    calendar_id: UUID | None
    direction: LogDirection
    action: Action
    status: Outcome
    event_id: str | None
    google_event_id: str | None
    appointment_id: str | None
    error: str | None = Field(description="A short constant")
    at: datetime


LogPage = Page[LineOut]
