"""HTTP handlers on Google's side: what is there now, and one contact brought into step at once."""

from http import HTTPStatus
from typing import Literal
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, Field

from libs.common import clock, idempotency
from libs.common.connections.access import readable, writable
from libs.common.db import POOL, transaction
from libs.common.errors import Conflict, InvalidInput, NotFound, RateLimited, Transient
from libs.common.google.errors import RequestRefused
from libs.common.waiting import LONGEST_WAIT_S
from libs.common.web import (
    Access,
    Route,
    caller,
    path_uuid,
    read_bytes,
    read_query,
    reply,
    seen_by,
)
from services.contacts.google import GooglePeople
from services.contacts.store import contacts, people
from services.contacts.sync.changing.keeping import visible as visible_contact
from services.contacts.sync.fetching import Fetching
from services.contacts.web.choosing import chosen
from services.contacts.web.queries import ConnectionQuery

GOOGLE = web.AppKey("google", GooglePeople)
FETCHING = web.AppKey("fetching", Fetching)
MAX_BODY = 1024
"""Of requests that say all by their path and query."""
TIMEOUT_S = LONGEST_WAIT_S + 10.0
MOST_LISTED = 1000


class PeopleQuery(ConnectionQuery):
    """Which people to list."""

    limit: int = Field(default=100, ge=1, le=MOST_LISTED)
    cursor: str | None = Field(default=None, max_length=4096)


class EmailOut(BaseModel):
    """An address of a person's."""

    address: str
    type: str
    primary: bool


class GooglePersonOut(BaseModel):
    """A person as Google has them now."""

    resource: str
    etag: str
    name: str = Field(description="By name, organization, address or number")
    emails: list[EmailOut]
    contact_id: UUID | None = Field(description="Which contact it is; null: none")


class GooglePeoplePage(BaseModel):
    """People of an address book, those that changed last first."""

    items: list[GooglePersonOut]
    next_cursor: str | None
    total: int | None = Field(description="People in the address book")


class StepOut(BaseModel):
    """What bringing one contact into step came to."""

    id: UUID | None = Field(description="Of the contact")
    google_id: str | None = Field(description="Its name at Google")
    action: Literal["created", "updated", "unchanged", "queued"] = Field(
        description="queued: Google has not answered yet; it goes on by itself"
    )


async def read_people(request: web.Request) -> web.Response:
    """GET /v1/contacts/google: the address book as it is now."""
    who, query, pool = caller(request), read_query(request, PeopleQuery), request.app[POOL]
    async with pool.acquire() as conn:
        connection = readable(await chosen(conn, who, query.connection_id))
    box = request.app[GOOGLE].box(connection)
    try:
        page = await box.list_newest(query.cursor, size=query.limit)
    except RequestRefused as exc:
        if query.cursor is None:
            raise
        raise InvalidInput.field("cursor", "is none of this list's") from exc
    async with pool.acquire() as conn:
        known = await people.find_people(
            conn, who.tenant_id, connection.id, [one.resource for one in page.people]
        )
    items = [
        GooglePersonOut(
            resource=one.resource,
            etag=one.etag,
            name=one.card.shown_name,
            emails=[
                EmailOut(address=mail.address, type=mail.type, primary=mail.primary)
                for mail in one.card.emails
            ],
            contact_id=known[one.resource].contact_id if one.resource in known else None,
        )
        for one in page.people
    ]
    total = page.total
    return reply(GooglePeoplePage(items=items, next_cursor=page.next_page_token, total=total))


async def push_contact(request: web.Request) -> web.Response:
    """POST /v1/contacts/{id}/push: into the address book now, whatever is usual."""
    who, contact_id, pool = caller(request), path_uuid(request), request.app[POOL]
    query, raw = read_query(request, ConnectionQuery), await read_bytes(request)
    async with pool.acquire() as conn:
        found = await contacts.find_contact(conn, who.tenant_id, contact_id)
        contact = visible_contact(found, seen_by(who))
        connection = writable(await chosen(conn, who, query.connection_id))
    fetching = request.app[FETCHING]
    async with transaction(pool) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        write_id = await fetching.queue(conn, connection, contact.id, now=clock.now())
        queued = StepOut(id=contact.id, google_id=None, action="queued")
        await idempotency.keep(conn, request, reply(queued, status=HTTPStatus.ACCEPTED))
    ended = await fetching.wait(who.tenant_id, write_id, timeout_s=LONGEST_WAIT_S)
    if ended is None:
        return reply(queued, status=HTTPStatus.ACCEPTED)
    return reply(
        StepOut.model_validate(
            {"id": contact.id, "google_id": ended.resource, "action": ended.action}
        )
    )


async def pull_person(request: web.Request) -> web.Response:
    """POST /v1/contacts/google/{resource}/pull: as they are now; imported if new."""
    who, query, pool = caller(request), read_query(request, ConnectionQuery), request.app[POOL]
    resource = _resource(request.match_info["resource"])
    async with pool.acquire() as conn:
        connection = readable(await chosen(conn, who, query.connection_id))
    pulled = await request.app[FETCHING].pull(connection, resource)
    return reply(
        StepOut.model_validate(
            {"id": pulled.contact_id, "google_id": pulled.resource, "action": pulled.action}
        )
    )


def _resource(text: str) -> str:
    """Return a person's name at Google: `people/c123`, or only what follows the slash.

    Raises:
        NotFound: nobody can be called that.
    """
    name = text.removeprefix("people/")
    if not name or not name.isascii() or not name.isprintable() or set(name) & set("/ :?#"):
        raise NotFound("There is no such person.")
    return f"people/{name}"


ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts/google",
        handler=read_people,
        access=Access.USER_OR_SERVICE,
        summary="List the people of an address book as they are at Google now",
        query=PeopleQuery,
        returns=GooglePeoplePage,
        errors=(NotFound, Conflict, RateLimited, Transient),
        tags=("google",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/{id}/push",
        handler=push_contact,
        access=Access.USER_OR_SERVICE,
        summary="Bring a contact into the address book now",
        query=ConnectionQuery,
        max_body=MAX_BODY,
        returns=StepOut,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(NotFound, Conflict, RateLimited),
        tags=("google",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/google/{resource}/pull",
        handler=pull_person,
        access=Access.USER_OR_SERVICE,
        summary="Take a person in as Google has them now",
        query=ConnectionQuery,
        max_body=MAX_BODY,
        returns=StepOut,
        errors=(NotFound, Conflict, RateLimited, Transient),
        tags=("google",),
    ),
)
