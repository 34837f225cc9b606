"""Gmail's answers, checked: JSON in, the domain's values out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from libs.common.google.answers import EPOCH, Id, Millis, Number
from services.mail.domain.history import Labelled, Record
from services.mail.domain.message import is_mail
from services.mail.domain.sending.drafts import Part

Label = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x20]+$")]


class Named(BaseModel):
    """Something with an id."""

    id: Id


class LabelNamed(BaseModel):
    """A label: id, name, and whose it is."""

    id: Label
    name: str = Field(default="", max_length=1000)
    type: Literal["system", "user"] = "user"


class Worn(Named):
    """A message, and what it wears if Gmail says so."""

    labels: list[Label] = Field(default=[], alias="labelIds")


class Touched(BaseModel):
    """A message in a history record."""

    message: Worn


class LabelTouch(Touched):
    """A message whose labels moved."""

    labels: list[Label] = Field(default=[], alias="labelIds")


class HistoryRecord(BaseModel):
    """One record of the history."""

    id: Number
    added: list[Touched] = Field(default=[], alias="messagesAdded")
    deleted: list[Touched] = Field(default=[], alias="messagesDeleted")
    labels_added: list[LabelTouch] = Field(default=[], alias="labelsAdded")
    labels_removed: list[LabelTouch] = Field(default=[], alias="labelsRemoved")


class HistoryAnswer(BaseModel):
    """users.history.list."""

    history: list[HistoryRecord] = []
    history_id: Number = Field(alias="historyId")
    next_page_token: str | None = Field(default=None, alias="nextPageToken")


class Profile(BaseModel):
    """users.getProfile."""

    history_id: Number = Field(alias="historyId")


class WatchAnswer(BaseModel):
    """users.watch."""

    history_id: Number = Field(alias="historyId")
    expiration: Millis


class Header(BaseModel):
    """A header as Google shows it."""

    name: str
    value: str = ""


class Payload(BaseModel):
    """The headers of a message."""

    headers: list[Header] = []


class MessageAnswer(BaseModel):
    """users.messages.get."""

    id: Id
    thread_id: Id = Field(alias="threadId")
    history_id: Number = Field(alias="historyId")
    internal_date: Millis = Field(alias="internalDate")
    labels: list[Label] = Field(default=[], alias="labelIds")
    snippet: str = ""
    size: Number = Field(default=0, alias="sizeEstimate")
    raw: str | None = None
    payload: Payload | None = None


class ListAnswer(BaseModel):
    """users.messages.list."""

    messages: list[Named] = []
    next_page_token: str | None = Field(default=None, alias="nextPageToken")


class ThreadedId(Named):
    """A message named by its id and thread."""

    thread_id: Id = Field(alias="threadId")


class DraftAnswer(Named):
    """users.drafts.create, get and update."""

    message: ThreadedId


class PartBody(BaseModel):
    """The content of a part, unless it has to be asked for."""

    data: str | None = None
    size: Number = 0


class PartAnswer(BaseModel):
    """A part of a message."""

    mime_type: str = Field(default="", alias="mimeType", max_length=1000)
    filename: str = Field(default="", max_length=1000)
    headers: list[Header] = []
    body: PartBody = PartBody()
    parts: list["PartAnswer"] = []

    def part(self) -> Part:
        """Return it as the domain's value."""
        return Part(
            content_type=self.mime_type.lower(),
            filename=self.filename,
            headers={one.name.lower(): one.value for one in self.headers},
            data=self.body.data,
            size=self.body.size,
            parts=[one.part() for one in self.parts],
        )


class FullMessage(ThreadedId):
    """The message of a draft in the format `full`."""

    internal_date: Millis = Field(alias="internalDate")
    payload: PartAnswer


class FullDraft(Named):
    """users.drafts.get in the format `full`."""

    message: FullMessage


class DraftsAnswer(BaseModel):
    """users.drafts.list."""

    drafts: list[DraftAnswer] = []
    next_page_token: str | None = Field(default=None, alias="nextPageToken")


class SentAnswer(ThreadedId):
    """users.drafts.send."""


class SendAs(BaseModel):
    """An address that a mailbox sends from."""

    address: str = Field(alias="sendAsEmail", max_length=320)
    name: str = Field(default="", alias="displayName", max_length=1000)
    verification: str = Field(default="accepted", alias="verificationStatus")

    @property
    def is_usable(self) -> bool:
        """Say whether Gmail lets it be used."""
        return self.verification == "accepted"


class SendAsAnswer(BaseModel):
    """users.settings.sendAs.list."""

    send_as: list[SendAs] = Field(default=[], alias="sendAs")


class LabelsAnswer(BaseModel):
    """users.labels.list."""

    labels: list[LabelNamed] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What Google says of a message without reading it: ids, labels, date."""

    google_id: str
    thread_id: str
    history_id: int
    labels: frozenset[str]
    internal_date: datetime
    snippet: str
    size: int


def _ids(items: Iterable[Touched]) -> tuple[str, ...]:
    return tuple(item.message.id for item in items)


def _labelled(items: list[LabelTouch]) -> Iterator[Labelled]:
    for item in items:
        yield Labelled(item.message.id, frozenset(item.labels))


def record(one: HistoryRecord) -> Record:
    """Return a history record as the domain's value."""
    return Record(
        id=one.id,
        added=_ids(item for item in one.added if is_mail(frozenset(item.message.labels))),
        hidden=_ids(item for item in one.added if not is_mail(frozenset(item.message.labels))),
        deleted=_ids(one.deleted),
        labels_added=tuple(_labelled(one.labels_added)),
        labels_removed=tuple(_labelled(one.labels_removed)),
    )


def envelope(answer: MessageAnswer) -> Envelope:
    """Return what an answer says of a message beside its content."""
    return Envelope(
        google_id=answer.id,
        thread_id=answer.thread_id,
        history_id=answer.history_id,
        labels=frozenset(answer.labels),
        internal_date=EPOCH + timedelta(milliseconds=answer.internal_date),
        snippet=answer.snippet,
        size=answer.size,
    )
