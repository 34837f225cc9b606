"""Writing what became of a mailbox's messages, and the events that tell of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from services.mail.domain import events
from services.mail.domain.activities import Copy
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, relabel
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Fetched, Known, direction, is_mail
from services.mail.store import links
from services.mail.store import messages as store
from services.mail.sync.activities import Activities, copy_of
from services.mail.sync.linking import Arrival, Linker
from services.mail.sync.returns import Return, claim_returns, keep_asked_links


class Writes:
    """What one transaction writes of one mailbox; `told` are the events, in the order made."""

    def __init__(
        self,
        conn: Conn,
        connection: Connection,
        linker: Linker,
        origin: Origin,
        now: datetime,
    ) -> None:
        self.told: list[Envelope] = []
        self.now = now
        self._conn = conn
        self._connection = connection
        self._linker = linker
        self._origin = origin
        self._activities = Activities(conn, connection, origin=origin)
        self._returned: list[Return] = []

    async def arrive(self, messages: Sequence[Fetched]) -> None:
        """Add messages that are new, unless they are no mail: a statement for all of them each."""
        conn, of = self._conn, self._connection
        mail = [one for one in messages if is_mail(one.labels)]
        if not mail:
            return
        refs = await self._linker.match_all(conn, of, [one.content for one in mail])
        ours = await claim_returns(conn, of, mail, now=self.now)
        arrivals = [
            ours[one.google_id].arrival(of.tenant_id, one, some)
            if one.google_id in ours
            else Arrival.of(of.tenant_id, one, some)
            for one, some in zip(mail, refs, strict=True)
        ]
        whole = [
            store.NewMessage(one.id, one.message, one.activity_id)
            for one in arrivals
            if one.message.whole
        ]
        traced = [
            store.NewMessage(one.id, one.message) for one in arrivals if not one.message.whole
        ]
        added = await store.add_messages(conn, of.tenant_id, of.id, whole, now=self.now)
        added |= await store.add_traces(conn, of.tenant_id, of.id, traced, now=self.now)
        new = [one for one in arrivals if one.id in added]
        for one in new:
            if one.message.whole:
                is_ours = one.message.google_id in ours
                event = events.arrived(
                    of,
                    one.id,
                    one.message,
                    Origin.CRM if is_ours else self._origin,
                    send_id=one.id if is_ours else None,
                )
                self._tell(event, one.id, sequence=1, time=one.message.internal_date)
        await self._linker.link_new(conn, of, new, self._activities)
        self._returned += ours.values()

    async def finish(self) -> None:
        """Write and tell what all this does to activities: the last that locks anything."""
        self.told += await self._activities.tell()
        await keep_asked_links(self._conn, self._connection, self._returned)

    async def change(self, known: Known, change: Change) -> None:
        """Apply to a message we hold what happened to it."""
        if known.deleted:
            return
        if change.deleted:
            await self._delete(known)
        elif not known.traced:
            await self._relabel(known, change)

    async def _delete(self, known: Known) -> None:
        if known.traced:
            await store.remove_trace(self._conn, self._connection.tenant_id, known.id)
            return
        sequence = await store.bury_message(
            self._conn, self._connection.tenant_id, known.id, now=self.now
        )
        if known.activity_id is not None:
            await links.remove_links(self._conn, self._connection.tenant_id, known.id)
            self._activities.change(self._gone(known), time=self.now)
        event = events.deleted(self._connection, known, self._origin)
        self._tell(event, known.id, sequence=sequence, time=self.now)

    def _gone(self, known: Known) -> Copy:
        facts = Facts(
            message_id=known.id,
            google_id=known.google_id,
            thread_id=known.thread_id,
            occurred_at=known.internal_date,
            direction=direction(known.labels),
            content=Content(),
            snippet="",
            activity_id=known.activity_id,
        )
        return copy_of(self._connection, facts)

    async def _relabel(self, known: Known, change: Change) -> None:
        new = relabel(known, change)
        if new is None:
            return
        told = bool(new.added or new.removed)
        sequence = await store.set_labels(
            self._conn, self._connection.tenant_id, known.id, new, told=told
        )
        if told:
            origin = Origin.CRM if new.is_echo_of(change.echoes) else self._origin
            event = events.updated(self._connection, known, new, origin)
            self._tell(event, known.id, sequence=sequence, time=self.now)

    def _tell(self, event: Event, message_id: UUID, *, sequence: int, time: datetime) -> None:
        self.told.append(
            Envelope.of(
                event,
                tenant_id=self._connection.tenant_id,
                aggregate_id=str(message_id),
                sequence=sequence,
                time=time,
            )
        )
