"""Drafts: put into the mailbox, kept in step with what is edited there, thrown away."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.errors import NotFound
from libs.common.feeds import Feed
from libs.common.quota import Lane
from libs.common.writes import MergePolicy, NewWrite, Write, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import NOT_DONE, REFUSED, later
from libs.common.writes.patience import Patience
from services.mail.domain.connection import Connection
from services.mail.domain.sending.drafts import fields_of, reconcile
from services.mail.domain.sending.outgoing import Outgoing, OutgoingState, id_of, item_of
from services.mail.google import Gmail, WritingBox
from services.mail.store import outgoing as store
from services.mail.sync.outward.carrying import note_mark
from services.mail.sync.outward.searching import Search
from services.mail.sync.outward.uploading import upload_of

log = structlog.get_logger(__name__)

DRAFT = "mail.draft"
PUT = "put"
DELETE = "delete"


class DraftCarrier:
    """Carries the edits of drafts.

    Args:
        policy: for fields that were edited here and in Gmail, each in another way.
    """

    kind = DRAFT
    at_once = 1

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        *,
        policy: MergePolicy,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._gmail = gmail
        self._policy = policy
        self.patience = patience
        self._now = now

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Note, in the transaction of the claim, where a search would have to begin."""
        outgoing_id, now = id_of(write.item), self._now()
        return await note_mark(conn, feed, write, outgoing_id, patience=self.patience, now=now)

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Carry edits; see `Sender.send`. A lost answer is settled by looking for the draft."""
        box = self._gmail.box_as(WritingBox, connection, Lane.SEND)
        for write in claimed:
            try:
                if write.desired["op"] == DELETE:
                    await self._delete(box, write)
                else:
                    await self._put(box, write, settle=settle)
            except REFUSED as exc:
                await self._fail(write, exc.slug)
            except NOT_DONE as exc:
                until = later(exc, self._now())
                async with transaction(self._pool) as conn:
                    await ledger.put_off(conn, write, until=until, reason=exc.slug, settle=settle)
                raise

    async def _delete(self, box: WritingBox, write: Write) -> None:
        async with self._pool.acquire() as conn:
            outgoing = await store.find_outgoing(conn, write.tenant_id, id_of(write.item))
        draft_id = write.desired["draft_id"] or (outgoing.draft_id if outgoing else None)
        if draft_id is not None:
            await box.delete_draft(draft_id)
        async with transaction(self._pool) as conn:
            await ledger.finish(conn, write, WriteState.DONE, now=self._now(), answer={})
            if outgoing is not None:
                await store.note_draft(conn, outgoing, None)

    async def _put(self, box: WritingBox, write: Write, *, settle: bool) -> None:
        async with self._pool.acquire() as conn:
            outgoing = await store.find_outgoing(conn, write.tenant_id, id_of(write.item))
        if outgoing is None or outgoing.ended_at is not None:
            if settle:  # it may have been put before it was thrown away
                await self._clear_away(box, write)
            await self._fail(write, "gone")
        elif outgoing.version != write.desired["version"]:
            await self._done(write, outgoing, outgoing.draft_id, agreed=None)  # a newer one follows
        elif outgoing.draft_id is None:
            await self._create(box, write, outgoing, settle=settle)
        else:
            await self._update(box, write, outgoing, outgoing.draft_id)

    async def _clear_away(self, box: WritingBox, write: Write) -> None:
        found = await _search(box, write).draft()
        if found is not None:
            await box.delete_draft(found.id)

    async def _create(
        self, box: WritingBox, write: Write, outgoing: Outgoing, *, settle: bool
    ) -> None:
        found = await _search(box, write).draft() if settle else None
        if found is None:
            upload = upload_of(self._pool, outgoing, date=self._now())
            found = await box.create_draft(
                upload,
                thread_id=outgoing.thread_id,
                timeout_s=self.patience.upload_s(upload.size),
            )
        await self._done(write, outgoing, found.id, agreed=fields_of(outgoing))

    async def _update(
        self, box: WritingBox, write: Write, outgoing: Outgoing, draft_id: str
    ) -> None:
        theirs = await box.read_draft(draft_id)
        if theirs is None:
            await self._gone(box, write, outgoing)
            return
        outcome = reconcile(
            outgoing,
            theirs.fields,
            policy=self._policy,
            ours_at=write.created_at,
            theirs_at=theirs.edited_at,
        )
        if outcome.conflicts:
            await self._conflict(write, outgoing, theirs.fields, outcome.conflicts)
            return
        if outcome.must_write:
            upload = upload_of(self._pool, outcome.draft, date=self._now())
            try:
                await box.update_draft(
                    draft_id,
                    upload,
                    thread_id=outgoing.thread_id,
                    timeout_s=self.patience.upload_s(upload.size),
                )
            except NotFound:
                await self._gone(box, write, outgoing)
                return
        await self._done(write, outcome.draft, draft_id, agreed=fields_of(outcome.draft))

    async def _gone(self, box: WritingBox, write: Write, outgoing: Outgoing) -> None:
        """The person has sent the draft in Gmail, or thrown it away there."""
        sent = await Search(box, outgoing.id, mark=None, since=outgoing.created_at).sent()
        now = self._now()
        state = OutgoingState.DISCARDED if sent is None else OutgoingState.SENT
        async with transaction(self._pool) as conn:
            await ledger.finish(conn, write, WriteState.FAILED, now=now, reason="draft-gone")
            await store.end_outgoing(
                conn, write.tenant_id, outgoing.id, state, now=now, reason="in-gmail"
            )

    async def _conflict(
        self, write: Write, outgoing: Outgoing, theirs: Mapping[str, Any], fields: frozenset[str]
    ) -> None:
        """Show it: whoever edits the draft next has seen what Gmail has."""
        async with transaction(self._pool) as conn:
            await ledger.finish(
                conn,
                write,
                WriteState.CONFLICT,
                now=self._now(),
                reason="edited-in-gmail",
                answer={"fields": sorted(fields)},
            )
            await store.note_draft(conn, outgoing, outgoing.draft_id, agreed=dict(theirs))
            await store.set_reason(conn, outgoing, "conflict")

    async def _done(
        self,
        write: Write,
        outgoing: Outgoing,
        draft_id: str | None,
        *,
        agreed: Mapping[str, Any] | None,
    ) -> None:
        async with transaction(self._pool) as conn:
            await ledger.finish(conn, write, WriteState.DONE, now=self._now(), answer={})
            await store.note_draft(conn, outgoing, draft_id, agreed=agreed)
            if agreed is not None:
                await store.follow_draft(conn, outgoing)

    async def _fail(self, write: Write, reason: str) -> None:
        async with transaction(self._pool) as conn:
            await ledger.finish(conn, write, WriteState.FAILED, now=self._now(), reason=reason)
        log.warning("draft_not_written", write_id=str(write.id), reason=reason)


async def queue_draft(
    conn: Conn, draft: Outgoing, desired: Mapping[str, Any], *, now: datetime
) -> UUID:
    """Put an edit of a draft into the ledger; the writing feed has been woken. Return its id."""
    write = NewWrite(
        tenant_id=draft.tenant_id,
        connection_id=draft.connection_id,
        kind=DRAFT,
        item=item_of(draft.id),
        base=draft.agreed,
        desired=desired,
        due_at=now,
    )
    await ledger.queue(conn, [write], now=now)
    return write.id


def _search(box: WritingBox, write: Write) -> Search:
    mark = write.progress.get("mark") or None
    return Search(box, id_of(write.item), mark=mark, since=write.created_at)
