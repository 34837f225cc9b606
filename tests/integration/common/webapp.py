"""A small service to try the kernel's web layer on: one route of every kind."""

import asyncio
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common import errors
from libs.common.settings import CommonSettings
from libs.common.web import (
    Access,
    Route,
    bearer,
    build_app,
    caller,
    internal_caller,
    path_uuid,
    read_body,
    read_bytes,
    read_query,
    reply,
)
from tests.support import CALLER_AUDIENCE, CALLER_ISSUER, CALLER_KEY, SERVICE_KEY

ORIGIN = "https://crm.example"


def settings(**changes: Any) -> CommonSettings:
    """Return settings with the tests' keys."""
    facts: dict[str, Any] = {
        "amqp_url": "amqp://127.0.0.1/",
        "public_url": "http://127.0.0.1",
        "service_key": SERVICE_KEY,
        "caller_key": CALLER_KEY,
        "caller_issuer": CALLER_ISSUER,
        "caller_audience": CALLER_AUDIENCE,
        "cors_origins": (ORIGIN,),
    }
    return CommonSettings(**(facts | changes))


class Note(BaseModel):
    """What is sent in."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=200_000)


class Filters(BaseModel):
    """What may be asked for."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=5, ge=1)
    tags: list[str] = Field(default=[], alias="tag")


async def list_notes(request: web.Request) -> web.Response:
    """Return the query as it was understood."""
    return reply(read_query(request, Filters))


async def add_note(request: web.Request) -> web.Response:
    """Return who sent what."""
    note = await read_body(request, Note)
    return reply({"text": note.text, "by": caller(request).subject}, status=201)


async def touch_note(request: web.Request) -> web.Response:
    """Take a body or none."""
    path_uuid(request)
    return reply({"size": len(await read_bytes(request))})


class Options(BaseModel):
    """How to check."""

    model_config = ConfigDict(extra="forbid")
    deep: bool = False


async def check_note(request: web.Request) -> web.Response:
    """Take no body at all for `{}`."""
    return reply(await read_body(request, Options))


async def receive_push(request: web.Request) -> web.Response:
    """Read the body only from somebody who knows the word."""
    if bearer(request) != "the-word":
        raise errors.Unauthenticated("Who is it?", reason="signature")
    return reply({"size": len(await read_bytes(request))})


async def who_calls(request: web.Request) -> web.Response:
    """Name the calling service."""
    return reply({"by": internal_caller(request)})


async def fail(request: web.Request) -> web.Response:
    """Fail in the way the path says."""
    failures: dict[str, Exception] = {
        "bug": ZeroDivisionError("token=hunter2"),
        "conflict": errors.Conflict("Not now.", slug="not-connected", connect_url="https://x"),
        "limited": errors.RateLimited("Later.", retry_after_s=7.2),
        "away": ConnectionRefusedError(),
        "redirect": web.HTTPFound("https://crm.example/back"),
    }
    raise failures.get(request.match_info["how"], errors.NotFound("No such failure."))


async def hang(_request: web.Request) -> web.Response:
    """Take longer than the route may."""
    await asyncio.Event().wait()
    raise AssertionError


ROUTES = (
    Route(method="GET", path="/v1/notes", handler=list_notes, access=Access.USER_OR_SERVICE,
          summary="List", query=Filters, tags=("notes",)),
    Route(method="POST", path="/v1/notes", handler=add_note, access=Access.USER, summary="Add",
          body=Note, returns=Note, status=201, idempotent=True, max_body=100_000,
          errors=(errors.Conflict,)),
    Route(method="POST", path="/v1/notes/{id}/touch", handler=touch_note, access=Access.SERVICE,
          summary="Touch"),
    Route(method="POST", path="/v1/check", handler=check_note, access=Access.USER,
          summary="Check", body=Options, optional_body=True),
    Route(method="POST", path="/webhooks/push", handler=receive_push, access=Access.WEBHOOK,
          summary="Push", max_body=1000),
    Route(method="GET", path="/internal/v1/who", handler=who_calls, access=Access.INTERNAL,
          summary="Who"),
    Route(method="GET", path="/v1/fail/{how}", handler=fail, access=Access.USER, summary="Fail"),
    Route(method="GET", path="/v1/hang", handler=hang, access=Access.USER, summary="Hang",
          timeout_s=0.05),
)  # fmt: skip


def make_app(**changes: Any) -> web.Application:
    """Return the service's application; `changes` go to `build_app`."""
    facts: dict[str, Any] = {"service": "notes", "settings": settings(), "routes": ROUTES}
    return build_app(**(facts | changes))
