"""HTTP handlers on groups of contacts, and on who is in them."""

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from libs.common import clock, idempotency, pagination
from libs.common.db import POOL, Connection, transaction
from libs.common.errors import Conflict, Forbidden, InvalidInput, NotFound
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
from libs.common.web.etags import etag
from services.contacts.domain.group import Group
from services.contacts.store import groups as store
from services.contacts.sync.changing import regrouping
from services.contacts.sync.changing.turn import Turn
from services.contacts.web.group_models import (
    GroupChange,
    GroupIn,
    GroupOut,
    GroupPage,
    GroupPosition,
    GroupsQuery,
    MembersChange,
)

MAX_BODY = 65_536


async def read_groups(request: web.Request) -> web.Response:
    """GET /v1/contacts/groups: a user's own, or all of the tenant's."""
    who, query = caller(request), read_query(request, GroupsQuery)
    after = pagination.decode_cursor(query.cursor, GroupPosition)
    mine = seen_by(who)
    if mine is not None and query.owner_user_id not in (None, mine):
        return reply(GroupPage(items=[]))
    async with transaction(request.app[POOL]) as conn:
        found = await store.list_groups(
            conn,
            who.tenant_id,
            owner_user_id=mine or query.owner_user_id,
            after=None if after is None else after.id,
            limit=query.limit + 1,
        )
        kept, cursor = pagination.cut(
            found, limit=query.limit, position=lambda one: GroupPosition(id=one.id)
        )
        items = await _shown(conn, who.tenant_id, kept)
    return reply(GroupPage(items=items, next_cursor=cursor))


async def create_group(request: web.Request) -> web.Response:
    """POST /v1/contacts/groups."""
    who, wanted = caller(request), await read_body(request, GroupIn)
    raw = await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        group = await regrouping.create(turn, _owner(who, wanted.owner_user_id), wanted.name)
        await turn.end()
        response = await _answer(conn, group, status=201)
        await idempotency.keep(conn, request, response)
    return response


async def read_group(request: web.Request) -> web.Response:
    """GET /v1/contacts/groups/{id}."""
    who, group_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        group = await regrouping.get_group(conn, who.tenant_id, group_id, seen_by(who))
        return await _answer(conn, group)


async def rename_group(request: web.Request) -> web.Response:
    """PATCH /v1/contacts/groups/{id}."""
    who, group_id = caller(request), path_uuid(request)
    wanted = await read_body(request, GroupChange)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        before = await regrouping.get_group(conn, who.tenant_id, group_id, seen_by(who))
        after = await regrouping.rename(turn, before, wanted.name)
        await turn.end()
        return await _answer(conn, after)


async def delete_group(request: web.Request) -> web.Response:
    """DELETE /v1/contacts/groups/{id}: its members stay contacts."""
    who, group_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        group = await regrouping.get_group(conn, who.tenant_id, group_id, seen_by(who))
        await regrouping.delete(turn, group)
        await turn.end()
    return web.Response(status=204)


async def change_members(request: web.Request) -> web.Response:
    """PATCH /v1/contacts/groups/{id}/members: some join, some leave."""
    wanted = await read_body(request, MembersChange)
    return await _change(request, add=wanted.add, remove=wanted.remove)


async def add_member(request: web.Request) -> web.Response:
    """PUT /v1/contacts/groups/{id}/members/{contact_id}."""
    return await _change(request, add=[path_uuid(request, "contact_id")])


async def remove_member(request: web.Request) -> web.Response:
    """DELETE /v1/contacts/groups/{id}/members/{contact_id}."""
    return await _change(request, remove=[path_uuid(request, "contact_id")])


async def _change(
    request: web.Request, *, add: Sequence[UUID] = (), remove: Sequence[UUID] = ()
) -> web.Response:
    """Let contacts join and leave; who is in already stays, who is not stays out."""
    who, group_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        group = await regrouping.get_group(conn, who.tenant_id, group_id, seen_by(who))
        await regrouping.change_members(turn, group, add=add, remove=remove)
        await turn.end()
        after = await regrouping.get_group(conn, who.tenant_id, group_id, seen_by(who))
        return await _answer(conn, after)


