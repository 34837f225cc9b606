"""What the auth service publishes about connections."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.common.events.base import Event

ProductName = Literal["mail", "calendar", "contacts"]
Access = Literal["read", "write"]


class Account(BaseModel):
    """The Google identity behind a connection."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    email: str


class Product(BaseModel):
    """A product the person granted, and how far."""

    model_config = ConfigDict(frozen=True)

    name: ProductName
    access: Access


class _ConnectionEvent(Event):
    source: ClassVar[str] = "/causeway/auth"
    aggregate: ClassVar[str] = "connection"

    connection_id: UUID
    user_id: str
    account: Account
    products: tuple[Product, ...]
    """What is granted and usable after this event; empty once nothing is."""
    cause: str | None = None
    """A short constant: why it happened (`consent`, `user_revoked`, `invalid_grant`, ...)."""


class ConnectionAuthorized(_ConnectionEvent):
    """A person's consent was confirmed: its products may be read from now on."""

    type: ClassVar[str] = "auth.connection.authorized.v1"


class ConnectionChanged(_ConnectionEvent):
    """The products, their access or the health of a live connection changed."""

    type: ClassVar[str] = "auth.connection.changed.v1"

    state: Literal["active", "degraded", "disabled"]


class ConnectionReauthorizationRequired(_ConnectionEvent):
    """Google no longer honours the grant; data and cursors stay for the day it is renewed."""

    type: ClassVar[str] = "auth.connection.reauthorization_required.v1"

    reauthorize_url: str | None = None
    """Where to send the person, when a fresh link could be made."""


class ConnectionDisconnected(_ConnectionEvent):
    """A connection, or some products of it, ended on purpose."""

    type: ClassVar[str] = "auth.connection.disconnected.v1"

    disconnected_products: tuple[ProductName, ...]
    purge: bool
    """Whether consumers must also remove what they hold for those products."""


EVENTS: tuple[type[Event], ...] = (
    ConnectionAuthorized,
    ConnectionChanged,
    ConnectionReauthorizationRequired,
    ConnectionDisconnected,
)
