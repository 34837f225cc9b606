"""HTTP handlers on what needs a person: holds, dead items, and jobs to watch."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import web

from libs.common import clock, idempotency, jobs, pagination
from libs.common.connections import ConnectionRows
from libs.common.db import POOL, Connection, transaction
from libs.common.errors import Conflict, NotFound, Transient
from libs.common.feeds import dead_items, holds
from libs.common.feeds.holds import Hold
from libs.common.feeds.store import raise_signal
from libs.common.operations.models import (
    DeadItemOut,
    DeadItemPage,
    DeadItemQuery,
    HoldOut,
    HoldPage,
    HoldQuery,
    JobOut,
    Position,
)
from libs.common.waiting import LONGEST_WAIT_S, WaitQuery
from libs.common.web import (
    Access,
    Caller,
    Route,
    caller,
    path_uuid,
    read_bytes,
    read_query,
    reply,
    seen_by,
)


@dataclass(frozen=True, slots=True)
class Operations:
    """What a service says of its holds and dead items."""

    rows: ConnectionRows[Any]
    """Of its connections: who may see which."""
    replayer: Callable[[UUID], str]
    """What calls the feed that tries the dead items of a connection again."""
    decided: Callable[[Connection, Hold], Awaitable[None]]
    """What else a decision means, in its transaction."""


OPERATIONS = web.AppKey("operations", Operations)

MAX_BODY = 1024
"""Of requests that say all by their path."""
JOB_TIMEOUT_S = LONGEST_WAIT_S + 10.0


async def read_holds(request: web.Request) -> web.Response:
    """GET /v1/<service>/holds: newest first."""
    who, query = caller(request), read_query(request, HoldQuery)
    async with transaction(request.app[POOL]) as conn:
        rows = await holds.list_holds(
            conn,
            who.tenant_id,
            await _visible(request, conn, who, query.connection_id),
            state=query.state,
            before=_before(query.cursor),
            limit=query.limit + 1,
        )
    kept, cursor = pagination.cut(rows, limit=query.limit, position=lambda row: Position(id=row.id))
    items = [HoldOut.model_validate(row) for row in kept]
    return reply(HoldPage(items=items, next_cursor=cursor))


async def approve_hold(request: web.Request) -> web.Response:
    """POST /v1/<service>/holds/{id}/approve: let it happen."""
    return await _decide(request, approve=True)


async def reject_hold(request: web.Request) -> web.Response:
    """POST /v1/<service>/holds/{id}/reject: do not let it happen."""
    return await _decide(request, approve=False)


async def _decide(request: web.Request, *, approve: bool) -> web.Response:
    who, hold_id, body = caller(request), path_uuid(request), await read_bytes(request)
    now = clock.now()
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, body)) is not None:
            return answered
        found = await holds.find_hold(conn, who.tenant_id, hold_id)
        if found is None:
            raise NotFound("There is no such hold.")
        await _refuse_foreign(request, conn, who, found.connection_id)
        await raise_signal(conn, who.tenant_id, found.feed_id, now=now)
        by = f"{who.kind}:{who.subject}"
        held = await holds.decide_hold(
            conn, who.tenant_id, hold_id, approve=approve, by=by, now=now
        )
        await request.app[OPERATIONS].decided(conn, held)
        answer = reply(HoldOut.model_validate(held))
        await idempotency.keep(conn, request, answer)
    return answer


async def read_dead_items(request: web.Request) -> web.Response:
    """GET /v1/<service>/dead-items: newest first."""
    who, query = caller(request), read_query(request, DeadItemQuery)
    async with transaction(request.app[POOL]) as conn:
        rows = await dead_items.list_dead_items(
            conn,
            who.tenant_id,
            await _visible(request, conn, who, query.connection_id),
            before=_before(query.cursor),
            limit=query.limit + 1,
        )
    kept, cursor = pagination.cut(rows, limit=query.limit, position=lambda row: Position(id=row.id))
    items = [DeadItemOut.model_validate(row) for row in kept]
    return reply(DeadItemPage(items=items, next_cursor=cursor))


async def replay_dead_item(request: web.Request) -> web.Response:
    """POST /v1/<service>/dead-items/{id}/replay: try again soon; taken in, it is dead no more."""
    who, dead_id, body = caller(request), path_uuid(request), await read_bytes(request)
    now = clock.now()
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, body)) is not None:
            return answered
        found = await dead_items.find_dead_item(conn, who.tenant_id, dead_id)
        if found is None:
            raise NotFound("There is no such dead item.")
        await _refuse_foreign(request, conn, who, found.connection_id)
        address = request.app[OPERATIONS].replayer(found.connection_id)
        await raise_signal(conn, who.tenant_id, found.feed_id, now=now, address=address)
        dead = await dead_items.request_replay(conn, who.tenant_id, dead_id, now=now)
        answer = reply(DeadItemOut.model_validate(dead), status=202)
        await idempotency.keep(conn, request, answer)
    return answer


async def read_job(request: web.Request) -> web.Response:
    """GET /v1/<service>/jobs/{id}: how far it is; with `wait`, once it has ended."""
    who, job_id, query = caller(request), path_uuid(request), read_query(request, WaitQuery)
    pool = request.app[POOL]
    async with transaction(pool) as conn:
        job = await jobs.get_job(conn, who.tenant_id, job_id)
        await _refuse_foreign(request, conn, who, job.connection_id)
    if query.wait and job.finished_at is None:
        job = await jobs.wait_for_job(pool, who.tenant_id, job_id, timeout_s=query.wait)
    return reply(JobOut.model_validate(job))


async def _visible(
    request: web.Request, conn: Connection, who: Caller, wanted: UUID | None
) -> Sequence[UUID] | None:
    """Return the connections a list is limited to; None: all of a service's tenant."""
    user_id = seen_by(who)
    if user_id is None:
        return None if wanted is None else [wanted]
    mine = [one.id for one in await request.app[OPERATIONS].rows.list(conn, who.tenant_id, user_id)]
    return [one for one in mine if wanted in (None, one)]


