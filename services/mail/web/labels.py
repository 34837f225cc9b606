"""HTTP handler on the names of labels."""

from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common.db import POOL, transaction
from libs.common.errors import NotFound
from libs.common.web import Access, Route, caller, read_query, reply, seen_by
from services.mail.store import connections
from services.mail.store import labels as store


class LabelsQuery(BaseModel):
    """Whose labels to list: an id is only the mailbox's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_id: UUID = Field(description="The connection they belong to")


class LabelOut(BaseModel):
    """A label of a mailbox."""

    id: str = Field(description="Gmail's, as messages carry it")
    name: str
    type: Literal["system", "user"]


class LabelList(BaseModel):
    """All labels of a mailbox."""

    items: list[LabelOut]


async def read_labels(request: web.Request) -> web.Response:
    """GET /v1/mail/labels: the system's first, by name."""
    who, query = caller(request), read_query(request, LabelsQuery)
    async with transaction(request.app[POOL]) as conn:
        await connections.get_connection(
            conn, who.tenant_id, query.connection_id, user_id=seen_by(who)
        )
        rows = await store.list_labels(conn, who.tenant_id, query.connection_id)
    items = [
        LabelOut.model_validate({"id": row.google_id, "name": row.name, "type": row.type})
        for row in rows
    ]
    return reply(LabelList(items=items))


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/labels",
        handler=read_labels,
        access=Access.USER_OR_SERVICE,
        summary="List a mailbox's labels with their names",
        query=LabelsQuery,
        returns=LabelList,
        errors=(NotFound,),
        tags=("labels",),
    ),
)
