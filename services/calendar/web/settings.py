"""HTTP handlers on what people and tenants want of calendars and appointments."""

from aiohttp import web

from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, NotFound
from libs.common.web import Access, Route, caller, path_uuid, read_body, reply, seen_by
from services.calendar.store import connections as store
from services.calendar.store import tenant_defaults
from services.calendar.sync.settings import SettingsWriter
from services.calendar.web.settings_models import (
    ConnectionSettings,
    ConnectionSettingsOut,
    TenantSettings,
)

MAX_BODY = 131_072

WRITER = web.AppKey("settings_writer", SettingsWriter)


async def read_settings(request: web.Request) -> web.Response:
    """GET /v1/calendar/connections/{id}/settings."""
    who, connection_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
        tenant = await tenant_defaults.find_defaults(conn, who.tenant_id)
    return reply(ConnectionSettingsOut.of(found, tenant))


async def write_settings(request: web.Request) -> web.Response:
    """PUT /v1/calendar/connections/{id}/settings: all of them; they act at once."""
    who, connection_id = caller(request), path_uuid(request)
    wanted = await read_body(request, ConnectionSettings)
    pool = request.app[POOL]
    async with pool.acquire() as conn:
        found = await store.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
    async with transaction(pool) as conn:
        changed = await request.app[WRITER].put(conn, found, wanted.preferences())
        tenant = await tenant_defaults.find_defaults(conn, who.tenant_id)
    return reply(ConnectionSettingsOut.of(changed, tenant))


async def read_defaults(request: web.Request) -> web.Response:
    """GET /v1/calendar/settings."""
    who = caller(request)
    async with request.app[POOL].acquire() as conn:
        found = await tenant_defaults.find_defaults(conn, who.tenant_id)
    return reply(TenantSettings.model_validate(found))


async def write_defaults(request: web.Request) -> web.Response:
    """PUT /v1/calendar/settings: all of them, for every connection that does not say otherwise."""
    who, wanted = caller(request), await read_body(request, TenantSettings)
    async with transaction(request.app[POOL]) as conn:
        await request.app[WRITER].put_defaults(conn, who.tenant_id, wanted.defaults())
    return reply(wanted)


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/connections/{id}/settings",
        handler=read_settings,
        access=Access.USER_OR_SERVICE,
        summary="What is wanted of a connection's calendars and appointments",
        returns=ConnectionSettingsOut,
        errors=(NotFound,),
        tags=("connections",),
    ),
    Route(
        method="PUT",
        path="/v1/calendar/connections/{id}/settings",
        handler=write_settings,
        access=Access.USER_OR_SERVICE,
        summary="Set what is wanted of a connection's calendars; it acts at once",
        body=ConnectionSettings,
        max_body=MAX_BODY,
        returns=ConnectionSettingsOut,
        errors=(NotFound, Conflict),
        tags=("connections",),
    ),
    Route(
        method="GET",
        path="/v1/calendar/settings",
        handler=read_defaults,
        access=Access.USER_OR_SERVICE,
        summary="What holds for all of the tenant's connections that do not say otherwise",
        returns=TenantSettings,
        tags=("connections",),
    ),
    Route(
        method="PUT",
        path="/v1/calendar/settings",
        handler=write_defaults,
        access=Access.SERVICE,
        summary="Set what holds for all of the tenant's connections that do not say otherwise",
        body=TenantSettings,
        max_body=MAX_BODY,
        returns=TenantSettings,
        tags=("connections",),
    ),
)
