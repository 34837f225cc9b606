"""HTTP handler that ends the calendar of a connection, once our own events are out of it."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common.connections import State
from libs.common.db import POOL, transaction
from libs.common.errors import NotFound
from libs.common.web import Access, Route, caller, path_uuid, read_query, reply, seen_by
from services.calendar.domain.leaving import Removal
from services.calendar.store import connections
from services.calendar.store.outgoing import count_open
from services.calendar.sync.outward.leaving import Leaving

LEAVING = web.AppKey("leaving", Leaving)


class LeaveQuery(BaseModel):
    """What becomes of what is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    remove_events: Removal = Field(
        default=Removal.FUTURE,
        description="Take mirrored appointments out of Google that end after now, all, or none",
    )
    purge: bool = Field(default=False, description="Also remove what was read")


class LeaveOut(BaseModel):
    """What is being taken out of Google."""

    connection_id: UUID
    removing: int = Field(description="Events that were queued to go just now")
    left: int = Field(description="Changes that Google has not got yet; at 0 the connection ends")
    ends_by: datetime = Field(
        description="It ends then at the latest, whatever is left; or when it has ended"
    )


async def leave(request: web.Request) -> web.Response:
    """DELETE /v1/calendar/connections/{id}: end it after what has to go went from Google."""
    who, connection_id = caller(request), path_uuid(request)
    query, leaving = read_query(request, LeaveQuery), request.app[LEAVING]
    async with transaction(request.app[POOL]) as conn:
        await connections.get_connection(conn, who.tenant_id, connection_id, user_id=seen_by(who))
        connection = await connections.lock_connection(conn, who.tenant_id, connection_id)
        if connection is None:
            raise NotFound("There is no such connection.")
        ends_by, removing = connection.updated_at, 0
        if connection.state is not State.DISCONNECTED:
            ends_by, removing = await leaving.ask(
                conn, connection, removal=query.remove_events, purge=query.purge
            )
        left = await count_open(conn, who.tenant_id, connection_id)
    shown = LeaveOut(connection_id=connection_id, removing=removing, left=left, ends_by=ends_by)
    return reply(shown, status=202)


ROUTES = (
    Route(
        method="DELETE",
        path="/v1/calendar/connections/{id}",
        handler=leave,
        access=Access.USER_OR_SERVICE,
        summary="End the calendar, once mirrored appointments are out of Google",
        query=LeaveQuery,
        returns=LeaveOut,
        status=202,
        errors=(NotFound,),
        tags=("connections",),
    ),
)
