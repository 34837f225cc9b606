"""Outgoing messages: what the CRM wants sent, and the rules on it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.addresses import fold_address
from libs.common.directory import EntityRef
from services.mail.domain.message import Person

MOST_RECIPIENTS = 100
"""Of one message. Source: https://support.google.com/a/answer/166852"""
MOST_BYTES = 36_700_160
"""Of one message, as Gmail's API takes it. Source: the discovery document, drafts.create."""
SEND_HEADER = "X-Causeway-Send"
"""Names our send in the message itself: Gmail replaces the Message-ID."""

REPLY = "Re: "
FORWARD = "Fwd: "
PREFIXES = re.compile(
    r"^\s*((re|fwd?|aw|wg|sv|vs|tr|rif|rv|antw|odp)\s*(\[\d+\])?\s*:\s*)+", re.IGNORECASE
)


class OutgoingState(StrEnum):
    """How far an outgoing message is; all but the first two are for good."""

    DRAFT = "draft"
    """It is written, and waits for somebody to send it."""
    QUEUED = "queued"
    """It goes out, now or at its time."""
    SENT = "sent"
    FAILED = "failed"
    """It was not sent."""
    UNKNOWN = "unknown"
    """Whether it was sent cannot be found out. It is never sent again."""
    CANCELLED = "cancelled"
    DISCARDED = "discarded"
    """A draft that somebody threw away, here or in Gmail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The fields of an outgoing message, checked and clean."""

    sender: Person
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    subject: str = ""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()

    def recipients(self) -> tuple[Person, ...]:
        """Return everybody it goes to."""
        return (*self.to, *self.cc, *self.bcc)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "sender": _stored(self.sender),
            "to": [_stored(one) for one in self.to],
            "cc": [_stored(one) for one in self.cc],
            "bcc": [_stored(one) for one in self.bcc],
            "subject": self.subject,
            "in_reply_to": self.in_reply_to,
            "references": list(self.references),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Head":
        """Return what `to_json` gave."""
        return cls(
            sender=Person(**value["sender"]),
            to=tuple(Person(**one) for one in value["to"]),
            cc=tuple(Person(**one) for one in value["cc"]),
            bcc=tuple(Person(**one) for one in value["bcc"]),
            subject=value["subject"],
            in_reply_to=value["in_reply_to"],
            references=tuple(value["references"]),
        )


def _stored(person: Person) -> dict[str, str | None]:
    return {"address": person.address, "name": person.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """An attachment on its way out; its content is stored beside it."""

    place: int
    filename: str
    content_type: str
    size: int
    """Bytes before encoding."""
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An outgoing message without the content of its attachments."""

    tenant_id: str
    id: UUID
    """Also of the message it becomes, and what its header says."""
    connection_id: UUID
    created_by: str
    state: OutgoingState
    reason: str | None = None
    """A short constant: why it failed, or is not sent yet."""
    send_at: datetime | None = None
    """None: as soon as it is asked for."""
    version: int = 1
    """Rises with every edit of a draft."""
    sequence: int = 0
    """Of the last event told of it."""
    head: Head
    text: str | None = None
    html: str | None = None
    entities: tuple[EntityRef, ...] = ()
    """Those it is to be logged with, beside those its people stand for."""
    enclosures: tuple[Enclosure, ...] = ()
    size: int = 0
    """Bytes of the whole message, encoded."""
    thread_id: str | None = None
    """Gmail's, of the thread it belongs to; None: it begins one."""
    draft_id: str | None = None
    """Gmail's, while the draft is there."""
    google_id: str | None = None
    """Of the message it became."""
    agreed: Mapping[str, Any] | None = None
    """Of a draft: what both sides last had."""
    created_at: datetime
    ended_at: datetime | None = None


ITEM = "outgoing:"


def item_of(outgoing_id: UUID) -> str:
    """Return what the write ledger calls it: its writes go out one after the other."""
    return f"{ITEM}{outgoing_id}"


def id_of(item: str) -> UUID:
    """Return whose item that is."""
    return UUID(item.removeprefix(ITEM))


def reply_subject(subject: str) -> str:
    """Return the subject of an answer: Gmail keeps a thread together by it."""
    return subject if subject.lower().startswith("re:") else f"{REPLY}{subject}"


def forward_subject(subject: str) -> str:
    """Return the subject of what is passed on."""
    return subject if subject.lower().startswith(("fwd:", "fw:")) else f"{FORWARD}{subject}"


def is_same_subject(one: str, other: str) -> bool:
    """Say whether Gmail takes the two for one conversation's."""
    return _bare(one) == _bare(other)


def _bare(subject: str) -> str:
    return " ".join(PREFIXES.sub("", subject).split()).casefold()


def distinct(people: Iterable[Person], *, without: Iterable[str] = ()) -> tuple[Person, ...]:
    """Return people, each address once, without some addresses."""
    seen = {fold_address(one) for one in without}
    kept: list[Person] = []
    for one in people:
        folded = fold_address(one.address)
        if folded not in seen:
            seen.add(folded)
            kept.append(one)
    return tuple(kept)
