"""Instances of a series: their ids, and the events they are before anybody changes them.

Source: https://developers.google.com/workspace/calendar/api/guides/recurringevents
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from emulator.calendar import recurrence
from emulator.calendar.agenda import Agenda
from emulator.calendar.event import StoredEvent
from emulator.calendar.times import ONE_DAY, Moment, parse_day, parse_stamp

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=36_600)
_ID: Final = re.compile(r"(.+)_(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)Z)?")


def find(agenda: Agenda, event_id: str) -> StoredEvent | None:
    """Return the event with this id, or the instance that it stands for, or None."""
    found = agenda.events.get(event_id)
    if found is not None and not found.gone:
        return found
    match = _ID.fullmatch(event_id)
    master = agenda.events.get(match[1]) if match else None
    if match is None or master is None or master.start is None or not master.is_series:
        return found
    if master.is_cancelled:
        return found
    day = f"{match[2]}-{match[3]}-{match[4]}"
    clock = f"{day}T{match[5]}:{match[6]}:{match[7]}Z"
    at = parse_day(day) if match[5] is None else parse_stamp(clock)
    if at is None:
        return found
    original = Moment(at, is_day=match[5] is None, zone=master.start.zone)
    if not recurrence.holds(master.recurrence, master.start, original):
        return found
    return computed(master, original)


def computed(master: StoredEvent, original: Moment) -> StoredEvent:
    """Return the instance that a series has at `original`."""
    return master.changed(
        id=instance_id(master.id, original),
        master=master.id,
        original=original,
        recurrence=(),
        start=original,
        end=_end(master, original),
        revision=0,
        place=-1,
    )


def instance_id(master_id: str, original: Moment) -> str:
    """Return the id that an instance has for ever, wherever it is moved."""
    return f"{master_id}_{original.key}"


def expand(
    agenda: Agenda, master: StoredEvent, after: datetime, before: datetime
) -> Iterator[StoredEvent]:
    """Yield the instances of a series, exceptions as they are, that overlap a time.

    Cancelled ones are among them. Exceptions that were moved into that time follow at the end.
    """
    if master.start is None or master.end is None:
        return
    exceptions = agenda.exceptions(master.id)
    after, before = max(after, EARLIEST), min(before, LATEST)
    length = min(master.end.at - master.start.at, _LONGEST)
    seen = set()
    early = after - length - ONE_DAY
    for original in recurrence.starts(master.recurrence, master.start, early, before + ONE_DAY):
        found = exceptions.get(original.key)
        seen.add(original.key)
        event = agenda.events[found] if found else computed(master, original)
        if overlaps(agenda, event, after, before):
            yield event
    for key, event_id in exceptions.items():
        if key not in seen and overlaps(agenda, agenda.events[event_id], after, before):
            yield agenda.events[event_id]


def overlaps(agenda: Agenda, event: StoredEvent, after: datetime, before: datetime) -> bool:
    """Return whether an event (not a series) ends after `after` and begins before `before`."""
    start, end = event.start or event.original, event.end or event.original
    if start is None or end is None:
        return True
    zone = agenda.zone
    begins, ends = start.instant(zone), end.instant(zone)
    return begins < before and (ends > after or (begins == ends and ends >= after))


def _end(master: StoredEvent, original: Moment) -> Moment | None:
    """Return when an instance ends: as long on the wall clock of a day, or in seconds, as all."""
    if master.start is None or master.end is None:
        return None
    length: timedelta = master.end.at - master.start.at
    return Moment(original.at + length, is_day=original.is_day, zone=master.end.zone)
