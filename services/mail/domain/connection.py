"""Connections as the mail service sees them, and what follows from what auth tells."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.mail.domain.message import Policy
from services.mail.domain.preferences import DEFAULT, Preferences
from services.mail.domain.visibility import Visibility


class Access(StrEnum):
    """How far a person let us into the mailbox."""

    READ = "read"
    WRITE = "write"


class State(StrEnum):
    """How a connection stands."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    DISABLED = "disabled"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    DISCONNECTED = "disconnected"


class Purge(StrEnum):
    """Whether all that is held for a connection must go."""

    NONE = "none"
    WANTED = "wanted"
    DONE = "done"


RUNNING = frozenset({State.ACTIVE, State.DEGRADED})
"""States in which a mailbox is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A mailbox somebody of a tenant connected."""

    tenant_id: str
    id: UUID
    account_id: UUID
    user_id: str
    email: str
    access: Access
    policy: Policy
    state: State
    reauthorize_url: str | None = None
    event_sequence: int = 0
    purge: Purge = Purge.NONE
    updated_at: datetime
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

    @property
    def is_read(self) -> bool:
        """Say whether the mailbox is read at present."""
        return self.state in RUNNING and not self.is_paused


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What auth says of a connection, in an event or in its list."""

    tenant_id: str
    id: UUID
    account_id: UUID
    user_id: str
    email: str
    access: Access | None
    """How far mail goes; None: the connection has no mail (any more)."""
    state: State
    sequence: int | None = None
    """The event's place in the connection's history; None: a list, which has no place."""
    reauthorize_url: str | None = None
    purge: bool = False
    fresh: bool = False
    """The person has just consented: whatever paused the mailbox is over."""


def is_stale(told: Told, current: Connection | None) -> bool:
    """Say whether an event is older than what was taken in already."""
    if current is None or told.sequence is None:
        return False
    return told.sequence <= current.event_sequence


def is_over(told: Told) -> bool:
    """Say whether mail has ended: in trouble a connection may list nothing, and is not over."""
    if told.state is State.DISCONNECTED:
        return True
    return told.access is None and told.state in RUNNING


def updated(
    told: Told, current: Connection | None, *, new: Beginnings, now: datetime
) -> Connection:
    """Return the connection after what was told; one that is new begins as `new` says."""
    over = is_over(told)
    known = current.event_sequence if current else 0
    changed = Connection(
        tenant_id=told.tenant_id,
        id=told.id,
        account_id=told.account_id,
        user_id=told.user_id,
        email=told.email,
        access=told.access or (current.access if current else Access.READ),
        policy=new.policy,
        state=State.DISCONNECTED if over else told.state,
        reauthorize_url=told.reauthorize_url,
        event_sequence=known if told.sequence is None else told.sequence,
        purge=_purge(told, current, over=over),
        updated_at=now,
        backfill_days=new.backfill_days,
        tenant_paused_at=new.tenant_paused_at,
    )
    return changed if current is None else replace(changed, **_set_by_us(current))


def _set_by_us(current: Connection) -> dict[str, Any]:
    """Return what auth knows nothing of."""
    return {name: getattr(current, name) for name in OURS}


def _purge(told: Told, current: Connection | None, *, over: bool) -> Purge:
    if not over:
        return Purge.NONE
    before = current.purge if current else Purge.NONE
    return Purge.WANTED if told.purge and before is not Purge.DONE else before
