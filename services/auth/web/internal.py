"""What Causeway's other services ask."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import clock
from libs.common.db import transaction
from libs.common.errors import Conflict, Forbidden, NotFound
from libs.common.moments import Moment
from libs.common.pagination import Page, PageQuery, cut, decode_cursor
from libs.common.web import internal_caller, path_uuid, read_body, read_query, reply
from services.auth.domain.model import LIVE, Access, Connection, Product, State
from services.auth.store import connections as store
from services.auth.sync.disconnect import disconnect, revoke_if_over
from services.auth.web import models
from services.auth.web.keys import CONTEXT, REFRESHER


class InternalListQuery(PageQuery):
    """Which connections another service wants to know."""

    product: Product


class InternalAccount(BaseModel):
    """The Google account, for another service."""

    id: UUID
    email: str


class InternalProduct(BaseModel):
    """A usable product."""

    name: Product
    access: Access


class InternalConnection(BaseModel):
    """A confirmed connection, for another service."""

    id: UUID
    tenant_id: str
    user_id: str
    state: State
    account: InternalAccount
    products: list[InternalProduct]


class TokenRequest(models.Strict):
    """What a token is wanted for."""

    product: Product
    rejected: bool = Field(default=False, description="Google refused the last one: get another")


class TokenView(BaseModel):
    """An access token for Google's APIs."""

    access_token: str
    expires_at: datetime
    scopes: list[str]


class EndRequest(models.Strict):
    """Which product of a connection is over."""

    product: Product
    purge: bool = Field(default=False, description="Also remove what was read for it")
    asked_at: Moment = Field(description="When the person asked for it; a later consent counts")


class EndedView(BaseModel):
    """What is left of the connection."""

    id: UUID
    state: State


async def list_internal(request: web.Request) -> web.Response:
    """GET /internal/v1/connections: all confirmed ones that have a product, of all tenants."""
    query = read_query(request, InternalListQuery)
    after = decode_cursor(query.cursor, models.Position)
    async with transaction(request.app[CONTEXT].pool) as conn:
        rows = await store.list_live(
            conn, query.product, after=after.id if after else None, limit=query.limit + 1
        )
    kept, cursor = cut(rows, limit=query.limit, position=lambda row: models.Position(id=row.id))
    items = [_view(connection) for connection in kept]
    return reply(Page[InternalConnection](items=items, next_cursor=cursor))


async def give_token(request: web.Request) -> web.Response:
    """POST /internal/v1/connections/{id}/token: an access token for one of its products."""
    body = await read_body(request, TokenRequest)
    async with transaction(request.app[CONTEXT].pool) as conn:
        connection = await store.find_connection(conn, path_uuid(request))
    if connection is None:
        raise NotFound("There is no such connection.")
    _check_usable(connection, body.product)
    if connection.account_id is None:
        raise _not_connected()
    token = await request.app[REFRESHER].token(connection.account_id, force=body.rejected)
    return reply(
        TokenView(
            access_token=token.token, expires_at=token.expires_at, scopes=sorted(token.scopes)
        )
    )


async def end_product(request: web.Request) -> web.Response:
    """POST /internal/v1/connections/{id}/end: a service has finished with its own product.

    As DELETE /v1/connections/{id} does it, for a service that had to put things in order at
    Google while it still could.
    """
    body, context = await read_body(request, EndRequest), request.app[CONTEXT]
    if body.product != internal_caller(request):
        raise Forbidden("A service ends its own product only.")
    async with transaction(context.pool) as conn:
        connection = await store.find_connection(conn, path_uuid(request))
        if connection is None:
            raise NotFound("There is no such connection.")
        ended = await disconnect(
            conn,
            connection,
            body.product,
            purge=body.purge,
            now=clock.now(),
            asked_at=body.asked_at,
        )
    await revoke_if_over(context, ended)
    return reply(EndedView(id=ended.id, state=ended.state))


def _check_usable(connection: Connection, product: Product) -> None:
    """Refuse a token for what is not connected.

    Raises:
        Conflict: the connection is not in use (`not-connected`, `connection-disabled`) or
            waits for the person (`reauthorization-required`).
        NotFound: it has no such product.
    """
    if connection.state not in LIVE:
        raise _not_connected()
    if connection.state is State.DISABLED:
        raise Conflict("The connection is disabled.", slug="connection-disabled")
    if connection.state is State.REAUTHORIZATION_REQUIRED:
        raise Conflict("The person has to give access again.", slug="reauthorization-required")
    if product not in {grant.product for grant in connection.usable}:
        raise NotFound("The connection has no such product.")


def _not_connected() -> Conflict:
    return Conflict("The connection is not in use.", slug="not-connected")


def _view(connection: Connection) -> InternalConnection:
    if connection.account_id is None or connection.email is None:
        raise AssertionError("a confirmed connection has an account")
    return InternalConnection(
        id=connection.id,
        tenant_id=connection.tenant_id,
        user_id=connection.user_id,
        state=connection.state,
        account=InternalAccount(id=connection.account_id, email=connection.email),
        products=[
            InternalProduct(name=grant.product, access=grant.access)
            for grant in connection.usable
            if grant.access is not None
        ],
    )
