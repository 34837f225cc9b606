"""The outermost layer: a request id, one log line, metrics, and errors as problems."""

import re
import time
from logging import DEBUG

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from libs.common.errors import AppError
from libs.common.ids import new_text_id
from libs.common.web import metrics, problems
from libs.common.web.callers import CALLER, INTERNAL_CALLER
from libs.common.web.routes import ROUTE, Access, Route

REQUEST_ID_HEADER = "X-Request-Id"
REQUEST_ID = web.RequestKey("request_id", str)
FOREIGN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
UNMATCHED = "unmatched"
SERVER_ERROR = 500
CLIENT_ERROR = 400
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: their good answers are logged at debug level."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Server": "causeway",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Set on every answer that does not say otherwise itself."""

log = structlog.get_logger(__name__)


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever happens, and say so in one line of the log and in the metrics."""
    started = time.perf_counter()
    request_id = _request_id(request)
    request[REQUEST_ID] = request_id
    facts: dict[str, object] = {}
    status = 499  # stays when the answer was given up: shutting down, or the caller went away
    # For the rest of this task, which aiohttp makes for this request alone.
    structlog.contextvars.bind_contextvars(request_id=request_id)
    try:
        response = await _answer(request, handler, request_id, facts)
        _complete(response, request_id)
        status = response.status
    except web.HTTPException as exc:  # a redirect, which aiohttp wants raised
        _complete(exc, request_id)
        status = exc.status
        raise
    finally:
        _record(request, status, time.perf_counter() - started, facts)
    return response


async def _answer(
    request: web.Request, handler: Handler, request_id: str, facts: dict[str, object]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < CLIENT_ERROR:
            raise
        return problems.http_problem(exc, request_id)
    except Exception as exc:  # noqa: BLE001 - the edge: every defect becomes a 500 and a log line
        error = problems.as_app_error(exc)
        if error is None or error.status == SERVER_ERROR:
            facts["exc_info"] = exc
            error = problems.INTERNAL
        elif not isinstance(exc, AppError):
            facts["cause"] = type(exc).__name__
        facts["problem"] = error.slug
        if "reason" in error.data:
            facts["reason"] = error.data["reason"]
        return problems.problem_response(error, request_id)


def _request_id(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    return given if FOREIGN_ID.fullmatch(given) else new_text_id()


def _complete(response: web.StreamResponse, request_id: str) -> None:
    if response.prepared:
        return
    headers = response.headers
    headers[REQUEST_ID_HEADER] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


def route_template(request: web.Request) -> str:
    """Return the path with variables unfilled; raw paths and queries may hold secrets."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical


def _is_routine(route: str, matched: Route | None, status: int) -> bool:
    """Tell what machines ask every few seconds, and a webhook that was taken in.

    Of those thousands a second may be, and the metrics count them.
    """
    if route in QUIET:
        return status < SERVER_ERROR
    return matched is not None and matched.access is Access.WEBHOOK and status < CLIENT_ERROR


def _record(request: web.Request, status: int, seconds: float, facts: dict[str, object]) -> None:
    route, matched = route_template(request), request.get(ROUTE)
    metrics.observe(method=request.method, route=route, status=status, seconds=seconds)
    write = log.error if status >= SERVER_ERROR else log.info
    if _is_routine(route, matched, status):
        if not log.is_enabled_for(DEBUG):
            return  # a line nobody wants need not be put together
        write = log.debug
    if (who := request.get(CALLER)) is not None:
        facts |= {"caller": who.kind, "tenant_id": who.tenant_id, "subject": who.subject}
    elif (service := request.get(INTERNAL_CALLER)) is not None:
        facts |= {"caller": "internal", "subject": service}
    if matched is not None:
        facts["access"] = matched.access.value
    write(
        "request",
        method=request.method,
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 2),
        **facts,
    )
