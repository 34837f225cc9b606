"""What goes in and out over HTTP of holds, dead items and jobs."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.feeds import Feed
from libs.common.feeds.compare import Phase, Standing
from libs.common.feeds.holds import HoldState
from libs.common.jobs import JobState
from libs.common.pagination import Page, PageQuery


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


class Progress(BaseModel):
    """How far a comparison is."""

    reason: str = Field(description="backfill, gap, audit or request")
    phase: str = Field(description="list, marks, missing, changed, absent or finished")
    state: Literal["running", "held", "done"]
    done: int = Field(description="Messages or events worked on")
    total: int | None = Field(description="Of how many; null until all are listed")
    counts: dict[str, int]


def progress_of(feed: Feed) -> Progress | None:
    """Return how far the comparison is whose feed this is; None: it has not begun."""
    if not feed.cursor:
        return None
    standing = Standing.model_validate_json(feed.cursor)
    held = feed.reason == "held-deletions"
    over = standing.phase is Phase.FINISHED
    return Progress(
        reason=standing.plan.reason.value,
        phase=standing.phase.value,
        state="done" if over else "held" if held else "running",
        done=standing.done,
        total=standing.total,
        counts=standing.counts,
    )
