"""When people are busy, and when all of them are free."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.calendar.domain.event import Event, Response, Status
from services.calendar.domain.times import When, instants

NEVER_BUSY = frozenset({"birthday", "workingLocation"})
"""Types of events that take no time, whatever their transparency says."""


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From one instant to another, which is not part of it; both aware."""

    start: datetime
    end: datetime


def takes_time(event: Event) -> bool:
    """Say whether its person is busy then: it takes place, and they have not declined."""
    if event.status is Status.CANCELLED or event.transparent or event.event_type in NEVER_BUSY:
        return False
    return not any(
        one.is_self and one.response is Response.DECLINED for one in event.details.attendees
    )


def interval(when: When, *, zone: str) -> Interval:
    """Return from when to when it is; days begin at midnight in `zone` (an IANA name)."""
    return Interval(*instants(when, zone=zone))


def merged(busy: Iterable[Interval]) -> list[Interval]:
    """Return the same time in as few intervals as can be, in order; those that touch are one."""
    found: list[Interval] = []
    for one in sorted(one for one in busy if one.start < one.end):
        if found and one.start <= found[-1].end:
            found[-1] = Interval(found[-1].start, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found


def within(busy: Iterable[Interval], window: Interval) -> list[Interval]:
    """Return what of `busy` lies in `window`, merged."""
    return merged(Interval(max(one.start, window.start), min(one.end, window.end)) for one in busy)


def free(
    busy: Iterable[Interval], window: Interval, *, shortest: timedelta = timedelta()
) -> list[Interval]:
    """Return when nobody is busy in `window`; slots shorter than `shortest` are left out.

    Args:
        busy: of everybody who has to be free.
        window: what is asked for.
        shortest: how long a slot has to be to be of use.
    """
    return [
        one
        for one in _gaps(within(busy, window), window)
        if one.end > one.start and one.end - one.start >= shortest
    ]


def _gaps(busy: Iterable[Interval], window: Interval) -> Iterator[Interval]:
    begin = window.start
    for one in busy:
        yield Interval(begin, one.start)
        begin = one.end
    yield Interval(begin, window.end)
