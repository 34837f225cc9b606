"""What a feed is, and the pure rules of when it runs next."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 600.0


class FeedState(StrEnum):
    """How a feed is doing; anything but `active` and `closed` carries a reason."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    """It runs, but the last attempts failed or left something behind."""
    PAUSED = "paused"
    """It does not run until somebody opens it again; data and cursor stay."""
    CLOSED = "closed"
    """It ended on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeed:
    """What is needed to open a feed."""

    tenant_id: str
    connection_id: UUID
    account_id: UUID
    kind: str
    """Which function pages it: `mail.live`."""
    resource: str
    """What it walks within the account: `mailbox`, a calendar id."""
    address: str
    """What a push calls it; several feeds may share one."""
    fingerprint: str = ""
    """The query its cursor belongs to; a cursor of another fingerprint is void."""
    cursor: str | None = None
    """Where it begins when it is new, was closed, or lost its cursor."""
    restart: bool = False
    """It begins at `cursor` in any case."""
    background: bool = False
    """Its runs take long: they are claimed by runners of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One row of `feeds`."""

    tenant_id: str
    id: UUID
    connection_id: UUID
    account_id: UUID
    kind: str
    resource: str
    fingerprint: str
    cursor: str | None
    state: FeedState
    reason: str | None
    failures: int
    last_sync_at: datetime | None
    sequence: int
    """Of the newest event that told of it."""


def retry_delay_s(failures: int, *, jitter: float) -> float:
    """Return the seconds to wait after the `failures`-th failure in a row (>= 1).

    Doubles from 2 s to 10 min; `jitter` in [0, 1) spreads it over [half, whole].
    """
    exponent = min(failures - 1, 12)
    whole = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0**exponent)
    return whole * (0.5 + jitter / 2)
