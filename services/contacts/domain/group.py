"""Groups of contacts: a person's own, as labels are at Google."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as of one version of it."""

    tenant_id: str
    id: UUID
    owner_user_id: str
    name: str
    version: int = 1
    sequence: int = 0
    """Of the newest event that was told of it."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def is_live(self) -> bool:
        """Say whether it is there."""
        return self.deleted_at is None

    def is_visible_to(self, user_id: str | None) -> bool:
        """Say whether a user may see it; None: a service, which sees all of its tenant's."""
        return user_id in (None, self.owner_user_id)
