"""Connections as the contacts service sees them."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.connections.model import RUNNING, Access, Connected, Told, core
from services.contacts.domain.preferences import DEFAULT, Import, Preferences, Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Connected):
    """An account somebody of a tenant connected with their contacts."""

    preferences: Preferences = DEFAULT
    preferences_version: int = 0
    """Rises when preferences change."""
    looked_version: int = 0
    """Of the preferences by which people who are no contact were looked at last."""
    read_at: datetime | None = None
    """When its address book was read in full for the first time."""
    confirmed_at: datetime | None = None
    """When somebody said yes to what the first writing would do."""
    confirmed_by: str | None = None

    @property
    def is_paused(self) -> bool:
        """Say whether somebody has switched it off on our side."""
        return not self.preferences.enabled

    @property
    def imports(self) -> bool:
        """Say whether people of the address book become contacts."""
        return self.preferences.imports is not Import.NONE

    @property
    def may_write(self) -> bool:
        """Say whether anything may be changed at Google: nothing is before a person said yes."""
        return (
            self.state in RUNNING
            and self.access is Access.WRITE
            and self.preferences.push is not Push.NONE
            and self.read_at is not None
            and self.confirmed_at is not None
        )


def updated(told: Told, current: Connection | None, *, now: datetime) -> Connection:
    """Return the connection after what was told; what the tenant set of it stays."""
    told_us = core(told, current, now=now)
    if current is None:
        return Connection(**told_us)
    moved = current.account_id != told.account_id
    return Connection(
        **told_us,
        preferences=current.preferences,
        preferences_version=current.preferences_version,
        looked_version=current.looked_version,
        read_at=None if moved else current.read_at,
        confirmed_at=None if moved else current.confirmed_at,
        confirmed_by=None if moved else current.confirmed_by,
    )
