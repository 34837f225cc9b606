"""HTTP handlers on threads."""

from datetime import datetime
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import pagination
from libs.common.db import POOL, transaction
from libs.common.errors import NotFound
from libs.common.pagination import Page, PageQuery
from libs.common.web import Access, Route, caller, read_query, reply, seen_by
from services.mail.domain.visibility import Visibility
from services.mail.store import threads as store
from services.mail.store.entities import list_entities
from services.mail.store.threads import Thread
from services.mail.web.messages import people, position, whole
from services.mail.web.models import MessageOut, MessagePosition, PersonOut

LONGEST_ID = 256


class ThreadsQuery(PageQuery):
    """Which threads to list."""

    connection_id: UUID | None = Field(default=None, description="Only of this connection")


class ThreadQuery(PageQuery):
    """Whose thread it is: its id is only the mailbox's."""

    connection_id: UUID = Field(description="The connection it belongs to")


class ThreadOut(BaseModel):
    """A thread in a list."""

    thread_id: str
    connection_id: UUID
    subject: str = Field(description="Of its first message")
    participants: list[PersonOut] = Field(description="In order of appearance, at most 20")
    messages: int
    unread: int
    has_attachments: bool
    snippet: str = Field(description="Of its newest message")
    last_message_at: datetime
    user_id: str = Field(description="Whose mailbox it is in")
    visibility: Visibility = Field(description="What that mailbox's owner lets colleagues see")
    withheld: bool = Field(description="Only people, dates and ids are shown")


ThreadPage = Page[ThreadOut]
ThreadMessages = Page[MessageOut]


async def read_threads(request: web.Request) -> web.Response:
    """GET /v1/mail/threads: newest activity first."""
    who, query = caller(request), read_query(request, ThreadsQuery)
    before = pagination.decode_cursor(query.cursor, MessagePosition)
    wanted = store.WantedThreads(
        tenant_id=who.tenant_id,
        user_id=seen_by(who),
        connection_id=query.connection_id,
        before=None if before is None else (before.date, before.id),
        limit=query.limit + 1,
    )
    async with transaction(request.app[POOL]) as conn:
        rows = await store.list_threads(conn, wanted)
    kept, next_cursor = pagination.cut(rows, limit=query.limit, position=_position)
    return reply(ThreadPage(items=[_thread(row) for row in kept], next_cursor=next_cursor))


async def read_thread(request: web.Request) -> web.Response:
    """GET /v1/mail/threads/{thread_id}: its messages with their text, oldest first."""
    who, query = caller(request), read_query(request, ThreadQuery)
    thread_id = _thread_id(request)
    after = pagination.decode_cursor(query.cursor, MessagePosition)
    async with transaction(request.app[POOL]) as conn:
        rows = await store.list_thread_messages(
            conn,
            who.tenant_id,
            query.connection_id,
            thread_id,
            user_id=seen_by(who),
            after=None if after is None else (after.date, after.id),
            limit=query.limit + 1,
        )
        entities = await list_entities(conn, who.tenant_id, [row.id for row in rows])
    if not rows and after is None:
        raise NotFound("There is no such thread.")
    kept, next_cursor = pagination.cut(rows, limit=query.limit, position=position)
    items = [whole(row, entities[row.id]) for row in kept]
    return reply(ThreadMessages(items=items, next_cursor=next_cursor))


def _thread_id(request: web.Request) -> str:
    """Return the path's variable.

    Raises:
        NotFound: no thread can be called so.
    """
    text = request.match_info["thread_id"]
    if not (text.isascii() and text.isprintable()) or len(text) > LONGEST_ID:
        raise NotFound("There is no such thread.")
    return text


def _position(row: Thread) -> MessagePosition:
    return MessagePosition(date=row.last_message_at, id=row.last_message_id)


def _thread(row: Thread) -> ThreadOut:
    return ThreadOut(
        thread_id=row.thread_id,
        connection_id=row.connection_id,
        subject=row.subject,
        participants=people(row.participants),
        messages=row.messages,
        unread=row.unread,
        has_attachments=row.has_attachments,
        snippet=row.snippet,
        last_message_at=row.last_message_at,
        user_id=row.user_id,
        visibility=row.visibility,
        withheld=not row.in_full,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/threads",
        handler=read_threads,
        access=Access.USER_OR_SERVICE,
        summary="List threads, that with the newest message first",
        query=ThreadsQuery,
        returns=ThreadPage,
        tags=("threads",),
    ),
    Route(
        method="GET",
        path="/v1/mail/threads/{thread_id}",
        handler=read_thread,
        access=Access.USER_OR_SERVICE,
        summary="Read a thread's messages with their text, oldest first",
        query=ThreadQuery,
        returns=ThreadMessages,
        errors=(NotFound,),
        tags=("threads",),
    ),
)
