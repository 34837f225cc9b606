"""HTTP handlers on what is kept of a connection's mail, and on pauses."""

from aiohttp import web

from libs.common import jobs
from libs.common.db import POOL, transaction
from libs.common.errors import NotFound, Transient
from libs.common.waiting import LONGEST_WAIT_S, WaitQuery
from libs.common.web import (
    Access,
    Caller,
    Route,
    caller,
    path_uuid,
    read_body,
    read_query,
    reply,
    seen_by,
)
from services.mail.store import connections as store
from services.mail.sync.pausing import Pausing
from services.mail.sync.settings import SettingsWriter
from services.mail.web.settings_models import (
    ConnectionSettings,
    Paused,
    PauseOut,
    TenantPauseOut,
)

MAX_BODY = 1_048_576
"""A blocklist may be long."""
MAX_PAUSE = 1024
TIMEOUT_S = LONGEST_WAIT_S + 15.0

WRITER = web.AppKey("settings_writer", SettingsWriter)
PAUSING = web.AppKey("pausing", Pausing)


async def read_settings(request: web.Request) -> web.Response:
    """GET /v1/mail/connections/{id}/settings."""
    who, connection_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
    return reply(ConnectionSettings.of(found))


async def write_settings(request: web.Request) -> web.Response:
    """PUT /v1/mail/connections/{id}/settings: all of them, for mail to come and mail that is here.

    The `Location` of a job says how far the latter is; with `?wait=30` it is waited for.
    """
    who, connection_id = caller(request), path_uuid(request)
    wanted, wait = await read_body(request, ConnectionSettings), read_query(request, WaitQuery).wait
    pool = request.app[POOL]
    async with pool.acquire() as conn:
        found = await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
    async with transaction(pool) as conn:
        changed, job = await request.app[WRITER].put(
            conn,
            found,
            policy=wanted.policy,
            preferences=wanted.preferences(),
            backfill_days=wanted.backfill_days,
            visibility=wanted.visibility,
        )
    headers = {}
    if job is not None:
        headers["Location"] = f"/v1/mail/jobs/{job.id}"
        if wait:
            await jobs.wait_for_job(pool, who.tenant_id, job.id, timeout_s=wait)
    return reply(ConnectionSettings.of(changed), headers=headers)


async def pause(request: web.Request) -> web.Response:
    """POST /v1/mail/connections/{id}/pause: read it no more until it is resumed."""
    return await _set_paused(request, paused=True)


async def resume(request: web.Request) -> web.Response:
    """POST /v1/mail/connections/{id}/resume: go on from where it stands."""
    return await _set_paused(request, paused=False)


async def _set_paused(request: web.Request, *, paused: bool) -> web.Response:
    who, connection_id, pausing = caller(request), path_uuid(request), request.app[PAUSING]
    pool = request.app[POOL]
    async with pool.acquire() as conn:
        found = await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
    async with transaction(pool) as conn:
        if paused:
            changed = await pausing.pause(conn, found, by=_name(who))
        else:
            changed = await pausing.resume(conn, found)
    return reply(PauseOut(connection_id=changed.id, paused=Paused.of(changed)))


async def pause_all(request: web.Request) -> web.Response:
    """POST /v1/mail/pause: read none of the tenant's mailboxes until they are resumed."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        count = await request.app[PAUSING].pause_all(conn, who.tenant_id, by=_name(who))
    return reply(TenantPauseOut(paused=True, connections=count))


async def resume_all(request: web.Request) -> web.Response:
    """POST /v1/mail/resume: go on with all but what was paused by itself."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        count = await request.app[PAUSING].resume_all(conn, who.tenant_id)
    return reply(TenantPauseOut(paused=False, connections=count))


def _name(who: Caller) -> str:
    return f"{who.kind}:{who.subject}"


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/connections/{id}/settings",
        handler=read_settings,
        access=Access.USER_OR_SERVICE,
        summary="What is kept of a connection's mail",
        returns=ConnectionSettings,
        errors=(NotFound,),
        tags=("connections",),
    ),
    Route(
        method="PUT",
        path="/v1/mail/connections/{id}/settings",
        handler=write_settings,
        access=Access.USER_OR_SERVICE,
        summary="Set what is kept of a connection's mail, of the past too; Location: the job of it",
        query=WaitQuery,
        body=ConnectionSettings,
        max_body=MAX_BODY,
        returns=ConnectionSettings,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Transient),
        tags=("connections",),
    ),
    Route(
        method="POST",
        path="/v1/mail/connections/{id}/pause",
        handler=pause,
        access=Access.USER_OR_SERVICE,
        summary="Read a mailbox no more until it is resumed; nothing is lost",
        returns=PauseOut,
        max_body=MAX_PAUSE,
        errors=(NotFound,),
        tags=("connections",),
    ),
    Route(
        method="POST",
        path="/v1/mail/connections/{id}/resume",
        handler=resume,
        access=Access.USER_OR_SERVICE,
        summary="Go on with a mailbox that was paused, from where it stands",
        returns=PauseOut,
        max_body=MAX_PAUSE,
        errors=(NotFound,),
        tags=("connections",),
    ),
    Route(
        method="POST",
        path="/v1/mail/pause",
        handler=pause_all,
        access=Access.SERVICE,
        summary="Pause all of the tenant's mailboxes, those to come included",
        returns=TenantPauseOut,
        max_body=MAX_PAUSE,
        tags=("connections",),
    ),
    Route(
        method="POST",
        path="/v1/mail/resume",
        handler=resume_all,
        access=Access.SERVICE,
        summary="Go on with the tenant's mailboxes, but those that were paused by themselves",
        returns=TenantPauseOut,
        max_body=MAX_PAUSE,
        tags=("connections",),
    ),
)
