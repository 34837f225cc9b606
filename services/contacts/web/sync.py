"""HTTP handlers that bring address books into step: asked for, counted first, confirmed."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import idempotency, jobs
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, NotFound
from libs.common.operations.models import JobOut
from libs.common.waiting import WaitQuery
from libs.common.web import Access, Route, caller, path_uuid, read_bytes, read_query, reply, seen_by
from services.contacts.store import connections
from services.contacts.sync.asking import Asking
from services.contacts.web.choosing import chosen

ASKING = web.AppKey("asking", Asking)
MAX_BODY = 1024
"""Of requests that say all by their path and query."""
TIMEOUT_S = 45.0


class SyncQuery(WaitQuery):
    """What to bring into step."""

    connection_id: UUID | None = Field(
        default=None, description="Whose address book; not needed where there is only one"
    )
    group_id: UUID | None = Field(default=None, description="Write only members of this group")
    force: bool = Field(
        default=False, description="Ask Google for each contact how it is, whatever is known"
    )
    dry_run: bool = Field(default=False, description="Count what would be written, and write not")


class ConfirmedOut(BaseModel):
    """A connection whose contacts are written into the address book from now on."""

    connection_id: UUID
    confirmed_at: datetime
    confirmed_by: str


async def ask_for_sync(request: web.Request) -> web.Response:
    """POST /v1/contacts/sync: 202 and a job; with `?wait=30` the job as it is by then."""
    who, query, pool = caller(request), read_query(request, SyncQuery), request.app[POOL]
    raw, asking = await read_bytes(request), request.app[ASKING]
    async with pool.acquire() as conn:
        found = await chosen(conn, who, query.connection_id)
    async with transaction(pool) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        if query.dry_run:
            job = await asking.dry_run(conn, found, group_id=query.group_id)
        else:
            job = await asking.sync(conn, found, group_id=query.group_id, force=query.force)
        response = _accepted(job)
        await idempotency.keep(conn, request, response)
    if query.wait:
        job = await jobs.wait_for_job(pool, who.tenant_id, job.id, timeout_s=query.wait)
        return _accepted(job)
    return response


async def confirm(request: web.Request) -> web.Response:
    """POST /v1/contacts/connections/{id}/confirm: yes to what the first writing would do."""
    who, connection_id, pool = caller(request), path_uuid(request), request.app[POOL]
    raw = await read_bytes(request)
    async with pool.acquire() as conn:
        found = await connections.get_connection(
            conn, who.tenant_id, connection_id, user_id=seen_by(who)
        )
    async with transaction(pool) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        by = f"{who.kind}:{who.subject}"
        confirmed = await request.app[ASKING].confirm(conn, found, by=by)
        response = reply(
            ConfirmedOut.model_validate(
                {
                    "connection_id": confirmed.id,
                    "confirmed_at": confirmed.confirmed_at,
                    "confirmed_by": confirmed.confirmed_by,
                }
            )
        )
        await idempotency.keep(conn, request, response)
    return response


def _accepted(job: jobs.Job) -> web.Response:
    location = {"Location": f"/v1/contacts/jobs/{job.id}"}
    return reply(JobOut.model_validate(job), status=202, headers=location)


ROUTES = (
    Route(
        method="POST",
        path="/v1/contacts/sync",
        handler=ask_for_sync,
        access=Access.USER_OR_SERVICE,
        summary="Read what changed at Google, and write what differs",
        query=SyncQuery,
        max_body=MAX_BODY,
        returns=JobOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Conflict),
        tags=("operations",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/connections/{id}/confirm",
        handler=confirm,
        access=Access.USER_OR_SERVICE,
        summary="Say yes to what the first writing would do",
        max_body=MAX_BODY,
        returns=ConfirmedOut,
        idempotent=True,
        errors=(NotFound, Conflict),
        tags=("connections",),
    ),
)
