"""Fetching messages and reading them: a few at a time, each failing alone.

An attempt is committed before it is made, so that a message which kills the process is found
out and put aside; an attempt that ends in any ordinary way is taken back.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from libs.common.db import Pool
from libs.common.errors import RateLimited, Transient
from libs.common.feeds import Feed
from libs.common.feeds.attempts import begin_attempts, end_attempts
from libs.common.google.errors import RequestRefused
from libs.common.google.wire import AnswerTooLarge, AnswerUnreadable
from libs.common.isolation import Overrun, run_isolated
from libs.common.quota import Lane
from services.mail.domain import mime
from services.mail.domain.connection import Connection
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Content, Fetched, Keep, Policy
from services.mail.google import Envelope, Gmail, GmailBox
from services.mail.sync.inward.looking import Looking
from services.mail.sync.inward.spool import Spool

log = structlog.get_logger(__name__)

FETCHES_AT_ONCE = 6
PARSE_TIMEOUT_S = 10.0
PARSE_MEMORY = 512 * 1024 * 1024
SMALL = 256 * 1024
"""Bytes up to which a message stays in memory and is read in a thread: it cannot take long."""
ABSENT_RETRIES_S = (1.0, 3.0)
LONGEST_SNIPPET = 500
MOST_FAILURES = 10
"""Runs in a row that failed, about half an hour: what then fails alone is put aside."""
KILLED = "killed-the-worker"


@dataclass(slots=True)
class Fetches:
    """What became of the messages that had to be fetched."""

    read: dict[str, Fetched] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Cause, by id."""
    absent: list[str] = field(default_factory=list)
    """Google does not have them."""


class Fetcher:
    """Fetches messages of one mailbox at a time.

    Args:
        pool: where attempts are counted.
        gmail: the mailboxes.
        looking: says what is kept of a message: no more of it is asked for.
        absent_retries_s: seconds to wait before asking again for a message that was announced
            and is not there: Gmail's notice can be ahead of Gmail.
    """

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        looking: Looking,
        absent_retries_s: Sequence[float] = ABSENT_RETRIES_S,
    ) -> None:
        self._pool = pool
        self._gmail = gmail
        self._looking = looking
        self._absent_retries_s = absent_retries_s

    async def fetch(
        self,
        feed: Feed,
        connection: Connection,
        google_ids: Iterable[str],
        *,
        lane: Lane = Lane.LIVE,
        known: bool = False,
        patient: bool = True,
    ) -> Fetches:
        """Fetch and read messages; those that stay absent are named, not waited for.

        Args:
            feed: on whose behalf: attempts are counted by feed.
            connection: whose mailbox.
            google_ids: of the messages.
            lane: of the quota.
            known: they concern somebody the CRM knows: that need not be found out.
            patient: ask again for what is absent: it was just announced.
        """
        fetches, wanted = Fetches(), list(google_ids)
        if not wanted:
            return fetches
        async with self._pool.acquire() as conn:  # each statement is a transaction of its own
            deadly = await begin_attempts(conn, feed, wanted)
        fetches.unreadable |= dict.fromkeys(deadly, KILLED)
        box = self._gmail.box(connection, lane)
        reader = _Reader(
            box,
            connection,
            self._looking,
            rules=await self._looking.rules(connection),
            known=known,
            stubborn=feed.failures >= MOST_FAILURES,
        )
        try:
            pauses = self._absent_retries_s if patient else ()
            alive = [one for one in wanted if one not in deadly]
            await _fetch_all(alive, reader, fetches, pauses_s=pauses)
        finally:
            # Only a process that died leaves its attempts behind.
            async with self._pool.acquire() as conn:
                await end_attempts(conn, feed, wanted)
        return fetches

    async def fetch_known(
        self, feed: Feed, connection: Connection, google_ids: Iterable[str]
    ) -> Fetches:
        """Fetch messages that are known to concern somebody, in the lane of backfills."""
        return await self.fetch(
            feed, connection, google_ids, lane=Lane.BACKFILL, known=True, patient=False
        )

    async def fetch_again(
        self, feed: Feed, connection: Connection, google_ids: Iterable[str]
    ) -> Fetches:
        """Fetch messages that are held already, in the lane of backfills."""
        return await self.fetch(feed, connection, google_ids, lane=Lane.BACKFILL, patient=False)


async def _fetch_all(
    wanted: list[str], reader: "_Reader", fetches: Fetches, *, pauses_s: Sequence[float]
) -> None:
    absent = await _fetch_once(wanted, reader, fetches)
    for wait_s in pauses_s:
        if not absent:
            break
        await asyncio.sleep(wait_s)
        absent = await _fetch_once(absent, reader, fetches)
    if absent:
        log.info("messages_vanished", count=len(absent))
    fetches.absent = absent


async def _fetch_once(google_ids: list[str], reader: "_Reader", fetches: Fetches) -> list[str]:
    """Fetch side by side, then read; return the ids that Google does not have."""
    waiting = iter(google_ids)
    absent: list[str] = []
    small: list[_Unread] = []

    async def some() -> None:
        for google_id in waiting:
            try:
                message = await reader.fetch(google_id)
            except _Unparsable as exc:
                _put_aside(fetches, google_id, exc.cause)
                continue
            if message is None:
                absent.append(google_id)
            elif isinstance(message, Fetched):
                fetches.read[google_id] = message
            elif message.spool.path is None:
                small.append(message)
            else:
                with message.spool:
                    _take(fetches, message.envelope, await _in_process(message.spool))

    try:
        await _all([some() for _ in range(min(FETCHES_AT_ONCE, len(google_ids)))])
        for one, content in zip(small, await _read(small), strict=True):
            _take(fetches, one.envelope, content)
    finally:
        for one in small:
            one.spool.close()
    return sorted(absent)


