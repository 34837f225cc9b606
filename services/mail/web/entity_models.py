"""What goes in and out over HTTP of the CRM's entities and their activities."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.directory.fields import LONGEST_VERSION, EntityFields, EntityId, EntityType
from libs.common.moments import Moment
from libs.common.pagination import Page, PageQuery
from services.mail.domain.message import Direction


class EntityIn(EntityFields):
    """An entity as it is now; which one says the path."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EntityRow(EntityFields):
    """One line of an import."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity_type: EntityType
    entity_id: EntityId


class EntityPath(BaseModel):
    """Which entity a path names."""

    entity_type: EntityType
    entity_id: EntityId


class DeletionQuery(BaseModel):
    """How new the deletion is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[int, Field(ge=1, le=LONGEST_VERSION)] = Field(
        description="Of the deletion; an entity of a higher version stays"
    )


class Applied(BaseModel):
    """What became of a change."""

    applied: bool = Field(description="False: what is known is as new, or newer")
    version: int = Field(description="The newest version that is known now")


class RowError(BaseModel):
    """Why a line was left out."""

    line: int = Field(description="1 is the first")
    field: str
    detail: str


class ImportReport(BaseModel):
    """What became of an import's lines; blank ones do not count."""

    rows: int = 0
    applied: int = 0
    stale: int = Field(default=0, description="What was known is as new, or newer")
    failed: int = 0
    errors: list[RowError] = Field(default=[], description="The first 1,000")


class ActivityQuery(PageQuery):
    """Whose activities to list."""

    entity_type: EntityType = Field(description="Such as `lead`")
    entity_id: EntityId


class ActivityPosition(BaseModel):
    """Where an activity stands in the list."""

    date: Moment
    id: UUID


class EntityOut(BaseModel):
    """An entity of the CRM."""

    type: str
    id: str


class ParticipantOut(BaseModel):
    """Somebody who took part, and as what."""

    model_config = ConfigDict(from_attributes=True)

    address: str
    name: str | None
    role: Literal["from", "to", "cc", "bcc"]


class ActivityOut(BaseModel):
    """A message that concerns an entity."""

    id: UUID = Field(description="Of the message")
    type: Literal["email"] = "email"
    title: str
    snippet: str
    direction: Direction
    entities: list[EntityOut]
    participants: list[ParticipantOut]
    occurred_at: datetime
    start: datetime | None = None
    end: datetime | None = None
    created_by: str = Field(description="The user whose mailbox it was found in")
    source: Literal["gmail"] = "gmail"
    connection_id: UUID
    thread_id: str


ActivityPage = Page[ActivityOut]
