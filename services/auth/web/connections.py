"""What the CRM does with connections."""

from aiohttp import web

from libs.common import clock, idempotency
from libs.common.db import transaction
from libs.common.errors import AppError, Conflict, Forbidden, InvalidInput, UpstreamError
from libs.common.pagination import Page, cut, decode_cursor
from libs.common.web import Caller, caller, path_uuid, read_body, read_bytes, read_query, reply
from services.auth.domain.model import LIVE, Connection
from services.auth.store import connections as store
from services.auth.sync.confirm import confirm
from services.auth.sync.connect import Request, open_connection, renew_connection
from services.auth.sync.context import Context
from services.auth.sync.disconnect import disconnect, revoke_if_over
from services.auth.web import models
from services.auth.web.keys import CONTEXT, REFRESHER


async def create_connection(request: web.Request) -> web.Response:
    """POST /v1/connections: a pending connection and the link that starts its consent."""
    body = await read_body(request, models.NewConnection)
    context, who = request.app[CONTEXT], caller(request)
    wanted = Request(
        wishes=models.wishes(body.products),
        return_url=_checked(context, body.return_url),
        login_hint=body.login_hint,
    )
    user_id = _on_behalf_of(who, body.user_id)
    async with transaction(context.pool) as conn:
        kept = await idempotency.claim(conn, request, await read_bytes(request))
        if kept is not None:
            return kept
        connection, link = await open_connection(
            conn, context, wanted, tenant_id=who.tenant_id, user_id=user_id, now=clock.now()
        )
        answer = _linked(connection, link, status=201)
        await idempotency.keep(conn, request, answer)
    return answer


async def list_connections(request: web.Request) -> web.Response:
    """GET /v1/connections: the caller's own, newest first; a service's are its tenant's."""
    query = read_query(request, models.ListQuery)
    who = caller(request)
    before = decode_cursor(query.cursor, models.Position)
    if who.user_id is not None and query.user_id not in (None, who.user_id):
        return reply(Page[models.ConnectionView](items=[]))
    wanted = store.Filter(
        tenant_id=who.tenant_id,
        user_id=who.user_id or query.user_id,
        state=query.state,
        product=query.product,
    )
    async with transaction(request.app[CONTEXT].pool) as conn:
        rows = await store.list_connections(
            conn, wanted, before=before.id if before else None, limit=query.limit + 1
        )
    kept, cursor = cut(rows, limit=query.limit, position=_position)
    items = [models.ConnectionView.of(connection) for connection in kept]
    return reply(Page[models.ConnectionView](items=items, next_cursor=cursor))


async def show_connection(request: web.Request) -> web.Response:
    """GET /v1/connections/{id}."""
    return reply(models.ConnectionView.of(await _own(request)))


async def confirm_connection(request: web.Request) -> web.Response:
    """POST /v1/connections/{id}/confirm: the user who asked for it is the one who consented."""
    body = await read_body(request, models.Confirmation)
    context = request.app[CONTEXT]
    user_id = _on_behalf_of(caller(request), body.user_id)
    connection = await _own(request)
    if connection.user_id != user_id:
        raise Forbidden("Only the user who asked for it may confirm.", slug="not-the-same-user")
    async with transaction(context.pool) as conn:
        kept = await idempotency.claim(conn, request, await _body_bytes(request))
        if kept is not None:
            return kept
        confirmed = await confirm(conn, context, connection, body.confirmation, now=clock.now())
        answer = reply(models.ConnectionView.of(confirmed))
        await idempotency.keep(conn, request, answer)
    return answer


async def renew(request: web.Request) -> web.Response:
    """POST /v1/connections/{id}/reauthorize: a new link for the same connection."""
    body = await read_body(request, models.Renewal)
    context, connection = request.app[CONTEXT], await _own(request)
    wanted = Request(
        wishes=models.wishes(body.products),
        return_url=_checked(context, body.return_url or connection.return_url),
        login_hint=body.login_hint,
    )
    async with transaction(context.pool) as conn:
        kept = await idempotency.claim(conn, request, await _body_bytes(request))
        if kept is not None:
            return kept
        link = await renew_connection(conn, context, connection, wanted, now=clock.now())
        answer = _linked(connection, link, status=200)
        await idempotency.keep(conn, request, answer)
    return answer


async def check(request: web.Request) -> web.Response:
    """POST /v1/connections/{id}/check: ask Google for a new token, and say how that went."""
    body, connection = await _body_bytes(request), await _own(request)
    if connection.state not in LIVE or connection.account_id is None:
        raise Conflict("The connection is not in use.", slug="not-connected")
    problem = None
    try:
        await request.app[REFRESHER].token(connection.account_id, force=True, even_refused=True)
    except (Conflict, UpstreamError) as exc:
        problem = _problem(exc)
    result = models.CheckView(ok=problem is None, problem=problem, checked_at=clock.now())
    facts = models.ConnectionView.facts(await _own(request))
    answer = reply(models.CheckedConnection.model_validate({**facts, "check": result}))
    # Asked afterwards, since no transaction may be open while Google is asked: a repeated
    # request asks Google again, which does no harm, but is answered as the first one was.
    async with transaction(request.app[CONTEXT].pool) as conn:
        kept = await idempotency.claim(conn, request, body)
        if kept is not None:
            return kept
        await idempotency.keep(conn, request, answer)
    return answer


async def end_connection(request: web.Request) -> web.Response:
    """DELETE /v1/connections/{id}: end a product of it, or all."""
    query = read_query(request, models.EndQuery)
    context, connection = request.app[CONTEXT], await _own(request)
    async with transaction(context.pool) as conn:
        ended = await disconnect(
            conn, connection, query.product, purge=query.purge, now=clock.now()
        )
    await revoke_if_over(context, ended)
    return reply(models.ConnectionView.of(ended))


async def _own(request: web.Request) -> Connection:
    """Return the connection in the path if the caller may know it.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    who = caller(request)
    async with transaction(request.app[CONTEXT].pool) as conn:
        return await store.get_connection(
            conn, path_uuid(request), tenant_id=who.tenant_id, user_id=who.user_id
        )


async def _body_bytes(request: web.Request) -> bytes:
    return await read_bytes(request) if request.body_exists else b""


def _on_behalf_of(who: Caller, user_id: str | None) -> str:
    """Return the user a request is for: the caller, or whom a service names.

    Raises:
        InvalidInput: field `user_id`.
    """
    if who.user_id is None:
        if user_id is None:
            raise InvalidInput.field("user_id", "a service must say for which user")
        return user_id
    if user_id not in (None, who.user_id):
        raise InvalidInput.field("user_id", "must be left out, or be the caller's own")
    return who.user_id


def _checked(context: Context, return_url: str) -> str:
    try:
        context.return_urls.check(return_url)
    except ValueError as exc:
        raise InvalidInput.field("return_url", str(exc)) from exc
    return return_url


def _linked(connection: Connection, link: str, *, status: int) -> web.Response:
    facts = models.ConnectionView.facts(connection)
    view = models.LinkedConnection.model_validate({**facts, "connect_url": link})
    headers = {"Location": f"/v1/connections/{connection.id}"} if status == 201 else None  # noqa: PLR2004 - Created
    return reply(view, status=status, headers=headers)


def _position(connection: Connection) -> models.Position:
    return models.Position(id=connection.id)


def _problem(exc: AppError) -> str:
    """Return the name of what stood between us and a token."""
    cause = exc.data.get("cause")
    return str(cause) if cause else exc.slug
