"""HTTP handlers on contacts: listed, made, changed, deleted, merged."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from aiohttp import hdrs, web

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
from libs.common.web.etags import PreconditionFailed, check_if_match, etag
from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact, NewContact
from services.contacts.store import contacts as store
from services.contacts.store import groups, people, tenant_defaults
from services.contacts.sync.changing import keeping
from services.contacts.sync.changing.regrouping import get_group
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.changing.uniting import unite
from services.contacts.web.models import (
    ContactChange,
    ContactOut,
    ContactPage,
    ContactPosition,
    ContactsQuery,
    DeletionQuery,
    MergeIn,
    NewContactIn,
)

MAX_BODY = 1_048_576


async def read_contacts(request: web.Request) -> web.Response:
    """GET /v1/contacts: those the caller may see, in the order in which they were made."""
    who, query = caller(request), read_query(request, ContactsQuery)
    after = pagination.decode_cursor(query.cursor, ContactPosition)
    async with transaction(request.app[POOL]) as conn:
        if query.group_id is not None:
            await get_group(conn, who.tenant_id, query.group_id, seen_by(who))
        found = await store.list_contacts(
            conn,
            who.tenant_id,
            user_id=seen_by(who),
            words=(query.q or "").casefold().split(),
            group_id=query.group_id,
            after=None if after is None else after.id,
            limit=query.limit + 1,
        )
        kept, cursor = pagination.cut(
            found, limit=query.limit, position=lambda one: ContactPosition(id=one.id)
        )
        items = await _shown(conn, who, kept)
    return reply(ContactPage(items=items, next_cursor=cursor))


async def create_contact(request: web.Request) -> web.Response:
    """POST /v1/contacts."""
    who, wanted = caller(request), await read_body(request, NewContactIn)
    raw = await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        defaults = await tenant_defaults.find_defaults(conn, who.tenant_id)
        new = NewContact(
            owner_user_id=owner_of(who, wanted.owner_user_id),
            entity_id=wanted.entity_id,
            card=wanted.card(Card(), region=defaults.region),
        )
        contact = await keeping.create(turn, new)
        await turn.end()
        response = await _answer(conn, who, contact, status=201)
        await idempotency.keep(conn, request, response)
    return response


async def read_contact(request: web.Request) -> web.Response:
    """GET /v1/contacts/{id}."""
    who, contact_id = caller(request), path_uuid(request)
    async with transaction(request.app[POOL]) as conn:
        found = await store.find_contact(conn, who.tenant_id, contact_id)
        return await _answer(conn, who, keeping.visible(found, seen_by(who)))


async def change_contact(request: web.Request) -> web.Response:
    """PATCH /v1/contacts/{id}: what is given changes; with If-Match only what was seen."""
    who, contact_id = caller(request), path_uuid(request)
    wanted = await read_body(request, ContactChange)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        before = await _seen(turn, request, contact_id, wanted.version)
        defaults = await tenant_defaults.find_defaults(conn, who.tenant_id)
        card = wanted.card(before.card, region=defaults.region)
        after = await keeping.change(turn, before, card, **_attributes(who, before, wanted))
        await turn.end()
        return await _answer(conn, who, after)


async def delete_contact(request: web.Request) -> web.Response:
    """DELETE /v1/contacts/{id}?from_google=: with If-Match only what was seen."""
    who, contact_id = caller(request), path_uuid(request)
    query = read_query(request, DeletionQuery)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        found = await _seen(turn, request, contact_id, query.version)
        await keeping.delete(turn, found, from_google=query.from_google, user_id=seen_by(who))
        await turn.end()
    return web.Response(status=204)


async def merge_contact(request: web.Request) -> web.Response:
    """POST /v1/contacts/{id}/merge: it is a part of another one from now on."""
    who, contact_id = caller(request), path_uuid(request)
    wanted, raw = await read_body(request, MergeIn), await read_bytes(request)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        contact = await keeping.get_contact(turn, contact_id, seen_by(who))
        try:
            into = await keeping.get_contact(turn, wanted.into, seen_by(who))
        except NotFound:
            raise InvalidInput.field("into", "is no contact") from None
        after = await unite(turn, contact, into, user_id=seen_by(who))
        await turn.end()
        response = await _answer(conn, who, after)
        await idempotency.keep(conn, request, response)
    return response


async def _shown(conn: Connection, who: Caller, contacts: Sequence[Contact]) -> list[ContactOut]:
    """Return contacts as somebody sees them: a user none of their colleagues' groups and links."""
    ids, user_id = [one.id for one in contacts], seen_by(who)
    memberships = await groups.groups_of_contacts(conn, who.tenant_id, ids, owner_user_id=user_id)
    links = await people.list_links(conn, who.tenant_id, ids, user_id=user_id)
    return [ContactOut.of(one, groups=memberships[one.id], links=links[one.id]) for one in contacts]


