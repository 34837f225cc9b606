"""Messages that were fetched by one feed while the live feed went on.

A record about a message that is not held yet is nothing to the live feed: whoever holds it next
has fetched it, and fetched it with what the record says. A comparison that fetched before the
record and commits after it would hide it for ever: so it looks at the records in between itself.
"""

from collections.abc import Awaitable, Callable

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import CursorExpired, Transient
from libs.common.feeds import Feed
from libs.common.quota import Lane
from services.mail.domain.connection import Connection
from services.mail.domain.history import Record, fold, overtaken
from services.mail.google import Gmail, GmailBox
from services.mail.store import runs
from services.mail.sync.inward.fetching import Fetches

MOST_LOOKS = 5
"""Commits tried with the live feed ahead of them; then the run is tried again later."""


class Overtaking:
    """Commits what was fetched as it is by then, however the live feed went on meanwhile."""

    def __init__(self, pool: Pool, gmail: Gmail) -> None:
        """Look at the records in between through `gmail`."""
        self._pool = pool
        self._gmail = gmail

    async def begin(self, feed: Feed) -> int:
        """Return where the live feed stands, to be asked before the fetch."""
        async with self._pool.acquire() as conn:
            return await runs.live_cursor(conn, feed)

    async def commit(
        self,
        feed: Feed,
        connection: Connection,
        fetches: Fetches,
        write: Callable[[Conn], Awaitable[None]],
        *,
        since: int,
    ) -> None:
        """Run `write` in a transaction that begins with the directory's lock shared.

        What was fetched is then as the live feed's records have left it.

        Raises:
            Transient: the mailbox changes too fast, or Gmail has forgotten these records.
        """
        for _ in range(MOST_LOOKS):
            async with transaction(self._pool) as conn:
                await directory.lock_shared(conn, connection.tenant_id)
                if await runs.hold_live_cursor(conn, feed) <= since:
                    await write(conn)
                    return
            box = self._gmail.box(connection, Lane.BACKFILL)
            since = await catch_up(self._pool, box, feed, fetches, since=since)
        raise Transient("The mailbox changes faster than it can be looked at.")


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
