"""HTTP handlers on nicknames: how a contact is addressed, by occasion."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from libs.common import clock, idempotency
from libs.common.db import POOL, Connection, transaction
from libs.common.errors import Conflict, NotFound
from libs.common.fields import plain_text
from libs.common.ids import new_id
from libs.common.web import (
    Access,
    Route,
    caller,
    path_uuid,
    read_body,
    read_bytes,
    reply,
    seen_by,
)
from services.contacts.domain.nickname import Nickname, Tone
from services.contacts.store import contacts
from services.contacts.store import nicknames as store
from services.contacts.sync.changing import keeping
from services.contacts.sync.changing.turn import Turn

LONGEST_NAME = 200
LONGEST_CONTEXT = 1_000
LONGEST_KEYWORD = 50
MOST_KEYWORDS = 30
MOST_NICKNAMES = 50
"""Of one contact."""
MAX_BODY = 65_536


def _said(value: str) -> str:
    trimmed = plain_text(value).strip()
    if not trimmed:
        raise ValueError("must not be empty")
    return trimmed


def _each_once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(one.casefold() for one in values))


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_said)]
Keyword = Annotated[str, Field(min_length=1, max_length=LONGEST_KEYWORD), AfterValidator(_said)]
Keywords = Annotated[list[Keyword], Field(max_length=MOST_KEYWORDS), AfterValidator(_each_once)]
Context = Annotated[str, Field(max_length=LONGEST_CONTEXT), AfterValidator(plain_text)]


class NicknameIn(BaseModel):
    """A way to address a contact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Text
    tone: Tone
    keywords: Keywords = Field(default=[], description="By which it is chosen; case-folded")
    context: Context = Field(default="", description="When it is used, in words")
    is_default: bool = Field(
        default=False,
        description="Used where none says more; it takes that from the default of its tone",
    )


class NicknameChange(BaseModel):
    """What changes of a nickname."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Text | None = None
    tone: Tone | None = None
    keywords: Keywords | None = None
    context: Context | None = None
    is_default: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.given():
            raise ValueError("must change something")
        return self

    def given(self) -> dict[str, Any]:
        """Return what it says, as the domain has it."""
        said = self.model_dump(exclude_none=True)
        return said | ({"keywords": tuple(said["keywords"])} if "keywords" in said else {})


class NicknameOut(BaseModel):
    """A way to address a contact."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    contact_id: UUID
    text: str
    tone: Tone
    keywords: list[str]
    context: str
    is_default: bool
    created_at: datetime
    updated_at: datetime


class NicknamesOut(BaseModel):
    """A contact's nicknames, the oldest first."""

    items: list[NicknameOut]


async def read_nicknames(request: web.Request) -> web.Response:
    """GET /v1/contacts/{id}/nicknames."""
    async with transaction(request.app[POOL]) as conn:
        contact_id = await _contact(conn, request)
        found = await store.list_nicknames(conn, caller(request).tenant_id, contact_id)
    return reply(NicknamesOut(items=[NicknameOut.model_validate(one) for one in found]))


async def create_nickname(request: web.Request) -> web.Response:
    """POST /v1/contacts/{id}/nicknames."""
    who, wanted = caller(request), await read_body(request, NicknameIn)
    raw, now = await read_bytes(request), clock.now()
    async with transaction(request.app[POOL]) as conn:
        await Turn.begin(conn, who.tenant_id, now=now)
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        contact_id = await _contact(conn, request)
        if len(await store.list_nicknames(conn, who.tenant_id, contact_id)) >= MOST_NICKNAMES:
            raise Conflict("The contact has too many nicknames.", slug="too-many-nicknames")
        made = Nickname(
            tenant_id=who.tenant_id,
            id=new_id(),
            contact_id=contact_id,
            text=wanted.text,
            tone=wanted.tone,
            keywords=tuple(wanted.keywords),
            context=wanted.context,
            is_default=wanted.is_default,
            created_at=now,
            updated_at=now,
        )
        await store.put_nickname(conn, made)
        response = reply(
            NicknameOut.model_validate(made),
            status=201,
            headers={"Location": f"/v1/contacts/{contact_id}/nicknames/{made.id}"},
        )
        await idempotency.keep(conn, request, response)
    return response


