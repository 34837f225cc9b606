"""Carrying contacts to Google: whatever differs when it is carried, as few requests as can be.

Whether a request whose answer was lost took effect is always to be seen. What was changed or
deleted is so, or is not: it is asked for again. Whoever was created has our id: they are looked for
among those who changed last, for as long as lists may lag behind, before they are created again.
"""

from collections.abc import Sequence
from typing import Final

from libs.common.db import Connection as Conn
from libs.common.db import transaction
from libs.common.directory import store as directory
from libs.common.errors import Transient
from libs.common.events.base import Origin
from libs.common.feeds import Feed
from libs.common.writes import Write, WriteState
from libs.common.writes.carrying import NOT_DONE
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Person
from services.contacts.domain.pushing import Op
from services.contacts.store import connections
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.meeting import meet
from services.contacts.sync.outward.creating import Creations
from services.contacts.sync.outward.deleting import Deletions
from services.contacts.sync.outward.landing import Landed
from services.contacts.sync.outward.planning import Step, judge, plan
from services.contacts.sync.outward.pushes import PERSON, contact_id_of
from services.contacts.sync.outward.underway import Terms, UnderWay, chunks
from services.contacts.sync.outward.updating import Updates

MOST_ASKED: Final = 200
"""People of whom the newest state is asked for with one request."""


class PersonCarrier:
    """Carries contacts into one address book at a time."""

    kind = PERSON

    def __init__(self, terms: Terms) -> None:
        """Carry on these terms."""
        self._terms = terms
        self.patience = terms.patience
        self.at_once = terms.at_once

    async def begin(self, conn: Conn, feed: Feed, write: Write) -> Write:
        """Return the write: nothing has to be noted of it."""
        del conn, feed
        return write

    async def send(self, connection: Connection, claimed: list[Write], *, settle: bool) -> None:
        """Carry contacts, and commit what became of each; see `Carrier.send`."""
        way = UnderWay(self._terms, connection, claimed, settle=settle)
        try:
            await _Run(way).go()
        except NOT_DONE as exc:
            await way.put_back(way.left.values(), exc)
            raise
        except Transient as exc:
            await way.put_back(way.unasked(), exc)
            raise


class _Run:
    """Decides what writes do, and lets that be done."""

    def __init__(self, way: UnderWay) -> None:
        self._way = way
        self._creations = Creations(way)
        self._updates = Updates(way)
        self._deletions = Deletions(way)

    async def go(self) -> None:
        """Write what differs; look at the newest state first where the known one is too old."""
        while self._way.left:
            stale = await self._carry(await self._plan())
            seen = [one for one in stale if one.write.item in self._way.looked]
            await self._way.give_way([one.write for one in seen])
            await self._refresh([one for one in stale if one.write.item not in self._way.looked])

    async def _plan(self) -> list[Step]:
        """Return what is left to do; writes of which nothing has to be done have ended."""
        ids = [contact_id_of(one.item) for one in self._way.left.values()]
        await meet(
            self._way.pool, self._way.terms.intake, self._way.connection, ids, now=self._way.now()
        )
        async with transaction(self._way.pool) as conn:
            await directory.lock_shared(conn, self._way.connection.tenant_id)
            now_is = await connections.find_connection(
                conn, self._way.connection.tenant_id, self._way.connection.id
            )
            if now_is is None or not now_is.may_write:
                await self._way.cancel(conn)
                return []
            self._way.connection = now_is
            steps = await plan(conn, now_is, list(self._way.left.values()))
            deletions = [one for one in steps if one.op is Op.DELETE]
            verdict = await judge(conn, now_is, deletions, now=self._way.now())
            for one in verdict.wait:
                await self._way.hold(conn, one.write)
        await self._way.land(
            [Landed(step=one) for one in steps if one.op is Op.NOTHING and not self._forced(one)]
            + [
                Landed(step=one, agreed=True)
                for one in steps
                if one.is_agreed and not self._forced(one)
            ]
            + [
                Landed(step=one, state=WriteState.CANCELLED, reason="rejected", unlinked=True)
                for one in verdict.stay
            ]
        )
        return [one for one in steps if one.write.id in self._way.left]

    def _forced(self, step: Step) -> bool:
        """Say whether somebody wants to know how Google has a person, whatever is known."""
        known = step.known
        return (
            bool(step.write.desired.get("forced"))
            and step.write.item not in self._way.looked
            and known is not None
            and known.is_live
            and step.op is not Op.DELETE
        )

    async def _carry(self, steps: Sequence[Step]) -> list[Step]:
        """Write; return steps that go by a state which is not the newest."""
        looks = [one for one in steps if self._forced(one)]
        rest = [one for one in steps if not self._forced(one)]
        await self._creations.all([one for one in rest if one.op is Op.CREATE])
        stale = await self._updates.all([one for one in rest if one.op is Op.UPDATE])
        await self._deletions.all([one for one in rest if one.op is Op.DELETE])
        return [*looks, *stale]

    async def _refresh(self, stale: Sequence[Step]) -> None:
        """Take in how Google has people now; that somebody is gone, whoever reads will find."""
        gone: list[Write] = []
        for chunk in chunks(stale, MOST_ASKED):
            fresh = await self._way.box.get_people([one.resource for one in chunk])
            found = [one for one in fresh.values() if one is not None]
            async with transaction(self._way.pool) as conn:
                turn = await Turn.begin(conn, self._way.connection.tenant_id, now=self._way.now())
                await self._way.terms.intake.take(
                    turn, self._way.connection, found, origin=Origin.LIVE
                )
                await turn.end()
            self._way.looked |= {one.write.item for one in chunk}
            gone += [one.write for one in chunk if _is_elsewhere(one, fresh.get(one.resource))]
        await self._way.give_way(gone)


def _is_elsewhere(step: Step, person: Person | None) -> bool:
    """Say whether a person is not to be had under the name they are known by."""
    return person is None or person.resource != step.resource