async def _refuse_foreign(
    request: web.Request, conn: Connection, who: Caller, connection_id: UUID
) -> None:
    """Check that something belongs to a connection the caller may see.

    Raises:
        NotFound: it does not.
    """
    await request.app[OPERATIONS].rows.get(conn, who.tenant_id, connection_id, user_id=seen_by(who))


def _before(cursor: str | None) -> UUID | None:
    position = pagination.decode_cursor(cursor, Position)
    return None if position is None else position.id


def routes(service: str) -> tuple[Route, ...]:
    """Return the routes under `/v1/<service>`."""
    root = f"/v1/{service}"
    return (
        Route(
            method="GET",
            path=f"{root}/holds",
            handler=read_holds,
            access=Access.USER_OR_SERVICE,
            summary="List what waits for a decision, or was decided, newest first",
            query=HoldQuery,
            returns=HoldPage,
            tags=("operations",),
        ),
        Route(
            method="POST",
            path=f"{root}/holds/{{id}}/approve",
            handler=approve_hold,
            access=Access.USER_OR_SERVICE,
            summary="Let what is held happen",
            returns=HoldOut,
            idempotent=True,
            max_body=MAX_BODY,
            errors=(NotFound, Conflict),
            tags=("operations",),
        ),
        Route(
            method="POST",
            path=f"{root}/holds/{{id}}/reject",
            handler=reject_hold,
            access=Access.USER_OR_SERVICE,
            summary="Do not let what is held happen",
            returns=HoldOut,
            idempotent=True,
            max_body=MAX_BODY,
            errors=(NotFound, Conflict),
            tags=("operations",),
        ),
        Route(
            method="GET",
            path=f"{root}/dead-items",
            handler=read_dead_items,
            access=Access.USER_OR_SERVICE,
            summary="List what could not be taken in, newest first",
            query=DeadItemQuery,
            returns=DeadItemPage,
            tags=("operations",),
        ),
        Route(
            method="POST",
            path=f"{root}/dead-items/{{id}}/replay",
            handler=replay_dead_item,
            access=Access.USER_OR_SERVICE,
            summary="Ask for another try of what could not be taken in",
            returns=DeadItemOut,
            status=202,
            idempotent=True,
            max_body=MAX_BODY,
            errors=(NotFound, Conflict),
            tags=("operations",),
        ),
        Route(
            method="GET",
            path=f"{root}/jobs/{{id}}",
            handler=read_job,
            access=Access.USER_OR_SERVICE,
            summary="How far a job is; with `wait`, once it has ended",
            query=WaitQuery,
            returns=JobOut,
            timeout_s=JOB_TIMEOUT_S,
            errors=(NotFound, Transient),
            tags=("operations",),
        ),
    )
