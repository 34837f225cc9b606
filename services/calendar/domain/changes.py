"""What Google says of an event, held against what is kept of it."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from services.calendar.domain.event import Event, Status
from services.calendar.domain.series import Series


class Change(StrEnum):
    """What has to be done."""

    NOTHING = "nothing"
    ADD = "create"
    REPLACE = "update"
    REMOVE = "delete"


def change_of(known: Event | None, found: Event) -> Change:
    """Return what `found` means for what is `known` (None: nothing is, or it was deleted).

    An occurrence that is cancelled stays, for as long as its series does; anything else that is
    cancelled goes. What is older than what is known, came late and changes nothing.
    """
    over = found.status is Status.CANCELLED and found.master_id is None
    if known is None:
        return Change.NOTHING if over else Change.ADD
    if over:
        return Change.REMOVE
    if found.etag == known.etag or _is_older(found, known):
        return Change.NOTHING
    return Change.REPLACE


def completed(
    known: Event | None, found: Event, master: Event | None = None, *, zone: str = "UTC"
) -> Event:
    """Return a cancelled occurrence with what Google need not repeat of it.

    Args:
        known: what is known of it.
        found: what Google says: of one that is cancelled perhaps no more than where it belongs.
        master: its series, as far as that is known.
        zone: the calendar's; an IANA name.
    """
    if found.status is not Status.CANCELLED or (found.ical_uid and found.when is not None):
        return found
    if known is not None and known.ical_uid:
        return replace(
            known, etag=found.etag, updated=found.updated, status=found.status, recurrence=()
        )
    if master is None or found.original is None:
        return found
    when, series = found.when, Series.of(master, zone=zone)
    if when is None and series is not None:
        is_day = not isinstance(found.original, datetime)
        when = series.at(found.original) if is_day is series.has_days else None
    return replace(found, ical_uid=found.ical_uid or master.ical_uid, when=when)


def cancelled(event: Event) -> Event:
    """Return an event as it is when it does not take place any more."""
    return replace(event, status=Status.CANCELLED)


def _is_older(found: Event, known: Event) -> bool:
    """Say whether `found` was read before what is known; reminders alone move no time."""
    if found.updated is None or known.updated is None:
        return False
    return found.updated < known.updated