async def _shown(conn: Connection, tenant_id: str, found: Sequence[Group]) -> list[GroupOut]:
    counts = await store.count_members(conn, tenant_id, [one.id for one in found])
    return [
        GroupOut(
            id=one.id,
            name=one.name,
            owner_user_id=one.owner_user_id,
            version=one.version,
            members=counts[one.id],
            created_at=one.created_at,
            updated_at=one.updated_at,
        )
        for one in found
    ]


async def _answer(conn: Connection, group: Group, *, status: int = 200) -> web.Response:
    (body,) = await _shown(conn, group.tenant_id, [group])
    headers = {"ETag": etag(group.version)}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/v1/contacts/groups/{group.id}"
    return reply(body, status=status, headers=headers)


def _owner(who: Caller, wanted: str | None) -> str:
    """Return whose a new group is.

    Raises:
        Forbidden: a user makes one for somebody else.
        InvalidInput: a service does not say.
    """
    mine = seen_by(who)
    if mine is not None and wanted not in (None, mine):
        raise Forbidden("Users make groups of their own only.", slug="not-your-group")
    owner = wanted or mine
    if owner is None:
        raise InvalidInput.field("owner_user_id", "must be said by a service")
    return owner


ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts/groups",
        handler=read_groups,
        access=Access.USER_OR_SERVICE,
        summary="List groups of contacts",
        query=GroupsQuery,
        returns=GroupPage,
        tags=("groups",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/groups",
        handler=create_group,
        access=Access.USER_OR_SERVICE,
        summary="Make a group",
        body=GroupIn,
        max_body=MAX_BODY,
        returns=GroupOut,
        status=201,
        idempotent=True,
        errors=(Conflict, Forbidden),
        tags=("groups",),
    ),
    Route(
        method="GET",
        path="/v1/contacts/groups/{id}",
        handler=read_group,
        access=Access.USER_OR_SERVICE,
        summary="One group; its members are contacts by `group_id`",
        returns=GroupOut,
        errors=(NotFound,),
        tags=("groups",),
    ),
    Route(
        method="PATCH",
        path="/v1/contacts/groups/{id}",
        handler=rename_group,
        access=Access.USER_OR_SERVICE,
        summary="Give a group another name",
        body=GroupChange,
        max_body=MAX_BODY,
        returns=GroupOut,
        errors=(NotFound, Conflict),
        tags=("groups",),
    ),
    Route(
        method="DELETE",
        path="/v1/contacts/groups/{id}",
        handler=delete_group,
        access=Access.USER_OR_SERVICE,
        summary="Delete a group; its members stay contacts",
        status=204,
        errors=(NotFound,),
        tags=("groups",),
    ),
    Route(
        method="PATCH",
        path="/v1/contacts/groups/{id}/members",
        handler=change_members,
        access=Access.USER_OR_SERVICE,
        summary="Let contacts join and leave a group",
        body=MembersChange,
        max_body=MAX_BODY,
        returns=GroupOut,
        errors=(NotFound,),
        tags=("groups",),
    ),
    Route(
        method="PUT",
        path="/v1/contacts/groups/{id}/members/{contact_id}",
        handler=add_member,
        access=Access.USER_OR_SERVICE,
        summary="Let a contact join a group",
        returns=GroupOut,
        errors=(NotFound,),
        tags=("groups",),
    ),
    Route(
        method="DELETE",
        path="/v1/contacts/groups/{id}/members/{contact_id}",
        handler=remove_member,
        access=Access.USER_OR_SERVICE,
        summary="Let a contact leave a group",
        returns=GroupOut,
        errors=(NotFound,),
        tags=("groups",),
    ),
)
