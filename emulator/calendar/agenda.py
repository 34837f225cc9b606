"""One calendar and everything in it."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from emulator.calendar.event import StoredEvent
from emulator.calendar.times import zone_of
from emulator.changelog import ChangeLog
from emulator.clock import Clock

Json = dict[str, Any]

ROLES: Final = ("none", "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
_ETAG_BASE: Final = 3_400_000_000_000_000


@dataclass(slots=True)
class Facts:
    """What a calendar says of itself."""

    summary: str = ""
    description: str = ""
    location: str = ""
    time_zone: str = "UTC"


@dataclass(slots=True)
class Agenda:
    """A calendar: its events in a stable order, and the order of their changes.

    Attributes:
        id: the owner's address for a primary calendar.
        owner: `sub` of the data owner; empty for a calendar of Google's own.
        roles: what further people may do, by `sub`.
        public: what everybody may do.
        is_watchable: False for calendars such as those of holidays.
        made_by: the OAuth client that created it, if one did.
        former: addresses that a renamed primary calendar had before.
        changed: called after every change.
    """

    id: str
    owner: str
    clock: Clock
    changed: Callable[["Agenda", StoredEvent], None]
    facts: Facts = field(default_factory=Facts)
    is_primary: bool = False
    roles: dict[str, str] = field(default_factory=dict)
    public: str = "none"
    is_watchable: bool = True
    made_by: str = ""
    is_deleted: bool = False
    former: set[str] = field(default_factory=set)
    etag: str = ""
    events: dict[str, StoredEvent] = field(default_factory=dict)
    log: ChangeLog = field(default_factory=ChangeLog)
    updated_s: float = 0.0
    _order: list[str] = field(default_factory=list)
    _exceptions: dict[str, dict[str, str]] = field(default_factory=dict)
    _uids: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give the calendar its first etag."""
        self.updated_s = self.clock.now_s()
        self.stamp()

    @property
    def zone(self) -> ZoneInfo:
        """Return the calendar's time zone."""
        return zone_of(self.facts.time_zone)

    def stamp(self) -> None:
        """Give the calendar itself a new etag."""
        self.etag = f'"{_ETAG_BASE + secrets.randbelow(_ETAG_BASE)}"'

    def role(self, sub: str) -> str:
        """Return what a person may do."""
        if sub and sub == self.owner:
            return "owner"
        return max(self.roles.get(sub, "none"), self.public, key=ROLES.index)

    def put(self, event: StoredEvent, *, touches: bool = True) -> StoredEvent:
        """Store an event's new state as the calendar's latest change; return it with its etag.

        Args:
            event: the state.
            touches: whether `updated` moves; the etag does in any case.
        """
        now = self.clock.now_s()
        revision = self.log.touch(event.id)
        known = self.events.get(event.id)
        place = known.place if known is not None else len(self._order)
        stored = event.changed(
            revision=revision,
            place=place,
            etag=f'"{_ETAG_BASE + int(now * 1000)}{revision}{secrets.randbelow(1000):03d}"',
            created_s=event.created_s or float(int(now)),
            updated_s=now if touches or not event.updated_s else event.updated_s,
        )
        self.events[event.id] = stored
        if known is None:
            self._order.append(event.id)
            self._uids.setdefault(event.uid, []).append(event.id)
        self._index(stored)
        self.updated_s = now
        self.changed(self, stored)
        return stored

    def exceptions(self, master_id: str) -> Mapping[str, str]:
        """Return the ids of a series' exceptions, by the key of their original start."""
        return self._exceptions.get(master_id, {})

    def with_uid(self, uid: str) -> list[StoredEvent]:
        """Return the events that share an iCalUID, in the order of their arrival."""
        return [self.events[event_id] for event_id in self._uids.get(uid, ())]

    def listed(self, start: int) -> Iterator[StoredEvent]:
        """Yield the events from a place on; whatever changes meanwhile keeps its place."""
        for index in range(start, len(self._order)):
            yield self.events[self._order[index]]

    def new_id(self) -> str:
        """Return an unused event id."""
        while (made := _base32hex(26)) in self.events:
            pass
        return made

    def _index(self, event: StoredEvent) -> None:
        if not event.master or event.original is None:
            return
        mine = self._exceptions.setdefault(event.master, {})
        if event.gone:
            mine.pop(event.original.key, None)
        else:
            mine[event.original.key] = event.id


def _base32hex(length: int) -> str:
    return "".join(secrets.choice("0123456789abcdefghijklmnopqrstuv") for _ in range(length))
