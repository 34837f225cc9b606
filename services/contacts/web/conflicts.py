"""HTTP handlers on conflicts: what both sides changed, who somebody is, and what is chosen."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common import clock, idempotency, pagination
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, InvalidInput, NotFound, RateLimited
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
from services.contacts.store import conflicts as store
from services.contacts.store import connections
from services.contacts.store.conflicts import ConflictKind
from services.contacts.sync.changing.conflicts import resolve_fields, resolve_match
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.intake import Intake
from services.contacts.web.choosing import visible

INTAKE = web.AppKey("conflicts_intake", Intake)
MAX_BODY = 65_536

Side = Literal["google", "crm"]


class ConflictQuery(PageQuery):
    """Which conflicts to list."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")
    state: Literal["open", "resolved"] | None = None
    kind: Literal["fields", "match"] | None = None


class ConflictOut(BaseModel):
    """What a person has to choose."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: Literal["fields", "match"] = Field(
        description="fields: both sides changed the same; match: a person may be several contacts"
    )
    connection_id: UUID
    resource: str = Field(description="The person at Google")
    contact_id: UUID | None = Field(description="Of fields: whose")
    candidates: list[UUID] = Field(description="Of a match: who it could be")
    base: dict[str, Any] = Field(description="By key: as both sides last agreed on them")
    ours: dict[str, Any] = Field(description="As the CRM wants them")
    theirs: dict[str, Any] = Field(
        description="As Google has them; of a match: all that Google has of the person"
    )
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
    """What is chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choice: Side | dict[str, Side] | None = Field(
        default=None, description="Of fields: whose value stays, of all keys or of each"
    )
    contact: UUID | Literal["new", "ignore"] | None = Field(
        default=None,
        description="Of a match: which candidate it is; new: a contact of its own; ignore: none",
    )


async def read_conflicts(request: web.Request) -> web.Response:
    """GET /v1/contacts/conflicts: newest first."""
    who, query = caller(request), read_query(request, ConflictQuery)
    before = pagination.decode_cursor(query.cursor, Position)
    async with transaction(request.app[POOL]) as conn:
        rows = await store.list_conflicts(
            conn,
            who.tenant_id,
            await visible(conn, who, query.connection_id),
            state=query.state,
            kind=query.kind,
            before=None if before is None else before.id,
            limit=query.limit + 1,
        )
    kept, cursor = pagination.cut(rows, limit=query.limit, position=lambda row: Position(id=row.id))
    items = [ConflictOut.model_validate(row) for row in kept]
    return reply(ConflictPage(items=items, next_cursor=cursor))


async def resolve_conflict(request: web.Request) -> web.Response:
    """POST /v1/contacts/conflicts/{id}/resolve: what is the CRM's is written to Google."""
    who, conflict_id = caller(request), path_uuid(request)
    wanted, raw = await read_body(request, Resolution), await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        found = await store.find_conflict(conn, who.tenant_id, conflict_id)
        if found is None:
            raise NotFound("There is no such conflict.")
        connection = await connections.get_connection(
            conn, who.tenant_id, found.connection_id, user_id=seen_by(who)
        )
        by = f"{who.kind}:{who.subject}"
        if found.kind == ConflictKind.FIELDS:
            if wanted.choice is None:
                raise InvalidInput.field("choice", "is needed for a conflict of fields")
            ended = await resolve_fields(turn, connection, found, wanted.choice, by=by)
        else:
            if wanted.contact is None:
                raise InvalidInput.field("contact", "is needed for a match")
            intake = request.app[INTAKE]
            ended = await resolve_match(turn, intake, connection, found, wanted.contact, by=by)
        await turn.end()
        response = reply(ConflictOut.model_validate(ended))
        await idempotency.keep(conn, request, response)
    return response


ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts/conflicts",
        handler=read_conflicts,
        access=Access.USER_OR_SERVICE,
        summary="List what a person has to choose, newest first",
        query=ConflictQuery,
        returns=ConflictPage,
        tags=("conflicts",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/conflicts/{id}/resolve",
        handler=resolve_conflict,
        access=Access.USER_OR_SERVICE,
        summary="Choose whose value stays, or who somebody is",
        body=Resolution,
        max_body=MAX_BODY,
        returns=ConflictOut,
        idempotent=True,
        errors=(NotFound, Conflict, RateLimited),
        tags=("conflicts",),
    ),
)
