"""Sending one message: put a draft, send the draft, and find out what became of a lost answer.

Gmail has no idempotency keys and replaces the Message-ID. What makes a send happen once is the
draft: it can be sent only once, it is gone afterwards, and our header in it tells whose it was.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from libs.common import outbox
from libs.common.addresses import fold_address
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import AppError, NotFound
from libs.common.feeds import Feed
from libs.common.feeds.store import raise_signals
from libs.common.quota import Lane
from libs.common.writes import Write, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import NOT_DONE, REFUSED, later
from libs.common.writes.patience import Patience
from services.mail.domain import events
from services.mail.domain.connection import Connection
from services.mail.domain.sending.outgoing import Outgoing, OutgoingState
from services.mail.google import Gmail, WritingBox
from services.mail.google.writing import Sent
from services.mail.store import outgoing as store
from services.mail.sync.outward.carrying import note_mark
from services.mail.sync.outward.drafting import DELETE, queue_draft
from services.mail.sync.outward.searching import Search
from services.mail.sync.outward.uploading import upload_of

log = structlog.get_logger(__name__)

SEND = "mail.send"
LOOK_PAUSES_S = (2.0, 10.0, 60.0, 300.0)
"""Between looks for a message that may have been sent; then its fate is unknown."""
SIGNAL_TIMEOUT_S = 2.0

SENDS = Counter(
    "causeway_mail_sends_total",
    "Outgoing messages that ended, by outcome (sent, failed, unknown).",
    ["outcome"],
)


class Sender:
    """Sends outgoing messages, one at a time.

    Args:
        expiry: how late a message may leave; after that it fails rather than surprise somebody.
        look_pauses_s: see `LOOK_PAUSES_S`.
    """

    kind = SEND
    at_once = 1

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        patience: Patience,
        expiry: timedelta,
        now: Callable[[], datetime],
        look_pauses_s: tuple[float, ...] = LOOK_PAUSES_S,
    ) -> None:
        self._pool = pool
        self._gmail = gmail
        self.patience = patience
        self._expiry = expiry
        self._now = now
        self._look_pauses_s = look_pauses_s

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Note, in the transaction of the claim, where a search would have to begin."""
        now = self._now()
        return await note_mark(conn, feed, write, write.id, patience=self.patience, now=now)

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Send what was claimed; with `settle`, find out first what became of it.

        Raises:
            AccessRevoked, Conflict, RateLimited, Unreachable: not now; it waits.
            Transient: what became of it is to be settled after the write's deadline.
            WriteLost: it is another's by now.
        """
        for write in claimed:
            await self._send(connection, write, settle=settle)

    async def _send(self, connection: Connection, write: Write, *, settle: bool) -> None:
        async with self._pool.acquire() as conn:
            outgoing = await store.find_outgoing(conn, write.tenant_id, write.id)
        if outgoing is None or outgoing.state is not OutgoingState.QUEUED:
            async with transaction(self._pool) as conn:
                await ledger.finish(conn, write, WriteState.FAILED, now=self._now(), reason="gone")
            return
        one = _Send(self, connection, outgoing, write)
        try:
            await (one.settle() if settle else one.go())
        except REFUSED as exc:
            await one.refused(exc.slug)
        except NOT_DONE as exc:
            await one.put_off(exc, settle=settle)
            raise

    def box(self, connection: Connection) -> WritingBox:
        """Return the mailbox a message leaves from."""
        return self._gmail.box_as(WritingBox, connection, Lane.SEND)

    def is_too_late(self, outgoing: Outgoing, write: Write) -> bool:
        """Say whether a message has waited longer than anybody expects."""
        return self._now() - (outgoing.send_at or write.created_at) > self._expiry

    def look_pause(self, looks: int) -> timedelta | None:
        """Return how long to wait after the `looks`-th look (from 0); None: that was the last."""
        pauses = self._look_pauses_s
        return timedelta(seconds=pauses[looks]) if looks < len(pauses) else None

    def parts(self) -> tuple[Pool, Callable[[], datetime]]:
        """Return the pool and the clock."""
        return self._pool, self._now


class _Send:
    """One message on its way; `write` is the ledger's row as it is now."""

    def __init__(
        self, sender: Sender, connection: Connection, outgoing: Outgoing, write: Write
    ) -> None:
        self._sender = sender
        self._connection = connection
        self._outgoing = outgoing
        self._write = write
        self._box = sender.box(connection)
        self._patience = sender.patience
        self._pool, self._now = sender.parts()

    async def go(self) -> None:
        """Put the draft unless it is there, and send it."""
        draft_id = self._draft_id()
        if self._sender.is_too_late(self._outgoing, self._write):
            await self.fail("expired")
        elif draft_id is None:
            await self._send_draft(await self._put_draft())
        else:
            await self._send_draft(draft_id)

    async def settle(self) -> None:
        """Find out what became of a request whose answer was lost, then go on from there."""
        draft_id = self._draft_id()
        sent = await self._sent_since_the_backup()
        if sent is not None:
            await self._done(sent)
        elif draft_id is None:
            found = await self._search().draft()
            if found is not None:
                await self._note(draft_id=found.id, asked=False)
            await self.go()
        elif await self._box.find_draft(draft_id) is not None:
            await self._send_draft(draft_id)  # what is there was not sent
        else:
            await self._look()

    async def _sent_since_the_backup(self) -> Sent | None:
        """Return the message if it left after a backup that was restored: our notes are older."""
        return await self._search().sent() if self._write.progress.get("doubted") else None

    def _draft_id(self) -> str | None:
        noted: str | None = self._write.progress.get("draft_id")
        return noted or self._outgoing.draft_id

    async def _put_draft(self) -> str:
        upload = upload_of(self._pool, self._outgoing, date=self._now())
        draft = await self._box.create_draft(
            upload,
            thread_id=self._outgoing.thread_id,
            timeout_s=self._patience.upload_s(upload.size),
        )
        await self._note(draft_id=draft.id, asked=True)
        return draft.id

    async def _send_draft(self, draft_id: str) -> None:
        if not self._write.progress.get("asked"):
            await self._note(draft_id=draft_id, asked=True)
        try:
            sent = await self._box.send_draft(draft_id, timeout_s=self._patience.timeout_s)
        except NotFound:
            await self._look()  # somebody was faster: we, or the person in Gmail
        except REFUSED as exc:
            await self.fail(exc.slug)
        else:
            await self._done(sent)

    async def _note(self, *, draft_id: str, asked: bool) -> None:
        progress = {"draft_id": draft_id, "asked": asked}
        async with transaction(self._pool) as conn:
            self._write = await ledger.note(
                conn, self._write, progress, deadline=self._now() + self._patience.deadline()
            )

    def _search(self) -> Search:
        return Search(
            self._box,
            self._outgoing.id,
            mark=self._write.progress.get("mark") or None,
            since=self._write.created_at,
        )

    async def _look(self) -> None:
        """Look for the message among what was sent; some looks later its fate is unknown."""
        sent = await self._search().sent()
        looks = int(self._write.progress.get("looks", 0))
        pause = self._sender.look_pause(looks)
        if sent is not None:
            await self._done(sent)
        elif pause is None:
            await self._end(WriteState.UNKNOWN, OutgoingState.UNKNOWN, "not-found")
        else:
            async with transaction(self._pool) as conn:
                self._write = await ledger.note(
                    conn, self._write, {"looks": looks + 1}, deadline=self._now() + pause
                )

    async def _done(self, sent: Sent) -> None:
        now, answer = self._now(), {"google_id": sent.google_id, "thread_id": sent.thread_id}
        async with transaction(self._pool) as conn:
            # The message comes back through history, like any other: it is logged there.
            address = fold_address(self._connection.email)
            await raise_signals(conn, [address], now=now, timeout_s=SIGNAL_TIMEOUT_S)
            await ledger.finish(conn, self._write, WriteState.DONE, now=now, answer=answer)
            await store.end_outgoing(
                conn,
                self._write.tenant_id,
                self._write.id,
                OutgoingState.SENT,
                now=now,
                google_id=sent.google_id,
                thread_id=sent.thread_id,
            )
        SENDS.labels("sent").inc()
        log.info("message_sent", send_id=str(self._write.id))

    async def refused(self, reason: str) -> None:
        """End what Google lets us do nothing about; it may have been sent before."""
        if self._write.progress.get("asked"):
            await self._end(WriteState.UNKNOWN, OutgoingState.UNKNOWN, reason)
        else:
            await self.fail(reason)

    async def fail(self, reason: str) -> None:
        """End it: it was not sent; the draft we made for it is thrown away."""
        await self._end(WriteState.FAILED, OutgoingState.FAILED, reason)

    async def _end(self, state: WriteState, became: OutgoingState, reason: str) -> None:
        now = self._now()
        async with transaction(self._pool) as conn:
            await ledger.finish(conn, self._write, state, now=now, reason=reason)
            sequence = await store.end_outgoing(
                conn,
                self._write.tenant_id,
                self._write.id,
                became,
                now=now,
                reason=reason,
                told=True,
            )
            if became is OutgoingState.FAILED and self._outgoing.draft_id is None:
                await self._clear_away(conn)
            if sequence is not None:
                event = events.not_sent(
                    self._connection, self._outgoing, became, reason, sequence=sequence, now=now
                )
                await outbox.append(conn, event)
        SENDS.labels(became.value).inc()
        log.warning("message_not_sent", send_id=str(self._write.id), reason=reason)

    async def _clear_away(self, conn: Conn) -> None:
        draft_id = self._write.progress.get("draft_id")
        if draft_id is not None:
            desired = {"op": DELETE, "draft_id": draft_id}
            await queue_draft(conn, self._outgoing, desired, now=self._now())

    async def put_off(self, exc: AppError, *, settle: bool) -> None:
        """Let it wait: nothing of its last request had an effect."""
        until = later(exc, self._now())
        async with transaction(self._pool) as conn:
            await ledger.put_off(conn, self._write, until=until, reason=exc.slug, settle=settle)
            await store.set_reason(conn, self._outgoing, exc.slug)
