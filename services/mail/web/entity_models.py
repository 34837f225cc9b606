"""What goes in and out over HTTP of the CRM's entities and their activities."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.directory.fields import LONGEST_VERSION, EntityFields, EntityId, EntityType
from libs.common.moments import Moment
from libs.common.pagination import Page, PageQuery
from services.mail.domain.message import Direction
from services.mail.domain.visibility import Visibility


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


class CopyOut(BaseModel):
    """One mailbox's copy of a mail."""

    message_id: UUID
    connection_id: UUID
    user_id: str = Field(description="Whose mailbox it is in")
    google_message_id: str
    thread_id: str
    direction: Direction
    visibility: Visibility = Field(description="What that mailbox's owner lets colleagues see")
    withheld: bool = Field(description="The caller may not see what it says")


class ActivityOut(BaseModel):
    """A mail that concerns an entity, once, as far as the caller may see its copies."""

    id: UUID = Field(description="The same for every copy of one mail in a tenant")
    type: Literal["email"] = "email"
    title: str = Field(description="Empty if it is withheld, as the snippet")
    snippet: str
    direction: Direction = Field(description="outbound: a colleague sent it")
    entities: list[EntityOut]
    participants: list[ParticipantOut]
    occurred_at: datetime
    start: datetime | None = None
    end: datetime | None = None
    created_by: str = Field(
        description="The user who sent it; of what arrived, the one whose copy came first"
    )
    source: Literal["gmail"] = "gmail"
    connection_id: UUID = Field(description="Of the copy that is shown, as the thread")
    thread_id: str
    visibility: Visibility = Field(description="Of its most open copy")
    withheld: bool = Field(description="The caller may see no copy in full")
    copies: list[CopyOut] = Field(description="Those the caller may see, by message id")


ActivityPage = Page[ActivityOut]