async def read_nickname(request: web.Request) -> web.Response:
    """GET /v1/contacts/{id}/nicknames/{nickname_id}."""
    async with transaction(request.app[POOL]) as conn:
        found = await _nickname(conn, request)
    return reply(NicknameOut.model_validate(found))


async def change_nickname(request: web.Request) -> web.Response:
    """PATCH /v1/contacts/{id}/nicknames/{nickname_id}: what is given changes."""
    who, wanted = caller(request), await read_body(request, NicknameChange)
    now = clock.now()
    async with transaction(request.app[POOL]) as conn:
        await Turn.begin(conn, who.tenant_id, now=now)
        before = await _nickname(conn, request)
        after = replace(before, **wanted.given(), updated_at=now)
        await store.put_nickname(conn, after)
    return reply(NicknameOut.model_validate(after))


async def delete_nickname(request: web.Request) -> web.Response:
    """DELETE /v1/contacts/{id}/nicknames/{nickname_id}."""
    who = caller(request)
    async with transaction(request.app[POOL]) as conn:
        await Turn.begin(conn, who.tenant_id, now=clock.now())
        found = await _nickname(conn, request)
        await store.delete_nickname(conn, who.tenant_id, found.contact_id, found.id)
    return web.Response(status=204)


async def _contact(conn: Connection, request: web.Request) -> UUID:
    """Return the contact that a path names.

    Raises:
        NotFound: there is none that the caller sees.
    """
    who = caller(request)
    found = await contacts.find_contact(conn, who.tenant_id, path_uuid(request))
    return keeping.visible(found, seen_by(who)).id


async def _nickname(conn: Connection, request: web.Request) -> Nickname:
    """Return the nickname that a path names.

    Raises:
        NotFound: there is none that the caller sees.
    """
    contact_id, nickname_id = await _contact(conn, request), path_uuid(request, "nickname_id")
    found = await store.find_nickname(conn, caller(request).tenant_id, contact_id, nickname_id)
    if found is None:
        raise NotFound("There is no such nickname.")
    return found


ROUTES = (
    Route(
        method="GET",
        path="/v1/contacts/{id}/nicknames",
        handler=read_nicknames,
        access=Access.USER_OR_SERVICE,
        summary="List the ways to address a contact",
        returns=NicknamesOut,
        errors=(NotFound,),
        tags=("nicknames",),
    ),
    Route(
        method="POST",
        path="/v1/contacts/{id}/nicknames",
        handler=create_nickname,
        access=Access.USER_OR_SERVICE,
        summary="Add a way to address a contact",
        body=NicknameIn,
        max_body=MAX_BODY,
        returns=NicknameOut,
        status=201,
        idempotent=True,
        errors=(NotFound, Conflict),
        tags=("nicknames",),
    ),
    Route(
        method="GET",
        path="/v1/contacts/{id}/nicknames/{nickname_id}",
        handler=read_nickname,
        access=Access.USER_OR_SERVICE,
        summary="One way to address a contact",
        returns=NicknameOut,
        errors=(NotFound,),
        tags=("nicknames",),
    ),
    Route(
        method="PATCH",
        path="/v1/contacts/{id}/nicknames/{nickname_id}",
        handler=change_nickname,
        access=Access.USER_OR_SERVICE,
        summary="Change a way to address a contact",
        body=NicknameChange,
        max_body=MAX_BODY,
        returns=NicknameOut,
        errors=(NotFound,),
        tags=("nicknames",),
    ),
    Route(
        method="DELETE",
        path="/v1/contacts/{id}/nicknames/{nickname_id}",
        handler=delete_nickname,
        access=Access.USER_OR_SERVICE,
        summary="Remove a way to address a contact",
        status=204,
        errors=(NotFound,),
        tags=("nicknames",),
    ),
)
