"""HTTP handlers on the CRM's entities, and on the activities of each."""

from collections.abc import Sequence

from aiohttp import web
from pydantic import ValidationError

from libs.common import pagination
from libs.common.db import POOL, transaction
from libs.common.directory import Entity, EntityRef
from libs.common.directory import store as directory
from libs.common.errors import NotFound, TooLarge
from libs.common.web import (
    Access,
    Route,
    UnsupportedMediaType,
    caller,
    iter_body,
    read_body,
    read_query,
    reply,
    seen_by,
)
from libs.common.web.requests import invalid
from services.mail.domain.activities import Activity, Copy
from services.mail.domain.links import participants
from services.mail.store import activities as store
from services.mail.sync.meaning.linking import Linker
from services.mail.web.entity_models import (
    ActivityOut,
    ActivityPage,
    ActivityPosition,
    ActivityQuery,
    Applied,
    CopyOut,
    DeletionQuery,
    EntityIn,
    EntityOut,
    EntityPath,
    ImportReport,
    ParticipantOut,
)
from services.mail.web.importing import Import

LINKER = web.AppKey("linker", Linker)

NDJSON = "application/x-ndjson"
MAX_ENTITY = 262_144
MAX_IMPORT = 64 * 1024 * 1024
IMPORT_TIMEOUT_S = 900.0


async def put_entity(request: web.Request) -> web.Response:
    """PUT /v1/mail/entities/{type}/{id}: all of an entity, as it is now."""
    who, ref = caller(request), _ref(request)
    given = await read_body(request, EntityIn)
    entity = given.entity(ref.entity_type, ref.entity_id)
    async with transaction(request.app[POOL]) as conn:
        (applied,) = await request.app[LINKER].upsert(conn, who.tenant_id, [entity])
        version = await directory.find_version(conn, who.tenant_id, ref)
    return reply(Applied(applied=applied, version=version or given.version))


async def delete_entity(request: web.Request) -> web.Response:
    """DELETE /v1/mail/entities/{type}/{id}?version=: an entity is gone."""
    who, ref, query = caller(request), _ref(request), read_query(request, DeletionQuery)
    async with transaction(request.app[POOL]) as conn:
        applied = await request.app[LINKER].delete(conn, who.tenant_id, ref, query.version)
        version = await directory.find_version(conn, who.tenant_id, ref)
    return reply(Applied(applied=applied, version=version or query.version))


async def import_entities(request: web.Request) -> web.Response:
    """POST /v1/mail/entities:import: many, a line each; doing it twice changes nothing."""
    who = caller(request)
    if request.content_type != NDJSON or (request.charset or "utf-8").lower() != "utf-8":
        raise UnsupportedMediaType(f"The body must be {NDJSON} in UTF-8.")

    async def take(batch: Sequence[Entity]) -> list[bool]:
        async with transaction(request.app[POOL]) as conn:
            return await request.app[LINKER].upsert(conn, who.tenant_id, batch)

    return reply(await Import(take).run(iter_body(request)))


async def read_activities(request: web.Request) -> web.Response:
    """GET /v1/mail/activities: of one entity, newest first."""
    who, query = caller(request), read_query(request, ActivityQuery)
    before = pagination.decode_cursor(query.cursor, ActivityPosition)
    wanted = store.WantedActivities(
        tenant_id=who.tenant_id,
        ref=EntityRef(query.entity_type, query.entity_id),
        user_id=seen_by(who),
        before=None if before is None else (before.date, before.id),
        limit=query.limit + 1,
    )
    async with transaction(request.app[POOL]) as conn:
        if await directory.find_entity(conn, who.tenant_id, wanted.ref) is None:
            raise NotFound("There is no such entity.")
        rows = await store.list_activities(conn, wanted)
    kept, next_cursor = pagination.cut(rows, limit=query.limit, position=_position)
    return reply(ActivityPage(items=[_activity(row) for row in kept], next_cursor=next_cursor))


def _ref(request: web.Request) -> EntityRef:
    """Return the entity the path names.

    Raises:
        InvalidInput: fields `entity_type`, `entity_id`, when there can be no such one.
    """
    try:
        path = EntityPath(
            entity_type=request.match_info["type"], entity_id=request.match_info["id"]
        )
    except ValidationError as exc:
        raise invalid(exc) from exc
    return EntityRef(path.entity_type, path.entity_id)


def _position(activity: Activity) -> ActivityPosition:
    return ActivityPosition(date=activity.occurred_at, id=activity.id)


def _activity(activity: Activity) -> ActivityOut:
    main = activity.main
    facts = main.facts
    return ActivityOut(
        id=activity.id,
        title=facts.content.subject,
        snippet=facts.snippet,
        direction=activity.direction,
        entities=[EntityOut(type=one.entity_type, id=one.entity_id) for one in activity.refs],
        participants=[ParticipantOut.model_validate(one) for one in participants(facts.content)],
        occurred_at=activity.occurred_at,
        created_by=activity.created_by,
        connection_id=main.connection_id,
        thread_id=facts.thread_id,
        visibility=activity.visibility,
        withheld=not main.in_full,
        copies=[_copy(one) for one in activity.copies],
    )


def _copy(one: Copy) -> CopyOut:
    return CopyOut(
        message_id=one.facts.message_id,
        connection_id=one.connection_id,
        user_id=one.user_id,
        google_message_id=one.facts.google_id,
        thread_id=one.facts.thread_id,
        direction=one.facts.direction,
        visibility=one.visibility,
        withheld=not one.in_full,
    )


ROUTES = (
    Route(
        method="PUT",
        path="/v1/mail/entities/{type}/{id}",
        handler=put_entity,
        access=Access.SERVICE,
        summary="Tell of a lead, deal or contact as it is now",
        body=EntityIn,
        max_body=MAX_ENTITY,
        returns=Applied,
        tags=("entities",),
    ),
    Route(
        method="DELETE",
        path="/v1/mail/entities/{type}/{id}",
        handler=delete_entity,
        access=Access.SERVICE,
        summary="Tell that a lead, deal or contact is gone",
        query=DeletionQuery,
        returns=Applied,
        tags=("entities",),
    ),
    Route(
        method="POST",
        path="/v1/mail/entities:import",
        handler=import_entities,
        access=Access.SERVICE,
        summary="Tell of up to 100,000 entities, one JSON object a line (application/x-ndjson)",
        max_body=MAX_IMPORT,
        timeout_s=IMPORT_TIMEOUT_S,
        returns=ImportReport,
        errors=(TooLarge, UnsupportedMediaType),
        tags=("entities",),
    ),
    Route(
        method="GET",
        path="/v1/mail/activities",
        handler=read_activities,
        access=Access.USER_OR_SERVICE,
        summary="List the mail that concerns an entity, newest first",
        query=ActivityQuery,
        returns=ActivityPage,
        errors=(NotFound,),
        tags=("entities",),
    ),
)
