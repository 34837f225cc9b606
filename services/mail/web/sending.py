"""HTTP handlers on sending: take a message in, show what became of it, take it back."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from aiohttp import web

from libs.common import clock, idempotency, pagination
from libs.common.db import POOL, transaction
from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.errors import Conflict, Forbidden, InvalidInput, NotFound, Transient
from libs.common.waiting import WaitQuery, wait_until
from libs.common.web import Access, Caller, Route, caller, path_uuid, read_query, reply, seen_by
from libs.common.writes import WriteState
from libs.common.writes import store as ledger
from services.mail.domain.message import Person
from services.mail.domain.sending.letter import Letter
from services.mail.domain.sending.outgoing import Enclosure, Outgoing, OutgoingState
from services.mail.store import connections
from services.mail.store import outgoing as store
from services.mail.sync.outward.enclosing import Enclosing
from services.mail.sync.outward.submitting import DailyLimit, Submission, Submissions
from services.mail.sync.outward.taking_back import cancel_send
from services.mail.web.messages import people
from services.mail.web.models import EntityOut, PersonOut
from services.mail.web.sending_models import (
    AttachedOut,
    LetterIn,
    OutgoingQuery,
    RecipientIn,
    SendOut,
    SendPage,
    SendPosition,
    SendQuery,
    SendRequest,
    SendState,
)
from services.mail.web.uploads import MAX_BODY, read_message

SUBMISSIONS = web.AppKey("submissions", Submissions)
TIMEOUT_S = 180.0
"""A form of 40 MB may be on its way, and attachments come from Google."""
LONGEST_AHEAD = timedelta(days=366)
ENDED: dict[OutgoingState, SendState] = {
    OutgoingState.SENT: "sent",
    OutgoingState.FAILED: "failed",
    OutgoingState.UNKNOWN: "unknown",
    OutgoingState.CANCELLED: "cancelled",
}
STATES = (OutgoingState.QUEUED, *ENDED)
"""All but those of drafts."""


async def send(request: web.Request) -> web.Response:
    """POST /v1/mail/messages: 202; with `?wait=30` the message as it is by then."""
    who, wait = caller(request), read_query(request, WaitQuery).wait
    if idempotency.HEADER not in request.headers:
        raise InvalidInput.field(idempotency.HEADER, "is needed: a message must not go out twice")
    pool, submissions = request.app[POOL], request.app[SUBMISSIONS]
    with Enclosing() as enclosing:
        wanted, told = await read_message(request, SendRequest, enclosing)
        check_time(wanted.send_at)
        async with transaction(pool) as conn:
            answered = await idempotency.replay(conn, request, told)
        if answered is not None:
            return answered
        ready = await submissions.prepare(submission(who, wanted), enclosing)
        async with transaction(pool) as conn:
            if (answered := await idempotency.claim(conn, request, told)) is not None:
                return answered
            await submissions.queue(conn, ready)
            response = accepted(shown(ready.outgoing))
            await idempotency.keep(conn, request, response)
    if wait:
        return accepted(await _settled(request, who, ready.outgoing, wait_s=wait))
    return response


def submission(who: Caller, wanted: LetterIn, *, kept: tuple[Enclosure, ...] = ()) -> Submission:
    """Return what a caller wants sent, or kept as a draft; `kept` are attachments it has."""
    return Submission(
        tenant_id=who.tenant_id,
        user_id=seen_by(who),
        subject=f"{who.kind}:{who.subject}",
        connection_id=wanted.connection_id,
        letter=Letter(
            sender=wanted.from_,
            to=_people(wanted.to),
            cc=_people(wanted.cc),
            bcc=_people(wanted.bcc),
            subject=wanted.subject,
            text=wanted.text,
            html=wanted.html,
        ),
        answers=wanted.reply_to_message_id,
        passes_on=wanted.forward_message_id,
        with_attachments=wanted.forward_attachments,
        entities=tuple(sorted({EntityRef(one.type, one.id) for one in wanted.entities})),
        send_at=wanted.send_at if isinstance(wanted, SendRequest) else None,
        draft=not isinstance(wanted, SendRequest),
        kept=kept,
    )


def _people(found: list[RecipientIn]) -> tuple[Person, ...]:
    return tuple(Person(one.address, one.name or None) for one in found)


def check_time(send_at: datetime | None) -> None:
    """Refuse to wait for ever.

    Raises:
        InvalidInput: field `send_at`.
    """
    if send_at is not None and send_at > clock.now() + LONGEST_AHEAD:
        raise InvalidInput.field("send_at", "must be at most a year ahead")


async def list_sends(request: web.Request) -> web.Response:
    """GET /v1/mail/sends: newest first."""
    query = read_query(request, SendQuery)
    states = STATES if query.state is None else (OutgoingState(query.state),)
    kept, next_cursor = await outgoing_page(request, query, states)
    return reply(SendPage(items=[shown(row) for row in kept], next_cursor=next_cursor))


async def outgoing_page(
    request: web.Request, query: OutgoingQuery, states: tuple[OutgoingState, ...]
) -> tuple[Sequence[Outgoing], str | None]:
    """Return outgoing messages in these states, newest first, and the next page's cursor."""
    who, before = caller(request), pagination.decode_cursor(query.cursor, SendPosition)
    wanted = store.WantedOutgoing(
        tenant_id=who.tenant_id,
        user_id=seen_by(who),
        connection_id=query.connection_id,
        states=states,
        before=None if before is None else before.id,
        limit=query.limit + 1,
    )
    async with transaction(request.app[POOL]) as conn:
        rows = await store.list_outgoing(conn, wanted)
    return pagination.cut(rows, limit=query.limit, position=lambda row: SendPosition(id=row.id))


