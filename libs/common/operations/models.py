"""What goes in and out over HTTP of holds, dead items and jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.feeds.holds import HoldState
from libs.common.jobs import JobState
from libs.common.pagination import Page, PageQuery

LONGEST_WAIT_S = 30


class Position(BaseModel):
    """Where an item stands in a list that is newest first."""

    id: UUID


class HoldQuery(PageQuery):
    """Which holds to list."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    state: HoldState | None = Field(default=None, description="Only those; without it, all")


class HoldOut(BaseModel):
    """What waits for a yes or no before it happens, or what was decided."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    feed_id: UUID
    kind: str
    subject: str = Field(description="What it is about within the feed")
    affected: int = Field(description="How many would be changed")
    total: int = Field(description="Of how many")
    state: HoldState
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None = Field(description="`user:<id>` or `service:<name>`")


HoldPage = Page[HoldOut]


class DeadItemQuery(PageQuery):
    """Which dead items to list."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")


class DeadItemOut(BaseModel):
    """What could not be taken in."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    feed_id: UUID
    kind: str
    item: str = Field(description="Its id at Google")
    cause: str
    attempts: int = Field(description="How often it was given up")
    created_at: datetime
    replay_at: datetime | None = Field(description="When another try was asked for, until it ends")


DeadItemPage = Page[DeadItemOut]


class JobQuery(BaseModel):
    """Whether to wait for the end of a job."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wait: int = Field(
        default=0,
        ge=0,
        le=LONGEST_WAIT_S,
        description="Answer when it has ended, or after so many seconds",
    )


class JobOut(BaseModel):
    """Long work that was asked for."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    kind: str
    state: JobState
    reason: str | None
    done: int
    total: int | None = Field(description="Null until it is known")
    facts: dict[str, Any]
    created_at: datetime
    finished_at: datetime | None
