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
from services.contacts.domain.preferences import Import, Push

LogDirection = Literal["from_google", "to_google"]
Kind = Literal["contact", "group"]
Action = Literal["create", "update", "delete"]
Outcome = Literal["success", "error", "skipped"]


class FeedOut(BaseModel):
    """How one thing about somebody's contacts is being kept in step."""

    id: UUID
    kind: str = Field(
        description="contacts.people, contacts.groups, contacts.audit, contacts.work or "
        "contacts.write"
    )
    state: str
    reason: str | None
    summary: str = Field(description="State and reason in words")
    has_cursor: bool
    failures: int
    last_sync_at: datetime | None
    progress: Progress | None = Field(description="Of a comparison")


class SettingsSummary(BaseModel):
    """The settings that say what goes which way."""

    enabled: bool
    imports: Import
    push: Push
    conflict_policy: MergePolicy


class QuotaOut(BaseModel):
    """Google's units that are left to this account in the minute that ends now."""

    reads: int
    writes: int


class GroupStatus(BaseModel):
    """A group that is a label of the address book."""

    group_id: UUID
    name: str
    resource: str
    members: int = Field(description="Contacts in the group")
    members_at_google: int = Field(description="People with the label, as far as is known")
    last_sync_at: datetime | None = Field(description="When labels were last known to be in step")
    last_change_at: datetime | None
    error: str | None = Field(description="Why the last change of it failed; a short constant")


class ErrorOut(BaseModel):
    """What went wrong in the last 24 hours."""

    error: str | None
    times: int
    at: datetime = Field(description="When it last did")


class ConnectionStatus(BaseModel):
    """One person's address book."""

    connection_id: UUID
    user_id: str
    state: str
    access: str
    paused: bool = Field(description="Somebody switched it off here")
    settings: SettingsSummary
    read_at: datetime | None = Field(description="When it was read in full for the first time")
    confirmed_at: datetime | None = Field(
        description="When somebody said yes to what is written first; nothing is before"
    )
    feeds: list[FeedOut]
    people: int = Field(description="In the address book, as far as is known")
    linked: int = Field(description="Those of them who are contacts")
    waiting_writes: int
    dead_items: int
    open_conflicts: int
    open_holds: int
    groups: list[GroupStatus]
    errors: list[ErrorOut]
    quota: QuotaOut | None
    last_sync_at: datetime | None = Field(
        description="When people and labels were last known to be in step"
    )
    last_day: RateOut


class Totals(BaseModel):
    """What the caller may see."""

    contacts: int
    groups: int


class StatusOut(BaseModel):
    """All connections the caller may see."""

    totals: Totals
    items: list[ConnectionStatus]


class LogQuery(PageQuery):
    """Which lines of the sync log."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    kind: Kind | None = None
    direction: LogDirection | None = None
    action: Action | None = None
    status: Outcome | None = None
    item_id: UUID | None = Field(default=None, description="Of a contact or a group")
    since: Moment | None = Field(default=None, description="Only lines from then on")


class LogPosition(BaseModel):
    """Where a line stands in the log, which is newest first."""

    id: UUID


class LineOut(BaseModel):
    """What went one way, and how it ended."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    kind: Kind
    direction: LogDirection
    action: Action
    status: Outcome
    item_id: UUID | None = Field(description="The contact's or the group's")
    google_id: str | None = Field(description="Its name at Google")
    error: str | None = Field(description="A short constant")
    at: datetime


LogPage = Page[LineOut]