async def read_send(request: web.Request) -> web.Response:
    """GET /v1/mail/sends/{id}; with `?wait=30` as it is by then."""
    who, wait = caller(request), read_query(request, WaitQuery).wait
    async with transaction(request.app[POOL]) as conn:
        outgoing = await get_outgoing(conn, request, who)
    return reply(await _settled(request, who, outgoing, wait_s=wait or 0))


async def cancel(request: web.Request) -> web.Response:
    """DELETE /v1/mail/sends/{id}: take it back, unless it is under way."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        outgoing = await get_outgoing(conn, request, who)
        await cancel_send(conn, outgoing, now=clock.now())
    return web.Response(status=204)


async def get_outgoing(conn: Conn, request: web.Request, who: Caller) -> Outgoing:
    """Return the outgoing message that the path names.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    outgoing = await store.find_outgoing(conn, who.tenant_id, path_uuid(request))
    if outgoing is None:
        raise NotFound("There is no such outgoing message.")
    await connections.get_connection(
        conn, who.tenant_id, outgoing.connection_id, user_id=seen_by(who)
    )
    return outgoing


async def _settled(
    request: web.Request, who: Caller, outgoing: Outgoing, *, wait_s: float
) -> SendOut:
    """Return the message as it is once it has ended, or the time is over."""
    pool = request.app[POOL]

    async def look() -> tuple[SendOut, bool]:
        async with transaction(pool) as conn:
            found = await store.find_outgoing(conn, who.tenant_id, outgoing.id)
            write = await ledger.find(conn, who.tenant_id, outgoing.id)
        if found is None:
            raise NotFound("There is no such outgoing message.")
        is_sending = write is not None and write.state is WriteState.SENDING
        return shown(found, sending=is_sending), found.ended_at is not None

    return await wait_until(look, timeout_s=wait_s)


def shown(outgoing: Outgoing, *, sending: bool = False) -> SendOut:
    """Return an outgoing message as it is shown."""
    head = outgoing.head
    return SendOut(
        id=outgoing.id,
        connection_id=outgoing.connection_id,
        state=_state(outgoing, sending=sending),
        reason=outgoing.reason,
        send_at=outgoing.send_at,
        sender=PersonOut.model_validate(head.sender),
        to=people(head.to),
        cc=people(head.cc),
        bcc=people(head.bcc),
        subject=head.subject,
        attachments=AttachedOut.of(outgoing.enclosures),
        entities=[EntityOut(type=one.entity_type, id=one.entity_id) for one in outgoing.entities],
        size=outgoing.size,
        thread_id=outgoing.thread_id,
        google_message_id=outgoing.google_id,
        created_by=outgoing.created_by,
        created_at=outgoing.created_at,
        ended_at=outgoing.ended_at,
    )


def _state(outgoing: Outgoing, *, sending: bool) -> SendState:
    if outgoing.state is not OutgoingState.QUEUED:
        return ENDED[outgoing.state]
    is_early = outgoing.send_at is not None and outgoing.send_at > clock.now()
    return "sending" if sending else "scheduled" if is_early else "queued"


def accepted(send_out: SendOut) -> web.Response:
    """Return the answer to whoever wants a message sent."""
    return reply(send_out, status=202, headers={"Location": f"/v1/mail/sends/{send_out.id}"})


ROUTES = (
    Route(
        method="POST",
        path="/v1/mail/messages",
        handler=send,
        access=Access.USER_OR_SERVICE,
        summary="Send a message, now or later; `Idempotency-Key` is required. With attachments: "
        "a form of one part `message` (this JSON), then parts `attachment`",
        query=WaitQuery,
        body=SendRequest,
        max_body=MAX_BODY,
        returns=SendOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Forbidden, Conflict, DailyLimit, Transient),
        tags=("sending",),
    ),
    Route(
        method="GET",
        path="/v1/mail/sends",
        handler=list_sends,
        access=Access.USER_OR_SERVICE,
        summary="List outgoing messages, newest first",
        query=SendQuery,
        returns=SendPage,
        tags=("sending",),
    ),
    Route(
        method="GET",
        path="/v1/mail/sends/{id}",
        handler=read_send,
        access=Access.USER_OR_SERVICE,
        summary="What became of an outgoing message",
        query=WaitQuery,
        returns=SendOut,
        timeout_s=45.0,
        errors=(NotFound,),
        tags=("sending",),
    ),
    Route(
        method="DELETE",
        path="/v1/mail/sends/{id}",
        handler=cancel,
        access=Access.USER_OR_SERVICE,
        summary="Take an outgoing message back, unless it is under way",
        status=204,
        errors=(NotFound, Conflict),
        tags=("sending",),
    ),
)
