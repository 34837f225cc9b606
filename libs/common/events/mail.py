"""What the mail service publishes about messages."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.events.base import Event


class Address(BaseModel):
    """A mailbox as written in a header."""

    model_config = ConfigDict(frozen=True)

    address: str
    name: str | None = None


class _MessageEvent(Event):
    source: ClassVar[str] = "/causeway/mail"
    aggregate: ClassVar[str] = "message"

    message_id: UUID
    connection_id: UUID
    user_id: str
    google_message_id: str
    thread_id: str
    occurred_at: datetime
    """Gmail's internalDate: when Google accepted the message."""


class _MessageFacts(_MessageEvent):
    direction: Literal["inbound", "outbound"]
    from_: Address | None = Field(default=None, alias="from")
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    rfc822_message_id: str | None = None
    in_reply_to: str | None = None
    labels: tuple[str, ...] = ()
    has_attachments: bool = False

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class MessageReceived(_MessageFacts):
    """A message arrived in the mailbox (or left spam)."""

    type: ClassVar[str] = "mail.message.received.v1"


class MessageSent(_MessageFacts):
    """The mailbox's owner sent a message."""

    type: ClassVar[str] = "mail.message.sent.v1"


class MessageUpdated(_MessageEvent):
    """The labels of a message changed: read, starred, archived, moved to trash or back."""

    type: ClassVar[str] = "mail.message.updated.v1"

    labels: tuple[str, ...]
    labels_added: tuple[str, ...]
    labels_removed: tuple[str, ...]


class MessageDeleted(_MessageEvent):
    """The message is gone from the mailbox for good."""

    type: ClassVar[str] = "mail.message.deleted.v1"


EVENTS: tuple[type[Event], ...] = (MessageReceived, MessageSent, MessageUpdated, MessageDeleted)
