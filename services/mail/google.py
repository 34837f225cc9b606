"""Gmail's API: requests out, Google's JSON in as the domain's values."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

import structlog
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from libs.common.errors import Conflict, CursorExpired, NotFound, UpstreamError
from libs.common.google.accounts import ConnectedGoogle
from libs.common.google.discovery import ApiRequest, GmailResources
from libs.common.google.errors import RequestRefused
from services.mail.domain.history import HistoryPage, Labelled, Record
from services.mail.domain.watch import Watch

log = structlog.get_logger(__name__)

ME = "me"
PAGE = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PEOPLE_HEADERS = ["From", "To", "Cc", "Bcc"]

M = TypeVar("M", bound=BaseModel)


def _without_surrogates(value: Any) -> Any:
    # Gmail cuts snippets by length, and so an emoji in half.
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else value


Number = Annotated[int, Field(ge=0, lt=2**63)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
"""Milliseconds since 1970, up to the year 9999."""
Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
Label = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x20]+$")]
Text = Annotated[str, BeforeValidator(_without_surrogates)]


class Unreadable(UpstreamError):
    """Google answered, in a form that is none of its API's."""

    slug = "google-answer-unreadable"


class _Absent(NotFound):
    """Google says that there is no such thing."""


class _Named(BaseModel):
    id: Id


class _LabelNamed(BaseModel):
    id: Label


class _Touched(BaseModel):
    message: _Named


class _LabelTouch(_Touched):
    labels: list[Label] = Field(default=[], alias="labelIds")


class _HistoryRecord(BaseModel):
    id: Number
    added: list[_Touched] = Field(default=[], alias="messagesAdded")
    deleted: list[_Touched] = Field(default=[], alias="messagesDeleted")
    labels_added: list[_LabelTouch] = Field(default=[], alias="labelsAdded")
    labels_removed: list[_LabelTouch] = Field(default=[], alias="labelsRemoved")


class _HistoryAnswer(BaseModel):
    history: list[_HistoryRecord] = []
    history_id: Number = Field(alias="historyId")
    next_page_token: str | None = Field(default=None, alias="nextPageToken")


class _Profile(BaseModel):
    history_id: Number = Field(alias="historyId")


class _WatchAnswer(BaseModel):
    history_id: Number = Field(alias="historyId")
    expiration: Millis


class _Header(BaseModel):
    name: Text
    value: Text = ""


class _Payload(BaseModel):
    headers: list[_Header] = []


class _MessageAnswer(BaseModel):
    id: Id
    thread_id: Id = Field(alias="threadId")
    history_id: Number = Field(alias="historyId")
    internal_date: Millis = Field(alias="internalDate")
    labels: list[Label] = Field(default=[], alias="labelIds")
    snippet: Text = ""
    size: Number = Field(default=0, alias="sizeEstimate")
    raw: str | None = None
    payload: _Payload | None = None


class _ListAnswer(BaseModel):
    messages: list[_Named] = []
    next_page_token: str | None = Field(default=None, alias="nextPageToken")


class _LabelsAnswer(BaseModel):
    labels: list[_LabelNamed] = []


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


