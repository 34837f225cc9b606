"""HTTP handler that ends the calendar of a connection, once our own events are out of it."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common.connections import State
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, NotFound
from libs.common.web import Access, Route, caller, path_uuid, read_query, reply, seen_by
from services.calendar.domain.leaving import Removal
from services.calendar.store import connections
from services.calendar.sync.outward.leaving import Leaving

LEAVING = web.AppKey("leaving", Leaving)


class LeaveQuery(BaseModel):
    """What becomes of what is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    remove_events: Removal | None = Field(
        default=None,
        description="Take mirrored appointments out of Google that end after now, all, or none;"
        " `future` where nobody has said",
    )
    purge: bool = Field(default=False, description="Also remove what was read")


class LeaveOut(BaseModel):
    """What is being taken out of Google."""

    connection_id: UUID
    removing: int = Field(description="Mirrored appointments that have to go")
    left: int = Field(description="Changes that Google has not got yet; then the connection ends")
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
        over = connection.state is State.DISCONNECTED
        if over and not query.purge:
            done = LeaveOut(
                connection_id=connection_id, removing=0, left=0, ends_by=connection.updated_at
            )
            return reply(done, status=202)
        asked = await leaving.ask(conn, connection, removal=query.remove_events, purge=query.purge)
        removing, left = await leaving.count_left(conn, connection, asked)
    shown = LeaveOut(connection_id=connection_id, removing=removing, left=left, ends_by=asked.by)
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
        errors=(NotFound, Conflict),
        tags=("connections",),
    ),
)