async def _answer(
    conn: Connection, who: Caller, contact: Contact, *, status: int = 200
) -> web.Response:
    (body,) = await _shown(conn, who, [contact])
    headers = {"ETag": etag(contact.version)}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/v1/contacts/{contact.id}"
    return reply(body, status=status, headers=headers)


async def _seen(turn: Turn, request: web.Request, contact_id: UUID, version: int | None) -> Contact:
    """Return a contact that may be changed now: it is what the caller has seen.

    Raises:
        NotFound: there is none.
        PreconditionFailed, Conflict: it was changed since.
    """
    found = await keeping.get_contact(turn, contact_id, seen_by(caller(request)))
    if hdrs.IF_MATCH in request.headers:
        check_if_match(request, found.version)
    keeping.check_version(found, version)
    return found


def owner_of(who: Caller, wanted: str | None) -> str | None:
    """Return whose a new contact is.

    Raises:
        Forbidden: a user makes one for somebody else.
    """
    mine = seen_by(who)
    if mine is not None and wanted not in (None, mine):
        raise Forbidden("Users make contacts of their own only.", slug="not-your-contact")
    return wanted if mine is None else mine


def _attributes(who: Caller, before: Contact, wanted: ContactChange) -> dict[str, Any]:
    """Return what changes of a contact besides its card.

    Raises:
        Forbidden: a user gives it to somebody else.
    """
    given: dict[str, Any] = {}
    if wanted.entity_id is not None:
        given["entity_id"] = wanted.entity_id
    if "owner_user_id" in wanted.model_fields_set:
        if seen_by(who) is not None and wanted.owner_user_id != before.owner_user_id:
            raise Forbidden("Only a service gives contacts away.", slug="not-your-contact")
        given["owner_user_id"] = wanted.owner_user_id
    return given


ERRORS = (NotFound, Conflict, Forbidden)

ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts",
        handler=read_contacts,
        access=Access.USER_OR_SERVICE,
        summary="List contacts, of a group, or by what they are found by",
        query=ContactsQuery,
        returns=ContactPage,
        errors=(NotFound,),
        tags=("contacts",),
    ),
    Route(
        method="POST",
        path="/v1/contacts",
        handler=create_contact,
        access=Access.USER_OR_SERVICE,
        summary="Make a contact",
        body=NewContactIn,
        max_body=MAX_BODY,
        returns=ContactOut,
        status=201,
        idempotent=True,
        errors=(Conflict, Forbidden),
        tags=("contacts",),
    ),
    Route(
        method="GET",
        path="/v1/contacts/{id}",
        handler=read_contact,
        access=Access.USER_OR_SERVICE,
        summary="One contact",
        returns=ContactOut,
        errors=(NotFound,),
        tags=("contacts",),
    ),
    Route(
        method="PATCH",
        path="/v1/contacts/{id}",
        handler=change_contact,
        access=Access.USER_OR_SERVICE,
        summary="Change a contact; with If-Match or a version only what was seen",
        body=ContactChange,
        max_body=MAX_BODY,
        returns=ContactOut,
        errors=(*ERRORS, PreconditionFailed),
        tags=("contacts",),
    ),
    Route(
        method="DELETE",
        path="/v1/contacts/{id}",
        handler=delete_contact,
        access=Access.USER_OR_SERVICE,
        summary="Delete a contact; settings say from which address books it goes",
        query=DeletionQuery,
        status=204,
        errors=(NotFound, Conflict, PreconditionFailed),
        tags=("contacts",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/{id}/merge",
        handler=merge_contact,
        access=Access.USER_OR_SERVICE,
        summary="Two contacts are the same person: let one be a part of the other",
        body=MergeIn,
        max_body=1024,
        returns=ContactOut,
        idempotent=True,
        errors=(NotFound, Conflict),
        tags=("contacts",),
    ),
)
