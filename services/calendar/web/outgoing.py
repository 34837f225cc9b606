"""HTTP handlers that change events: made, changed, cancelled, answered."""

from collections.abc import Sequence
from uuid import UUID

from aiohttp import hdrs, web

from libs.common import idempotency
from libs.common.db import POOL, Connection, transaction
from libs.common.directory import EntityRef
from libs.common.errors import Conflict, Forbidden, NotFound, RateLimited, Transient
from libs.common.waiting import LONGEST_WAIT_S, wait_until
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
from libs.common.web.etags import PreconditionFailed, check_if_match
from libs.common.writes import Write, WriteState
from libs.common.writes import store as ledger
from services.calendar.domain.meeting import occurrence_id
from services.calendar.domain.writing import wish_of
from services.calendar.store import connections
from services.calendar.store import events as events_store
from services.calendar.sync.outward.outgoing import Accepted, Outgoing
from services.calendar.sync.outward.picking import ChoiceNeeded
from services.calendar.sync.outward.targets import connection_for, target_of
from services.calendar.sync.showing import find_shown
from services.calendar.web.events import found_etag, named, visible
from services.calendar.web.outgoing_models import (
    EntityIn,
    EventAnswer,
    EventCancellation,
    EventChange,
    NewEvent,
    WaitQuery,
    WrittenOut,
)

OUTGOING = web.AppKey("outgoing", Outgoing)
MAX_BODY = 262_144
TIMEOUT_S = LONGEST_WAIT_S + 15.0
ERRORS = (ChoiceNeeded, NotFound, Conflict, Forbidden, RateLimited, Transient)


async def create_event(request: web.Request) -> web.Response:
    """POST /v1/calendar/events: 201 once Google has it; 202 if that takes longer."""
    who, wanted = caller(request), await read_body(request, NewEvent)
    raw = await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        connection = await connection_for(
            conn, who.tenant_id, user_id=seen_by(who), connection_id=wanted.connection_id
        )
        target = await target_of(conn, connection, wanted.calendar_id)
        accepted = await request.app[OUTGOING].create(
            conn,
            target,
            wanted.fields(zone=target.calendar.zone),
            notify=wanted.notify,
            entities=_refs(wanted.entities),
        )
        response = _accepted(await _written(conn, who, accepted), status=202)
        await idempotency.keep(conn, request, response)
    return await _answered(request, who, accepted, wait_s=_wait(request), status=201)


async def change_event(request: web.Request) -> web.Response:
    """PATCH /v1/calendar/events/{id}: what is given changes; with If-Match only what was seen."""
    who, wanted = caller(request), await read_body(request, EventChange)
    async with transaction(request.app[POOL]) as conn:
        mine = await visible(conn, who, None)
        await _check_seen(conn, request, mine)
        accepted = await request.app[OUTGOING].change(
            conn,
            mine,
            named(request),
            lambda zone: wanted.fields(zone=zone),
            tenant_id=who.tenant_id,
            scope=wanted.scope,
            notify=wanted.notify,
            entities=None if wanted.entities is None else _refs(wanted.entities),
        )
    return await _answered(request, who, accepted, wait_s=_wait(request), status=200)


async def cancel_event(request: web.Request) -> web.Response:
    """DELETE /v1/calendar/events/{id}?scope=&notify=: it does not take place; If-Match as above."""
    who, wanted = caller(request), read_query(request, EventCancellation)
    async with transaction(request.app[POOL]) as conn:
        mine = await visible(conn, who, None)
        await _check_seen(conn, request, mine)
        accepted = await request.app[OUTGOING].cancel(
            conn,
            mine,
            named(request),
            tenant_id=who.tenant_id,
            scope=wanted.scope,
            notify=wanted.notify,
        )
    return await _answered(request, who, accepted, wait_s=wanted.wait, status=200)


async def answer_event(request: web.Request) -> web.Response:
    """POST /v1/calendar/events/{id}/response: accept, decline, or perhaps."""
    who, wanted = caller(request), await read_body(request, EventAnswer)
    raw = await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        accepted = await request.app[OUTGOING].respond(
            conn,
            await visible(conn, who, None),
            named(request),
            wanted.response,
            tenant_id=who.tenant_id,
            comment=wanted.comment,
            notify=wanted.notify,
        )
        response = _accepted(await _written(conn, who, accepted), status=202)
        await idempotency.keep(conn, request, response)
    return await _answered(request, who, accepted, wait_s=_wait(request), status=200)


async def read_write(request: web.Request) -> web.Response:
    """GET /v1/calendar/writes/{id}: what became of a change; with `wait`, once it has ended."""
    who, group_id, wait_s = caller(request), path_uuid(request), _wait(request)

    async def look() -> tuple[WrittenOut, bool]:
        async with transaction(request.app[POOL]) as conn:
            writes = await ledger.list_group(conn, who.tenant_id, group_id)
            if not writes:
                raise NotFound("There is no such change.")
            connection = await connections.get_connection(
                conn, who.tenant_id, writes[0].connection_id, user_id=seen_by(who)
            )
            shown = await _shown(conn, connection.tenant_id, writes, event_id=None)
        return shown, all(one.finished_at is not None for one in writes)

    return reply(await wait_until(look, timeout_s=wait_s))


