"""Gmail's API: requests out, Google's answers in as the domain's values."""

from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from libs.common.errors import CursorExpired, NotFound
from libs.common.google.answers import EPOCH, next_page, parsed
from libs.common.google.box import Absent, AccountCharge, Box, refuse_unconnected
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.discovery import GmailResources, Template, Upload
from libs.common.google.errors import RequestRefused
from libs.common.google.rawbody import Sink
from libs.common.google.wire import AnswerUnreadable
from libs.common.quota import Lane, Ledger
from services.mail.domain.connection import Connection
from services.mail.domain.history import HistoryPage
from services.mail.domain.label import Label
from services.mail.domain.mime.automatic import HEADERS as AUTOMATIC_HEADERS
from services.mail.domain.sending.outgoing import SEND_HEADER
from services.mail.domain.units import units
from services.mail.domain.watch import Watch
from services.mail.google.answers import (
    Envelope,
    HistoryAnswer,
    LabelsAnswer,
    ListAnswer,
    MessageAnswer,
    Profile,
    WatchAnswer,
    envelope,
    record,
)

ME = "me"
PAGE = 500
RAW_TIMEOUT_S = 60.0
"""47 MB of JSON may be on their way."""
ONLY_MAIL = " -in:spam -in:drafts"
PEOPLE_HEADERS = ["From", "To", "Cc", "Bcc", SEND_HEADER, *AUTOMATIC_HEADERS]
HEAD_HEADERS = [*PEOPLE_HEADERS, "Subject", "Date", "Message-ID", "In-Reply-To", "References"]

B = TypeVar("B", bound="GmailBox")


class Uploads:
    """The addresses that messages are uploaded to."""

    def __init__(self, resources: GmailResources) -> None:
        self.create = Upload(resources.drafts.create, userId=ME)
        self._resources = resources

    def update(self, draft_id: str) -> Upload:
        """Return the address of one draft."""
        return Upload(self._resources.drafts.update, userId=ME, id=draft_id)


class Gmail:
    """Gmail for every connected mailbox.

    Args:
        google: executes requests on behalf of connections.
        resources: build them.
        ledger: of the quota; None: requests are not counted.
    """

    def __init__(
        self, google: ConnectedGoogle, resources: GmailResources, ledger: Ledger | None = None
    ) -> None:
        self._google = google
        self._api = resources
        self._raw = Template(resources.messages.get, "id", userId=ME, format="raw")
        self._uploads = Uploads(resources)
        self._ledger = ledger

    def box(self, connection: Connection, lane: Lane = Lane.LIVE) -> "GmailBox":
        """Return the connection's mailbox; what it costs is counted in `lane`."""
        return self.box_as(GmailBox, connection, lane)

    def box_as(self, kind: type[B], connection: Connection, lane: Lane) -> B:
        """Return the connection's mailbox with the methods of `kind`."""
        charge = None
        if self._ledger is not None:
            charge = AccountCharge(self._ledger, connection.account_id, lane, units)
        return kind(
            self._google,
            self._api,
            connection_id=connection.id,
            charge=charge,
            raw=self._raw,
            uploads=self._uploads,
        )


