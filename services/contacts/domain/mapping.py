"""The CRM's names of fields, and what they are in a card."""

from typing import Any

from services.contacts.domain.card import Card
from services.contacts.domain.preferences import TenantDefaults


def crm_fields(card: Card, defaults: TenantDefaults) -> dict[str, Any]:
    """Return a card under the names the tenant's CRM has for its fields."""
    del defaults
    fields = card.stored()
    fields.pop("notes", None)
    return fields
