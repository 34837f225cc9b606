"""Looking in a mailbox for a message that may be a send of ours."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

from libs.common.errors import CursorExpired
from services.mail.domain.message import SENT
from services.mail.google import WritingBox
from services.mail.google.writing import Draft, Sent

DRAFT = "DRAFT"
MARGIN = timedelta(minutes=10)
"""Google's clock and ours may differ by so much."""
MOST_LOOKED_AT = 200
"""Messages; 20 units each."""


class Search:
    """Finds what one send left in the mailbox, by the header it carries.

    Args:
        box: the mailbox.
        send_id: what the header says.
        mark: a history id from before the send; None: none was known.
        since: when the send was asked for.
    """

    def __init__(
        self, box: WritingBox, send_id: UUID, *, mark: int | None, since: datetime
    ) -> None:
        self._box = box
        self._send_id = str(send_id)
        self._mark = mark
        self._since = since

    async def sent(self) -> Sent | None:
        """Return the message that was sent; None: there is none to be seen."""
        found = await self._find(SENT)
        return None if found is None else Sent(*found)

    async def draft(self) -> Draft | None:
        """Return the draft that was put; None: there is none to be seen."""
        found = await self._find(DRAFT)
        return None if found is None else await self._box.draft_of(found[0])

    async def _find(self, label: str) -> tuple[str, str] | None:
        looked = 0
        async for google_id in self._candidates(label):
            looked += 1
            if looked > MOST_LOOKED_AT:
                return None
            answer = await self._box.send_id_of(google_id)
            if answer is not None and answer[1] == self._send_id:
                return google_id, answer[0]
        return None

    async def _candidates(self, label: str) -> AsyncIterator[str]:
        if self._mark is not None:
            try:
                for google_id in await self._added(label, self._mark):
                    yield google_id
            except CursorExpired:
                pass
            else:
                return
        token: str | None = None
        while True:
            ids, token = await self._box.list_ids(
                since=self._since - MARGIN, label=label, page_token=token
            )
            for google_id in ids:
                yield google_id
            if token is None:
                return

    async def _added(self, label: str, mark: int) -> list[str]:
        """Return what appeared since the mark, newest first."""
        found: list[str] = []
        token: str | None = None
        while True:
            page = await self._box.history(after=mark, page_token=token, label=label)
            found += [one for record in page.records for one in (*record.added, *record.hidden)]
            token = page.next_page_token
            if token is None:
                return [*dict.fromkeys(reversed(found))]
