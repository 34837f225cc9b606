"""What the mail service publishes about messages, and about how mailboxes are read."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.events.base import Event
from libs.common.events.feeds import FeedEvent, FeedStateEvent


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

    send_id: UUID | None = None
    """Of the request by which the CRM sent it; None: it was sent in Gmail."""


class MessageUpdated(_MessageEvent):
    """The labels of a message changed: read, starred, archived, moved to trash or back."""

    type: ClassVar[str] = "mail.message.updated.v1"

    labels: tuple[str, ...]
    labels_added: tuple[str, ...]
    labels_removed: tuple[str, ...]


class MessageDeleted(_MessageEvent):
    """The message is gone from the mailbox for good."""

    type: ClassVar[str] = "mail.message.deleted.v1"


class MessageRedacted(_MessageEvent):
    """Less of a message is kept than before, since the settings, its age or a person want it so.

    What a consumer has of it beyond `kept` should go too. It is in the mailbox as ever; when it may
    be kept again, `received` or `sent` tells of it again.
    """

    type: ClassVar[str] = "mail.message.redacted.v1"

    what: Literal["removed", "reduced"]
    """`removed`: the API has it no more."""
    kept: Literal["nothing", "trace", "metadata", "snippet", "others"]
    """`trace`: ids, date and keyed hashes of addresses; `nothing`: not even those hashes; `others`:
    all but the person who was erased, so that the message should be read again from the API."""
    reason: Literal["policy", "blocklist", "labels", "retention", "body", "erasure"]


class _SendEvent(Event):
    source: ClassVar[str] = "/causeway/mail"
    aggregate: ClassVar[str] = "send"

    send_id: UUID
    connection_id: UUID
    user_id: str
    reason: str
    """A short constant."""


class SendFailed(_SendEvent):
    """A message that the CRM wanted sent was not sent, and will not be."""

    type: ClassVar[str] = "mail.send.failed.v1"


class SendUnsettled(_SendEvent):
    """Whether a message was sent cannot be found out; a person has to look. It is not sent again.

    Should it show up later, `mail.message.sent.v1` tells of it.
    """

    type: ClassVar[str] = "mail.send.unsettled.v1"


class ContactSuggested(Event):
    """A correspondent is nobody the CRM knows: told once for an address and a tenant."""

    type: ClassVar[str] = "mail.contact.suggested.v1"
    source: ClassVar[str] = "/causeway/mail"
    aggregate: ClassVar[str] = "contact-suggestion"

    suggestion_id: UUID
    connection_id: UUID
    user_id: str
    address: str
    """In small letters."""
    name: str | None
    direction: Literal["inbound", "outbound"]
    """`outbound`: the mailbox's owner wrote to them."""
    message_id: UUID | None
    """None: the message itself is not kept."""
    occurred_at: datetime


class EntityReference(BaseModel):
    """A lead, deal or contact of the CRM."""

    model_config = ConfigDict(frozen=True)

    type: str
    id: str


class Participant(BaseModel):
    """Somebody who took part, and as what."""

    model_config = ConfigDict(frozen=True)

    address: str
    name: str | None = None
    role: Literal["from", "to", "cc", "bcc"]


class ActivityCopy(BaseModel):
    """One mailbox's copy of a mail."""

    model_config = ConfigDict(frozen=True)

    message_id: UUID
    connection_id: UUID
    user_id: str
    """Whose mailbox it is."""
    google_message_id: str
    direction: Literal["inbound", "outbound"]
    visibility: Literal["team", "metadata", "private"]
    """What the mailbox's owner lets colleagues see of it."""


class Activity(BaseModel):
    """What happened with entities of the CRM, in the one form all kinds share."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    """The same for every copy of one mail in a tenant."""
    type: Literal["email"] = "email"
    title: str
    snippet: str = Field(max_length=500)
    direction: Literal["inbound", "outbound"]
    entities: tuple[EntityReference, ...]
    """All it concerns now; none: it is no activity any more."""
    participants: tuple[Participant, ...] = ()
    """Of the copy that is shown: the most open one."""
    occurred_at: datetime
    start: datetime | None = None
    """Of what lasts; a message does not."""
    end: datetime | None = None
    created_by: str
    """The user who sent it; of what arrived, the one whose copy came first."""
    source: Literal["gmail"] = "gmail"
    copies: tuple[ActivityCopy, ...] = Field(default=(), max_length=100)
    """In which mailboxes it is, by message id."""
    visibility: Literal["team", "metadata", "private"] = "team"
    """Of its most open copy: what people may be shown whose mailbox has none."""


class ActivityLogged(Event):
    """A mail concerns other entities, or has other copies, than before; each event has all."""

    type: ClassVar[str] = "mail.activity.logged.v1"
    source: ClassVar[str] = "/causeway/mail"
    aggregate: ClassVar[str] = "activity"

    connection_id: UUID
    """Of the copy that is shown, or that went last."""
    google_message_id: str
    activity: Activity


class FeedDegraded(FeedStateEvent):
    """Reading a mailbox fails, waits for somebody, or left something behind; or why it does."""

    type: ClassVar[str] = "mail.feed.degraded.v1"
    source: ClassVar[str] = "/causeway/mail"


class FeedRecovered(FeedStateEvent):
    """A mailbox is read again as it should be."""

    type: ClassVar[str] = "mail.feed.recovered.v1"
    source: ClassVar[str] = "/causeway/mail"


class ResyncCounts(BaseModel):
    """How many messages a full comparison found in which way."""

    model_config = ConfigDict(frozen=True)

    listed: int = 0
    """At Google."""
    added: int = 0
    relabelled: int = 0
    removed: int = 0
    vanished: int = 0
    """Listed, and gone when they were asked for."""
    kept: int = 0
    """Not listed, and not removed."""


class FeedResynced(FeedEvent):
    """A mailbox was compared with Google in full, and what differed was taken over."""

    type: ClassVar[str] = "mail.feed.resynced.v1"
    source: ClassVar[str] = "/causeway/mail"

    reason: Literal["gap", "audit", "request"]
    """Google forgot the history; it was time to check; somebody asked."""
    started_at: datetime
    finished_at: datetime
    counts: ResyncCounts


EVENTS: tuple[type[Event], ...] = (
    MessageReceived,
    MessageSent,
    MessageUpdated,
    MessageDeleted,
    MessageRedacted,
    SendFailed,
    SendUnsettled,
    ContactSuggested,
    ActivityLogged,
    FeedDegraded,
    FeedRecovered,
    FeedResynced,
)
