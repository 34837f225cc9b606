"""HTTP handlers on messages: decode, one transaction, respond."""

from aiohttp import web

from libs.common import pagination
from libs.common.db import POOL, transaction
from libs.common.web import Caller, caller, path_uuid, read_body, read_query, reply
from services.mail.store import messages as store
from services.mail.store.messages import StoredMessage
from services.mail.sync.labels import LabelWriter
from services.mail.web.models import (
    AttachmentOut,
    LabelChange,
    Labels,
    MessageOut,
    MessagePage,
    MessagePosition,
    MessageQuery,
    MessageSummary,
    PersonOut,
)

LABELS = web.AppKey("labels", LabelWriter)


def seen_by(who: Caller) -> str | None:
    """Return whose mailboxes a caller may see: a user's own; None: all of a service's tenant."""
    return who.user_id if who.kind == "user" else None


async def read_messages(request: web.Request) -> web.Response:
    """GET /v1/mail/messages: newest first."""
    who, query = caller(request), read_query(request, MessageQuery)
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
    kept, next_cursor = pagination.cut(rows, limit=query.limit, position=_position)
    return reply(MessagePage(items=[_summary(row) for row in kept], next_cursor=next_cursor))


async def read_message(request: web.Request) -> web.Response:
    """GET /v1/mail/messages/{id}: one message with its text."""
    who, message_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        row = await store.get_message(conn, who.tenant_id, message_id, user_id=seen_by(who))
    return reply(_whole(row))


async def change_labels(request: web.Request) -> web.Response:
    """POST /v1/mail/messages/{id}/labels: change them at Google; they come back by history."""
    who, message_id = caller(request), path_uuid(request)
    change = await read_body(request, LabelChange)
    async with transaction(request.app[POOL]) as conn:
        row = await store.get_message(conn, who.tenant_id, message_id, user_id=seen_by(who))
    labels = await request.app[LABELS].change(
        who.tenant_id, row, add=change.add, remove=change.remove
    )
    return reply(Labels(labels=sorted(labels)))


def _position(row: StoredMessage) -> MessagePosition:
    return MessagePosition(date=row.internal_date, id=row.id)


def _people(people: tuple[object, ...]) -> list[PersonOut]:
    return [PersonOut.model_validate(one) for one in people]


def _summary(row: StoredMessage) -> MessageSummary:
    content = row.content
    return MessageSummary(
        id=row.id,
        connection_id=row.connection_id,
        google_message_id=row.google_id,
        thread_id=row.thread_id,
        direction=row.direction,
        sender=None if content.sender is None else PersonOut.model_validate(content.sender),
        to=_people(content.to),
        cc=_people(content.cc),
        subject=content.subject,
        snippet=row.snippet,
        labels=list(row.labels),
        has_attachments=any(not one.inline for one in content.attachments),
        occurred_at=row.internal_date,
    )


def _whole(row: StoredMessage) -> MessageOut:
    content = row.content
    return MessageOut(
        **_summary(row).model_dump(),
        bcc=_people(content.bcc),
        text=content.text,
        attachments=[AttachmentOut.model_validate(one) for one in content.attachments],
        rfc822_message_id=content.rfc822_message_id,
        in_reply_to=content.in_reply_to,
        references=list(content.references),
        size=row.size,
    )
