"""Telling what became of meetings: one event for all copies that colleagues have of one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common import outbox
from libs.common.addresses import fold_address
from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.events import calendar as published
from libs.common.events.base import Event as Published
from libs.common.events.base import Origin
from libs.common.events.envelope import Sealed
from services.calendar.domain import events
from services.calendar.domain.event import Status
from services.calendar.domain.meeting import Copy, Meeting, digest, occurrence_id
from services.calendar.store import meetings as store
from services.calendar.store.events import OwnedEvent, StoredEvent, list_copies
from services.calendar.store.meetings import Key, Link, Told

CANCELLED = digest({"status": "cancelled"})
"""What is kept of an occurrence that does not take place, though its series does."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """One meeting while it is told of."""

    key: Key
    meeting: Meeting | None
    """None: nothing is known of it."""
    main: StoredEvent | None
    """The row of the copy that speaks for all; None: the last one is gone."""

    @property
    def takes_place(self) -> bool:
        """Say whether there is one, and it was not cancelled."""
        return self.main is not None and self.main.event.status is not Status.CANCELLED


class Meetings:
    """Which meetings a transaction touches; `tell` is the last that locks anything in it."""

    def __init__(self, conn: Conn, tenant_id: str, *, now: datetime) -> None:
        """Tell in the transaction of `conn`."""
        self._conn = conn
        self._tenant_id = tenant_id
        self._now = now
        self._origins: dict[Key, Origin] = {}
        self._last: dict[Key, Copy] = {}
        self._written: dict[UUID, StoredEvent] = {}

    def wrote(self, stored: StoredEvent, origin: Origin) -> None:
        """Note that a copy of a meeting is as it was just written; otherwise as `touch`."""
        self._written[stored.id] = stored
        self.touch(stored.series_id, stored.occurrence, origin)

    def touch(self, series_id: UUID, occurrence: str, origin: Origin) -> None:
        """Note that a copy of a meeting changed; what is told of it has this origin."""
        self._origins[series_id, occurrence] = origin

    def gone(self, owned: Copy, series_id: UUID, occurrence: str, origin: Origin) -> None:
        """Note that a copy of a meeting is gone: if it was the last, it is what is told."""
        self._last[series_id, occurrence] = owned
        self.touch(series_id, occurrence, origin)

    async def tell(self) -> None:
        """Tell of every meeting that is another than was told before."""
        if not self._origins:
            return
        keys = sorted(self._origins, key=lambda key: (key[0].int, key[1]))
        before = await store.lock_meetings(self._conn, self._tenant_id, keys)
        held = await list_copies(self._conn, self._tenant_id, keys, written=self._written)
        copies = {key: self._counting(key, some) for key, some in held.items()}
        concerned = await self._concerned(keys, copies)
        after: dict[Key, Told] = {}
        envelopes: list[Sealed] = []
        links: list[Link] = []
        dropped: list[Link] = []
        for key in keys:
            turn = self._turn(key, copies[key])
            refs = concerned[key]
            now_is = self._event(turn, before[key], envelopes)
            now_is = self._activity(turn, refs, now_is, envelopes)
            if now_is is not before[key]:
                after[key] = now_is
            starts_at = _starts_at(copies[key], self._now)
            links += [Link(ref, key, starts_at) for ref, kept in refs.items() if kept]
            dropped += [Link(ref, key, starts_at) for ref, kept in refs.items() if not kept]
        await store.add_links(self._conn, self._tenant_id, links)
        await store.remove_links(self._conn, self._tenant_id, dropped)
        if after:
            await store.keep_told(self._conn, self._tenant_id, after)
        await outbox.append(self._conn, *envelopes)

    def _counting(self, key: Key, copies: Sequence[OwnedEvent]) -> Sequence[OwnedEvent]:
        """Return the copies that say how a meeting is now.

        What is left of a connection that has ended says nothing of a meeting that colleagues, or
        the same person anew, have or had since.
        """
        followed = [one for one in copies if one.is_followed]
        return followed if followed or key in self._last else copies

    def _turn(self, key: Key, copies: Sequence[OwnedEvent]) -> _Turn:
        """Return a meeting as its copies show it, or as the last one did before it went."""
        found = tuple(map(copy_of, copies)) or tuple(filter(None, [self._last.get(key)]))
        if not found:
            return _Turn(key, None, None)
        series_id, occurrence = key
        meeting = Meeting(occurrence_id(series_id, occurrence or None), found)
        main = copies[found.index(meeting.main)].stored if copies else None
        return _Turn(key, meeting, main)

    def _event(self, turn: "_Turn", was: Told, envelopes: list[Sealed]) -> Told:
        meeting = turn.meeting
        if meeting is None:
            return was
        if not turn.takes_place:
            return self._cancelled(turn, meeting, was, envelopes)
        facts = events.facts(meeting)
        if (what := digest(facts)) == was.digest:
            return was
        is_new = was.digest is None or was.digest == CANCELLED
        kind = published.EventCreated if is_new else published.EventUpdated
        data = events.told(meeting, facts, self._origins[turn.key])
        envelopes.append(self._sealed(kind, data, meeting.id, was.sequence + 1))
        return was.of_event(what)

    def _cancelled(
        self, turn: "_Turn", meeting: Meeting, was: Told, envelopes: list[Sealed]
    ) -> Told:
        occurrence = turn.key[1]
        if was.digest == CANCELLED or (was.digest is None and not occurrence):
            return was  # it was told, or nobody was told that it is
        data = {"origin": self._origins[turn.key], **events.identity(meeting)}
        number = was.sequence + 1
        envelopes.append(self._sealed(published.EventCancelled, data, meeting.id, number))
        return was.of_event(CANCELLED if occurrence else None)

    async def _concerned(
        self, keys: Sequence[Key], copies: Mapping[Key, Sequence[OwnedEvent]]
    ) -> dict[Key, dict[EntityRef, bool]]:
        """Return of each meeting whom it concerned or concerns, and whether it still does."""
        people = {key: _people(copies[key]) for key in keys}
        everybody = {one for some in people.values() for one in some}
        concerned = await store.list_concerned(self._conn, self._tenant_id, keys, everybody)
        result = {}
        for key in keys:
            by_address = {ref for one in people[key] for ref in concerned.clients.get(one, ())}
            refs = dict.fromkeys(sorted(by_address), True)
            for ref, named in concerned.links.get(key, {}).items():
                refs.setdefault(ref, named and bool(copies[key]))
            result[key] = refs
        return result

    def _activity(
        self,
        turn: "_Turn",
        refs: Mapping[EntityRef, bool],
        was: Told,
        envelopes: list[Sealed],
    ) -> Told:
        concerned = [ref for ref, kept in refs.items() if kept] if turn.takes_place else []
        meeting = turn.meeting
        if meeting is None or (not concerned and was.activity_digest is None):
            return was
        stored = turn.main
        activity = events.activity_data(
            meeting,
            concerned,
            starts_at=self._now if stored is None else stored.starts_at,
            ends_at=None if stored is None else stored.ends_at,
        )
        if (what := digest(activity)) == was.activity_digest:
            return was
        data = {
            "origin": self._origins[turn.key],
            "connection_id": str(meeting.main.connection_id),
            "activity": activity,
        }
        number = was.activity_sequence + 1
        envelopes.append(self._sealed(published.ActivityLogged, data, activity["id"], number))
        return was.of_activity(what if concerned else None)

    def _sealed(
        self, kind: type[Published], data: Mapping[str, Any], aggregate_id: str, sequence: int
    ) -> Sealed:
        return Sealed.of(
            kind,
            data,
            tenant_id=self._tenant_id,
            aggregate_id=aggregate_id,
            sequence=sequence,
            time=self._now,
        )


def copy_of(owned: OwnedEvent) -> Copy:
    """Return a stored event as a copy of its meeting."""
    stored = owned.stored
    return Copy(
        event=stored.event,
        connection_id=stored.connection_id,
        user_id=owned.user_id,
        calendar_id=stored.calendar_id,
        is_primary=owned.is_primary,
    )


def _people(copies: Iterable[OwnedEvent]) -> set[str]:
    """Return the folded addresses of who takes part in what takes place."""
    return {
        fold_address(one)
        for owned in copies
        if owned.stored.event.status is not Status.CANCELLED
        for one in addresses_of(owned)
    }


def addresses_of(owned: OwnedEvent) -> list[str]:
    """Return the addresses of an event's guests and organiser."""
    details = owned.stored.event.details
    found = [one.email for one in details.attendees if one.email and not one.resource]
    return [*found, details.organizer_email] if details.organizer_email else found


def _starts_at(copies: Sequence[OwnedEvent], now: datetime) -> datetime:
    return copies[0].stored.starts_at if copies else now
