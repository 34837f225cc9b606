"""What goes in and out over HTTP about messages on their way out."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from libs.common.moments import Moment
from libs.common.pagination import Page, PageQuery
from services.mail.domain.sending.outgoing import Enclosure
from services.mail.web.models import EntityId, EntityOut, EntityType, PersonOut

MOST_ENTITIES = 20
LONGEST_NAME = 200
LONGEST_SUBJECT = 900
LONGEST_BODY = 500_000
"""Characters of either body; what is longer is an attachment."""
LISTED = 500
"""Of one list of recipients; how many they may be together says the sending itself."""


def _address(value: str) -> str:
    """Return an address in the form that goes over the wire: its domain in ASCII.

    Source: https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2 and RFC 5890
    """
    try:
        found = validate_email(value, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise ValueError("is not a valid e-mail address") from None
    if found.ascii_email is None:
        raise ValueError("is not a valid e-mail address")
    return found.ascii_email


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line without control characters")
    return value


def _text(value: str) -> str:
    if any(char < " " and char not in "\t\n\r" for char in value):
        raise ValueError("must not contain control characters")
    return value


AddressIn = Annotated[str, Field(min_length=3, max_length=320), AfterValidator(_address)]
Line = Annotated[str, AfterValidator(_one_line)]
Body = Annotated[str, Field(max_length=LONGEST_BODY), AfterValidator(_text)]


class RecipientIn(BaseModel):
    """Somebody a message goes to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: AddressIn
    name: Line | None = Field(default=None, max_length=LONGEST_NAME)


class EntityIn(BaseModel):
    """An entity of the CRM that a message is to be logged with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: EntityType
    id: EntityId


class LetterIn(BaseModel):
    """What somebody writes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    connection_id: UUID | None = Field(
        default=None,
        description="The mailbox it leaves from; by default that of the message it answers or "
        "passes on",
    )
    from_: AddressIn | None = Field(
        default=None,
        alias="from",
        description="Another address that Gmail lets the mailbox send as; default: its own",
    )
    to: list[RecipientIn] = Field(
        default=[],
        max_length=LISTED,
        description="An answer that names nobody goes to whoever wrote",
    )
    cc: list[RecipientIn] = Field(default=[], max_length=LISTED)
    bcc: list[RecipientIn] = Field(default=[], max_length=LISTED)
    subject: Line | None = Field(
        default=None,
        max_length=LONGEST_SUBJECT,
        description="An answer keeps the subject of its thread, and may leave it out",
    )
    text: Body | None = None
    html: Body | None = Field(default=None, description="Without scripts, forms and event handlers")
    reply_to_message_id: UUID | None = Field(
        default=None, description="The message it answers: it joins its thread"
    )
    forward_message_id: UUID | None = Field(
        default=None, description="The message it passes on, quoted below"
    )
    forward_attachments: bool = Field(
        default=True, description="Pass the attachments of that message on, too"
    )
    entities: list[EntityIn] = Field(
        default=[],
        max_length=MOST_ENTITIES,
        description="What it is to be logged with, beside those its recipients stand for",
    )

    @model_validator(mode="after")
    def _answers_or_passes_on(self) -> Self:
        if self.reply_to_message_id is not None and self.forward_message_id is not None:
            raise ValueError("a message either answers or passes on")
        return self


class SendRequest(LetterIn):
    """A message to be sent."""

    send_at: Moment | None = Field(
        default=None, description="When to send it, at most a year ahead; default: at once"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.html is None and self.forward_message_id is None:
            raise ValueError("text or html must be given")
        return self


class DraftRequest(LetterIn):
    """A message to be kept as a draft; it need not be complete."""


class AttachedOut(BaseModel):
    """An attachment of an outgoing message."""

    filename: str
    content_type: str
    size: int = Field(description="Bytes before encoding")

    @classmethod
    def of(cls, enclosures: Iterable[Enclosure]) -> list[Self]:
        """Return attachments as they are shown."""
        return [
            cls(filename=one.filename, content_type=one.content_type, size=one.size)
            for one in enclosures
        ]


SendState = Literal["scheduled", "queued", "sending", "sent", "failed", "unknown", "cancelled"]


class SendOut(BaseModel):
    """An outgoing message and what became of it."""

    id: UUID = Field(description="Also of the message it becomes")
    connection_id: UUID
    state: SendState = Field(
        description="unknown: whether it was sent cannot be found out; it is not sent again"
    )
    reason: str | None = Field(description="Why it was not sent, or not yet")
    send_at: datetime | None
    sender: PersonOut = Field(serialization_alias="from")
    to: list[PersonOut]
    cc: list[PersonOut]
    bcc: list[PersonOut]
    subject: str
    attachments: list[AttachedOut]
    entities: list[EntityOut]
    size: int = Field(description="Bytes of the whole message")
    thread_id: str | None
    google_message_id: str | None
    created_by: str = Field(description="`user:<id>` or `service:<name>`")
    created_at: datetime
    ended_at: datetime | None


SendPage = Page[SendOut]


class OutgoingQuery(PageQuery):
    """Of which mailbox to list what was written here."""

    connection_id: UUID | None = Field(default=None, description="Only of this mailbox")


class SendQuery(OutgoingQuery):
    """Which outgoing messages to list."""

    state: Literal["queued", "sent", "failed", "unknown", "cancelled"] | None = Field(
        default=None, description="Only those; queued has the scheduled and the sending ones too"
    )


class SendPosition(BaseModel):
    """Where an outgoing message stands in the list."""

    id: UUID
