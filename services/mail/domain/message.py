"""Messages: what is kept of them, and the values they are made of."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from libs.common.addresses import fold_address

SENT = "SENT"
HIDDEN = frozenset({"SPAM", "DRAFT"})
"""Labels of what is no mail (yet): a message that wears one is not taken in."""


class Policy(StrEnum):
    """What is kept of a connection's mail."""

    ALL = "all"
    KNOWN = "known"
    """Only a trace (ids, date, keyed hashes of addresses) of mail with strangers."""
    NONE = "none"
    """Only traces, and nothing is told or linked."""


class Keep(IntEnum):
    """How much of a message is kept (or was fetched); more is more."""

    NOTHING = 0
    """That there is such a message, and when it came, so that it is not looked for again."""
    TRACE = 1
    """And keyed hashes of its addresses, by which an entity may find it."""
    METADATA = 2
    """Who wrote to whom, and when."""
    SNIPPET = 3
    """And the subject and Gmail's snippet."""
    WHOLE = 4


class Direction(StrEnum):
    """Which way a message went, seen from the mailbox's owner."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Person:
    """A mailbox as written in a header; `address` as it stands there, not case-folded."""

    address: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What is known of an attached part without its content."""

    part: str
    """Path of the part in the tree, 1-based: `2.1`. The whole message is `1`."""
    filename: str | None
    content_type: str
    size: int
    """Bytes after decoding."""
    inline: bool
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPart:
    """What a text/calendar part is about (RFC 5545): nothing else of it is kept."""

    method: str | None
    """REQUEST, REPLY, CANCEL, ...; None: it does not say."""
    uids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a machine reports of a message that was sent (RFC 3464, 3798, 5965)."""

    kind: str
    """`delivery`, `disposition` or `feedback`."""
    status: str | None = None
    """Of a delivery: the enhanced status code, such as `5.1.1`."""
    action: str | None = None
    """`failed`, `delayed`, ...; `displayed`, ...; `abuse`, ...: in small letters."""
    recipient: str | None = None
    """Whose mailbox it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message says: the product of the parser, clean and bounded."""

    sender: Person | None = None
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    subject: str = ""
    rfc822_message_id: str | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    html: str | None = None
    """The HTML body, sanitised: no scripts, styles or forms. None: there is none to show."""
    new_text: str = ""
    """`text` without quoted history and signature."""
    date: datetime | None = None
    """The Date header, in UTC: what the sender claims."""
    calendar: tuple[CalendarPart, ...] = ()
    report: Report | None = None
    send_id: UUID | None = None
    """Which of our sends it says it is; anybody can write that into a message."""
    automatic: bool = False
    """Of a machine or a list: no person wrote it to another."""

    def people(self) -> tuple[Person, ...]:
        """Return everyone the headers name."""
        sender = (self.sender,) if self.sender else ()
        return (*sender, *self.to, *self.cc, *self.bcc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A message as Google answered it, its content read."""

    google_id: str
    thread_id: str
    history_id: int
    """The last record that touched it: label records up to it are already in `labels`."""
    labels: frozenset[str]
    internal_date: datetime
    snippet: str
    size: int
    content: Content
    kept: Keep = Keep.WHOLE
    """How much of it this is."""

    @property
    def whole(self) -> bool:
        """Say whether it is more than a trace."""
        return self.kept > Keep.TRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the store holds of a message: enough to decide on its next change."""

    id: UUID
    google_id: str
    thread_id: str
    labels: frozenset[str]
    label_history_id: int
    sequence: int
    internal_date: datetime
    traced: bool
    """Only a trace is kept: nothing is told of it."""
    deleted: bool
    activity_id: UUID | None = None
    """Of which activity it is a copy; None: it concerns nobody."""


def is_mail(labels: frozenset[str]) -> bool:
    """Say whether a message that wears `labels` is taken in."""
    return not labels & HIDDEN


def direction(labels: frozenset[str]) -> Direction:
    """Return which way a message went; one sent to oneself counts as sent."""
    return Direction.OUTBOUND if SENT in labels else Direction.INBOUND


def address_hashes(people: tuple[Person, ...], key: bytes) -> tuple[bytes, ...]:
    """Return HMAC-SHA256 of each distinct address, sorted: recognised later, unreadable now."""
    folded = {fold_address(person.address) for person in people}
    return tuple(sorted(hmac.digest(key, one.encode(), hashlib.sha256) for one in folded))
