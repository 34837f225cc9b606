"""Keeping more of messages of which little is held, and telling of it as of an arrival."""

from dataclasses import replace
from datetime import datetime

from libs.common.db import Connection as Conn
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from services.mail.domain import events
from services.mail.domain.connection import Connection
from services.mail.domain.keeping import Rules, reduced
from services.mail.domain.links import Facts
from services.mail.domain.message import Fetched, Keep, is_mail
from services.mail.store import keeping as store
from services.mail.store.keeping import Held
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.meaning.activities import Activities, copy_of
from services.mail.sync.meaning.linking import Linker


class Raiser:
    """Takes in more of messages that one mailbox holds, as much as its settings let it.

    One transaction's, which has the directory's lock.
    """

    def __init__(
        self,
        conn: Conn,
        connection: Connection,
        rules: Rules,
        *,
        linker: Linker,
        keeper: Keeper,
        activities: Activities,
        origin: Origin,
        now: datetime,
    ) -> None:
        self._conn = conn
        self._connection = connection
        self._rules = rules
        self._linker = linker
        self._keeper = keeper
        self._activities = activities
        self._origin = origin
        self._now = now

    async def raise_(self, held: Held, message: Fetched) -> list[Envelope]:
        """Keep what may be kept of a message just fetched; return the events to tell.

        It is locked; what is told of its activity is gathered. Nothing is told when no more of it
        is kept than before; what went to spam meanwhile, or lost somebody who was erased, stays as
        it is.
        """
        if held.erased or not is_mail(message.labels):
            return []
        if held.kept > Keep.TRACE and held.label_history_id > message.history_id:
            # Its labels have moved on since it was fetched.
            message = replace(message, labels=held.labels, history_id=held.label_history_id)
        keep = await self._decide(message)
        if keep is Keep.NOTHING and held.kept is Keep.TRACE:
            await store.empty_trace(self._conn, self._connection.tenant_id, held.id)
            return []
        less = reduced(message, keep)
        if less.kept <= held.kept:
            return []
        if less.kept is Keep.TRACE:
            await self._trace(held, less)
            return []
        return await self._fill(held, less)

    async def _decide(self, message: Fetched) -> Keep:
        refs = await self._linker.match(self._conn, self._connection, message.content)
        ours = await self._keeper.ours(self._conn, self._connection, [message.google_id])
        return self._rules.decide(
            people=(person.address for person in message.content.people()),
            labels=message.labels,
            date=message.internal_date,
            known=bool(refs),
            sent_by_us=bool(ours),
        ).keep

    async def _trace(self, held: Held, message: Fetched) -> None:
        """Let entities find a message again of which not even the hashes were there."""
        await store.fill_trace(self._conn, self._connection.tenant_id, held.id)
        await self._linker.link(
            self._conn,
            self._connection,
            held.id,
            message=message,
            activities=self._activities,
            traced=True,
        )

    async def _fill(self, held: Held, message: Fetched) -> list[Envelope]:
        conn, of, origin = self._conn, self._connection, self._origin
        sequence = await store.raise_message(conn, of.tenant_id, held.id, message, now=self._now)
        if sequence is None:
            return []
        arrived = Envelope.of(
            events.arrived(of, held.id, message, origin),
            tenant_id=of.tenant_id,
            aggregate_id=str(held.id),
            sequence=sequence,
            time=message.internal_date,
        )
        if held.activity_id is not None:  # it says more than it did
            facts = Facts.of(held.id, message, held.activity_id)
            self._activities.change(copy_of(of, facts), time=message.internal_date)
        await self._linker.link(
            conn,
            of,
            held.id,
            message=message,
            activities=self._activities,
            named=held.activity_id,
        )
        return [arrived]
