"""Rows of events as occurrences within a window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.calendar.domain.event import Event, Status
from services.calendar.domain.recurrence import expand
from services.calendar.domain.times import instants, original_key
from services.calendar.store.events import OwnedEvent


@dataclass(frozen=True, slots=True)
class Occurring:
    """One time that something takes place."""

    owned: OwnedEvent
    """The row: a single event, the master, or the exception that stands in its place."""
    event: Event
    """With the time of this occurrence."""
    key: str | None
    """Where in its series it belongs; None: it is a single event."""
    starts_at: datetime
    ends_at: datetime


def occurrences(
    masters: Sequence[OwnedEvent],
    exceptions: Sequence[OwnedEvent],
    zones: Mapping[UUID, str],
    *,
    start: datetime,
    end: datetime,
    limit: int,
) -> list[Occurring]:
    """Return what takes place within a window, in order; at most the first `limit`.

    Args:
        masters: single events and masters that may touch the window.
        exceptions: all of those masters, and others that touch it.
        zones: of calendars, by id.
        start: aware.
        end: aware; it is not part of the window.
        limit: at least 1.
    """
    of_master: dict[tuple[UUID, str], list[OwnedEvent]] = {}
    for one in exceptions:
        key = one.stored.calendar_id, one.stored.event.master_id or ""
        of_master.setdefault(key, []).append(one)
    found: list[Occurring] = []
    for owned in masters:
        stored = owned.stored
        zone = zones.get(stored.calendar_id, "UTC")
        if not stored.event.is_master:
            _add(found, owned, stored.event, None, zone=zone, start=start, end=end)
            continue
        mine = of_master.pop((stored.calendar_id, stored.event.google_id), [])
        by_event = {one.stored.event.google_id: one for one in mine}
        expanded = expand(
            stored.event,
            [other.stored.event for other in mine],
            start=start,
            end=end,
            zone=zone,
            limit=limit,
        )
        for at in expanded:
            row = by_event.get(at.event.google_id, owned)
            _add(found, row, at.as_event(), at.key, zone=zone, start=start, end=end)
    for left in of_master.values():  # people are invited to one occurrence of a series, too
        for owned in left:
            event = owned.stored.event
            place = None if event.original is None else original_key(event.original)
            zone = zones.get(owned.stored.calendar_id, "UTC")
            _add(found, owned, event, place, zone=zone, start=start, end=end)
    found.sort(key=lambda one: (one.starts_at, one.ends_at, one.owned.stored.id, one.key or ""))
    return found[:limit]


def _add(
    found: list[Occurring],
    owned: OwnedEvent,
    event: Event,
    key: str | None,
    *,
    zone: str,
    start: datetime,
    end: datetime,
) -> None:
    if event.when is None or event.status is Status.CANCELLED:
        return
    starts_at, ends_at = instants(event.when, zone=zone)
    if starts_at < end and (ends_at > start or starts_at == ends_at >= start):
        found.append(Occurring(owned, event, key, starts_at, ends_at))
