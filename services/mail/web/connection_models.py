"""What goes in and out over HTTP about mailboxes: status, and asking for more."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.common.operations.models import Progress
from services.mail.domain.message import Policy
from services.mail.domain.visibility import Visibility
from services.mail.domain.watch import WatchState
from services.mail.web.settings_models import MOST_DAYS, Paused


class FeedOut(BaseModel):
    """How one thing about a mailbox is being kept in step."""

    id: UUID
    kind: str = Field(description="mail.live, mail.backfill, mail.repair, mail.audit, mail.work")
    state: str
    reason: str | None
    summary: str = Field(description="State and reason in words")
    has_cursor: bool
    failures: int
    last_sync_at: datetime | None
    lag_s: float | None = Field(
        description="Seconds since the mailbox was last known to be in step; of the live feed"
    )
    progress: Progress | None


class WatchOut(BaseModel):
    """Whether Gmail tells us of changes."""

    state: WatchState
    expires_at: datetime | None
    failure: str | None


class QuotaOut(BaseModel):
    """Google's quota units that are left to this mailbox."""

    minute: int
    backfill_today: int


class SendsOut(BaseModel):
    """What the account has sent within 24 hours, of what Google lets it."""

    messages: int
    messages_allowed: int
    recipients: int
    recipients_allowed: int


class ConnectionStatus(BaseModel):
    """One mailbox."""

    connection_id: UUID
    user_id: str
    state: str
    access: str
    paused: Paused | None = Field(description="Why it is not read although it could be")
    policy: Policy
    visibility: Visibility
    backfill_days: int
    complete_since: datetime | None = Field(description="From when on the mailbox is here in full")
    feeds: list[FeedOut]
    watch: WatchOut
    messages: int
    traces: int = Field(description="Messages of which only ids, date and hashes are kept")
    dead_items: int
    quota: QuotaOut | None
    sends: SendsOut


class StatusOut(BaseModel):
    """All mailboxes the caller may see."""

    items: list[ConnectionStatus]


class SyncRequest(BaseModel):
    """Which mailbox to bring further into step, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_id: UUID
    days: int | None = Field(
        default=None,
        ge=1,
        le=MOST_DAYS,
        description="Take in mail of so many days; default: the connection's backfill_days",
    )
    mode: Literal["backfill", "repair"] = Field(
        default="backfill",
        description="backfill: take in older mail; repair: compare all that should be here",
    )

    @model_validator(mode="after")
    def _days_are_of_backfills(self) -> Self:
        if self.mode == "repair" and self.days is not None:
            raise ValueError("days goes with the mode backfill")
        return self
