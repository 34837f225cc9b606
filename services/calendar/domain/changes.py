"""What Google says of an event, held against what is kept of it."""

from dataclasses import replace
from enum import StrEnum

from services.calendar.domain.event import Event, Status
from services.calendar.domain.recurrence import occurrence
from services.calendar.domain.times import original_key


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


def completed(known: Event | None, found: Event, *, master: Event | None, zone: str) -> Event:
    """Return a cancelled occurrence with what Google need not say of it.

    Args:
        known: as it was; None: nobody had changed it.
        found: as Google has it.
        master: its series.
        zone: the calendar's.
    """
    if found.status is not Status.CANCELLED or found.master_id is None:
        return found
    like = known or _plain(found, master, zone=zone)
    if like is None:
        return found
    return replace(
        like,
        google_id=found.google_id,
        etag=found.etag,
        updated=found.updated,
        status=found.status,
        recurrence=(),
        master_id=found.master_id,
        original=found.original,
    )


def _plain(found: Event, master: Event | None, *, zone: str) -> Event | None:
    """Return the occurrence as its series has it."""
    if master is None or found.original is None:
        return None
    plain = occurrence(master, original_key(found.original), zone=zone)
    return None if plain is None else plain.as_event()


def cancelled(event: Event) -> Event:
    """Return an event as it is when it does not take place any more."""
    return replace(event, status=Status.CANCELLED)


def _is_older(found: Event, known: Event) -> bool:
    """Say whether `found` was read before what is known; reminders alone move no time."""
    if found.updated is None or known.updated is None:
        return False
    return found.updated < known.updated
