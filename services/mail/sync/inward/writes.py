"""Writing what became of a mailbox's messages, and the events that tell of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from services.mail.domain import events
from services.mail.domain.activities import Copy
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change, relabel
from services.mail.domain.keeping import Reason, Rules, Verdict, reduced
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Fetched, Keep, Known, direction, is_mail
from services.mail.store import links
from services.mail.store import messages as store
from services.mail.store.keeping import Held, lock_held
from services.mail.sync.inward.keep_queue import queue_keeping
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.raising import Raiser
from services.mail.sync.inward.redacting import redact
from services.mail.sync.inward.returns import Return, claim_returns, mark_returns
from services.mail.sync.meaning.activities import Activities, copy_of
from services.mail.sync.meaning.linking import Arrival, Linker
from services.mail.sync.meaning.suggesting import suggest


class Writes:
    """What one transaction writes of one mailbox; `told` are the events, in the order made."""

    def __init__(
        self,
        conn: Conn,
        connection: Connection,
        linker: Linker,
        origin: Origin,
        now: datetime,
        *,
        rules: Rules,
        keeper: Keeper,
    ) -> None:
        self.told: list[Envelope] = []
        self.now = now
        self._conn = conn
        self._connection = connection
        self._linker = linker
        self._origin = origin
        self._rules = rules
        self._too_little = False
        self._keeper = keeper
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
        arrivals = self._kept(mail, refs, ours)
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
        self.told += await suggest(
            conn, of, self._rules, new, origin=self._origin, linker=self._linker, now=self.now
        )

    def _kept(
        self,
        mail: Sequence[Fetched],
        refs: Sequence[tuple[EntityRef, ...]],
        ours: Mapping[str, Return],
    ) -> list[Arrival]:
        """Return of each message what may be kept, and whom that concerns.

        Settings that changed since the fetch may want more than was asked for: then all of the
        mailbox is looked at again. (A trace that concerns somebody waits for its entity's turn.)
        """
        arrivals = []
        for message, some in zip(mail, refs, strict=True):
            keep = self._rules.decide(
                people=(person.address for person in message.content.people()),
                labels=message.labels,
                date=message.internal_date,
                known=bool(some),
                sent_by_us=message.google_id in ours,
            ).keep
            less = reduced(message, keep)
            if less.kept < keep and not (some and less.kept is Keep.TRACE):
                self._too_little = True
            refs_of = some if keep > Keep.TRACE else ()
            returned = ours.get(message.google_id)
            arrivals.append(
                Arrival.of(self._connection.tenant_id, less, refs_of)
                if returned is None
                else returned.arrival(self._connection.tenant_id, less, refs_of)
            )
        return arrivals

    async def look_again(self, held: Held, message: Fetched) -> None:
        """Keep more of a message that is held already, if its settings let us."""
        raiser = Raiser(
            self._conn,
            self._connection,
            self._rules,
            linker=self._linker,
            keeper=self._keeper,
            activities=self._activities,
            origin=self._origin,
            now=self.now,
        )
        self.told += await raiser.raise_(held, message)

    async def finish(self) -> None:
        """Queue what could not be kept as it should be; then write and tell of activities.

        That is the last that locks anything.
        """
        if self._too_little:
            await queue_keeping(self._conn, self._connection, now=self.now)
        self.told += await self._activities.tell()
        await mark_returns(self._conn, self._connection, self._returned)

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
        if not self._rules.labels.admits(new.labels) and await self._shut_out(known):
            return
        told = bool(new.added or new.removed)
        sequence = await store.set_labels(
            self._conn, self._connection.tenant_id, known.id, new, told=told
        )
        if told:
            origin = Origin.CRM if new.is_echo_of(change.echoes) else self._origin
            event = events.updated(self._connection, known, new, origin)
            self._tell(event, known.id, sequence=sequence, time=self.now)

    async def _shut_out(self, known: Known) -> bool:
        """Keep nothing of a message that wears other labels now than it must; False: ours stay."""
        conn, of = self._conn, self._connection
        if await self._keeper.ours(conn, of, [known.google_id]):
            return False
        verdict = Verdict(Keep.NOTHING, Reason.LABELS)
        for held in await lock_held(conn, of.tenant_id, of.id, [known.google_id]):
            self.told += await redact(
                conn,
                of,
                held,
                verdict,
                origin=self._origin,
                now=self.now,
                activities=self._activities,
            )
        return True

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
