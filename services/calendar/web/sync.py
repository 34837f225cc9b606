"""Asking for calendars to be compared with Google: a job that feeds work off."""

from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common import idempotency, jobs
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, NotFound
from libs.common.operations.models import JobOut
from libs.common.waiting import WaitQuery
from libs.common.web import Access, Route, caller, read_body, read_bytes, read_query, reply, seen_by
from services.calendar.domain.preferences import MOST_DAYS
from services.calendar.store import connections as store
from services.calendar.sync.asking import Asking

ASKING = web.AppKey("asking", Asking)
MAX_BODY = 65_536
TIMEOUT_S = 45.0


class SyncRequest(BaseModel):
    """Whose calendars to bring into step, and how far back and ahead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_id: UUID
    days_back: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        description="From how many days ago on; left out: the settings'",
    )
    days_forward: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        description="Until how many days ahead appointments are mirrored; left out: the settings'",
    )


async def ask_for_sync(request: web.Request) -> web.Response:
    """POST /v1/calendar/sync: 202 and a job; with `?wait=30` the job as it is by then."""
    who, wanted = caller(request), await read_body(request, SyncRequest)
    wait, pool = read_query(request, WaitQuery).wait, request.app[POOL]
    async with pool.acquire() as conn:
        found = await store.get_connection(
            conn, who.tenant_id, wanted.connection_id, user_id=seen_by(who)
        )
    async with transaction(pool) as conn:
        if (
            answered := await idempotency.claim(conn, request, await read_bytes(request))
        ) is not None:
            return answered
        job = await request.app[ASKING].sync(
            conn, found, days_back=wanted.days_back, days_forward=wanted.days_forward
        )
        response = _accepted(job)
        await idempotency.keep(conn, request, response)
    if wait:
        job = await jobs.wait_for_job(pool, who.tenant_id, job.id, timeout_s=wait)
        return _accepted(job)
    return response


def _accepted(job: jobs.Job) -> web.Response:
    location = {"Location": f"/v1/calendar/jobs/{job.id}"}
    return reply(JobOut.model_validate(job), status=202, headers=location)


ROUTES = (
    Route(
        method="POST",
        path="/v1/calendar/sync",
        handler=ask_for_sync,
        access=Access.USER_OR_SERVICE,
        summary="Compare all calendars of a connection, and repair the difference",
        query=WaitQuery,
        body=SyncRequest,
        max_body=MAX_BODY,
        returns=JobOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Conflict),
        tags=("operations",),
    ),
)
