"""The nouns of the service.

An *account* is one Google identity (`sub`), shared by all connections to it. A *connection*
is an account that one CRM user of one tenant connected, with the products Google granted.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Product(StrEnum):
    """A part of Google Workspace that is connected and disconnected on its own."""

    MAIL = "mail"
    CALENDAR = "calendar"
    CONTACTS = "contacts"


class Access(StrEnum):
    """How far a product may be used."""

    READ = "read"
    WRITE = "write"


class State(StrEnum):
    """Where a connection stands."""

    PENDING = "pending"
    ACTIVE = "active"
    DEGRADED = "degraded"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    DISABLED = "disabled"
    DISCONNECTED = "disconnected"


LIVE = frozenset({State.ACTIVE, State.DEGRADED, State.REAUTHORIZATION_REQUIRED, State.DISABLED})
"""States of a connection that was confirmed and not ended."""


class Reason(StrEnum):
    """Why a connection or an account is in its state."""

    CONSENT_PENDING = "consent_pending"
    CONFIRMATION_PENDING = "confirmation_pending"
    ACCESS_DENIED = "access_denied"
    NO_PRODUCT_GRANTED = "no_product_granted"
    GRANT_REFUSED = "grant_refused"
    INVALID_GRANT = "invalid_grant"
    ADMIN_POLICY = "admin_policy_enforced"
    GOOGLE_UNREACHABLE = "google_unreachable"
    SCOPES_MISSING = "scopes_missing"
    USER_DISCONNECTED = "user_disconnected"
    NOT_CONFIRMED = "not_confirmed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Wish:
    """A product somebody asks to connect."""

    product: Product
    access: Access


@dataclass(frozen=True, slots=True)
class Grant:
    """A product of a connection: what was wished for and what Google granted."""

    product: Product
    wanted: Access
    access: Access | None
    """None: the person did not grant enough for any use of it."""
    scopes: tuple[str, ...]
    """The granted Google scopes that belong to the product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Google identity and the health of what it granted; no token in it."""

    id: UUID
    subject: str
    email: str
    state: State
    """ACTIVE, DEGRADED, REAUTHORIZATION_REQUIRED, or DISCONNECTED (nothing is held)."""
    reason: str | None
    scopes: frozenset[str]
    token_version: int
    """Rises with every refresh token stored; 0: there never was one."""
    refused_at: datetime | None
    """When Google first answered `invalid_grant` to a token not replaced since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One CRM user's connection to one account."""

    id: UUID
    tenant_id: str
    user_id: str
    account_id: UUID | None
    email: str | None
    state: State
    reason: str | None
    return_url: str
    grants: tuple[Grant, ...]
    """Products not disconnected, by name."""
    connected_at: datetime | None
    created_at: datetime

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """Return what was asked for, granted or not."""
        return tuple(Wish(grant.product, grant.wanted) for grant in self.grants)

    @property
    def usable(self) -> tuple[Grant, ...]:
        """Return the products that were granted."""
        return tuple(grant for grant in self.grants if grant.access is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One trip to Google and back: what it is for."""

    tenant_id: str
    connection_id: UUID
    return_url: str
    wishes: tuple[Wish, ...]
    login_hint: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who consented, as the verified ID token says."""

    subject: str
    email: str
