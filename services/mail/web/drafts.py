"""HTTP handlers on drafts: written here or in Gmail, and sent from either side."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common import clock, idempotency
from libs.common.db import POOL, transaction
from libs.common.db import Connection as Conn
from libs.common.errors import Conflict, Forbidden, InvalidInput, NotFound, Transient
from libs.common.moments import Moment
from libs.common.pagination import Page
from libs.common.web import Access, Caller, Route, caller, read_body, read_bytes, read_query, reply
from libs.common.web.etags import (
    PreconditionFailed,
    PreconditionRequired,
    check_if_match,
    etag,
)
from libs.common.web.multipart import FORM
from services.mail.domain.sending.outgoing import Outgoing, OutgoingState
from services.mail.store import outgoing as store
from services.mail.sync.feeds import wake_writer
from services.mail.sync.outward.enclosing import Enclosing
from services.mail.sync.outward.submitting import DailyLimit, queue_send
from services.mail.sync.outward.taking_back import discard_draft
from services.mail.web.messages import people
from services.mail.web.models import EntityOut, PersonOut
from services.mail.web.sending import (
    SUBMISSIONS,
    TIMEOUT_S,
    accepted,
    check_time,
    get_outgoing,
    outgoing_page,
    shown,
    submission,
)
from services.mail.web.sending_models import (
    AttachedOut,
    DraftRequest,
    OutgoingQuery,
    SendOut,
)
from services.mail.web.uploads import MAX_BODY, read_message


class DraftOut(BaseModel):
    """A draft."""

    id: UUID = Field(description="Also of the message it becomes")
    connection_id: UUID
    state: Literal["saved", "saving", "conflict"] = Field(
        description="conflict: it was edited in Gmail too; an edit that has seen `gmail` decides"
    )
    version: int
    sender: PersonOut = Field(serialization_alias="from")
    to: list[PersonOut]
    cc: list[PersonOut]
    bcc: list[PersonOut]
    subject: str
    text: str | None
    html: str | None
    attachments: list[AttachedOut]
    entities: list[EntityOut]
    thread_id: str | None
    gmail: dict[str, Any] | None = Field(description="In a conflict: what Gmail has")
    created_by: str
    created_at: datetime


DraftPage = Page[DraftOut]


class SendDraft(BaseModel):
    """When a draft is to be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    send_at: Moment | None = Field(
        default=None, description="At most a year ahead; default: at once"
    )


async def create(request: web.Request) -> web.Response:
    """POST /v1/mail/drafts: 202; it is put into the mailbox soon."""
    who, pool, submissions = caller(request), request.app[POOL], request.app[SUBMISSIONS]
    with Enclosing() as enclosing:
        wanted, told = await read_message(request, DraftRequest, enclosing)
        async with transaction(pool) as conn:
            if (answered := await idempotency.replay(conn, request, told)) is not None:
                return answered
        ready = await submissions.prepare(submission(who, wanted), enclosing)
        async with transaction(pool) as conn:
            if (answered := await idempotency.claim(conn, request, told)) is not None:
                return answered
            await submissions.put_draft(conn, ready)
            response = _accepted(ready.outgoing)
            await idempotency.keep(conn, request, response)
    return response


async def list_drafts(request: web.Request) -> web.Response:
    """GET /v1/mail/drafts: those written here, newest first."""
    query = read_query(request, OutgoingQuery)
    kept, next_cursor = await outgoing_page(request, query, (OutgoingState.DRAFT,))
    return reply(DraftPage(items=[_shown(row) for row in kept], next_cursor=next_cursor))


async def read(request: web.Request) -> web.Response:
    """GET /v1/mail/drafts/{id}, with its `ETag`."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        draft = await _get_draft(conn, request, who)
    return reply(_shown(draft), headers={"ETag": etag(draft.version)})


async def replace_draft(request: web.Request) -> web.Response:
    """PUT /v1/mail/drafts/{id}: all fields; attachments only if it is a form."""
    who, pool, submissions = caller(request), request.app[POOL], request.app[SUBMISSIONS]
    async with transaction(pool) as conn:
        draft = await _get_draft(conn, request, who)
    check_if_match(request, draft.version)
    keeps = request.content_type != FORM
    with Enclosing() as enclosing:
        wanted, _ = await read_message(request, DraftRequest, enclosing)
        if wanted.connection_id not in (None, draft.connection_id):
            raise InvalidInput.field("connection_id", "cannot be changed")
        wish = submission(who, wanted, kept=draft.enclosures if keeps else ())
        ready = await submissions.prepare(
            replace(wish, connection_id=draft.connection_id, with_attachments=not keeps),
            enclosing,
        )
        async with transaction(pool) as conn:
            version = await submissions.edit_draft(conn, draft, ready, keep_enclosures=keeps)
            edited = await _get_draft(conn, request, who)
    return reply(_shown(edited), status=202, headers={"ETag": etag(version)})


async def discard(request: web.Request) -> web.Response:
    """DELETE /v1/mail/drafts/{id}: here at once, in Gmail soon."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        draft = await _get_draft(conn, request, who)
        await discard_draft(conn, draft, now=clock.now())
    return web.Response(status=204)


