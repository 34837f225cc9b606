"""Nicknames: how a contact is addressed, by occasion."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Tone(StrEnum):
    """Of what is written to them."""

    FORMAL = "formal"
    INFORMAL = "informal"
    CAMPAIGN = "campaign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nickname:
    """One way to address a contact."""

    tenant_id: str
    id: UUID
    contact_id: UUID
    text: str
    tone: Tone
    keywords: tuple[str, ...] = ()
    """By which it is chosen."""
    context: str = ""
    """When it is used, in words."""
    is_default: bool = False
    """It is used where none says more; one of each tone at most."""
    created_at: datetime
    updated_at: datetime
