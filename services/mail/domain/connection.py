"""Connections as the mail service sees them, and what follows from what auth tells."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.common.connections.model import Connected, Told, core
from services.mail.domain.message import Policy
from services.mail.domain.preferences import DEFAULT, Preferences
from services.mail.domain.visibility import Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection(Connected):
    """A mailbox somebody of a tenant connected."""

    policy: Policy
    backfill_days: int = 0
    """Of mail from before the connection that is taken in."""
    complete_since: datetime | None = None
    """From when on the mailbox should be here in full; None: it was never read."""
    visibility: Visibility = Visibility.TEAM
    """What colleagues see of its mail."""
    preferences: Preferences = DEFAULT
    preferences_version: int = 0
    """Rises when policy or preferences change."""
    paused_at: datetime | None = None
    """Since when somebody has it paused; apart from `state`, which is auth's."""
    paused_by: str | None = None
    tenant_paused_at: datetime | None = None
    """Since when all mailboxes of the tenant are paused."""

    @property
    def is_paused(self) -> bool:
        """Say whether reading is paused, by whomever."""
        return self.paused_at is not None or self.tenant_paused_at is not None


OURS = (
    "policy",
    "visibility",
    "backfill_days",
    "complete_since",
    "preferences",
    "preferences_version",
    "paused_at",
    "paused_by",
    "tenant_paused_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginnings:
    """How a new connection begins."""

    policy: Policy
    backfill_days: int
    tenant_paused_at: datetime | None = None


def updated(
    told: Told, current: Connection | None, *, new: Beginnings, now: datetime
) -> Connection:
    """Return the connection after what was told; one that is new begins as `new` says."""
    told_us = core(told, current, now=now)
    if current is not None:
        return Connection(**told_us, **_set_by_us(current))
    return Connection(
        **told_us,
        policy=new.policy,
        backfill_days=new.backfill_days,
        tenant_paused_at=new.tenant_paused_at,
    )


def _set_by_us(current: Connection) -> dict[str, Any]:
    """Return what auth knows nothing of."""
    return {name: getattr(current, name) for name in OURS}
