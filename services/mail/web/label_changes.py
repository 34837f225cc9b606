"""HTTP handlers on labels as they are changed: of one message, or of many at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.common import idempotency
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, Forbidden, InvalidInput, NotFound, Transient
from libs.common.waiting import WaitQuery, wait_until
from libs.common.web import (
    Access,
    Caller,
    Route,
    caller,
    path_uuid,
    read_body,
    read_bytes,
    read_query,
    reply,
    seen_by,
)
from libs.common.writes import TooManyWrites, Write, WriteState
from libs.common.writes import store as ledger
from services.mail.domain.label import Action, labels_for
from services.mail.domain.message import Direction
from services.mail.store import connections
from services.mail.store import reading as store
from services.mail.store.reading import StoredMessage
from services.mail.sync.outward.labels import LabelWishes, Wish
from services.mail.web.models import LabelId

LABELS = web.AppKey("labels", LabelWishes)
MAX_BODY = 131_072
MOST_MESSAGES = 1_000
TIMEOUT_S = 45.0
SHOWN_FAILURES = 100


class LabelChange(BaseModel):
    """What to do with a message: an action, or labels by Gmail's ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action | None = Field(default=None, description="Instead of labels")
    add: list[LabelId] = Field(default=[], max_length=100)
    remove: list[LabelId] = Field(default=[], max_length=100)

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.action is not None and (self.add or self.remove):
            raise ValueError("either an action or labels are given")
        if self.action is None and not self.add and not self.remove:
            raise ValueError("an action, or a label to add or remove, must be given")
        if set(self.add) & set(self.remove):
            raise ValueError("a label cannot be added and removed at once")
        return self


class BatchChange(LabelChange):
    """The same for many messages."""

    message_ids: list[UUID] = Field(min_length=1, max_length=MOST_MESSAGES)


class WriteFailure(BaseModel):
    """A change of one message that did not come about."""

    google_message_id: str
    reason: str


class WriteOut(BaseModel):
    """Changes on their way to Google, and what became of them."""

    id: UUID
    state: Literal["queued", "sending", "done", "failed"] = Field(
        description="failed: at least one of them"
    )
    total: int
    done: int
    failed: int
    failures: list[WriteFailure] = Field(description="The first hundred")
    created_at: datetime
    finished_at: datetime | None


async def change_one(request: web.Request) -> web.Response:
    """POST /v1/mail/messages/{id}/labels: 202; with `?wait=30` as it is by then."""
    who, message_id = caller(request), path_uuid(request)
    change = await read_body(request, LabelChange)
    pool = request.app[POOL]
    async with transaction(pool) as conn:
        row = await store.get_message(conn, who.tenant_id, message_id, user_id=seen_by(who))
    if not row.own:
        raise Forbidden("The message is in a colleague's mailbox.", slug="not-your-mailbox")
    return await _change(request, who, change, [row])


async def change_many(request: web.Request) -> web.Response:
    """POST /v1/mail/messages/labels: all of them or none is taken in."""
    who = caller(request)
    change = await read_body(request, BatchChange)
    found: list[StoredMessage] = []
    async with transaction(request.app[POOL]) as conn:
        rows = await store.get_messages(
            conn, who.tenant_id, change.message_ids, user_id=seen_by(who)
        )
    for place, message_id in enumerate(change.message_ids):
        if message_id not in rows:
            raise InvalidInput.field(f"message_ids[{place}]", "is no message that you can change")
        found.append(rows[message_id])
    return await _change(request, who, change, found)


async def _change(
    request: web.Request, who: Caller, change: LabelChange, rows: Sequence[StoredMessage]
) -> web.Response:
    wait, wishes = read_query(request, WaitQuery).wait, [_wish(change, row) for row in rows]
    pool, labels = request.app[POOL], request.app[LABELS]
    body = await read_bytes(request)
    async with transaction(pool) as conn:
        if (answered := await idempotency.replay(conn, request, body)) is not None:
            return answered
    await labels.check(who.tenant_id, wishes)
    async with transaction(pool) as conn:
        if (answered := await idempotency.claim(conn, request, body)) is not None:
            return answered
        group_id = await labels.queue(conn, who.tenant_id, wishes)
        found = await ledger.list_group(conn, who.tenant_id, group_id)
        response = _accepted(_shown(found))
        await idempotency.keep(conn, request, response)
    if wait:
        return _accepted(await _ended(request, who, group_id, wait_s=wait))
    return response


