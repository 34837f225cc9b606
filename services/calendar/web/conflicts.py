"""HTTP handlers on conflicts: what both sides changed, and whose value stays."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common import idempotency, pagination
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, NotFound, RateLimited
from libs.common.pagination import Page, PageQuery
from libs.common.web import (
    Access,
    Route,
    caller,
    path_uuid,
    read_body,
    read_bytes,
    read_query,
    reply,
    seen_by,
)
from services.calendar.domain.event import Notify
from services.calendar.store import conflicts as store
from services.calendar.store import connections
from services.calendar.sync.outward.conflicts import Conflicts
from services.calendar.web.events import visible

CONFLICTS = web.AppKey("conflicts", Conflicts)
MAX_BODY = 65_536

Side = Literal["google", "crm"]


class ConflictQuery(PageQuery):
    """Which conflicts to list."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    state: Literal["open", "resolved"] | None = None


class ConflictOut(BaseModel):
    """Fields that both sides changed, each to another value."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    connection_id: UUID
    calendar_id: UUID
    google_event_id: str = Field(validation_alias="google_id")
    appointment_id: str | None
    base: dict[str, Any] = Field(description="As both sides last agreed on them")
    ours: dict[str, Any] = Field(description="As the CRM wants them")
    theirs: dict[str, Any] = Field(description="As Google has them")
    state: Literal["open", "resolved"]
    choice: dict[str, Any] | None
    created_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


ConflictPage = Page[ConflictOut]


class Position(BaseModel):
    """Where a conflict stands in a list that is newest first."""

    id: UUID


class Resolution(BaseModel):
    """Whose value stays: of all fields, or of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choice: Side | dict[str, Side]
    notify: Notify | None = Field(default=None, description="Whom Google writes to")


async def read_conflicts(request: web.Request) -> web.Response:
    """GET /v1/calendar/conflicts: newest first."""
    who, query = caller(request), read_query(request, ConflictQuery)
    before = pagination.decode_cursor(query.cursor, Position)
    async with transaction(request.app[POOL]) as conn:
        rows = await store.list_conflicts(
            conn,
            who.tenant_id,
            await visible(conn, who, query.connection_id),
            state=query.state,
            before=None if before is None else before.id,
            limit=query.limit + 1,
        )
    kept, cursor = pagination.cut(rows, limit=query.limit, position=lambda row: Position(id=row.id))
    items = [ConflictOut.model_validate(row) for row in kept]
    return reply(ConflictPage(items=items, next_cursor=cursor))


async def resolve_conflict(request: web.Request) -> web.Response:
    """POST /v1/calendar/conflicts/{id}/resolve: what is the CRM's is written to Google."""
    who, conflict_id = caller(request), path_uuid(request)
    wanted, raw = await read_body(request, Resolution), await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        found = await store.find_conflict(conn, who.tenant_id, conflict_id)
        if found is None:
            raise NotFound("There is no such conflict.")
        connection = await connections.get_connection(
            conn, who.tenant_id, found.connection_id, user_id=seen_by(who)
        )
        ended = await request.app[CONFLICTS].resolve(
            conn,
            connection,
            found,
            wanted.choice,
            by=f"{who.kind}:{who.subject}",
            notify=wanted.notify,
        )
        response = reply(ConflictOut.model_validate(ended))
        await idempotency.keep(conn, request, response)
    return response


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/conflicts",
        handler=read_conflicts,
        access=Access.USER_OR_SERVICE,
        summary="List fields that both sides changed, newest first",
        query=ConflictQuery,
        returns=ConflictPage,
        tags=("conflicts",),
    ),
    Route(
        method="POST",
        path="/v1/calendar/conflicts/{id}/resolve",
        handler=resolve_conflict,
        access=Access.USER_OR_SERVICE,
        summary="Choose whose value stays",
        body=Resolution,
        max_body=MAX_BODY,
        returns=ConflictOut,
        idempotent=True,
        errors=(NotFound, Conflict, RateLimited),
        tags=("conflicts",),
    ),
)
