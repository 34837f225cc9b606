"""Gmail's methods that change a mailbox: drafts, sending, labels."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from libs.common.google.answers import EPOCH, parsed
from libs.common.google.discovery import Media
from services.mail.domain.message import Person
from services.mail.domain.sending.drafts import Fields, fields_at_google
from services.mail.domain.sending.outgoing import SEND_HEADER
from services.mail.google.answers import (
    DraftAnswer,
    DraftsAnswer,
    FullDraft,
    SendAsAnswer,
    SentAnswer,
)
from services.mail.google.api import ME, PAGE, GmailBox

RFC822 = "message/rfc822"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft at Gmail; the message inside gets a new id with every edit."""

    id: str
    google_id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class DraftText:
    """What a draft says at Gmail."""

    fields: Fields
    edited_at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that Gmail has sent."""

    google_id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A message on its way up."""

    size: int
    open: Callable[[], AsyncIterator[bytes]]
    """Begins its content."""

    def media(self) -> Media:
        """Return it as the transport takes it."""
        return Media(content_type=RFC822, size=self.size, open=self.open)


class WritingBox(GmailBox):
    """One mailbox, to be changed; see `GmailBox` for what every method raises.

    What is said to be lost (`Transient` but not `Unreachable` or `RateLimited`) may have been
    heard: Google has no idempotency keys. The caller settles it.
    """

    async def create_draft(
        self, upload: Upload, *, thread_id: str | None, timeout_s: float
    ) -> Draft:
        """Put a draft into the mailbox (10 units); never tried twice.

        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.drafts/create
        """
        request = self._uploads.create.of(_metadata(thread_id), upload.media())
        answer = await self._execute(request, timeout_s=timeout_s)
        return _draft(answer)

    async def update_draft(
        self, draft_id: str, upload: Upload, *, thread_id: str | None, timeout_s: float
    ) -> Draft:
        """Replace the message inside a draft (15 units).

        Raises:
            NotFound: the draft is gone.
        """
        request = self._uploads.update(draft_id).of(_metadata(thread_id), upload.media())
        answer = await self._execute(request, timeout_s=timeout_s, repeatable=True)
        return _draft(answer)

    async def find_draft(self, draft_id: str) -> Draft | None:
        """Return a draft (5 units); None: it was sent or thrown away."""
        request = self._api.drafts.get(userId=ME, id=draft_id, format="minimal")
        answer = await self._absent_is_none(request)
        return None if answer is None else _draft(answer)

    async def read_draft(self, draft_id: str) -> DraftText | None:
        """Return what a draft says (5 units), without the content of attachments; None: gone."""
        request = self._api.drafts.get(userId=ME, id=draft_id, format="full")
        answer = await self._absent_is_none(request)
        if answer is None:
            return None
        message = parsed(FullDraft, answer).message
        edited_at = EPOCH + timedelta(milliseconds=message.internal_date)
        return DraftText(fields_at_google(message.payload.part()), edited_at)

    async def draft_of(self, google_id: str) -> Draft | None:
        """Return the draft that holds a message (5 units a page); None: there is none."""
        token: str | None = None
        while True:
            more = {} if token is None else {"pageToken": token}
            request = self._api.drafts.list(userId=ME, maxResults=PAGE, **more)
            page = parsed(DraftsAnswer, await self._execute(request) or {})
            for one in page.drafts:
                if one.message.id == google_id:
                    return Draft(one.id, one.message.id, one.message.thread_id)
            if page.next_page_token is None or page.next_page_token == token:
                return None
            token = page.next_page_token

    async def delete_draft(self, draft_id: str) -> None:
        """Throw a draft away (10 units); one that is gone is gone."""
        request = self._api.drafts.delete(userId=ME, id=draft_id)
        await self._absent_is_none(request)

    async def send_draft(self, draft_id: str, *, timeout_s: float) -> Sent:
        """Send a draft (100 units); never tried twice.

        Raises:
            NotFound: the draft is gone: it was sent, or thrown away.
        Source: https://developers.google.com/workspace/gmail/api/guides/drafts
        """
        request = self._api.drafts.send(userId=ME, body={"id": draft_id})
        answer = parsed(
            SentAnswer, await self._execute(request, repeatable=False, timeout_s=timeout_s)
        )
        return Sent(answer.id, answer.thread_id)

    async def send_id_of(self, google_id: str) -> tuple[str, str] | None:
        """Return a message's thread and what its `X-Causeway-Send` says ("": nothing)."""
        answer = await self._get(google_id, format="metadata", metadataHeaders=[SEND_HEADER])
        if answer is None:
            return None
        headers = answer.payload.headers if answer.payload else []
        found = [one.value for one in headers if one.name.lower() == SEND_HEADER.lower()]
        return answer.thread_id, (found[0].strip() if found else "")

    async def modify_many(
        self, google_ids: Sequence[str], *, add: Sequence[str], remove: Sequence[str]
    ) -> None:
        """Change the labels of up to 1,000 messages alike (50 units); absent ones are passed over.

        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/batchModify
        """
        body = {"ids": [*google_ids], "addLabelIds": [*add], "removeLabelIds": [*remove]}
        request = self._api.messages.batchModify(userId=ME, body=body)
        await self._execute(request, repeatable=True)

    async def send_as(self) -> list[Person]:
        """Return whom the mailbox may send as, itself included (1 unit).

        Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.settings.sendAs
        """
        answer = await self._execute(self._api.send_as.list(userId=ME))
        found = parsed(SendAsAnswer, answer or {}).send_as
        return [Person(one.address, one.name or None) for one in found if one.is_usable]


def _metadata(thread_id: str | None) -> Mapping[str, Any]:
    return {"message": {} if thread_id is None else {"threadId": thread_id}}


def _draft(answer: Any) -> Draft:
    found = parsed(DraftAnswer, answer)
    return Draft(found.id, found.message.id, found.message.thread_id)
