"""HTTP handler on the meetings that concern an entity of the CRM, as its activities."""

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import pagination
from libs.common.db import POOL, Connection, transaction
from libs.common.directory import EntityRef
from libs.common.directory import store as directory
from libs.common.directory.fields import EntityId, EntityType
from libs.common.errors import NotFound
from libs.common.events.calendar import Activity
from libs.common.moments import Moment
from libs.common.pagination import Page, PageQuery
from libs.common.web import Access, Route, caller, read_query, reply
from services.calendar.domain.events import activity
from services.calendar.domain.meeting import Meeting, occurrence_id
from services.calendar.store import meetings as store
from services.calendar.store.events import list_copies
from services.calendar.store.meetings import Link
from services.calendar.sync.inward.meetings import copy_of
from services.calendar.web.events import visible


class ActivityQuery(PageQuery):
    """Whose activities to list."""

    entity_type: EntityType = Field(description="Such as `lead`")
    entity_id: EntityId


class ActivityPosition(BaseModel):
    """Where an activity stands in the list."""

    starts_at: Moment
    series_id: UUID
    occurrence: str


ActivityPage = Page[Activity]


async def read_activities(request: web.Request) -> web.Response:
    """GET /v1/calendar/activities: of one entity; the one that begins last comes first."""
    who, query = caller(request), read_query(request, ActivityQuery)
    before = pagination.decode_cursor(query.cursor, ActivityPosition)
    ref = EntityRef(query.entity_type, query.entity_id)
    async with transaction(request.app[POOL]) as conn:
        if await directory.find_entity(conn, who.tenant_id, ref) is None:
            raise NotFound("There is no such entity.")
        mine = await visible(conn, who, None)
        links = await store.list_newest_of(
            conn,
            who.tenant_id,
            ref,
            mine,
            before=None
            if before is None
            else (before.starts_at, before.series_id, before.occurrence),
            limit=query.limit + 1,
        )
        kept, cursor = pagination.cut(links, limit=query.limit, position=_position)
        items = await _activities(conn, who.tenant_id, kept, {*mine})
    return reply(ActivityPage(items=items, next_cursor=cursor))


async def _activities(
    conn: Connection, tenant_id: str, links: Sequence[Link], mine: set[UUID]
) -> list[Activity]:
    keys = [one.key for one in links]
    copies = await list_copies(conn, tenant_id, keys)
    concerned = await store.list_links(conn, tenant_id, keys)
    found = []
    for key in keys:
        own = [one for one in copies[key] if one.stored.connection_id in mine]
        meeting = Meeting(occurrence_id(key[0], key[1] or None), tuple(map(copy_of, own)))
        main = next(one.stored for one in own if copy_of(one) == meeting.main)
        refs = sorted(concerned.get(key, {}))
        found.append(activity(meeting, refs, starts_at=main.starts_at, ends_at=main.ends_at))
    return found


def _position(link: Link) -> ActivityPosition:
    return ActivityPosition(starts_at=link.starts_at, series_id=link.key[0], occurrence=link.key[1])


ROUTES = (
    Route(
        method="GET",
        path="/v1/calendar/activities",
        handler=read_activities,
        access=Access.USER_OR_SERVICE,
        summary="List the meetings that concern an entity, the latest first",
        query=ActivityQuery,
        returns=ActivityPage,
        errors=(NotFound,),
        tags=("events",),
    ),
)
