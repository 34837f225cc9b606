"""Messages that were fetched by one feed while the live feed went on.

A record about a message that is not held yet is nothing to the live feed: whoever holds it next
has fetched it, and fetched it with what the record says. A comparison that fetched before the
record and commits after it would hide it for ever: so it looks at the records in between itself.
"""

from libs.common.db import Pool
from libs.common.errors import CursorExpired, Transient
from libs.common.feeds import Feed
from services.mail.domain.history import Record, fold, overtaken
from services.mail.google import GmailBox
from services.mail.store import runs
from services.mail.sync.fetching import Fetches

MOST_LOOKS = 5
"""Commits tried with the live feed ahead of them; then the run is tried again later."""


async def catch_up(pool: Pool, box: GmailBox, feed: Feed, fetches: Fetches, *, since: int) -> int:
    """Let what was fetched become as it is after the records since `since`.

    Returns:
        The record up to which that is done: where the live feed stood before the look.

    Raises:
        Transient: Gmail has forgotten these records; fetching anew is right.
    """
    async with pool.acquire() as conn:
        cursor = await runs.live_cursor(conn, feed)
    for google_id, change in fold(await _records(box, since)).items():
        if change.deleted:
            if fetches.read.pop(google_id, None) is not None:
                fetches.absent.append(google_id)
        elif google_id in fetches.read:
            fetches.read[google_id] = overtaken(fetches.read[google_id], change.steps)
    return cursor


async def _records(box: GmailBox, since: int) -> list[Record]:
    records: list[Record] = []
    token: str | None = None
    try:
        while True:
            page = await box.history(after=since, page_token=token)
            records += page.records
            token = page.next_page_token
            if token is None:
                return records
    except CursorExpired as exc:
        raise Transient("Gmail has forgotten what happened since the fetch.") from exc
