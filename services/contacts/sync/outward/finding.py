"""Looking for people whose creation was asked for, while the answer was lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from services.contacts.domain.person import Person
from services.contacts.google import PeopleBox
from services.contacts.sync.outward.planning import Step

SKEW: Final = timedelta(minutes=10)
"""Our clock and Google's differ by less."""
MOST_PAGES: Final = 150
LOOKS: Final = 4
"""While lists may lag behind."""
SHORTEST_PAUSE: Final = timedelta(seconds=1)
MOST_CREATIONS: Final = 2
"""Answers that may be lost, one after the other, until it is nobody's to say any more."""


@dataclass(slots=True)
class Looked:
    """What a look came to."""

    found: list[tuple[Step, Person]] = field(default_factory=list)
    waiting: list[tuple[Step, Mapping[str, Any], datetime]] = field(default_factory=list)
    """Lists may lag behind: with what is to be noted, and when to look again."""
    certain: list[tuple[Step, Mapping[str, Any]]] = field(default_factory=list)
    """They were not created: with what is to be noted."""
    given_up: list[Step] = field(default_factory=list)


class Search:
    """Finds people by our id among those who changed last."""

    def __init__(
        self, box: PeopleBox, *, propagation: timedelta, now: Callable[[], datetime]
    ) -> None:
        """Look in `box`; for `propagation` its lists may lag behind."""
        self._box = box
        self._propagation = propagation
        self._now = now

    async def look(self, steps: Sequence[Step], *, since: datetime) -> Looked:
        """Return what became of creations; none was asked for before `since`."""
        found = await self._people({one.write.item for one in steps}, since - SKEW)
        looked, now = Looked(), self._now()
        for one in steps:
            progress = one.write.progress
            person = found.get(one.write.item)
            until = _until(progress) or now + self._propagation
            again = int(progress.get("again", 0))
            if person is not None:
                looked.found.append((one, person))
            elif now < until:
                pause = max(self._propagation / LOOKS, SHORTEST_PAUSE)
                noted = {"until": until.isoformat()}
                looked.waiting.append((one, noted, min(now + pause, until)))
            elif again >= MOST_CREATIONS:
                looked.given_up.append(one)
            else:
                looked.certain.append((one, {"until": None, "again": again + 1}))
        return looked

    async def _people(self, ids: set[str], since: datetime) -> dict[str, Person]:
        found: dict[str, Person] = {}
        token: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._box.list_newest(token)
            for one in page.people:
                for ours in ids.intersection(one.our_ids):
                    found.setdefault(ours, one)
            ends = [one.updated_at for one in page.people if one.updated_at is not None]
            token = page.next_page_token
            if token is None or len(found) == len(ids) or (ends and min(ends) < since):
                break
        return found


def _until(progress: Mapping[str, Any]) -> datetime | None:
    noted = progress.get("until")
    return None if noted is None else datetime.fromisoformat(noted)
