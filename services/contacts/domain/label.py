"""A label of an address book, and what is known of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class LabelKind(StrEnum):
    """Whose a group at Google is."""

    USER = "user"
    SYSTEM = "system"
    """Google's own, as `myContacts` and `starred`: known, but no group of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What Google answered of one group."""

    resource: str
    etag: str
    name: str
    kind: LabelKind
    updated_at: datetime | None = None
    members: int = 0
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLabel:
    """One row of `labels`: what was read of a label last, and which group it is."""

    connection_id: UUID
    resource: str
    group_id: UUID | None
    kind: LabelKind
    name: str
    """What both sides last agreed on."""
    etag: str
    google_updated: datetime | None = None
    members: int = 0
    gone_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Say whether it is at Google, as far as is known."""
        return self.gone_at is None
