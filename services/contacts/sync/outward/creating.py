"""Adding people to an address book, each once."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from libs.common.db import transaction
from libs.common.google.errors import PermissionDenied, RequestRefused
from libs.common.writes import WriteLost, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.carrying import REFUSED
from services.contacts.store import connections
from services.contacts.sync.outward.finding import Search
from services.contacts.sync.outward.landing import Landed
from services.contacts.sync.outward.planning import Step
from services.contacts.sync.outward.pushes import PERSON
from services.contacts.sync.outward.underway import UnderWay, chunks

FEW: Final = 5
"""Up to here they are written one by one; a batch costs as much as six."""


class Creations:
    """Creates people; where an answer was lost, looks for them first."""

    def __init__(self, way: UnderWay) -> None:
        """Write what is under `way`."""
        self._way = way

    async def all(self, steps: Sequence[Step]) -> None:
        """Create people, and commit what became of each; see `Carrier.send` for what it raises."""
        new = await self._not_made_yet(steps)
        for chunk in chunks(new, self._way.terms.at_once):
            await self._create(chunk)

    async def _not_made_yet(self, steps: Sequence[Step]) -> list[Step]:
        """Return those of whom it is certain that no lost request has created them."""
        doubted = await self._of_unknown_fate(steps)
        unsure = [one for one in steps if self._way.settle or one.write.item in doubted]
        if not unsure:
            return list(steps)
        search = Search(self._way.box, propagation=self._way.terms.propagation, now=self._way.now)
        since = min(*(one.write.created_at for one in unsure), *doubted.values(), self._way.now())
        outcome = await search.look(unsure, since=since)
        await self._way.land(
            [Landed(step=one, person=person, found=True) for one, person in outcome.found]
        )
        await self._way.land(
            [
                Landed(step=one, state=WriteState.UNKNOWN, reason="not-found")
                for one in outcome.given_up
            ]
        )
        async with transaction(self._way.pool) as conn:
            for one, progress, deadline in outcome.waiting:
                self._way.left.pop(one.write.id)
                with suppress(WriteLost):
                    await ledger.note(conn, one.write, progress, deadline=deadline)
            for one, progress in outcome.certain:
                deadline = self._way.now() + self._way.terms.patience.deadline()
                self._way.left[one.write.id] = await ledger.note(
                    conn, one.write, progress, deadline=deadline
                )
        return [one for one in steps if one.write.id in self._way.left]

    async def _of_unknown_fate(self, steps: Sequence[Step]) -> dict[str, datetime]:
        """Return whom an earlier write may have created, with when that was there first.

        Also one of a connection that ended meanwhile: it was the same address book.
        """
        if not steps:
            return {}
        connection = self._way.connection
        async with self._way.pool.acquire() as conn:
            former = await connections.list_former(conn, connection)
            return await ledger.list_unknown(
                conn,
                connection.tenant_id,
                [connection.id, *former],
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
            with self._way.asking(steps):
                made = await self._way.box.create_people(bodies, timeout_s=self._way.timeout_s)
        except PermissionDenied as exc:
            await self._way.fail(steps, exc)
            return
        except RequestRefused:
            await self._create(steps[: len(steps) // 2])
            await self._create(steps[len(steps) // 2 :])
            return
        by_id = {ours: one for one in made if one is not None for ours in one.our_ids}
        answers = [(one, by_id.get(one.write.item)) for one in steps]
        await self._way.land(
            [
                Landed(step=one, person=person)
                if person is not None
                else Landed(step=one, state=WriteState.FAILED, reason="not-created")
                for one, person in answers
            ]
        )

    async def _create_one(self, step: Step) -> None:
        try:
            with self._way.asking([step]):
                made = await self._way.box.create_person(
                    step.body or {}, timeout_s=self._way.timeout_s
                )
        except REFUSED as exc:
            await self._way.fail([step], exc)
        else:
            await self._way.land([Landed(step=step, person=made)])
