"""Errors as HTTP answers: problem+json with a stable `type`.

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from libs.common.errors import (
    AppError,
    InvalidInput,
    RateLimited,
    TooLarge,
    Transient,
    Unauthenticated,
)

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:causeway:problem:"
INSTANCE_PREFIX = "urn:causeway:request:"

DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""What passes by itself: the caller is told to come back (503), not that we are broken."""


class UnsupportedMediaType(InvalidInput):
    """The body is not JSON."""

    status = 415
    slug = "unsupported-media-type"


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    field: str = Field(description="Where, such as `products[0].name`; `body` for the whole.")
    detail: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    """An error, as every endpoint answers it (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Stable name of the error, `urn:causeway:problem:<slug>`.")
    title: str = Field(description="The name in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="A sentence about this occurrence.")
    instance: str | None = Field(default=None, description="Names the request in the logs.")
    errors: list[FieldProblem] | None = Field(default=None, description="The wrong fields.")


RESERVED = frozenset(Problem.model_fields) - {"errors"}


def problem_response(error: AppError, request_id: str) -> web.Response:
    """Return `error` as an answer; its `data` become members of the document."""
    headers = {}
    if isinstance(error, Unauthenticated):
        known = error.data.get("reason") == "missing"
        headers["WWW-Authenticate"] = "Bearer" if known else 'Bearer error="invalid_token"'
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return _response(
        error.status, error.slug, error.message, request_id, data=error.data, headers=headers
    )


def http_problem(exc: web.HTTPException, request_id: str) -> web.Response:
    """Return one of aiohttp's own refusals (404, 405, 413, ...) as a problem."""
    if exc.status == TooLarge.status:
        return problem_response(TooLarge("The body is too large."), request_id)
    status = HTTPStatus(exc.status)
    slug = status.phrase.lower().replace(" ", "-").replace("'", "")
    headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else {}
    detail = status.description or status.phrase
    return _response(
        exc.status, slug, f"{detail.rstrip('.')}.", request_id, data={}, headers=headers
    )


def as_app_error(exc: Exception) -> AppError | None:
    """Return the meaning of an exception, or None when it is a defect of ours."""
    if isinstance(exc, AppError):
        return exc
    if isinstance(exc, DATABASE_AWAY) and not isinstance(exc, asyncpg.DataError):
        return Transient("Something this needs does not answer at the moment.")
    return None


INTERNAL = AppError("Something went wrong on our side; the request id finds it in the logs.")


def _response(
    status: int,
    slug: str,
    detail: str,
    request_id: str,
    *,
    data: Mapping[str, Any],
    headers: Mapping[str, str],
) -> web.Response:
    document = {
        "type": f"{TYPE_PREFIX}{slug}",
        "title": slug.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": f"{INSTANCE_PREFIX}{request_id}",
        **{name: value for name, value in data.items() if name not in RESERVED},
    }
    body = orjson.dumps(document, default=str)
    return web.Response(status=status, body=body, content_type=CONTENT_TYPE, headers=headers)
