"""Reminders of our own: which are due, and by which name each is told once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.calendar.domain.availability import NEVER_BUSY
from services.calendar.domain.event import Event, Response, Status
from services.calendar.domain.times import When, instants


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """A reminder, and the instant to tell it."""

    at: datetime
    """In UTC."""
    key: str
    """Of person, meeting and minutes: it stays when the meeting is moved, so none is told twice."""
    meeting_id: str
    """Of the occurrence."""
    user_id: str
    minutes: int
    """Before the start."""
    start: datetime
    """In UTC."""


def is_reminded_of(event: Event) -> bool:
    """Say whether its person wants to hear of it: it takes place, and they have not declined."""
    if event.status is Status.CANCELLED or event.event_type in NEVER_BUSY:
        return False
    return not any(
        one.is_self and one.response is Response.DECLINED for one in event.details.attendees
    )


def reminders_of(
    meeting_id: str, when: When, *, user_id: str, minutes: Iterable[int], zone: str
) -> list[Due]:
    """Return the reminders of one occurrence for one person, in order.

    Args:
        meeting_id: of the occurrence.
        when: as it is now; days begin at midnight in `zone`.
        user_id: who is reminded.
        minutes: before the start.
        zone: the calendar's; an IANA name.
    """
    start, _ = instants(when, zone=zone)
    return sorted(
        Due(
            at=start - timedelta(minutes=one),
            key=f"{user_id}/{meeting_id}/{one}",
            meeting_id=meeting_id,
            user_id=user_id,
            minutes=one,
            start=start,
        )
        for one in set(minutes)
    )


def due(
    reminders: Iterable[Due], *, after: datetime, until: datetime, told: Sequence[str] = ()
) -> list[Due]:
    """Return what is to be told for the time after..until, in order.

    A process that was away begins where it ended, and so leaves nothing out; what it told before
    it went is in `told`.

    Args:
        reminders: of all occurrences around.
        after: until when everything has been told; not part of it.
        until: the present; part of it.
        told: keys that have been told already.
    """
    known = set(told)
    found = {one.key: one for one in sorted(reminders, reverse=True)}
    return sorted(one for one in found.values() if after < one.at <= until and one.key not in known)
