"""A person as one address book at Google has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.contacts.domain.card import Card

MY_CONTACTS: Final = "contactGroups/myContacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What Google answered of one person."""

    resource: str
    """`people/c123`; it may change: see `former`."""
    etag: str
    updated_at: datetime | None
    """Of the contact's source: when Google says it changed last."""
    card: Card
    items: Mapping[str, Any]
    """Fields as Google has them, for writing them back whole; `metadata.sources` among them."""
    groups: tuple[str, ...] = ()
    """Resource names of labels and system groups."""
    former: tuple[str, ...] = ()
    """Resource names it had before."""
    our_ids: tuple[str, ...] = ()
    """What was written into its `clientData`: ids of contacts, of whichever tenants."""
    is_deleted: bool = False

    @property
    def source_id(self) -> str:
        """Return the id of the contact behind it, which its names come and go with; "": unknown."""
        sources = self.items.get("metadata", {}).get("sources", ())
        return str(sources[0].get("id", "")) if sources else ""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a contact is at Google."""

    connection_id: UUID
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One row of `people`: what was read of somebody last, and which contact it is."""

    tenant_id: str
    connection_id: UUID
    resource: str
    account_id: UUID
    contact_id: UUID | None
    etag: str
    google_updated: datetime | None
    base: Card
    """What both sides last agreed on."""
    items: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    made_by_us: bool = False
    gone_at: datetime | None = None
    erased_at: datetime | None = None
    """Since when they are left alone, whatever Google has: the person was erased."""

    @property
    def is_live(self) -> bool:
        """Say whether it is at Google, as far as is known."""
        return self.gone_at is None
