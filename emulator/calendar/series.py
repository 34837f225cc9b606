"""What becomes of a series' exceptions when the series itself changes.

Source: https://developers.google.com/workspace/calendar/api/guides/recurringevents
"""

from emulator.calendar import recurrence
from emulator.calendar.agenda import Agenda
from emulator.calendar.event import CANCELLED, StoredEvent


def settle(agenda: Agenda, master: StoredEvent) -> None:
    """Drop the exceptions that a series (or what was one) has no room for any more.

    They are gone from listings and appear once more, cancelled, to whoever synchronises.
    """
    if master.master:
        return
    for event_id in list(agenda.exceptions(master.id).values()):
        exception = agenda.events[event_id]
        if not _has_room(master, exception):
            agenda.put(exception.changed(status=CANCELLED, gone=True))


def _has_room(master: StoredEvent, exception: StoredEvent) -> bool:
    return (
        not master.is_cancelled
        and master.is_series
        and master.start is not None
        and exception.original is not None
        and recurrence.holds(master.recurrence, master.start, exception.original)
    )