def _take(fetches: Fetches, envelope: Envelope, content: Content | str) -> None:
    """Note what a message says, or why it cannot be read."""
    if isinstance(content, Content):
        fetches.read[envelope.google_id] = _fetched(envelope, content, kept=Keep.WHOLE)
    else:
        _put_aside(fetches, envelope.google_id, content)


def _put_aside(fetches: Fetches, google_id: str, cause: str) -> None:
    fetches.unreadable[google_id] = cause
    log.warning("message_unreadable", google_id=google_id, cause=cause)


@dataclass(frozen=True, slots=True)
class _Unread:
    """A message as Google gave it."""

    envelope: Envelope
    spool: Spool


class _Reader:
    """Fetches single messages of one mailbox."""

    def __init__(
        self,
        box: GmailBox,
        connection: Connection,
        looking: Looking,
        *,
        rules: Rules,
        known: bool,
        stubborn: bool,
    ) -> None:
        self._box = box
        self._connection = connection
        self._looking = looking
        self._stubborn = stubborn
        self._rules = rules
        self._known = known

    async def fetch(self, google_id: str) -> "_Unread | Fetched | None":
        """Return a message as far as the settings let us look, None when it is gone."""
        try:
            if self._rules.takes_whole(known=self._known):
                return await self._fetch_whole(google_id)
            return await self._fetch_head(google_id)
        except (AnswerTooLarge, RequestRefused, AnswerUnreadable) as exc:
            raise _Unparsable(exc.slug) from exc
        except Transient as exc:
            # Everything else of this mailbox has waited for this one message long enough.
            if isinstance(exc, RateLimited) or not self._stubborn:
                raise
            raise _Unparsable(exc.slug) from exc

    async def _fetch_head(self, google_id: str) -> "_Unread | Fetched | None":
        """Return what the head of a message says, or all of it if that may be kept."""
        rules = self._rules
        whole_head = rules.most > Keep.TRACE and rules.most < Keep.WHOLE
        found = await self._box.fetch_people(google_id, whole_head=whole_head)
        if found is None:
            return None
        envelope, head = found[0], mime.parse_head(found[1])
        if not rules.labels.knows(envelope.labels):
            rules = self._rules = await self._looking.learn(
                self._box, self._connection, envelope.labels
            )
        is_known = self._known or (
            rules.policy is Policy.KNOWN and await self._looking.is_known(self._connection, head)
        )
        keep = rules.decide(
            people=(person.address for person in head.people()),
            labels=envelope.labels,
            date=envelope.internal_date,
            known=is_known,
            sent_by_us=await self._looking.is_ours(self._connection, head),
        ).keep
        if keep is Keep.WHOLE:
            return await self._fetch_whole(google_id)
        return _fetched(envelope, head, kept=Keep.SNIPPET if whole_head else Keep.TRACE)

    async def _fetch_whole(self, google_id: str) -> _Unread | None:
        spool = Spool(in_memory=SMALL)
        try:
            envelope = await self._box.fetch_raw(google_id, spool)
        except BaseException:
            spool.close()
            raise
        if envelope is None:
            spool.close()
            return None
        return _Unread(envelope, spool)


async def _read(small: Sequence[_Unread]) -> list[Content | str]:
    """Return what each message says, or why it cannot be read: all of them in one thread."""
    raws = [one.spool.octets() for one in small]
    try:
        return await _in_thread(raws)
    except TimeoutError:
        # One of them takes too long: each for itself shows which.
        return [await _alone(raw) for raw in raws]


async def _in_thread(raws: list[bytes]) -> list[Content | str]:
    """Return what each says, or why it cannot be read.

    Raises:
        TimeoutError: together they take too long.
    """
    if not raws:
        return []
    async with asyncio.timeout(PARSE_TIMEOUT_S):
        return await asyncio.to_thread(lambda: [_parsed(raw) for raw in raws])


async def _alone(raw: bytes) -> Content | str:
    try:
        return (await _in_thread([raw]))[0]
    except TimeoutError:
        return "parse-timeout"


def _parsed(raw: bytes) -> Content | str:
    try:
        return mime.parse(raw)
    except Exception as exc:  # noqa: BLE001 - the email library's defects are this message's alone
        return _unparsable(exc)


async def _in_process(spool: Spool) -> Content | str:
    spool.flush()
    try:
        return await run_isolated(
            mime.parse_file, spool.path, timeout_s=PARSE_TIMEOUT_S, memory_bytes=PARSE_MEMORY
        )
    except Overrun as exc:
        return exc.slug
    except Transient:  # nobody could look at it
        raise
    except Exception as exc:  # noqa: BLE001 - as above
        return _unparsable(exc)


def _unparsable(exc: Exception) -> str:
    log.info("message_parse_failed", error=type(exc).__name__)
    return "unparsable"


class _Unparsable(Exception):
    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _fetched(envelope: Envelope, content: Content, *, kept: Keep) -> Fetched:
    return Fetched(
        google_id=envelope.google_id,
        thread_id=envelope.thread_id,
        history_id=envelope.history_id,
        labels=envelope.labels,
        internal_date=envelope.internal_date,
        snippet=mime.clean(mime.unescape(envelope.snippet), LONGEST_SNIPPET),
        size=envelope.size,
        content=content,
        kept=kept,
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
