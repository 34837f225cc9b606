"""Asking for more of a mailbox: a job that a feed works off."""

from aiohttp import web

from libs.common import idempotency, jobs
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, NotFound, Transient
from libs.common.operations.models import JobOut
from libs.common.waiting import WaitQuery
from libs.common.web import Access, Route, caller, read_body, read_bytes, read_query, reply, seen_by
from services.mail.store import connections as store
from services.mail.sync.asking import Asking
from services.mail.web.connection_models import SyncRequest

ASKING = web.AppKey("asking", Asking)
MAX_BODY = 65_536
TIMEOUT_S = 45.0


async def ask_for_sync(request: web.Request) -> web.Response:
    """POST /v1/mail/sync: 202 and a job; with `?wait=30` the job as it is by then."""
    who, wanted = caller(request), await read_body(request, SyncRequest)
    wait = read_query(request, WaitQuery).wait
    asking, pool = request.app[ASKING], request.app[POOL]
    async with pool.acquire() as conn:
        found = await store.get_connection(
            conn, who.tenant_id, wanted.connection_id, user_id=seen_by(who)
        )
    pin = await asking.pin(found) if wanted.mode == "repair" else None
    async with transaction(pool) as conn:
        if (
            answered := await idempotency.claim(conn, request, await read_bytes(request))
        ) is not None:
            return answered
        job = (
            await asking.backfill(conn, found, days=wanted.days)
            if pin is None
            else await asking.repair(conn, found, pin=pin)
        )
        response = _accepted(job)
        await idempotency.keep(conn, request, response)
    if wait:
        job = await jobs.wait_for_job(pool, who.tenant_id, job.id, timeout_s=wait)
        return _accepted(job)
    return response


def _accepted(job: jobs.Job) -> web.Response:
    location = {"Location": f"/v1/mail/jobs/{job.id}"}
    return reply(JobOut.model_validate(job), status=202, headers=location)


ROUTES = (
    Route(
        method="POST",
        path="/v1/mail/sync",
        handler=ask_for_sync,
        access=Access.USER_OR_SERVICE,
        summary="Take in older mail, or compare the whole mailbox and repair the difference",
        query=WaitQuery,
        body=SyncRequest,
        max_body=MAX_BODY,
        returns=JobOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Conflict, Transient),
        tags=("operations",),
    ),
)
