"""Carrying contacts to Google: whatever differs when it is carried, as few requests as can be.

Whether a request whose answer was lost took effect is always to be seen. What was changed or
deleted is so, or is not: it is asked for again. Whoever was created has our id: they are looked for
among those who changed last, for as long as lists may lag behind, before they are created again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import AppError, Conflict, Transient
from libs.common.events.base import Origin
from libs.common.feeds import Feed
from libs.common.google.box import Absent
from libs.common.google.errors import PermissionDenied, RequestRefused
from libs.common.google.wire import Unreachable
from libs.common.quota import Lane
from libs.common.writes import Write, WriteLost, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import NOT_DONE, REFUSED, RETRY, later
from libs.common.writes.patience import Patience
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Person
from services.contacts.domain.pushing import Op
from services.contacts.google import GooglePeople, PeopleBox
from services.contacts.google.bodies import Change
from services.contacts.store import connections
from services.contacts.sync.feeds import people_address, wake
from services.contacts.sync.finding import Search
from services.contacts.sync.intake import Intake
from services.contacts.sync.landing import Landed, land
from services.contacts.sync.meeting import meet
from services.contacts.sync.planning import Step, judge, plan
from services.contacts.sync.pushes import PERSON, contact_id_of
from services.contacts.sync.queueing import HELD
from services.contacts.sync.turn import Turn

log = structlog.get_logger(__name__)

FEW: Final = 5
"""Up to here they are written one by one; a batch costs as much as six."""
FEW_GONE: Final = 10
"""The same of those that are deleted."""
MOST_ASKED: Final = 200
MOST_ATTEMPTS: Final = 10
HOLD_WAIT: Final = timedelta(days=1)
"""How long deletions wait that nobody has decided on; a decision ends that."""


class PersonCarrier:
    """Carries contacts into one address book at a time."""

    kind = PERSON

    def __init__(
        self,
        pool: Pool,
        google: GooglePeople,
        intake: Intake,
        *,
        patience: Patience,
        propagation: timedelta,
        at_once: int,
        now: Callable[[], datetime],
    ) -> None:
        """Write through `google`, and take in through `intake` what turns out to be newer there.

        Args:
            patience: with Google.
            propagation: for so long lists may lag behind.
            at_once: contacts of one batch.
        """
        self.pool = pool
        self.google = google
        self.intake = intake
        self.patience = patience
        self.propagation = propagation
        self.at_once = at_once
        self.now = now

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Return the write: nothing has to be noted of it."""
        del conn, feed
        return write

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Carry contacts, and commit what became of each; see `Carrier.send`."""
        run = _Run(self, connection, claimed, settle=settle)
        try:
            await run.go()
        except NOT_DONE as exc:
            await run.put_back(run.left.values(), exc)
            raise
        except Transient as exc:
            await run.put_back(run.unasked(), exc)
            raise


class _Run:
    """Some writes on their way; `left` are those that have not ended."""

    def __init__(
        self, carrier: PersonCarrier, connection: Connection, claimed: list[Write], *, settle: bool
    ) -> None:
        self._carrier = carrier
        self._pool, self._now = carrier.pool, carrier.now
        self._timeout_s = carrier.patience.timeout_s
        self._connection = connection
        self._settle = settle
        self._box: PeopleBox = carrier.google.box(connection, Lane.SEND)
        self.left = {one.id: one for one in claimed}
        self._asking: frozenset[str] = frozenset()
        """What a request is under way of: whether it was heard, nobody knows."""
        self._looked: set[str] = set()
        """Of whom the newest state is known."""

    async def go(self) -> None:
        """Write what differs; look at the newest state first where the known one is too old."""
        while self.left:
            stale = await self._carry(await self._plan())
            seen = [one for one in stale if one.write.item in self._looked]
            await self._give_way([one.write for one in seen])
            await self._refresh([one for one in stale if one.write.item not in self._looked])

    def unasked(self) -> list[Write]:
        """Return writes of which nothing is under way."""
        return [one for one in self.left.values() if one.item not in self._asking]

    async def _plan(self) -> list[Step]:
        """Return what is left to do; writes of which nothing has to be done have ended."""
        ids = [contact_id_of(one.item) for one in self.left.values()]
        await meet(self._pool, self._carrier.intake, self._connection, ids, now=self._now())
        async with transaction(self._pool) as conn:
            await directory.lock_shared(conn, self._connection.tenant_id)
            now_is = await connections.find_connection(
                conn, self._connection.tenant_id, self._connection.id
            )
            if now_is is None or not now_is.may_write:
                await self._cancel(conn)
                return []
            self._connection = now_is
            steps = await plan(conn, now_is, list(self.left.values()))
            deletions = [one for one in steps if one.op is Op.DELETE]
            verdict = await judge(conn, now_is, deletions, now=self._now())
            for one in verdict.wait:
                await self._hold(conn, one.write)
        await self._land(
            [Landed(step=one) for one in steps if one.op is Op.NOTHING and not self._forced(one)]
            + [
                Landed(step=one, agreed=True)
                for one in steps
                if _is_agreed(one) and not self._forced(one)
            ]
            + [
                Landed(step=one, state=WriteState.CANCELLED, reason="rejected", unlinked=True)
                for one in verdict.stay
            ]
        )
        return [one for one in steps if one.write.id in self.left]

    def _forced(self, step: Step) -> bool:
        """Say whether somebody wants to know how Google has a person, whatever is known."""
        known = step.known
        return (
            bool(step.write.desired.get("forced"))
            and step.write.item not in self._looked
            and known is not None
            and known.is_live
            and step.op is not Op.DELETE
        )

    async def _carry(self, steps: Sequence[Step]) -> list[Step]:
        """Write; return steps that go by a state which is not the newest."""
        looks = [one for one in steps if self._forced(one)]
        rest = [one for one in steps if not self._forced(one)]
        await self._create_all([one for one in rest if one.op is Op.CREATE])
        stale = await self._update_all([one for one in rest if one.op is Op.UPDATE])
        await self._delete_all([one for one in rest if one.op is Op.DELETE])
        return [*looks, *stale]

    # Creating.

    async def _create_all(self, steps: Sequence[Step]) -> None:
        new = await self._not_made_yet(steps)
        for chunk in _chunks(new, self._carrier.at_once):
            await self._create(chunk)

    async def _not_made_yet(self, steps: Sequence[Step]) -> list[Step]:
        """Return those of whom it is certain that no lost request has created them."""
        doubted = await self._of_unknown_fate(steps)
        unsure = [one for one in steps if self._settle or one.write.item in doubted]
        if not unsure:
            return list(steps)
        search = Search(self._box, propagation=self._carrier.propagation, now=self._now)
        since = min(*(one.write.created_at for one in unsure), *doubted.values(), self._now())
        outcome = await search.look(unsure, since=since)
        await self._land(
            [Landed(step=one, person=person, found=True) for one, person in outcome.found]
        )
        await self._land(
            [
                Landed(step=one, state=WriteState.UNKNOWN, reason="not-found")
                for one in outcome.given_up
            ]
        )
        async with transaction(self._pool) as conn:
            for one, progress, deadline in outcome.waiting:
                self.left.pop(one.write.id)
                with suppress(WriteLost):
                    await ledger.note(conn, one.write, progress, deadline=deadline)
            for one, progress in outcome.certain:
                deadline = self._now() + self._carrier.patience.deadline()
                self.left[one.write.id] = await ledger.note(
                    conn, one.write, progress, deadline=deadline
                )
        return [one for one in steps if one.write.id in self.left]

    async def _of_unknown_fate(self, steps: Sequence[Step]) -> dict[str, datetime]:
        """Return whom an earlier write may have created, with when that was there first."""
        if not steps:
            return {}
        async with self._pool.acquire() as conn:
            return await ledger.list_unknown(
                conn,
                self._connection.tenant_id,
                self._connection.id,
                kind=PERSON,
                items=[one.write.item for one in steps],
            )

    async def _create(self, steps: Sequence[Step]) -> None:
        """Create people together; where Google refuses, find out which ones are the reason."""
        if len(steps) <= FEW:
            for one in steps:
                await self._create_one(one)
            return
        bodies = [one.body or {} for one in steps]
        try:
            with self._under_way(steps):
                made = await self._box.create_people(bodies, timeout_s=self._timeout_s)
        except PermissionDenied as exc:
            await self._fail(steps, exc)
            return
        except RequestRefused:
            await self._create(steps[: len(steps) // 2])
            await self._create(steps[len(steps) // 2 :])
            return
        by_id = {ours: one for one in made if one is not None for ours in one.our_ids}
        answers = [(one, by_id.get(one.write.item)) for one in steps]
        await self._land(
            [
                Landed(step=one, person=person)
                if person is not None
                else Landed(step=one, state=WriteState.FAILED, reason="not-created")
                for one, person in answers
            ]
        )

    async def _create_one(self, step: Step) -> None:
        try:
            with self._under_way([step]):
                made = await self._box.create_person(step.body or {}, timeout_s=self._timeout_s)
        except REFUSED as exc:
            await self._fail([step], exc)
        else:
            await self._land([Landed(step=step, person=made)])

    # Updating.

    async def _update_all(self, steps: Sequence[Step]) -> list[Step]:
        stale: list[Step] = []
        by_mask: dict[tuple[str, ...], list[Step]] = {}
        for one in steps:
            by_mask.setdefault(_change(one).mask, []).append(one)
        for alike in by_mask.values():
            for chunk in _chunks(alike, self._carrier.at_once):
                stale += await self._update(chunk)
        return stale

    async def _update(self, steps: Sequence[Step]) -> list[Step]:
        """Update people together; return those that are not what they were known to be."""
        if len(steps) <= FEW:
            return [one for one in steps if not await self._update_one(one)]
        changes = {_name(one): _change(one) for one in steps}
        try:
            with self._under_way(steps):
                made = await self._box.update_people(changes, timeout_s=self._timeout_s)
        except (Absent, Conflict) as exc:
            _refuse_unconnected(exc)
            if any(one.write.item not in self._looked for one in steps):
                return list(steps)
            return await self._update_halves(steps)
        except PermissionDenied as exc:
            await self._fail(steps, exc)
            return []
        except RequestRefused:
            return await self._update_halves(steps)
        answers = [(one, made.get(_name(one))) for one in steps]
        await self._land([Landed(step=one, person=got) for one, got in answers if got is not None])
        failed = [one for one, got in answers if got is None]
        new = [one for one in failed if one.write.item not in self._looked]
        old = [one for one in failed if one.write.item in self._looked]
        return [*new, *[one for one in old if not await self._update_one(one)]]

    async def _update_halves(self, steps: Sequence[Step]) -> list[Step]:
        """Find out which ones are the reason that Google does nothing."""
        half = len(steps) // 2
        return [*await self._update(steps[:half]), *await self._update(steps[half:])]

    async def _update_one(self, step: Step) -> bool:
        """Update a person; False: they are not what they were known to be."""
        try:
            with self._under_way([step]):
                made = await self._box.update_person(
                    _name(step), _change(step), timeout_s=self._timeout_s
                )
        except (Absent, Conflict) as exc:
            _refuse_unconnected(exc)
            return False
        except REFUSED as exc:
            await self._fail([step], exc)
        else:
            await self._land([Landed(step=step, person=made)])
        return True

    async def _refresh(self, stale: Sequence[Step]) -> None:
        """Take in how Google has people now; that somebody is gone, whoever reads will find."""
        gone: list[Write] = []
        for chunk in _chunks(stale, MOST_ASKED):
            fresh = await self._box.get_people([_name(one) for one in chunk])
            found = [one for one in fresh.values() if one is not None]
            async with transaction(self._pool) as conn:
                turn = await Turn.begin(conn, self._connection.tenant_id, now=self._now())
                await self._carrier.intake.take(turn, self._connection, found, origin=Origin.LIVE)
                await turn.end()
            self._looked |= {one.write.item for one in chunk}
            gone += [one.write for one in chunk if _is_elsewhere(one, fresh.get(_name(one)))]
        await self._give_way(gone)

    # Deleting.

    async def _delete_all(self, steps: Sequence[Step]) -> None:
        if len(steps) > FEW_GONE:
            steps = await self._delete_together(steps)
        for one in steps:
            try:
                with self._under_way([one]):
                    await self._box.delete_person(_name(one), timeout_s=self._timeout_s)
            except REFUSED as exc:
                await self._fail([one], exc)
            else:
                await self._land([Landed(step=one)])

    async def _delete_together(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Delete people with one request; return those with whom that cannot be done.

        Google deletes none if one of them is gone already.
        """
        there = steps
        for is_again in (False, True):
            try:
                with self._under_way(there):
                    await self._box.delete_people(
                        [_name(one) for one in there], timeout_s=self._timeout_s
                    )
            except (Absent, *REFUSED):
                if is_again:
                    return there
                found = await self._box.get_people([_name(one) for one in there])
                gone = [one for one in there if found.get(_name(one), ...) is None]
                await self._land([Landed(step=one) for one in gone])
                there = [one for one in there if one not in gone]
                if not there:
                    return []
            else:
                break
        await self._land([Landed(step=one) for one in there])
        return []

    # Ending.

    async def _land(self, landed: Sequence[Landed]) -> None:
        if not landed:
            return
        doubles = await land(self._pool, self._connection, landed, now=self._now())
        for one in landed:
            self.left.pop(one.step.write.id, None)
        for resource in doubles:
            log.warning("person_made_twice", connection_id=str(self._connection.id))
            await self._box.delete_person(resource, timeout_s=self._timeout_s)

    async def _fail(self, steps: Sequence[Step], exc: AppError) -> None:
        reason = str(exc.data.get("reason") or exc.slug)
        await self._land(
            [Landed(step=one, state=WriteState.FAILED, reason=reason) for one in steps]
        )

    async def _cancel(self, conn: Conn) -> None:
        for one in self.left.values():
            with suppress(WriteLost):
                await ledger.finish(
                    conn, one, WriteState.CANCELLED, now=self._now(), reason="not-wanted"
                )
        self.left.clear()

    async def _hold(self, conn: Conn, write: Write) -> None:
        self.left.pop(write.id)
        with suppress(WriteLost):
            await ledger.postpone(conn, write, due_at=self._now() + HOLD_WAIT, reason=HELD)

    async def _give_way(self, writes: Sequence[Write]) -> None:
        """Let writes wait of which the known state is not the newest, and have that read."""
        if not writes:
            return
        now = self._now()
        async with transaction(self._pool) as conn:
            for one in writes:
                self.left.pop(one.id)
                with suppress(WriteLost):
                    if one.attempts >= MOST_ATTEMPTS:
                        await ledger.finish(conn, one, WriteState.FAILED, now=now, reason="stale")
                    else:
                        await ledger.postpone(conn, one, due_at=now + RETRY, reason="stale")
            await wake(conn, people_address(self._connection.id), now=now)

    async def put_back(self, writes: Iterable[Write], exc: AppError) -> None:
        """Let writes wait of which nothing was heard, or give up on those tried often enough."""
        now = self._now()
        async with transaction(self._pool) as conn:
            for one in writes:
                with suppress(WriteLost):
                    if one.attempts >= MOST_ATTEMPTS and isinstance(exc, Unreachable):
                        await ledger.finish(conn, one, WriteState.FAILED, now=now, reason="gave-up")
                        continue
                    await ledger.put_off(
                        conn, one, until=later(exc, now), reason=exc.slug, settle=self._settle
                    )

    @contextmanager
    def _under_way(self, steps: Sequence[Step]) -> Iterator[None]:
        """Know what a request is of, until what Google said is committed; a refusal ends it."""
        self._asking = frozenset(one.write.item for one in steps)
        try:
            yield
        except Transient:
            raise
        except AppError:
            self._asking = frozenset()
            raise


def _chunks(steps: Sequence[Step], size: int) -> Iterator[Sequence[Step]]:
    for start in range(0, len(steps), size):
        yield steps[start : start + size]


def _name(step: Step) -> str:
    """Return the person that an update or a deletion is of."""
    if step.known is None:
        raise LookupError("nobody is known")
    return step.known.resource


def _change(step: Step) -> Change:
    return step.change or Change({}, ())


def _is_agreed(step: Step) -> bool:
    """Say whether both sides say the same in their own ways."""
    return step.op is Op.UPDATE and not _change(step).mask


def _is_elsewhere(step: Step, person: Person | None) -> bool:
    """Say whether a person is not to be had under the name they are known by."""
    return person is None or person.resource != _name(step)


def _refuse_unconnected(exc: AppError) -> None:
    """Keep apart what Google says of a person and what auth says of the connection.

    Raises:
        Conflict: it is auth that refuses.
    """
    if isinstance(exc, Conflict) and "google_status" not in exc.data:
        raise exc