async def _check_seen(conn: Connection, request: web.Request, mine: Sequence[UUID]) -> None:
    """Let a change pass that says nothing of what was seen, or of which that is still so.

    Raises:
        PreconditionFailed: it was changed since.
        NotFound: there is no such event.
    """
    if hdrs.IF_MATCH not in request.headers:
        return
    found = await find_shown(conn, caller(request).tenant_id, mine, *named(request))
    if found is None:
        raise NotFound("There is no such event.")
    check_if_match(request, found_etag(found).strip('"'))


def _wait(request: web.Request) -> int:
    return read_query(request, WaitQuery).wait


def _refs(given: Sequence[EntityIn] | None) -> list[EntityRef]:
    return [EntityRef(one.type, one.id) for one in given or ()]


async def _answered(
    request: web.Request, who: Caller, accepted: Accepted, *, wait_s: float, status: int
) -> web.Response:
    """Answer once Google has done it, or after a while that it is on its way."""

    async def look() -> tuple[WrittenOut, bool]:
        async with transaction(request.app[POOL]) as conn:
            shown = await _written(conn, who, accepted)
        return shown, shown.state not in {"queued", "sending"}

    shown = await wait_until(look, timeout_s=wait_s)
    return _accepted(shown, status=status if shown.state == "done" else 202)


def _accepted(shown: WrittenOut, *, status: int) -> web.Response:
    location = {"Location": f"/v1/calendar/writes/{shown.write_id}"}
    return reply(shown, status=status, headers=location)


async def _written(conn: Connection, who: Caller, accepted: Accepted) -> WrittenOut:
    writes = await ledger.list_group(conn, who.tenant_id, accepted.group_id)
    return await _shown(conn, who.tenant_id, writes, event_id=accepted.event_id)


async def _shown(
    conn: Connection, tenant_id: str, writes: Sequence[Write], *, event_id: str | None
) -> WrittenOut:
    """Return what a change came to, by its last write; one that failed speaks for all."""
    failed = [one for one in writes if one.state not in SETTLED]
    main = failed[0] if failed else writes[-1]
    wish = wish_of(main.desired)
    google_id = str((main.answer or {}).get("google_id") or wish.google_id)
    rows = await events_store.lock_events(conn, tenant_id, wish.calendar_id, [google_id])
    held = rows.get(google_id)
    found = event_id
    if held is not None:
        found = occurrence_id(held.series_id, held.occurrence or None)
    return WrittenOut(
        id=found or google_id,
        google_event_id=google_id,
        html_link=None if held is None else held.event.details.html_link,
        state=main.state.value,
        reason=main.reason,
        write_id=main.group_id,
    )


SETTLED = frozenset({WriteState.QUEUED, WriteState.SENDING, WriteState.DONE})

ROUTES = (
    Route(
        method="POST",
        path="/v1/calendar/events",
        handler=create_event,
        access=Access.USER_OR_SERVICE,
        summary="Make an event; nobody is invited unless `notify` says so",
        query=WaitQuery,
        body=NewEvent,
        max_body=MAX_BODY,
        returns=WrittenOut,
        status=201,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=ERRORS,
        tags=("events",),
    ),
    Route(
        method="PATCH",
        path="/v1/calendar/events/{id}",
        handler=change_event,
        access=Access.USER_OR_SERVICE,
        summary="Change an event, an occurrence, or a series from an occurrence on",
        query=WaitQuery,
        body=EventChange,
        max_body=MAX_BODY,
        returns=WrittenOut,
        timeout_s=TIMEOUT_S,
        errors=(*ERRORS, PreconditionFailed),
        tags=("events",),
    ),
    Route(
        method="DELETE",
        path="/v1/calendar/events/{id}",
        handler=cancel_event,
        access=Access.USER_OR_SERVICE,
        summary="Cancel an event, an occurrence, or a series from an occurrence on",
        query=EventCancellation,
        returns=WrittenOut,
        timeout_s=TIMEOUT_S,
        errors=(*ERRORS, PreconditionFailed),
        tags=("events",),
    ),
    Route(
        method="POST",
        path="/v1/calendar/events/{id}/response",
        handler=answer_event,
        access=Access.USER_OR_SERVICE,
        summary="Accept or decline an invitation for the calendar's person",
        query=WaitQuery,
        body=EventAnswer,
        max_body=MAX_BODY,
        returns=WrittenOut,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=ERRORS,
        tags=("events",),
    ),
    Route(
        method="GET",
        path="/v1/calendar/writes/{id}",
        handler=read_write,
        access=Access.USER_OR_SERVICE,
        summary="What became of a change; with `wait`, once it has ended",
        query=WaitQuery,
        returns=WrittenOut,
        timeout_s=TIMEOUT_S,
        errors=(NotFound,),
        tags=("events",),
    ),
)
