"""Changing labels at Google: read, starred, archived, in the trash, and the person's own labels.

The ledger keeps what was asked. When Google has done it, the message follows at once, and what
comes back through history is recognised by the ledger: it is no edit, and makes no event.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import AccessRevoked, AppError, Conflict, NotFound, RateLimited
from libs.common.feeds import Feed
from libs.common.google.errors import PermissionDenied, RequestRefused
from libs.common.google.wire import Unreachable
from libs.common.quota import Lane
from libs.common.writes import Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, Own
from services.mail.google import Gmail, WritingBox
from services.mail.google.writing import Patience
from services.mail.store import messages
from services.mail.sync.echoes import LABELS
from services.mail.sync.intake import Intake

FEW = 10
"""Alike up to here they are changed one by one (5 units each), beyond together (50 units)."""
MOST_AT_ONCE = 1_000
MOST_ATTEMPTS = 10
RETRY = timedelta(seconds=30)
NOT_DONE = (RateLimited, Unreachable, AccessRevoked, Conflict)
REFUSED = (RequestRefused, PermissionDenied)

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
            AccessRevoked, Conflict, RateLimited, Unreachable: not now; they are queued again.
            Transient: to be asked again after the deadline.
        """
        del settle
        box = self._gmail.box_as(WritingBox, connection, Lane.SEND)
        try:
            # Records up to here were before our change: none of them undoes it.
            mark = await box.current_history_id()
        except AppError as exc:
            await self._put_back(claimed, exc)
            raise
        waiting = list(claimed)
        for labels, alike in _alike(claimed).items():
            try:
                done, refused = await self._ask(box, labels, alike)
            except NOT_DONE as exc:
                await self._put_back(waiting, exc)
                raise
            await self._commit(connection, labels, done, refused, mark=mark)
            waiting = [one for one in waiting if one not in alike]

    async def _ask(
        self, box: WritingBox, labels: Labels, alike: list[Write]
    ) -> tuple[list[Write], dict[str, list[Write]]]:
        """Return those that were changed, and by reason those that Google refused."""
        add, remove = labels
        if len(alike) > FEW:
            try:
                await box.modify_many([one.item for one in alike], add=add, remove=remove)
            except REFUSED as exc:
                return [], {exc.slug: alike}
            return alike, {}
        done: list[Write] = []
        refused: dict[str, list[Write]] = {}
        for one in alike:
            try:
                await box.modify(one.item, add=[*add], remove=[*remove])
            except REFUSED as exc:
                refused.setdefault(exc.slug, []).append(one)
            except NotFound:
                refused.setdefault("message-gone", []).append(one)
            else:
                done.append(one)
        return done, refused

    async def _commit(
        self,
        connection: Connection,
        labels: Labels,
        done: list[Write],
        refused: dict[str, list[Write]],
        *,
        mark: int,
    ) -> None:
        """End the writes, and let the messages wear what Google has put on them."""
        now, own = self._now(), Own(frozenset(labels[0]), frozenset(labels[1]))
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            items = sorted(one.item for one in done)
            await messages.lock_known(conn, connection.tenant_id, connection.id, items)
            changes = {}
            for one in done:
                if await _finish(conn, one, WriteState.DONE, now=now, answer={"mark": mark}):
                    changes[one.item] = Change(one.item, own=own)
            await self._intake.follow(conn, connection, changes)
            for reason, some in refused.items():
                for one in some:
                    await _finish(conn, one, WriteState.FAILED, now=now, reason=reason)

    async def _put_back(self, some: list[Write], exc: AppError) -> None:
        """Queue them again, or give up on those that were tried often enough."""
        wait = timedelta(seconds=exc.retry_after_s) if isinstance(exc, RateLimited) else RETRY
        now = self._now()
        async with transaction(self._pool) as conn:
            for one in some:
                if one.attempts >= MOST_ATTEMPTS and isinstance(exc, Unreachable):
                    await _finish(conn, one, WriteState.FAILED, now=now, reason="gave-up")
                    continue
                with suppress(WriteLost):
                    await ledger.postpone(conn, one, due_at=now + wait, reason=exc.slug)


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
