"""Meetings as somebody may see them: copies joined, occurrences expanded, entities named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from services.calendar.domain.event import Event
from services.calendar.domain.meeting import Copy, Meeting, occurrence_id
from services.calendar.domain.recurrence import occurrence
from services.calendar.domain.times import instants, original_key
from services.calendar.store import calendars
from services.calendar.store import events as store
from services.calendar.store import meetings as meetings_store
from services.calendar.store.events import OwnedEvent, Window
from services.calendar.sync.occurring import Occurring, occurrences

MOST_OCCURRENCES = 10_000
FIRST_REACH, FURTHER = timedelta(days=2), 4
"""How much of a window is expanded at first, and how many times as much if that is too little."""

Place = tuple[datetime, str]
"""Where a list goes on: when it begins, and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A meeting, or one occurrence of a series."""

    meeting: Meeting
    series_id: UUID
    key: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    refs: tuple[EntityRef, ...] = ()

    @property
    def place(self) -> Place:
        """Where it stands in a list of what takes place."""
        assert self.starts_at is not None  # noqa: S101 - what was found in a window has a time
        return self.starts_at, self.meeting.id


async def list_shown(
    conn: Conn, wanted: Window, *, ref: EntityRef | None, after: Place | None, most: int
) -> list[Shown]:
    """Return the first of what takes place within a window, by time; each meeting once.

    Of series no more is expanded than it takes.

    Args:
        conn: a connection.
        wanted: the window, and whose calendars.
        ref: only what concerns this entity.
        after: only what follows there.
        most: so many are enough.
    """
    if after is not None:
        wanted = replace(wanted, start=max(wanted.start, after[0]))
    if ref is not None:
        keys = await meetings_store.list_of_entity(conn, wanted.tenant_id, ref)
        series = sorted({one for one, _ in keys})
        wanted = replace(wanted, series=series)
    masters, exceptions = await store.list_window(conn, wanted)
    zones = await _zones(conn, wanted.tenant_id, wanted.connection_ids)
    reach = FIRST_REACH
    while True:
        end = wanted.end if wanted.end - wanted.start <= reach else wanted.start + reach
        found = occurrences(
            masters, exceptions, zones, start=wanted.start, end=end, limit=MOST_OCCURRENCES
        )
        shown = await _joined(conn, wanted.tenant_id, found, ref=ref)
        rows = [one for one in shown if after is None or one.place > after]
        if len(rows) >= most or end == wanted.end:
            return rows[:most]
        reach *= FURTHER


async def find_shown(
    conn: Conn,
    tenant_id: str,
    connection_ids: Sequence[UUID],
    series_id: UUID,
    key: str | None,
) -> Shown | None:
    """Return a meeting or an occurrence, as these connections have it; None: they do not."""
    rows = await store.find_series(conn, tenant_id, connection_ids, series_id)
    zones = await _zones(conn, tenant_id, connection_ids)
    copies = []
    for owned in rows:
        event = owned.stored.event
        own = None if event.original is None else original_key(event.original)
        if own == key:
            copies.append(_copy(owned, event))
    if key is not None and not copies:
        for owned in rows:
            event = owned.stored.event
            zone = zones.get(owned.stored.calendar_id, "UTC")
            plain = occurrence(event, key, zone=zone) if event.is_master else None
            if plain is not None:
                copies.append(_copy(owned, plain.as_event()))
    if not copies:
        return None
    meeting = Meeting(occurrence_id(series_id, key), tuple(copies))
    links = await meetings_store.list_links(
        conn, tenant_id, [(series_id, key or ""), (series_id, "")]
    )
    refs = sorted({ref for some in links.values() for ref in some})
    when = meeting.main.event.when
    zone = zones.get(meeting.main.calendar_id, "UTC")
    starts_at, ends_at = (None, None) if when is None else instants(when, zone=zone)
    return Shown(
        meeting=meeting,
        series_id=series_id,
        key=key,
        starts_at=starts_at,
        ends_at=ends_at,
        refs=tuple(refs),
    )


async def _joined(
    conn: Conn, tenant_id: str, found: Sequence[Occurring], *, ref: EntityRef | None
) -> list[Shown]:
    together: dict[tuple[UUID, str | None], list[Occurring]] = {}
    for one in found:
        together.setdefault((one.owned.stored.series_id, one.key), []).append(one)
    keys = {(series_id, "") for series_id, _ in together}
    keys |= {(series_id, key or "") for series_id, key in together}
    links = await meetings_store.list_links(conn, tenant_id, sorted(keys))
    shown = []
    for (series_id, key), some in together.items():
        exact = links.get((series_id, key or ""), {})
        refs = {*exact, *links.get((series_id, ""), {})}
        if ref is not None and ref not in refs:
            continue
        meeting = Meeting(
            occurrence_id(series_id, key), tuple(_copy(one.owned, one.event) for one in some)
        )
        main = meeting.main
        at = next(
            one
            for one in some
            if one.owned.stored.connection_id == main.connection_id
            and one.owned.stored.calendar_id == main.calendar_id
        )
        shown.append(
            Shown(
                meeting=meeting,
                series_id=series_id,
                key=key,
                starts_at=at.starts_at,
                ends_at=at.ends_at,
                refs=tuple(sorted(refs)),
            )
        )
    shown.sort(key=lambda one: one.place)
    return shown


async def _zones(conn: Conn, tenant_id: str, connection_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    found = await calendars.list_calendars(conn, tenant_id, connection_ids, gone=True)
    return {one.id: one.zone for one in found}


def _copy(owned: OwnedEvent, event: Event) -> Copy:
    return Copy(
        event=event,
        connection_id=owned.stored.connection_id,
        user_id=owned.user_id,
        calendar_id=owned.stored.calendar_id,
        is_primary=owned.is_primary,
    )
