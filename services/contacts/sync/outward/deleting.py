"""Deleting people of an address book; who is gone is gone."""

from collections.abc import Sequence
from typing import Final

from libs.common.google.box import Absent
from libs.common.writes.carrying import REFUSED
from services.contacts.sync.outward.landing import Landed
from services.contacts.sync.outward.planning import Step
from services.contacts.sync.outward.underway import UnderWay

FEW: Final = 10
"""Up to here they are deleted one by one; a batch costs as much as ten."""


class Deletions:
    """Deletes people."""

    def __init__(self, way: UnderWay) -> None:
        """Write what is under `way`."""
        self._way = way

    async def all(self, steps: Sequence[Step]) -> None:
        """Delete people, and commit what became of each; see `Carrier.send` for what it raises."""
        if len(steps) > FEW:
            steps = await self._delete_together(steps)
        for one in steps:
            try:
                with self._way.asking([one]):
                    await self._way.box.delete_person(one.resource, timeout_s=self._way.timeout_s)
            except REFUSED as exc:
                await self._way.fail([one], exc)
            else:
                await self._way.land([Landed(step=one)])

    async def _delete_together(self, steps: Sequence[Step]) -> Sequence[Step]:
        """Delete people with one request; return those with whom that cannot be done.

        Google deletes none if one of them is gone already.
        """
        there = steps
        for is_again in (False, True):
            try:
                with self._way.asking(there):
                    await self._way.box.delete_people(
                        [one.resource for one in there], timeout_s=self._way.timeout_s
                    )
            except (Absent, *REFUSED):
                if is_again:
                    return there
                found = await self._way.box.get_people([one.resource for one in there])
                gone = [one for one in there if found.get(one.resource, ...) is None]
                await self._way.land([Landed(step=one) for one in gone])
                there = [one for one in there if one not in gone]
                if not there:
                    return []
            else:
                break
        await self._way.land([Landed(step=one) for one in there])
        return []
