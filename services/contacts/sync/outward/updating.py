"""Changing people of an address book, each by the state that is known of them."""

from collections.abc import Sequence

from libs.common.errors import Conflict
from libs.common.google.box import Absent
from libs.common.google.errors import PermissionDenied, RequestRefused
from libs.common.writes.carrying import REFUSED
from services.contacts.sync.outward.creating import FEW
from services.contacts.sync.outward.landing import Landed
from services.contacts.sync.outward.planning import Step
from services.contacts.sync.outward.underway import UnderWay, chunks, refuse_unconnected


class Updates:
    """Updates people; those of whom the known state is too old are given back."""

    def __init__(self, way: UnderWay) -> None:
        """Write what is under `way`."""
        self._way = way

    async def all(self, steps: Sequence[Step]) -> list[Step]:
        """Update people; return the steps of those of whom the known state is too old."""
        stale: list[Step] = []
        by_mask: dict[tuple[str, ...], list[Step]] = {}
        for one in steps:
            by_mask.setdefault(one.written.mask, []).append(one)
        for alike in by_mask.values():
            for chunk in chunks(alike, self._way.terms.at_once):
                stale += await self._update(chunk)
        return stale

    async def _update(self, steps: Sequence[Step]) -> list[Step]:
        """Update people together; return those that are not what they were known to be."""
        if len(steps) <= FEW:
            return [one for one in steps if not await self._update_one(one)]
        changes = {one.resource: one.written for one in steps}
        try:
            with self._way.asking(steps):
                made = await self._way.box.update_people(changes, timeout_s=self._way.timeout_s)
        except (Absent, Conflict) as exc:
            refuse_unconnected(exc)
            if any(one.write.item not in self._way.looked for one in steps):
                return list(steps)
            return await self._update_halves(steps)
        except PermissionDenied as exc:
            await self._way.fail(steps, exc)
            return []
        except RequestRefused:
            return await self._update_halves(steps)
        answers = [(one, made.get(one.resource)) for one in steps]
        await self._way.land(
            [Landed(step=one, person=got) for one, got in answers if got is not None]
        )
        failed = [one for one, got in answers if got is None]
        new = [one for one in failed if one.write.item not in self._way.looked]
        old = [one for one in failed if one.write.item in self._way.looked]
        return [*new, *[one for one in old if not await self._update_one(one)]]

    async def _update_halves(self, steps: Sequence[Step]) -> list[Step]:
        """Find out which ones are the reason that Google does nothing."""
        half = len(steps) // 2
        return [*await self._update(steps[:half]), *await self._update(steps[half:])]

    async def _update_one(self, step: Step) -> bool:
        """Update a person; False: they are not what they were known to be."""
        try:
            with self._way.asking([step]):
                made = await self._way.box.update_person(
                    step.resource, step.written, timeout_s=self._way.timeout_s
                )
        except (Absent, Conflict) as exc:
            refuse_unconnected(exc)
            return False
        except REFUSED as exc:
            await self._way.fail([step], exc)
        else:
            await self._way.land([Landed(step=step, person=made)])
        return True
