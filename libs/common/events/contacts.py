"""What the contacts service publishes: contacts and groups, whoever changed them."""

from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.errors import InvalidInput
from libs.common.events.base import Event
from libs.common.events.envelope import Envelope
from libs.common.events.feeds import FeedEvent, FeedStateEvent

SOURCE = "/causeway/contacts"
MOST_LINKS = 100
"""Of a contact that more colleagues have in their address books, the first are told."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reference(_Fact):
    """What mail and calendar know a contact as."""

    type: str
    id: str


class EmailFact(_Fact):
    """An address of a contact's."""

    address: str
    type: str = ""
    primary: bool = False


class PhoneFact(_Fact):
    """A number of a contact's."""

    number: str
    """As typed."""
    e164: str | None = None
    type: str = ""
    primary: bool = False


class ResyncCounts(_Fact):
    """What a comparison of an address book found, and did."""

    listed: int
    """People at Google."""
    added: int
    changed: int
    removed: int


class GoogleLink(_Fact):
    """Where a contact is at Google."""

    connection_id: UUID
    resource: str


class _ContactEvent(Event):
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "contact"

    contact_id: UUID
    version: int
    """Of the contact; rises with every change."""
    owner_user_id: str | None
    entity: Reference
    visible_to: Literal["tenant", "owner"]
    """`owner`: it is in nobody's CRM yet, and concerns nobody else."""


class _ContactFacts(_ContactEvent):
    name: str
    """What it is shown as: by name, organization, address or number."""
    emails: tuple[EmailFact, ...] = ()
    phones: tuple[PhoneFact, ...] = ()
    organization: str = ""
    title: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)
    """The same and the rest (but notes), under the names the tenant's CRM has for them."""
    links: tuple[GoogleLink, ...] = Field(default=(), max_length=MOST_LINKS)


class ContactCreated(_ContactFacts):
    """A contact is new: the CRM's, or one that came from Google."""

    type: ClassVar[str] = "contacts.contact.created.v1"


class ContactUpdated(_ContactFacts):
    """Something of a contact changed, on either side."""

    type: ClassVar[str] = "contacts.contact.updated.v1"

    changed: tuple[str, ...] = ()
    """The fields that did, `custom/<name>` among them."""


class ContactDeleted(_ContactEvent):
    """A contact is gone."""

    type: ClassVar[str] = "contacts.contact.deleted.v1"


class ContactMerged(_ContactEvent):
    """A contact turned out to be the same as another, and is a part of that one now."""

    type: ClassVar[str] = "contacts.contact.merged.v1"

    into_contact_id: UUID


class _GroupEvent(Event):
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "group"

    group_id: UUID
    owner_user_id: str
    name: str


class GroupCreated(_GroupEvent):
    """A group of contacts is new."""

    type: ClassVar[str] = "contacts.group.created.v1"


class GroupRenamed(_GroupEvent):
    """A group has another name."""

    type: ClassVar[str] = "contacts.group.renamed.v1"

    former_name: str


class GroupDeleted(_GroupEvent):
    """A group is gone; its members are not."""

    type: ClassVar[str] = "contacts.group.deleted.v1"


class GroupMembershipChanged(_GroupEvent):
    """Contacts joined or left a group."""

    type: ClassVar[str] = "contacts.group.membership_changed.v1"

    added: tuple[UUID, ...] = Field(default=(), max_length=1000)
    removed: tuple[UUID, ...] = Field(default=(), max_length=1000)


class _ConflictEvent(Event):
    source: ClassVar[str] = SOURCE
    aggregate: ClassVar[str] = "conflict"

    conflict_id: UUID
    kind: Literal["fields", "match"]
    connection_id: UUID
    user_id: str
    resource: str
    contact_id: UUID | None = None
    fields: tuple[str, ...] = ()
    candidates: tuple[UUID, ...] = ()


class ConflictDetected(_ConflictEvent):
    """Both sides changed the same field, or a person may be more than one contact."""

    type: ClassVar[str] = "contacts.conflict.detected.v1"


class ConflictResolved(_ConflictEvent):
    """Somebody has chosen, or there is nothing to choose any more."""

    type: ClassVar[str] = "contacts.conflict.resolved.v1"

    resolved_by: str | None = None


class FeedDegraded(FeedStateEvent):
    """An address book, or its labels, is not read as it should be."""

    type: ClassVar[str] = "contacts.feed.degraded.v1"
    source: ClassVar[str] = SOURCE


class FeedRecovered(FeedStateEvent):
    """It is read as it should be again."""

    type: ClassVar[str] = "contacts.feed.recovered.v1"
    source: ClassVar[str] = SOURCE


class FeedResynced(FeedEvent):
    """An address book was compared in full with what is here, and what differed was mended."""

    type: ClassVar[str] = "contacts.feed.resynced.v1"
    source: ClassVar[str] = SOURCE

    reason: Literal["backfill", "gap", "audit", "request"]
    started_at: datetime
    finished_at: datetime
    counts: ResyncCounts


CONTACT_EVENTS: tuple[
    type[ContactCreated] | type[ContactUpdated] | type[ContactDeleted] | type[ContactMerged], ...
] = (
    ContactCreated,
    ContactUpdated,
    ContactDeleted,
    ContactMerged,
)
EVENTS: tuple[type[Event], ...] = (
    *CONTACT_EVENTS,
    GroupCreated,
    GroupRenamed,
    GroupDeleted,
    GroupMembershipChanged,
    ConflictDetected,
    ConflictResolved,
    FeedDegraded,
    FeedRecovered,
    FeedResynced,
)
CONTACTS_BY_TYPE = {event.type: event for event in CONTACT_EVENTS}

ContactEvent: TypeAlias = ContactCreated | ContactUpdated | ContactDeleted | ContactMerged


def read_contact(envelope: Envelope) -> ContactEvent:
    """Return the event of a contact in an envelope.

    Raises:
        InvalidInput: it is none, lacks what it needs, or its subject names another contact.
    """
    if envelope.type not in CONTACTS_BY_TYPE:
        raise InvalidInput.field("type", "is none of the events of contacts")
    event: ContactEvent = envelope.parse(CONTACTS_BY_TYPE[envelope.type])
    if envelope.aggregate_id != str(event.contact_id):
        raise InvalidInput.field("subject", "must be contact/<contact_id> of the data")
    return event
