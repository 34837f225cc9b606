"""HTTP handlers on messages: decode, one transaction, respond."""

from collections.abc import Iterable
from typing import Literal

from aiohttp import web

from libs.common import pagination
from libs.common.db import POOL, transaction
from libs.common.errors import InvalidInput, NotFound
from libs.common.web import Access, Route, caller, path_uuid, read_query, reply, seen_by
from services.mail.domain.message import Keep, Person
from services.mail.store import reading as store
from services.mail.store.entities import list_entities
from services.mail.store.reading import StoredMessage
from services.mail.web.models import (
    AttachmentOut,
    CalendarOut,
    EntityOut,
    MessageOut,
    MessagePage,
    MessagePosition,
    MessageQuery,
    MessageSummary,
    PersonOut,
    ReportOut,
)

KEPT: dict[Keep, Literal["whole", "snippet", "metadata"]] = {
    Keep.WHOLE: "whole",
    Keep.SNIPPET: "snippet",
    Keep.METADATA: "metadata",
}


async def read_messages(request: web.Request) -> web.Response:
    """GET /v1/mail/messages: newest first."""
    who, query = caller(request), read_query(request, MessageQuery)
    if (query.entity_type is None) != (query.entity_id is None):
        missing = "entity_type" if query.entity_type is None else "entity_id"
        raise InvalidInput.field(missing, "must be given beside the other")
    before = pagination.decode_cursor(query.cursor, MessagePosition)
    wanted = store.Wanted(
        tenant_id=who.tenant_id,
        user_id=seen_by(who),
        before=None if before is None else (before.date, before.id),
        limit=query.limit + 1,
        **query.model_dump(exclude={"cursor", "limit"}),
    )
    async with transaction(request.app[POOL]) as conn:
        rows = await store.list_messages(conn, wanted)
    kept, next_cursor = pagination.cut(rows, limit=query.limit, position=position)
    return reply(MessagePage(items=[summary(row) for row in kept], next_cursor=next_cursor))


async def read_message(request: web.Request) -> web.Response:
    """GET /v1/mail/messages/{id}: one message with its text."""
    who, message_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        row = await store.get_message(conn, who.tenant_id, message_id, user_id=seen_by(who))
        entities = await list_entities(conn, who.tenant_id, [message_id])
    return reply(whole(row, entities[message_id]))


def position(row: StoredMessage) -> MessagePosition:
    """Return where a message stands in a list."""
    return MessagePosition(date=row.internal_date, id=row.id)


def people(found: Iterable[Person]) -> list[PersonOut]:
    """Return people as they are shown."""
    return [PersonOut.model_validate(one) for one in found]


def summary(row: StoredMessage) -> MessageSummary:
    """Return a message as lists show it."""
    content = row.content
    return MessageSummary(
        id=row.id,
        connection_id=row.connection_id,
        google_message_id=row.google_id,
        thread_id=row.thread_id,
        direction=row.direction,
        sender=None if content.sender is None else PersonOut.model_validate(content.sender),
        to=people(content.to),
        cc=people(content.cc),
        subject=content.subject,
        snippet=row.snippet,
        labels=list(row.labels),
        has_attachments=any(not one.inline for one in content.attachments),
        occurred_at=row.internal_date,
        kept=KEPT[row.kept],
        user_id=row.user_id,
        visibility=row.visibility,
        withheld=not row.in_full,
    )


def whole(row: StoredMessage, entities: Iterable[tuple[str, str]]) -> MessageOut:
    """Return a message with its text, and the entities (type, id) it concerns."""
    content = row.content
    return MessageOut(
        **summary(row).model_dump(),
        bcc=people(content.bcc),
        text=content.text,
        attachments=[AttachmentOut.model_validate(one) for one in content.attachments],
        rfc822_message_id=content.rfc822_message_id,
        in_reply_to=content.in_reply_to,
        references=list(content.references),
        size=row.size,
        html=content.html,
        new_text=content.new_text,
        sent_at=content.date,
        calendar=[CalendarOut.model_validate(one) for one in content.calendar],
        report=None if content.report is None else ReportOut.model_validate(content.report),
        entities=[EntityOut(type=kind, id=entity_id) for kind, entity_id in entities],
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/mail/messages",
        handler=read_messages,
        access=Access.USER_OR_SERVICE,
        summary="List messages, newest first",
        query=MessageQuery,
        returns=MessagePage,
        tags=("messages",),
    ),
    Route(
        method="GET",
        path="/v1/mail/messages/{id}",
        handler=read_message,
        access=Access.USER_OR_SERVICE,
        summary="Read one message with its text",
        returns=MessageOut,
        errors=(NotFound,),
        tags=("messages",),
    ),
)
