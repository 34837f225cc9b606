"""Taking in a chunk of history: fetch, read, and commit rows, cursor and events as one."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from libs.common.feeds import Feed, Lease
from libs.common.feeds.store import add_dead_item
from libs.common.google.errors import RequestRefused
from libs.common.google.wire import AnswerTooLarge
from services.mail import google
from services.mail.domain import mime
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, Chunk, deleted_ids, fold, must_fetch
from services.mail.domain.message import Content, Fetched, Policy
from services.mail.google import Gmail, Unreadable
from services.mail.store import messages as store
from services.mail.sync.writes import Writes

log = structlog.get_logger(__name__)

FETCHES_AT_ONCE = 6
PARSE_TIMEOUT_S = 10.0
ABSENT_RETRIES_S = (1.0, 3.0)
LONGEST_SNIPPET = 500


@dataclass(slots=True)
class Fetches:
    """What became of the messages that had to be fetched; one that is in neither is gone."""

    read: dict[str, Fetched] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Cause, by id."""


class Intake:
    """Brings messages of one mailbox at a time into the store.

    Args:
        gmail: the mailboxes.
        hash_key: of the hashes kept of strangers' addresses.
        absent_retries_s: seconds to wait before asking again for a message that was announced
            and is not there: Gmail's notice can be ahead of Gmail.
    """

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        hash_key: bytes,
        now: Callable[[], datetime],
        absent_retries_s: Sequence[float] = ABSENT_RETRIES_S,
    ) -> None:
        self._pool = pool
        self._gmail = gmail
        self._hash_key = hash_key
        self._now = now
        self._absent_retries_s = absent_retries_s

    async def take(
        self,
        lease: Lease,
        connection: Connection,
        chunk: Chunk,
        *,
        gone: frozenset[str] = frozenset(),
    ) -> None:
        """Take in one chunk; afterwards the cursor stands behind it.

        Args:
            lease: of the feed.
            connection: whose mailbox.
            chunk: whole records.
            gone: messages that later records say are deleted.

        Raises:
            LeaseLost: another worker has the feed; nothing was written.
        """
        changes = fold(chunk.records)
        async with self._pool.acquire() as conn:
            known = await store.list_known(conn, connection.tenant_id, connection.id, [*changes])
        doomed = gone | deleted_ids(chunk.records)
        wanted = [
            one.google_id
            for one in changes.values()
            if must_fetch(one, known.get(one.google_id)) and one.google_id not in doomed
        ]
        fetches = await self.fetch(connection, wanted)
        cursor = max(chunk.cursor, int(lease.cursor or 0))
        async with transaction(self._pool) as conn:
            await lease.advance(conn, cursor=str(cursor))
            await self.commit(conn, lease.feed, connection, changes, fetches)

    async def commit(
        self,
        conn: Conn,
        feed: Feed,
        connection: Connection,
        changes: dict[str, Change],
        fetches: Fetches,
        *,
        origin: Origin = Origin.LIVE,
    ) -> None:
        """Write what changed and what is told of it, within the caller's transaction."""
        known = await store.lock_known(conn, connection.tenant_id, connection.id, sorted(changes))
        writes = Writes(conn, connection, self._hash_key, origin, self._now())
        for google_id in sorted(changes):
            if google_id in known:
                await writes.change(known[google_id], changes[google_id])
            elif google_id in fetches.read:
                await writes.arrive(fetches.read[google_id])
        for google_id, cause in fetches.unreadable.items():
            await add_dead_item(
                conn, kind="gmail.message", item=google_id, cause=cause, now=writes.now, feed=feed
            )
        await outbox.append(conn, *writes.told)

    async def fetch(self, connection: Connection, google_ids: Iterable[str]) -> Fetches:
        """Fetch and read messages, a few at a time; those that stay absent are left out."""
        fetches = Fetches()
        absent = await self._fetch_once(connection, list(google_ids), fetches)
        for wait_s in self._absent_retries_s:
            if not absent:
                break
            await asyncio.sleep(wait_s)
            absent = await self._fetch_once(connection, absent, fetches)
        if absent:
            log.info("messages_vanished", count=len(absent))
        return fetches

    async def _fetch_once(
        self, connection: Connection, google_ids: list[str], fetches: Fetches
    ) -> list[str]:
        """Fetch side by side; return the ids that Google does not have."""
        slots = asyncio.Semaphore(FETCHES_AT_ONCE)
        absent: list[str] = []

        async def one(google_id: str) -> None:
            async with slots:
                try:
                    message = await self._fetch_message(connection, google_id)
                except _Unparsable as exc:
                    fetches.unreadable[google_id] = exc.cause
                    log.warning("message_unreadable", google_id=google_id, cause=exc.cause)
                    return
            if message is None:
                absent.append(google_id)
            else:
                fetches.read[google_id] = message

        await _all([one(google_id) for google_id in google_ids])
        return sorted(absent)

    async def _fetch_message(self, connection: Connection, google_id: str) -> Fetched | None:
        try:
            if connection.policy is Policy.KNOWN:
                return await self._fetch_people(connection, google_id)
            return await self._fetch_whole(connection, google_id)
        except (AnswerTooLarge, RequestRefused, Unreadable) as exc:
            raise _Unparsable(exc.slug) from exc

    async def _fetch_whole(self, connection: Connection, google_id: str) -> Fetched | None:
        found = await self._gmail.fetch_raw(connection.id, google_id)
        if found is None:
            return None
        envelope, raw = found
        try:
            async with asyncio.timeout(PARSE_TIMEOUT_S):
                content = await asyncio.to_thread(mime.parse, raw)
        except TimeoutError as exc:
            raise _Unparsable("parse-timeout") from exc
        except Exception as exc:  # the email library's defects are this message's alone
            log.info("message_parse_failed", error=type(exc).__name__)
            raise _Unparsable("unparsable") from exc
        return _fetched(envelope, content)

    async def _fetch_people(self, connection: Connection, google_id: str) -> Fetched | None:
        found = await self._gmail.fetch_people(connection.id, google_id)
        return None if found is None else _fetched(found[0], mime.parse_people(found[1]))


class _Unparsable(Exception):
    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _fetched(envelope: google.Envelope, content: Content) -> Fetched:
    return Fetched(
        google_id=envelope.google_id,
        thread_id=envelope.thread_id,
        history_id=envelope.history_id,
        labels=envelope.labels,
        internal_date=envelope.internal_date,
        snippet=mime.clean(mime.unescape(envelope.snippet), LONGEST_SNIPPET),
        size=envelope.size,
        content=content,
    )


async def _all(work: list[Coroutine[object, object, None]]) -> None:
    """Run side by side; the first failure ends the others and is the one that is raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
