"""HTTP handlers on full text."""

from uuid import UUID

from aiohttp import web
from pydantic import Field

from libs.common import pagination
from libs.common.db import POOL, transaction
from libs.common.pagination import PageQuery
from libs.common.web import Access, Route, caller, read_query, reply, seen_by
from services.mail.domain.search import compile_query
from services.mail.domain.search.language import LONGEST
from services.mail.store import search as store
from services.mail.web.messages import position, summary
from services.mail.web.models import MessagePage, MessagePosition


class SearchMessages(PageQuery):
    """What to look for, and where."""

    q: str = Field(
        description='Words, "phrases", -not, OR, ( ), from: to: subject: after: before: '
        "has:attachment label:id entity:type/id",
        json_schema_extra={"minLength": 1, "maxLength": LONGEST},
    )
    connection_id: UUID | None = Field(default=None, description="Only in this connection's mail")


async def search_messages(request: web.Request) -> web.Response:
    """GET /v1/mail/search: newest first."""
    who, query = caller(request), read_query(request, SearchMessages)
    before = pagination.decode_cursor(query.cursor, MessagePosition)
    wanted = store.Searched(
        tenant_id=who.tenant_id,
        user_id=seen_by(who),
        query=compile_query(query.q),
        connection_id=query.connection_id,
        before=None if before is None else (before.date, before.id),
        limit=query.limit + 1,
    )
    async with transaction(request.app[POOL]) as conn:
        rows = await store.search_messages(conn, wanted)
    kept, next_cursor = pagination.cut(rows, limit=query.limit, position=position)
    return reply(MessagePage(items=[summary(row) for row in kept], next_cursor=next_cursor))


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/search",
        handler=search_messages,
        access=Access.USER_OR_SERVICE,
        summary="Search messages, newest first",
        query=SearchMessages,
        returns=MessagePage,
        tags=("messages",),
    ),
)
