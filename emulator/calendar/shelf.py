"""One person's calendar list: which calendars are on it, and how the person wants to see them."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from emulator.changelog import ChangeLog

Json = dict[str, Any]

_ETAG_BASE: Final = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A calendar on a list; `wishes` are the fields that only this person sees so."""

    calendar_id: str
    place: int
    etag: str = ""
    is_deleted: bool = False
    wishes: Json = field(default_factory=dict)

    @property
    def is_hidden(self) -> bool:
        """Return whether the person has hidden it."""
        return bool(self.wishes.get("hidden", False))


class Shelf:
    """A person's calendar list with the order of its changes."""

    def __init__(self, sub: str, changed: Callable[[str], None]) -> None:
        self.sub = sub
        self.entries: dict[str, Entry] = {}
        self.log = ChangeLog()
        self._order: list[str] = []
        self._changed = changed

    def add(self, calendar_id: str, *, is_selected: bool = False) -> Entry:
        """Put a calendar on the list; one that is on it already stays as it is."""
        known = self.entries.get(calendar_id)
        if known is not None and not known.is_deleted:
            return known
        if known is None:
            self._order.append(calendar_id)
        place = known.place if known else len(self._order) - 1
        return self._keep(Entry(calendar_id, place, wishes={"selected": is_selected}))

    def change(self, calendar_id: str, wishes: Json) -> Entry:
        """Replace what the person wants of a calendar."""
        return self._keep(replace(self.entries[calendar_id], wishes=wishes))

    def remove(self, calendar_id: str) -> None:
        """Take a calendar off the list."""
        known = self.live(calendar_id)
        if known is not None:
            self._keep(replace(known, is_deleted=True))

    def touch(self, calendar_id: str) -> None:
        """Note that the calendar itself, or the role, has changed."""
        known = self.live(calendar_id)
        if known is not None:
            self._keep(known)

    def rename(self, old: str, new: str) -> None:
        """Follow a calendar to another id; to clients the old one is gone."""
        known = self.live(old)
        if known is not None:
            self.remove(old)
            self.add(new)
            self.change(new, known.wishes)

    def live(self, calendar_id: str) -> Entry | None:
        """Return the entry of a calendar that is on the list."""
        found = self.entries.get(calendar_id)
        return None if found is None or found.is_deleted else found

    def listed(self, start: int) -> Iterator[Entry]:
        """Yield the entries, deleted ones among them, from a place on."""
        for index in range(start, len(self._order)):
            yield self.entries[self._order[index]]

    def _keep(self, entry: Entry) -> Entry:
        revision = self.log.touch(entry.calendar_id)
        number = _ETAG_BASE + revision * 1000 + secrets.randbelow(1000)
        kept = replace(entry, etag=f'"{number}"')
        self.entries[entry.calendar_id] = kept
        self._changed(self.sub)
        return kept
