"""What goes in and out of the endpoints, as the API's documentation shows it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from libs.common.pagination import PageQuery
from services.auth.domain.model import Access, Connection, Product, State, Wish

UserId = Annotated[str, Field(min_length=1, max_length=255)]
ReturnUrl = Annotated[
    str,
    Field(min_length=1, max_length=2048, description="Where the browser comes back to at last"),
]
LoginHint = Annotated[
    str, Field(min_length=1, max_length=320, description="The Google account to suggest")
]


class Strict(BaseModel):
    """A body: nothing in it is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProductWish(Strict):
    """A product to connect."""

    name: Product
    access: Access = Field(default=Access.READ, description="How far; read unless said")


def _once_each(products: list[ProductWish] | None) -> list[ProductWish] | None:
    if products is not None and len({wish.name for wish in products}) != len(products):
        raise ValueError("must name each product once")
    return products


class NewConnection(Strict):
    """What to connect, for whom, and where to go afterwards."""

    products: list[ProductWish] = Field(min_length=1, max_length=len(Product))
    return_url: ReturnUrl
    login_hint: LoginHint | None = None
    user_id: UserId | None = Field(default=None, description="For whom; only services say so")

    _products_once = field_validator("products")(_once_each)


class Renewal(Strict):
    """How to ask the person again; by default as the last time."""

    products: list[ProductWish] | None = Field(
        default=None, max_length=len(Product), description="More products, or more access"
    )
    return_url: ReturnUrl | None = None
    login_hint: LoginHint | None = None

    _products_once = field_validator("products")(_once_each)


class Confirmation(Strict):
    """Who confirms."""

    user_id: UserId | None = Field(
        default=None, description="The user of the session; services must say, users need not"
    )
    confirmation: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="`confirmation` as the browser brought it to the return address: proves that"
        " whoever confirms is the one who consented",
    )


class ListQuery(PageQuery):
    """Which connections to list."""

    state: State | None = None
    product: Product | None = Field(default=None, description="Those that have this product")
    user_id: UserId | None = Field(default=None, description="Those of this user")


class EndQuery(BaseModel):
    """What to disconnect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: Product | None = Field(default=None, description="Only this one; all by default")
    purge: bool = Field(default=False, description="Also remove what was read for it")


class StartQuery(BaseModel):
    """The link's secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ticket: str = Field(min_length=1, max_length=128)


class CallbackQuery(BaseModel):
    """What Google sends back; what it adds is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: str = Field(min_length=1, max_length=128)
    code: str | None = Field(default=None, min_length=1, max_length=2048)
    error: str | None = Field(default=None, min_length=1, max_length=256)


class AccountView(BaseModel):
    """The Google account."""

    email: str


class ProductView(BaseModel):
    """A product of a connection."""

    name: Product
    access: Access | None = Field(description="What was granted; null: not enough for any use")
    granted_scopes: list[str]


class ConnectionView(BaseModel):
    """A connection."""

    id: UUID
    state: State
    reason: str | None = Field(description="Why it is in that state, a constant")
    user_id: str
    account: AccountView | None = Field(description="Null until somebody consented")
    products: list[ProductView]
    connected_at: datetime | None = Field(description="When it was first confirmed")
    last_sync_at: datetime | None = Field(
        default=None, description="Known by the products' services, null here"
    )

    @classmethod
    def facts(cls, connection: Connection) -> dict[str, object]:
        """Return the fields for a connection."""
        return {
            "id": connection.id,
            "state": connection.state,
            "reason": connection.reason,
            "user_id": connection.user_id,
            "account": None if connection.email is None else AccountView(email=connection.email),
            "products": [
                ProductView(
                    name=grant.product, access=grant.access, granted_scopes=list(grant.scopes)
                )
                for grant in connection.grants
            ],
            "connected_at": connection.connected_at,
        }

    @classmethod
    def of(cls, connection: Connection) -> "ConnectionView":
        """Return the view of a connection."""
        return cls.model_validate(cls.facts(connection))


class LinkedConnection(ConnectionView):
    """A connection and the link that starts its consent."""

    connect_url: str = Field(description="Send the person's browser here, once, within minutes")


class CheckView(BaseModel):
    """What Google said a moment ago."""

    ok: bool
    problem: str | None = Field(description="Why Google gave no token, a constant")
    checked_at: datetime


class CheckedConnection(ConnectionView):
    """A connection after Google was asked."""

    check: CheckView


class Position(BaseModel):
    """Where a page of connections ended."""

    id: UUID


def wishes(products: list[ProductWish] | None) -> tuple[Wish, ...]:
    """Return the wishes in a body."""
    return tuple(Wish(wish.name, wish.access) for wish in products or ())
