"""What every service knows of a connection, and what follows from what auth tells."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Access(StrEnum):
    """How far a person let us into a product."""

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
"""States in which Google is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """An account somebody of a tenant connected, with the product of the service at hand."""

    tenant_id: str
    id: UUID
    account_id: UUID
    user_id: str
    email: str
    access: Access
    state: State
    reauthorize_url: str | None = None
    event_sequence: int = 0
    purge: Purge = Purge.NONE
    updated_at: datetime

    @property
    def is_paused(self) -> bool:
        """Say whether somebody stopped it on our side; that is apart from `state`, auth's."""
        return False

    @property
    def is_read(self) -> bool:
        """Say whether Google is read at present."""
        return self.state in RUNNING and not self.is_paused


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What auth says of a connection, in an event or in its list."""

    tenant_id: str
    id: UUID
    account_id: UUID
    user_id: str
    email: str
    access: Access | None
    """How far the product goes; None: the connection does not have it (any more)."""
    state: State
    sequence: int | None = None
    """The event's place in the connection's history; None: a list, which has no place."""
    reauthorize_url: str | None = None
    purge: bool = False
    fresh: bool = False
    """The person has just consented: whatever stopped the connection is over."""


def is_stale(told: Told, current: Connected | None) -> bool:
    """Say whether an event is older than what was taken in already."""
    if current is None or told.sequence is None:
        return False
    return told.sequence <= current.event_sequence


def is_over(told: Told) -> bool:
    """Say whether the product has ended: in trouble a connection may list none, and is not over."""
    if told.state is State.DISCONNECTED:
        return True
    return told.access is None and told.state in RUNNING


def core(told: Told, current: Connected | None, *, now: datetime) -> dict[str, Any]:
    """Return the fields of `Connected` after what was told."""
    over = is_over(told)
    known = current.event_sequence if current else 0
    return {
        "tenant_id": told.tenant_id,
        "id": told.id,
        "account_id": told.account_id,
        "user_id": told.user_id,
        "email": told.email,
        "access": told.access or (current.access if current else Access.READ),
        "state": State.DISCONNECTED if over else told.state,
        "reauthorize_url": told.reauthorize_url,
        "event_sequence": known if told.sequence is None else told.sequence,
        "purge": _purge(told, current, over=over),
        "updated_at": now,
    }


def _purge(told: Told, current: Connected | None, *, over: bool) -> Purge:
    if not over:
        return Purge.NONE
    before = current.purge if current else Purge.NONE
    return Purge.WANTED if told.purge and before is not Purge.DONE else before
