"""What a write is, and the errors that come of writing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from libs.common.errors import AppError, RateLimited
from libs.common.ids import new_id


class WriteState(StrEnum):
    """How far a write is; all but the first two are for good."""

    QUEUED = "queued"
    SENDING = "sending"
    """A request is on its way, or was, and nobody knows yet what became of it."""
    DONE = "done"
    FAILED = "failed"
    """Google has refused it, or it came too late; it had no effect."""
    UNKNOWN = "unknown"
    """Whether it had an effect cannot be found out; it is not tried again."""
    CONFLICT = "conflict"
    """Google's side changed too, and a person has to choose."""
    CANCELLED = "cancelled"


OPEN = frozenset({WriteState.QUEUED, WriteState.SENDING})


class WriteLost(AppError):
    """The write is no longer ours to finish: taken over, finished by another way, or gone."""

    slug = "write-lost"


class TooManyWrites(RateLimited):
    """One item was written so often that something must be going round in circles."""

    status: ClassVar[int] = 429
    slug = "too-many-writes"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWrite:
    """A change that is wished for."""

    tenant_id: str
    connection_id: UUID
    kind: str
    """Which use case sends it: `mail.send`."""
    item: str
    """What it changes; writes of one item are sent in the order they were queued."""
    desired: Mapping[str, Any]
    base: Mapping[str, Any] | None = None
    due_at: datetime
    id: UUID = field(default_factory=new_id)
    group_id: UUID | None = None
    """Shared by changes asked for together; None: it stands alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One row of `writes`."""

    tenant_id: str
    id: UUID
    group_id: UUID
    connection_id: UUID
    kind: str
    item: str
    base: Mapping[str, Any] | None
    desired: Mapping[str, Any]
    progress: Mapping[str, Any]
    answer: Mapping[str, Any] | None
    state: WriteState
    reason: str | None
    attempts: int
    due_at: datetime
    epoch: int | None
    deadline: datetime | None
    created_at: datetime
    finished_at: datetime | None