def _wish(change: LabelChange, row: StoredMessage) -> Wish:
    if change.action is None:
        return Wish(row, tuple(change.add), tuple(change.remove))
    sent = row.direction is Direction.OUTBOUND
    return Wish(row, *labels_for(change.action, sent=sent))


async def read_write(request: web.Request) -> web.Response:
    """GET /v1/mail/writes/{id}; with `?wait=30` as it is by then."""
    who, wait = caller(request), read_query(request, WaitQuery).wait
    return reply(await _ended(request, who, path_uuid(request), wait_s=wait or 0))


async def _ended(request: web.Request, who: Caller, group_id: UUID, *, wait_s: float) -> WriteOut:
    """Return the changes once all have ended, or the time is over.

    Raises:
        NotFound: there are none, or they are somebody else's.
    """
    pool = request.app[POOL]

    async def look() -> tuple[WriteOut, bool]:
        async with transaction(pool) as conn:
            found = await ledger.list_group(conn, who.tenant_id, group_id)
            if not found:
                raise NotFound("There is no such change.")
            for connection_id in {one.connection_id for one in found}:
                await connections.get_connection(
                    conn, who.tenant_id, connection_id, user_id=seen_by(who)
                )
        shown = _shown(found)
        return shown, shown.finished_at is not None

    return await wait_until(look, timeout_s=wait_s)


def _shown(found: Sequence[Write]) -> WriteOut:
    states = [one.state for one in found]
    failed = [one for one in found if one.state not in OPEN_OR_DONE]
    open_ = [one for one in found if one.finished_at is None]
    if open_:
        state: Literal["queued", "sending", "done", "failed"] = (
            "sending" if WriteState.SENDING in states else "queued"
        )
    else:
        state = "failed" if failed else "done"
    return WriteOut(
        id=found[0].group_id,
        state=state,
        total=len(found),
        done=states.count(WriteState.DONE),
        failed=len(failed),
        failures=[
            WriteFailure(google_message_id=one.item, reason=one.reason or one.state.value)
            for one in failed[:SHOWN_FAILURES]
        ],
        created_at=found[0].created_at,
        finished_at=None if open_ else max(one.finished_at for one in found if one.finished_at),
    )


OPEN_OR_DONE = frozenset({WriteState.QUEUED, WriteState.SENDING, WriteState.DONE})


def _accepted(write_out: WriteOut) -> web.Response:
    return reply(write_out, status=202, headers={"Location": f"/v1/mail/writes/{write_out.id}"})


_ERRORS = (NotFound, Forbidden, Conflict, TooManyWrites, Transient)

ROUTES = (
    Route(
        method="POST",
        path="/v1/mail/messages/labels",
        handler=change_many,
        access=Access.USER_OR_SERVICE,
        summary="Change the labels of up to 1,000 messages: all or none is taken in",
        query=WaitQuery,
        body=BatchChange,
        max_body=MAX_BODY,
        returns=WriteOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=_ERRORS,
        tags=("labels",),
    ),
    Route(
        method="POST",
        path="/v1/mail/messages/{id}/labels",
        handler=change_one,
        access=Access.USER_OR_SERVICE,
        summary="Read, star, archive, trash or label a message; doing it twice changes nothing",
        query=WaitQuery,
        body=LabelChange,
        max_body=MAX_BODY,
        returns=WriteOut,
        status=202,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=_ERRORS,
        tags=("labels",),
    ),
    Route(
        method="GET",
        path="/v1/mail/writes/{id}",
        handler=read_write,
        access=Access.USER_OR_SERVICE,
        summary="What became of changes",
        query=WaitQuery,
        returns=WriteOut,
        timeout_s=TIMEOUT_S,
        errors=(NotFound,),
        tags=("labels",),
    ),
)
