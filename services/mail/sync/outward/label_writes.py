"""Changing labels at Google: read, starred, archived, in the trash, and the person's own labels.

The ledger keeps what was asked. When Google has done it, the message follows at once, and what
comes back through history is recognised by the ledger: it is no edit, and makes no event.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import AppError, NotFound
from libs.common.feeds import Feed
from libs.common.google.wire import Unreachable
from libs.common.quota import Lane
from libs.common.writes import Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import NOT_DONE, REFUSED, later
from libs.common.writes.patience import Patience
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, Own
from services.mail.google import Gmail, WritingBox
from services.mail.store import messages
from services.mail.sync.inward.echoes import LABELS
from services.mail.sync.inward.intake import Intake

FEW = 10
"""Alike up to here they are changed one by one (5 units each), beyond together (50 units)."""
MOST_AT_ONCE = 1_000
MOST_ATTEMPTS = 10

Labels = tuple[tuple[str, ...], tuple[str, ...]]
"""To put on, to take off."""


class LabelCarrier:
    """Carries label changes; the same change of many messages as one request."""

    kind = LABELS
    at_once = MOST_AT_ONCE

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        intake: Intake,
        *,
        patience: Patience,
        now: Callable[[], datetime],
    ) -> None:
        """Change through `gmail`, and let messages follow through `intake`."""
        self._pool = pool
        self._gmail = gmail
        self._intake = intake
        self.patience = patience
        self._now = now

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Return the write: nothing has to be noted of it."""
        del conn, feed
        return write

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Change labels; a lost answer is settled by asking again, which changes nothing more.

        Raises:
            AccessRevoked, Conflict, RateLimited, Unreachable: not now; they wait.
            Transient: to be asked again after the deadline.
        """
        box = self._gmail.box_as(WritingBox, connection, Lane.SEND)
        try:
            # Records up to here were before our change: none of them undoes it.
            mark = await box.current_history_id()
        except AppError as exc:
            await self._put_back(claimed, exc, settle=settle)
            raise
        waiting = {one.id: one for one in claimed}
        for labels, alike in _alike(claimed).items():
            asked = _Asked()
            try:
                await self._ask(box, labels, alike, asked)
            except AppError as exc:
                # What was done before Google had enough is done.
                await self._commit(connection, labels, asked, mark=mark)
                if isinstance(exc, NOT_DONE):
                    await self._put_back(asked.left_of(waiting), exc, settle=settle)
                raise
            await self._commit(connection, labels, asked, mark=mark)
            waiting = {one.id: one for one in asked.left_of(waiting)}

    async def _ask(
        self, box: WritingBox, labels: Labels, alike: list[Write], asked: "_Asked"
    ) -> None:
        """Ask for changes, and note in `asked` which were made and which Google refused."""
        add, remove = labels
        if len(alike) > FEW:
            try:
                await box.modify_many([one.item for one in alike], add=add, remove=remove)
            except REFUSED as exc:
                asked.refused += [(one, exc.slug) for one in alike]
            else:
                asked.done += alike
            return
        for one in alike:
            try:
                await box.modify(one.item, add=[*add], remove=[*remove])
            except REFUSED as exc:
                asked.refused.append((one, exc.slug))
            except NotFound:
                asked.refused.append((one, "message-gone"))
            else:
                asked.done.append(one)

    async def _commit(
        self,
        connection: Connection,
        labels: Labels,
        asked: "_Asked",
        *,
        mark: int,
    ) -> None:
        """End the writes, and let the messages wear what Google has put on them."""
        now, own = self._now(), Own(frozenset(labels[0]), frozenset(labels[1]))
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            items = sorted(one.item for one in asked.done)
            await messages.lock_known(conn, connection.tenant_id, connection.id, items)
            changes = {}
            for one in asked.done:
                if await _finish(conn, one, WriteState.DONE, now=now, answer={"mark": mark}):
                    changes[one.item] = Change(one.item, own=own)
            await self._intake.follow(conn, connection, changes)
            for one, reason in asked.refused:
                await _finish(conn, one, WriteState.FAILED, now=now, reason=reason)

    async def _put_back(self, some: list[Write], exc: AppError, *, settle: bool) -> None:
        """Let them wait, or give up on those that were tried often enough."""
        now = self._now()
        async with transaction(self._pool) as conn:
            for one in some:
                if one.attempts >= MOST_ATTEMPTS and isinstance(exc, Unreachable):
                    await _finish(conn, one, WriteState.FAILED, now=now, reason="gave-up")
                    continue
                with suppress(WriteLost):
                    await ledger.put_off(
                        conn, one, until=later(exc, now), reason=exc.slug, settle=settle
                    )


@dataclass(slots=True)
class _Asked:
    """What Google said to the same change of several messages, as far as it was asked."""

    done: list[Write] = field(default_factory=list)
    refused: list[tuple[Write, str]] = field(default_factory=list)
    """With the reason."""

    def left_of(self, waiting: Mapping[UUID, Write]) -> list[Write]:
        """Return those of `waiting` that Google has said nothing of."""
        told = {one.id for one in self.done} | {one.id for one, _ in self.refused}
        return [one for one in waiting.values() if one.id not in told]


async def _finish(conn: Conn, write: Write, state: WriteState, **facts: Any) -> bool:
    """End a write; False when its echo has ended it already, and what came since is news."""
    try:
        await ledger.finish(conn, write, state, **facts)
    except WriteLost:
        return False
    return True


def _alike(claimed: Iterable[Write]) -> dict[Labels, list[Write]]:
    """Return writes by what they change."""
    found: dict[Labels, list[Write]] = {}
    for one in claimed:
        labels = (tuple(one.desired["add"]), tuple(one.desired["remove"]))
        found.setdefault(labels, []).append(one)
    return found
