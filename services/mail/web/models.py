"""What goes in and out over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.moments import Moment
from libs.common.pagination import Page, PageQuery
from services.mail.domain.message import Direction
from services.mail.domain.visibility import Visibility

EntityType = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s/]+$")]
EntityId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$")]
LabelId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$")]


class MessageQuery(PageQuery):
    """Which messages to list."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    thread_id: str | None = Field(default=None, max_length=64, description="Only of this thread")
    label: LabelId | None = Field(default=None, description="Only with this label (Gmail's id)")
    since: Moment | None = Field(default=None, description="Accepted by Google from then on")
    until: Moment | None = Field(default=None, description="Accepted by Google before then")
    entity_type: EntityType | None = Field(
        default=None, description="Only what concerns the entity of this type ..."
    )
    entity_id: EntityId | None = Field(default=None, description="... with this id")


class MessagePosition(BaseModel):
    """Where a message stands in the list."""

    date: Moment
    id: UUID


class PersonOut(BaseModel):
    """A mailbox in a header."""

    model_config = ConfigDict(from_attributes=True)

    address: str
    name: str | None


class AttachmentOut(BaseModel):
    """A part that is attached; its content stays at Google."""

    model_config = ConfigDict(from_attributes=True)

    part: str = Field(description="Path in the MIME tree, such as `2.1`")
    filename: str | None
    content_type: str
    size: int = Field(description="Bytes after decoding")
    inline: bool
    content_id: str | None


class MessageSummary(BaseModel):
    """A message in a list."""

    id: UUID
    connection_id: UUID
    google_message_id: str
    thread_id: str
    direction: Direction
    sender: PersonOut | None = Field(serialization_alias="from")
    to: list[PersonOut]
    cc: list[PersonOut]
    subject: str
    snippet: str
    labels: list[str]
    has_attachments: bool
    occurred_at: datetime = Field(description="When Google accepted it")
    kept: Literal["whole", "snippet", "metadata"] = Field(
        description="How much of it the settings let be kept; the rest is empty here"
    )
    user_id: str = Field(description="Whose mailbox it is in")
    visibility: Visibility = Field(description="What that mailbox's owner lets colleagues see")
    withheld: bool = Field(
        description="Only people, dates, ids and entities are shown: what it says, its labels and "
        "attachments are left out"
    )


class CalendarOut(BaseModel):
    """An invitation or an answer to one."""

    model_config = ConfigDict(from_attributes=True)

    method: str | None
    uids: list[str]


class ReportOut(BaseModel):
    """What a machine reports of an earlier message."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    action: str | None
    status: str | None
    recipient: str | None


class EntityOut(BaseModel):
    """An entity of the CRM that a message concerns."""

    type: str
    id: str


class MessageOut(MessageSummary):
    """A message with its text."""

    bcc: list[PersonOut]
    text: str
    attachments: list[AttachmentOut]
    rfc822_message_id: str | None
    in_reply_to: str | None
    references: list[str]
    size: int
    html: str | None = Field(description="The HTML body, sanitised")
    new_text: str = Field(description="The text without quoted history and signature")
    sent_at: datetime | None = Field(description="What the Date header says: the sender's word")
    calendar: list[CalendarOut]
    report: ReportOut | None
    entities: list[EntityOut] = Field(description="What it concerns in the CRM")


MessagePage = Page[MessageSummary]
