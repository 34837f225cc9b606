"""HTTP handlers that show events: a window of them, and one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from aiohttp import web

from libs.common import clock, pagination
from libs.common.connections import State
from libs.common.db import POOL, Connection, transaction
from libs.common.directory import EntityRef
from libs.common.errors import InvalidInput, NotFound
from libs.common.web import Access, Caller, Route, caller, read_query, reply, seen_by
from services.calendar.domain.meeting import parse_meeting_id
from services.calendar.domain.preferences import DEFAULT
from services.calendar.store import connections
from services.calendar.store.events import Window
from services.calendar.sync.showing import Shown, find_shown, list_shown
from services.calendar.web.models import (
    LONGEST_WINDOW_DAYS,
    CopyOut,
    EntityOut,
    EventOut,
    EventPage,
    EventPosition,
    EventsQuery,
)


async def read_events(request: web.Request) -> web.Response:
    """GET /v1/calendar/events: what takes place within a window, by time, series expanded."""
    who, query = caller(request), read_query(request, EventsQuery)
    after = pagination.decode_cursor(query.cursor, EventPosition)
    ref, (start, end) = _entity(query), _window(query, now=clock.now())
    async with transaction(request.app[POOL]) as conn:
        wanted = Window(
            tenant_id=who.tenant_id,
            connection_ids=await visible(conn, who, query.connection_id),
            start=start,
            end=end,
            calendar_id=query.calendar_id,
        )
        found = await list_shown(
            conn,
            wanted,
            ref=ref,
            after=None if after is None else (after.starts_at, after.id),
            most=query.limit + 1,
        )
    kept, cursor = pagination.cut(
        found,
        limit=query.limit,
        position=lambda one: EventPosition(starts_at=one.place[0], id=one.meeting.id),
    )
    return reply(EventPage(items=[shown_as(one) for one in kept], next_cursor=cursor))


def _entity(query: EventsQuery) -> EntityRef | None:
    if query.entity_type is None and query.entity_id is None:
        return None
    if query.entity_type is None or query.entity_id is None:
        lacks = "entity_type" if query.entity_type is None else "entity_id"
        raise InvalidInput.field(lacks, "must be given with the other")
    return EntityRef(query.entity_type, query.entity_id)


def _window(query: EventsQuery, *, now: datetime) -> tuple[datetime, datetime]:
    past = timedelta(days=DEFAULT.sync_past_days)
    ahead = timedelta(days=DEFAULT.sync_future_days)
    try:
        start = query.from_ or min(now, query.to or now) - past
        end = query.to or max(now, start) + ahead
    except OverflowError:
        raise InvalidInput.field("from", "is at the end of the calendar") from None
    if not timedelta(0) < end - start <= timedelta(days=LONGEST_WINDOW_DAYS):
        raise InvalidInput.field("to", f"must be within {LONGEST_WINDOW_DAYS} days after from")
    return start, end


async def read_event(request: web.Request) -> web.Response:
    """GET /v1/calendar/events/{id}: a meeting, or an occurrence of a series."""
    who = caller(request)
    series_id, key = named(request)
    async with transaction(request.app[POOL]) as conn:
        mine = await visible(conn, who, None)
        found = await find_shown(conn, who.tenant_id, mine, series_id, key)
    if found is None:
        raise NotFound("There is no such event.")
    return reply(shown_as(found), headers={"ETag": found_etag(found)})


def named(request: web.Request) -> tuple[UUID, str | None]:
    """Return which meeting a path names.

    Raises:
        NotFound: it names none.
    """
    try:
        return parse_meeting_id(request.match_info["id"])
    except InvalidInput as exc:
        raise NotFound("There is no such event.") from exc


async def visible(conn: Connection, who: Caller, wanted: UUID | None) -> Sequence[UUID]:
    """Return the connections whose events the caller may see: their own; a service, all.

    What is left of one that has ended is not shown beside that of the same account's next one.
    """
    mine = await connections.list_connections(conn, who.tenant_id, seen_by(who))
    followed = {one.account_id for one in mine if one.state is not State.DISCONNECTED}
    return [
        one.id
        for one in mine
        if wanted in (None, one.id)
        and (one.state is not State.DISCONNECTED or one.account_id not in followed)
    ]


def found_etag(found: Shown) -> str:
    """Return what changes with every change of the copy that speaks for all."""
    return found.meeting.main.event.etag


def shown_as(found: Shown) -> EventOut:
    """Return a meeting as the API shows it."""
    meeting = found.meeting
    return EventOut.model_validate(
        {
            **meeting.shown(),
            "id": meeting.id,
            "series_id": found.series_id,
            "occurrence": found.key,
            "starts_at": found.starts_at,
            "ends_at": found.ends_at,
            "appointment_id": meeting.main.event.marks.get("appointment"),
            "entities": [EntityOut(type=one.entity_type, id=one.entity_id) for one in found.refs],
            "copies": [
                CopyOut(
                    connection_id=one.connection_id,
                    user_id=one.user_id,
                    calendar_id=one.calendar_id,
                    google_event_id=one.event.google_id,
                )
                for one in meeting.copies
            ],
            "etag": found_etag(found),
        }
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/events",
        handler=read_events,
        access=Access.USER_OR_SERVICE,
        summary="List what takes place within a window, series expanded, by time",
        query=EventsQuery,
        returns=EventPage,
        tags=("events",),
    ),
    Route(
        method="GET",
        path="/v1/calendar/events/{id}",
        handler=read_event,
        access=Access.USER_OR_SERVICE,
        summary="One meeting, or one occurrence of a series",
        returns=EventOut,
        errors=(NotFound,),
        tags=("events",),
    ),
)