class Gmail:
    """One mailbox per call, by the connection whose grant opens it.

    Every method raises what `ConnectedGoogle.execute` does: AccessRevoked, Conflict (not
    connected), RateLimited, PermissionDenied, RequestRefused, Transient; NotFound only where it
    says so; Unreadable when the answer is none of the API's.
    """

    def __init__(self, google: ConnectedGoogle, resources: GmailResources) -> None:
        """Send requests built by `resources` through `google`."""
        self._google = google
        self._api = resources

    async def _execute(self, request: ApiRequest, **options: Any) -> Any:
        """Ask Google; what Google does not have is `_Absent`, what auth does not have is not.

        That a connection is gone must never read as if a message were.
        """
        try:
            return await self._google.execute(request, **options)
        except NotFound as exc:
            if "google_status" in exc.data:
                raise _Absent(exc.message) from exc
            raise Conflict("The mailbox is not connected.", slug="not-connected") from exc

    async def current_history_id(self, connection_id: UUID) -> int:
        """Return the number of the mailbox's newest record (users.getProfile, 1 unit)."""
        request = self._api.users.getProfile(userId=ME)
        answer = await self._execute(request, connection_id=connection_id)
        return _read(_Profile, answer).history_id

    async def watch(self, connection_id: UUID, topic: str) -> Watch:
        """Ask Gmail to publish the mailbox's changes to `topic` for up to seven days.

        Gmail keeps one watch per mailbox and project. When an older one stands in the way it
        is stopped once, and the watch asked for again.

        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users/watch
        """
        try:
            answer = await self._watch(connection_id, topic)
        except RequestRefused:
            # Whatever the 400 says: with the topic's name checked at start, the one known
            # cause is another client's watch, and stopping costs nothing.
            await self.stop(connection_id)
            answer = await self._watch(connection_id, topic)
        found = _read(_WatchAnswer, answer)
        return Watch(found.history_id, EPOCH + timedelta(milliseconds=found.expiration))

    async def _watch(self, connection_id: UUID, topic: str) -> Any:
        request = self._api.users.watch(userId=ME, body={"topicName": topic})
        return await self._execute(request, connection_id=connection_id, repeatable=True)

    async def stop(self, connection_id: UUID) -> None:
        """End the mailbox's watch."""
        request = self._api.users.stop(userId=ME)
        await self._execute(request, connection_id=connection_id, repeatable=True)

    async def history(
        self, connection_id: UUID, *, after: int, page_token: str | None
    ) -> HistoryPage:
        """Return a page of the records after `after`, oldest first.

        Raises:
            CursorExpired: Gmail no longer knows `after`.
        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list
        """
        more = {} if page_token is None else {"pageToken": page_token}
        request = self._api.history.list(
            userId=ME, startHistoryId=str(after), maxResults=PAGE, **more
        )
        try:
            answer = await self._execute(request, connection_id=connection_id)
        except _Absent as exc:
            raise CursorExpired("Gmail's history begins later.", slug="history-expired") from exc
        page = _read(_HistoryAnswer, answer)
        records = tuple(_record(one) for one in page.history)
        return HistoryPage(
            records, page.history_id, _next_page(page.next_page_token, after=page_token)
        )

    async def fetch_raw(self, connection_id: UUID, google_id: str) -> tuple[Envelope, bytes] | None:
        """Return a message with its RFC 5322 text; None when it is gone."""
        answer = await self._get(connection_id, google_id, format="raw")
        if answer is None:
            return None
        if answer.raw is None:
            raise Unreadable("Google's answer lacks the message.")
        try:
            raw = base64.urlsafe_b64decode(answer.raw + "==")
        except (binascii.Error, ValueError) as exc:
            raise Unreadable("Google's answer is not readable.") from exc
        return _envelope(answer), raw

    async def fetch_people(
        self, connection_id: UUID, google_id: str
    ) -> tuple[Envelope, list[tuple[str, str]]] | None:
        """Return a message with only the headers that name people; None when it is gone."""
        answer = await self._get(
            connection_id, google_id, format="metadata", metadataHeaders=PEOPLE_HEADERS
        )
        if answer is None:
            return None
        headers = answer.payload.headers if answer.payload else []
        return _envelope(answer), [(one.name, one.value) for one in headers]

    async def fetch_envelope(self, connection_id: UUID, google_id: str) -> Envelope | None:
        """Return a message's ids, labels and date; None when it is gone."""
        answer = await self._get(connection_id, google_id, format="minimal")
        return None if answer is None else _envelope(answer)

    async def _get(
        self, connection_id: UUID, google_id: str, **options: Any
    ) -> _MessageAnswer | None:
        request = self._api.messages.get(userId=ME, id=google_id, **options)
        try:
            answer = await self._execute(request, connection_id=connection_id)
        except _Absent:
            return None
        return _read(_MessageAnswer, answer)

    async def list_ids(
        self,
        connection_id: UUID,
        *,
        since: datetime,
        label: str | None = None,
        page_token: str | None = None,
    ) -> tuple[list[str], str | None]:
        """Return a page of ids of messages accepted from `since` on, and the next page's token.

        Spam and trash are listed too; with `label`, only messages that wear it.
        """
        more = {} if page_token is None else {"pageToken": page_token}
        more |= {} if label is None else {"labelIds": label}
        request = self._api.messages.list(
            userId=ME,
            maxResults=PAGE,
            includeSpamTrash=True,
            q=f"after:{int(since.timestamp()) - 1}",
            **more,
        )
        answer = await self._execute(request, connection_id=connection_id)
        page = _read(_ListAnswer, answer if answer is not None else {})
        following = _next_page(page.next_page_token, after=page_token)
        return [one.id for one in page.messages], following

    async def label_ids(self, connection_id: UUID) -> list[str]:
        """Return the ids of all labels of the mailbox, the system's and the person's."""
        request = self._api.labels.list(userId=ME)
        answer = await self._execute(request, connection_id=connection_id)
        return [one.id for one in _read(_LabelsAnswer, answer).labels]

    async def modify(
        self, connection_id: UUID, google_id: str, *, add: list[str], remove: list[str]
    ) -> frozenset[str]:
        """Put labels on a message and take others off; return those it has then.

        Raises:
            NotFound: the message is gone.
        """
        body = {"addLabelIds": add, "removeLabelIds": remove}
        request = self._api.messages.modify(userId=ME, id=google_id, body=body)
        answer = await self._execute(request, connection_id=connection_id, repeatable=True)
        return frozenset((answer or {}).get("labelIds", ()))


def _read(model: type[M], answer: Any) -> M:
    try:
        return model.model_validate(answer)
    except ValidationError as exc:
        places = sorted({".".join(map(str, one["loc"])) for one in exc.errors(include_input=False)})
        log.warning("google_answer_unreadable", model=model.__name__, places=places[:5])
        # Its cause would quote the content.
        raise Unreadable("Google's answer is not readable.") from None


def _next_page(token: str | None, *, after: str | None) -> str | None:
    """Return the next page's token; an empty one is none.

    Raises:
        Unreadable: it is the token of the page it came with: following it would never end.
    """
    if token and token == after:
        raise Unreadable("Google's pages lead in a circle.")
    return token or None


def _ids(items: list[_Touched]) -> tuple[str, ...]:
    return tuple(item.message.id for item in items)


def _labelled(items: list[_LabelTouch]) -> Iterator[Labelled]:
    for item in items:
        yield Labelled(item.message.id, frozenset(item.labels))


def _record(one: _HistoryRecord) -> Record:
    return Record(
        id=one.id,
        added=_ids(one.added),
        deleted=_ids(one.deleted),
        labels_added=tuple(_labelled(one.labels_added)),
        labels_removed=tuple(_labelled(one.labels_removed)),
    )


def _envelope(answer: _MessageAnswer) -> Envelope:
    return Envelope(
        google_id=answer.id,
        thread_id=answer.thread_id,
        history_id=answer.history_id,
        labels=frozenset(answer.labels),
        internal_date=EPOCH + timedelta(milliseconds=answer.internal_date),
        snippet=answer.snippet,
        size=answer.size,
    )
