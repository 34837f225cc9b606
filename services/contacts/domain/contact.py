"""A contact of a tenant, and who may see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.contacts.domain.card import Card

ENTITY_TYPE = "contact"
"""What mail and calendar call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact as of one version of it."""

    tenant_id: str
    id: UUID
    owner_user_id: str | None
    entity_id: str | None
    """The CRM's own id of it; None: the CRM does not have it."""
    card: Card
    version: int = 1
    sequence: int = 0
    """Of the newest event that was told of it."""
    crm_version: int = 0
    """Of the newest change of the CRM's that was taken in."""
    changed: Mapping[str, datetime] = field(default_factory=dict)
    """When which field (as `flat.changed_fields` names it) was changed last, on whichever side."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    merged_into: UUID | None = None

    @property
    def entity_ref(self) -> str:
        """Return the id under which mail and calendar know it."""
        return self.entity_id or str(self.id)

    @property
    def is_live(self) -> bool:
        """Say whether it is there."""
        return self.deleted_at is None

    @property
    def is_private(self) -> bool:
        """Say whether it is nobody's but its owner's: the CRM does not have it."""
        return self.entity_id is None and self.owner_user_id is not None

    def is_visible_to(self, user_id: str | None) -> bool:
        """Say whether a user may see it; None: a service, which sees all of its tenant's."""
        return user_id is None or not self.is_private or self.owner_user_id == user_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """What a contact begins with."""

    owner_user_id: str | None
    card: Card
    entity_id: str | None = None
    crm_version: int = 0
