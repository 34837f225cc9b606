"""HTTP handlers on people's calendars, and on which of them are read."""

from aiohttp import web

from libs.common import clock
from libs.common.connections.access import readable
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, InvalidInput, NotFound
from libs.common.web import Access, Route, caller, read_body, read_query, reply, seen_by
from services.calendar.store import calendars as store
from services.calendar.store import connections
from services.calendar.sync.feeds import follow_choice, wake, work_address
from services.calendar.web.models import CalendarOut, CalendarsOut, CalendarsQuery, Choice


async def read_calendars(request: web.Request) -> web.Response:
    """GET /v1/calendar/calendars: those of every connection the caller may see."""
    who, query = caller(request), read_query(request, CalendarsQuery)
    async with transaction(request.app[POOL]) as conn:
        mine = await connections.list_connections(conn, who.tenant_id, seen_by(who))
        ids = [one.id for one in mine if query.connection_id in (None, one.id)]
        found = await store.list_calendars(conn, who.tenant_id, ids)
    return reply(CalendarsOut(items=[CalendarOut.model_validate(one) for one in found]))


async def choose_calendars(request: web.Request) -> web.Response:
    """PUT /v1/calendar/calendars: read these of a connection, and let others go."""
    who, wanted = caller(request), await read_body(request, Choice)
    now = clock.now()
    async with transaction(request.app[POOL]) as conn:
        connection = readable(
            await connections.get_connection(
                conn, who.tenant_id, wanted.connection_id, user_id=seen_by(who)
            )
        )
        await connections.lock_connection(conn, who.tenant_id, connection.id)
        known = {one.id for one in await store.list_calendars(conn, who.tenant_id, [connection.id])}
        for place, one in enumerate(wanted.calendar_ids):
            if one not in known:
                raise InvalidInput.field(f"calendar_ids[{place}]", "is no calendar of theirs")
        await store.choose(conn, who.tenant_id, connection.id, wanted.calendar_ids)
        await wake(conn, work_address(connection.id), now=now)
        if connection.is_read:
            await follow_choice(conn, connection, now=now, audit_every=None)
        found = await store.list_calendars(conn, who.tenant_id, [connection.id])
    return reply(CalendarsOut(items=[CalendarOut.model_validate(one) for one in found]))


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/calendars",
        handler=read_calendars,
        access=Access.USER_OR_SERVICE,
        summary="List calendars, and which of them are read",
        query=CalendarsQuery,
        returns=CalendarsOut,
        tags=("calendars",),
    ),
    Route(
        method="PUT",
        path="/v1/calendar/calendars",
        handler=choose_calendars,
        access=Access.USER_OR_SERVICE,
        summary="Choose which calendars of a connection are read",
        body=Choice,
        returns=CalendarsOut,
        errors=(NotFound, Conflict),
        tags=("calendars",),
    ),
)
