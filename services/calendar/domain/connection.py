"""Connections as the calendar service sees them."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.connections.model import Access, Connected, Told, core, is_over
from services.calendar.domain.leaving import Leave
from services.calendar.domain.preferences import DEFAULT, Direction, Preferences


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Connected):
    """An account somebody of a tenant connected with their calendars."""

    preferences: Preferences = DEFAULT
    preferences_version: int = 0
    """Rises when preferences change."""
    complete_since: datetime | None = None
    """From when on calendars are taken in; None: none was opened yet."""
    leave: Leave | None = None
    """Somebody ends it; None: nobody does."""

    @property
    def is_paused(self) -> bool:
        """Say whether somebody has switched it off on our side."""
        return not self.preferences.enabled

    @property
    def can_write(self) -> bool:
        """Say whether anything in Google can be changed at present."""
        return self.is_read and self.access is Access.WRITE

    @property
    def takes_in(self) -> bool:
        """Say whether what happens in Google is taken in."""
        return self.preferences.direction is not Direction.TO_GOOGLE

    @property
    def gives_out(self) -> bool:
        """Say whether what the CRM changes goes to Google."""
        return self.preferences.direction is not Direction.FROM_GOOGLE


def updated(told: Told, current: Connection | None, *, now: datetime) -> Connection:
    """Return the connection after what was told; what the tenant set of it stays.

    Who has just consented again does not leave any more. Who leaves may have asked for what was
    read to go, which auth does not tell of when it has forgotten the connection.
    """
    if current is not None and current.leave is not None and is_over(told):
        told = replace(told, purge=told.purge or current.leave.purge)
    told_us = core(told, current, now=now)
    if current is None:
        return Connection(**told_us)
    settled = told.fresh or is_over(told)
    return Connection(
        **told_us,
        preferences=current.preferences,
        preferences_version=current.preferences_version,
        complete_since=current.complete_since,
        leave=None if settled else current.leave,
    )
