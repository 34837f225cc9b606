"""HTTP handler that takes mirrored appointments out of Google before a connection ends."""

from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common import clock, idempotency
from libs.common.connections.access import writable
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, Forbidden, NotFound, RateLimited
from libs.common.waiting import LONGEST_WAIT_S, wait_until
from libs.common.web import (
    Access,
    Route,
    caller,
    path_uuid,
    read_bytes,
    read_query,
    reply,
    seen_by,
)
from services.calendar.store import connections
from services.calendar.store.outgoing import count_open
from services.calendar.web.appointments import APPOINTMENTS

TIMEOUT_S = LONGEST_WAIT_S + 15.0


class WithdrawalQuery(BaseModel):
    """Which events go."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    remove_events: Literal["future", "all", "none"] = Field(
        default="future", description="Of appointments that end after now, of all, of none"
    )
    wait: int = Field(default=0, ge=0, le=LONGEST_WAIT_S)


class WithdrawalOut(BaseModel):
    """What is being taken out of Google."""

    connection_id: UUID
    removing: int = Field(description="Events that were queued to go")
    left: int = Field(description="Changes that Google has not got yet; end the connection at 0")


async def withdraw(request: web.Request) -> web.Response:
    """POST /v1/calendar/connections/{id}/withdraw: to be called before auth ends the connection.

    Afterwards the token is gone, and nothing can be removed any more.
    """
    who, connection_id = caller(request), path_uuid(request)
    query, raw, now = read_query(request, WithdrawalQuery), await read_bytes(request), clock.now()
    pool = request.app[POOL]
    async with transaction(pool) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        connection = writable(
            await connections.get_connection(
                conn, who.tenant_id, connection_id, user_id=seen_by(who)
            )
        )
        removing = 0
        if query.remove_events != "none":
            from_ = now if query.remove_events == "future" else None
            removing = await request.app[APPOINTMENTS].withdraw(conn, connection, from_=from_)
        left = await count_open(conn, who.tenant_id, connection_id)
        shown = WithdrawalOut(connection_id=connection_id, removing=removing, left=left)
        response = reply(shown, status=202)
        await idempotency.keep(conn, request, response)

    async def look() -> tuple[int, bool]:
        async with pool.acquire() as conn:
            open_ = await count_open(conn, who.tenant_id, connection_id)
        return open_, open_ == 0

    left = await wait_until(look, timeout_s=query.wait)
    return reply(shown.model_copy(update={"left": left}), status=202)


ROUTES = (
    Route(
        method="POST",
        path="/v1/calendar/connections/{id}/withdraw",
        handler=withdraw,
        access=Access.USER_OR_SERVICE,
        summary="Take mirrored appointments out of Google, before the connection ends",
        query=WithdrawalQuery,
        returns=WithdrawalOut,
        status=202,
        idempotent=True,
        max_body=1024,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Conflict, Forbidden, RateLimited),
        tags=("connections",),
    ),
)