class GmailBox(Box):
    """One mailbox, by the connection whose grant opens it; see `Box` for what methods raise."""

    def __init__(
        self,
        google: ConnectedGoogle,
        resources: GmailResources,
        *,
        connection_id: UUID,
        charge: AccountCharge | None,
        raw: Template,
        uploads: Uploads,
    ) -> None:
        super().__init__(google, connection_id=connection_id, charge=charge)
        self._api = resources
        self._raw = raw
        self._uploads = uploads

    async def current_history_id(self) -> int:
        """Return the number of the mailbox's newest record (users.getProfile, 1 unit)."""
        request = self._api.users.getProfile(userId=ME)
        answer = await self._execute(request)
        return parsed(Profile, answer).history_id

    async def watch(self, topic: str) -> Watch:
        """Ask Gmail to publish the mailbox's changes to `topic` for up to seven days.

        Gmail keeps one watch per mailbox and project. When an older one stands in the way it
        is stopped once, and the watch asked for again.

        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users/watch
        """
        try:
            answer = await self._watch(topic)
        except RequestRefused:
            # Whatever the 400 says: with the topic's name checked at start, the one known
            # cause is another client's watch, and stopping costs nothing.
            await self.stop()
            answer = await self._watch(topic)
        found = parsed(WatchAnswer, answer)
        return Watch(found.history_id, EPOCH + timedelta(milliseconds=found.expiration))

    async def _watch(self, topic: str) -> Any:
        request = self._api.users.watch(userId=ME, body={"topicName": topic})
        return await self._execute(request, repeatable=True)

    async def stop(self) -> None:
        """End the mailbox's watch."""
        request = self._api.users.stop(userId=ME)
        await self._execute(request, repeatable=True)

    async def history(
        self, *, after: int, page_token: str | None, label: str | None = None
    ) -> HistoryPage:
        """Return a page of the records after `after`, oldest first.

        Args:
            after: the last record that is known.
            page_token: of the page before.
            label: only records of messages that wear it.

        Raises:
            CursorExpired: Gmail no longer knows `after`.
        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list
        """
        more = {} if page_token is None else {"pageToken": page_token}
        more |= {} if label is None else {"labelId": label}
        request = self._api.history.list(
            userId=ME, startHistoryId=str(after), maxResults=PAGE, **more
        )
        try:
            answer = await self._execute(request)
        except Absent as exc:
            raise CursorExpired("Gmail's history begins later.", slug="history-expired") from exc
        page = parsed(HistoryAnswer, answer)
        records = tuple(record(one) for one in page.history)
        return HistoryPage(
            records, page.history_id, next_page(page.next_page_token, after=page_token)
        )

    async def fetch_raw(self, google_id: str, sink: Sink) -> Envelope | None:
        """Write a message's RFC 5322 text into `sink`; None when it is gone.

        It never stands in memory as a whole.
        """
        try:
            answer = await self._google.execute_raw(
                self._raw.of(google_id),
                connection_id=self._connection_id,
                key="raw",
                sink=sink,
                timeout_s=RAW_TIMEOUT_S,
                charge=self._charge,
            )
        except NotFound as exc:
            refuse_unconnected(exc)
            return None
        found = parsed(MessageAnswer, answer)
        if sink.tell() == 0:
            raise AnswerUnreadable("Google's answer lacks the message.")
        return envelope(found)

    async def fetch_people(
        self, google_id: str, *, whole_head: bool = False
    ) -> tuple[Envelope, list[tuple[str, str]]] | None:
        """Return a message with only the headers that name people; None when it is gone.

        With `whole_head` also with its subject, date and ids; the body is never asked for.
        """
        wanted = HEAD_HEADERS if whole_head else PEOPLE_HEADERS
        answer = await self._get(google_id, format="metadata", metadataHeaders=wanted)
        if answer is None:
            return None
        headers = answer.payload.headers if answer.payload else []
        return envelope(answer), [(one.name, one.value) for one in headers]

    async def fetch_envelope(self, google_id: str) -> Envelope | None:
        """Return a message's ids, labels and date; None when it is gone."""
        answer = await self._get(google_id, format="minimal")
        return None if answer is None else envelope(answer)

    async def _get(self, google_id: str, **options: Any) -> MessageAnswer | None:
        request = self._api.messages.get(userId=ME, id=google_id, **options)
        answer = await self._absent_is_none(request)
        return None if answer is None else parsed(MessageAnswer, answer)

    async def list_ids(
        self,
        *,
        since: datetime,
        label: str | None = None,
        only_mail: bool = False,
        page_token: str | None = None,
    ) -> tuple[list[str], str | None]:
        """Return a page of ids of messages accepted from `since` on, and the next page's token.

        Spam and trash are listed too, unless `only_mail`, which leaves out spam and drafts; with
        `label`, only messages that wear it.
        """
        more = {} if page_token is None else {"pageToken": page_token}
        more |= {} if label is None else {"labelIds": label}
        request = self._api.messages.list(
            userId=ME,
            maxResults=PAGE,
            includeSpamTrash=True,
            q=f"after:{int(since.timestamp()) - 1}" + (ONLY_MAIL if only_mail else ""),
            **more,
        )
        answer = await self._execute(request)
        page = parsed(ListAnswer, answer if answer is not None else {})
        following = next_page(page.next_page_token, after=page_token)
        return [one.id for one in page.messages], following

    async def labels(self) -> list[Label]:
        """Return all labels of the mailbox, the system's and the person's."""
        request = self._api.labels.list(userId=ME)
        answer = await self._execute(request)
        return [
            Label(google_id=one.id, name=one.name or one.id, type=one.type)
            for one in parsed(LabelsAnswer, answer).labels
        ]

    async def modify(self, google_id: str, *, add: list[str], remove: list[str]) -> frozenset[str]:
        """Put labels on a message and take others off; return those it has then.

        Raises:
            NotFound: the message is gone.
        """
        body = {"addLabelIds": add, "removeLabelIds": remove}
        request = self._api.messages.modify(userId=ME, id=google_id, body=body)
        answer = await self._execute(request, repeatable=True)
        return frozenset((answer or {}).get("labelIds", ()))