async def send_draft(request: web.Request) -> web.Response:
    """POST /v1/mail/drafts/{id}/send: as it is in Gmail by then."""
    who, pool, now = caller(request), request.app[POOL], clock.now()
    wanted, raw = await read_body(request, SendDraft), await read_bytes(request)
    check_time(wanted.send_at)
    async with transaction(pool) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        draft = await _get_draft(conn, request, who)
        await request.app[SUBMISSIONS].check_sendable(conn, draft, at=wanted.send_at or now)
        await wake_writer(conn, who.tenant_id, draft.connection_id, now=now)
        if not await store.queue_outgoing(conn, draft, send_at=wanted.send_at):
            raise NotFound("There is no such draft.")
        queued = replace(draft, state=OutgoingState.QUEUED, send_at=wanted.send_at)
        await queue_send(conn, queued, now=now)
        response = accepted(shown(queued))
        await idempotency.keep(conn, request, response)
    return response


async def _get_draft(conn: Conn, request: web.Request, who: Caller) -> Outgoing:
    draft = await get_outgoing(conn, request, who)
    if draft.state is not OutgoingState.DRAFT:
        raise NotFound("There is no such draft.")
    return draft


def _shown(draft: Outgoing) -> DraftOut:
    head, is_conflict = draft.head, draft.reason == "conflict"
    return DraftOut(
        id=draft.id,
        connection_id=draft.connection_id,
        state="conflict" if is_conflict else "saved" if draft.draft_id else "saving",
        version=draft.version,
        sender=PersonOut.model_validate(head.sender),
        to=people(head.to),
        cc=people(head.cc),
        bcc=people(head.bcc),
        subject=head.subject,
        text=draft.text,
        html=draft.html,
        attachments=AttachedOut.of(draft.enclosures),
        entities=[EntityOut(type=one.entity_type, id=one.entity_id) for one in draft.entities],
        thread_id=draft.thread_id,
        gmail=dict(draft.agreed) if is_conflict and draft.agreed else None,
        created_by=draft.created_by,
        created_at=draft.created_at,
    )


def _accepted(draft: Outgoing) -> web.Response:
    headers = {"Location": f"/v1/mail/drafts/{draft.id}", "ETag": etag(draft.version)}
    return reply(_shown(draft), status=202, headers=headers)


ROUTES = (
    Route(
        method="POST",
        path="/v1/mail/drafts",
        handler=create,
        access=Access.USER_OR_SERVICE,
        summary="Write a draft; with attachments: a form, as for sending",
        body=DraftRequest,
        max_body=MAX_BODY,
        returns=DraftOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Forbidden, Conflict, Transient),
        tags=("drafts",),
    ),
    Route(
        method="GET",
        path="/v1/mail/drafts",
        handler=list_drafts,
        access=Access.USER_OR_SERVICE,
        summary="List drafts that were written here, newest first",
        query=OutgoingQuery,
        returns=DraftPage,
        tags=("drafts",),
    ),
    Route(
        method="GET",
        path="/v1/mail/drafts/{id}",
        handler=read,
        access=Access.USER_OR_SERVICE,
        summary="Read a draft and its `ETag`",
        returns=DraftOut,
        errors=(NotFound,),
        tags=("drafts",),
    ),
    Route(
        method="PUT",
        path="/v1/mail/drafts/{id}",
        handler=replace_draft,
        access=Access.USER_OR_SERVICE,
        summary="Replace what a draft says (`If-Match`); JSON alone keeps its attachments",
        body=DraftRequest,
        max_body=MAX_BODY,
        returns=DraftOut,
        status=202,
        timeout_s=TIMEOUT_S,
        errors=(
            NotFound,
            Forbidden,
            Conflict,
            PreconditionFailed,
            PreconditionRequired,
            Transient,
        ),
        tags=("drafts",),
    ),
    Route(
        method="DELETE",
        path="/v1/mail/drafts/{id}",
        handler=discard,
        access=Access.USER_OR_SERVICE,
        summary="Throw a draft away",
        status=204,
        errors=(NotFound,),
        tags=("drafts",),
    ),
    Route(
        method="POST",
        path="/v1/mail/drafts/{id}/send",
        handler=send_draft,
        access=Access.USER_OR_SERVICE,
        summary="Send a draft, as it is in Gmail, now or later",
        body=SendDraft,
        optional_body=True,
        returns=SendOut,
        status=202,
        idempotent=True,
        errors=(NotFound, Conflict, Forbidden, DailyLimit, Transient),
        tags=("drafts",),
    ),
)
