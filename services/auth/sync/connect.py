"""Opening connections and asking for consent anew."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Connection as Database
from libs.common.errors import Conflict
from libs.common.ids import new_id
from services.auth.domain.model import Connection, Consent, Grant, Reason, State, Wish
from services.auth.store import connections as store
from services.auth.sync.context import Context, issue_link


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants to connect; `return_url` was checked."""

    wishes: tuple[Wish, ...]
    return_url: str
    login_hint: str | None


async def open_connection(
    conn: Database,
    context: Context,
    request: Request,
    *,
    tenant_id: str,
    user_id: str,
    now: datetime,
) -> tuple[Connection, str]:
    """Add a pending connection; return it and the link that starts its consent."""
    connection = Connection(
        id=new_id(),
        tenant_id=tenant_id,
        user_id=user_id,
        account_id=None,
        email=None,
        state=State.PENDING,
        reason=Reason.CONSENT_PENDING,
        return_url=request.return_url,
        grants=tuple(
            Grant(wish.product, wish.access, None, ())
            for wish in sorted(request.wishes, key=lambda wish: wish.product)
        ),
        connected_at=None,
        created_at=now,
    )
    await store.add_connection(conn, connection, request.wishes)
    return connection, await _link(conn, context, connection, request, now=now)


async def renew_connection(
    conn: Database, context: Context, connection: Connection, request: Request, *, now: datetime
) -> str:
    """Return a link that asks the person again, for what is connected and what is new.

    Raises:
        Conflict: the connection ended (`disconnected`); a new one must be made.
    """
    if connection.state is State.DISCONNECTED:
        raise Conflict("The connection was disconnected.", slug="disconnected")
    wishes = {wish.product: wish for wish in (*connection.wishes, *request.wishes)}
    wider = replace(
        request,
        wishes=tuple(wishes.values()),
        login_hint=request.login_hint or connection.email,
    )
    return await _link(conn, context, connection, wider, now=now)


async def _link(
    conn: Database, context: Context, connection: Connection, request: Request, *, now: datetime
) -> str:
    consent = Consent(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        return_url=request.return_url,
        wishes=request.wishes,
        login_hint=request.login_hint,
    )
    return await issue_link(conn, context, consent, now=now, ttl_s=context.settings.ticket_ttl)
