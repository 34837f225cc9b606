"""Builds a service's application from its route table."""

from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import aiohttp_cors
from aiohttp import web

from libs.common import service_tokens
from libs.common.settings import CommonSettings
from libs.common.web import docs, openapi
from libs.common.web.callers import CallerVerifier, SharedKey
from libs.common.web.edge import REQUEST_ID_HEADER, edge
from libs.common.web.gate import Gatekeeper
from libs.common.web.health import CHECKS, Check, show_alive, show_ready
from libs.common.web.jwks import PublishedKeys
from libs.common.web.metrics import show_metrics
from libs.common.web.requests import hold_expect, reply
from libs.common.web.routes import ROUTES, Access, Route

ROLES: web.AppKey[frozenset[str]] = web.AppKey("roles", frozenset)
SERVICE = web.AppKey("service", str)
ALL_ROLES = frozenset({"web", "worker", "relay", "consumer"})
NOT_FOR_BROWSERS = frozenset({Access.INTERNAL, Access.WEBHOOK})
CORS_MAX_AGE_S = 600


def build_app(
    *,
    service: str,
    settings: CommonSettings,
    routes: Sequence[Route],
    roles: frozenset[str] = ALL_ROLES,
    checks: Mapping[str, Check] | None = None,
) -> web.Application:
    """Return the application: every route behind its access rule, and nothing else.

    It opens nothing; resources belong into `app.cleanup_ctx`. Adds `/`, `/healthz`,
    `/readyz`, `/metrics` and, with the role `web`, `/openapi.json` and `/docs`; without that
    role `routes` are not served. It refuses to start with a route that is not in the table.

    Args:
        service: its name, such as `mail`; other services address it as `causeway-mail`.
        settings: callers' and services' keys, and the origins browsers may come from.
        routes: the service's own table.
        roles: what this process does.
        checks: what `/readyz` looks at, by name.
    """
    app = web.Application(middlewares=[edge])
    keeper = _gatekeeper(app, service, settings)
    is_web = "web" in roles
    table = (*_own_routes(), *(docs.routes() if is_web else ()), *(routes if is_web else ()))
    app[SERVICE], app[ROLES], app[ROUTES] = service, roles, table
    app[CHECKS] = dict(checks or {})
    _add(app, keeper, table, settings.cors_origins)
    app[openapi.DOCUMENT] = openapi.Document(service, version(), table)
    app.on_startup.append(_refuse_strangers)
    return app


def version() -> str:
    """Return the release that runs; `0` from a tree that is not installed."""
    try:
        return metadata.version("causeway")
    except metadata.PackageNotFoundError:
        return "0"


async def show_root(request: web.Request) -> web.Response:
    """GET /: what this is."""
    roles: frozenset[str] = request.app[ROLES]
    return reply(
        {
            "service": request.app[SERVICE],
            "version": version(),
            "roles": sorted(roles),
            "docs": "/docs" if "web" in roles else None,
        }
    )


def _own_routes() -> tuple[Route, ...]:
    own = (
        ("/", show_root, "What this is"),
        ("/healthz", show_alive, "The process is alive"),
        ("/readyz", show_ready, "Requests can be answered"),
        ("/metrics", show_metrics, "Metrics for Prometheus"),
    )
    return tuple(
        Route(
            method="GET",
            path=path,
            handler=handler,
            access=Access.PUBLIC,
            summary=summary,
            tags=("operations",),
        )
        for path, handler, summary in own
    )


def _gatekeeper(app: web.Application, service: str, settings: CommonSettings) -> Gatekeeper:
    keys: SharedKey | PublishedKeys
    if settings.caller_key is not None:
        keys = SharedKey(settings.caller_key.get_secret_value())
    else:
        keys = published = PublishedKeys(str(settings.caller_jwks_url))

        async def close_keys(_app: web.Application) -> AsyncIterator[None]:
            yield
            await published.close()

        app.cleanup_ctx.append(close_keys)
    return Gatekeeper(
        callers=CallerVerifier(
            keys, issuer=settings.caller_issuer, audience=settings.caller_audience
        ),
        service_key=settings.service_key.get_secret_value(),
        audience=service_tokens.audience_of(service),
    )


def _add(
    app: web.Application, keeper: Gatekeeper, table: Sequence[Route], origins: Sequence[str]
) -> None:
    """Register the table, one resource per path, so that CORS sees all methods of a path."""
    cors = aiohttp_cors.setup(app, defaults=_cors_defaults(origins)) if origins else None
    paths: dict[str, list[Route]] = {}
    for route in table:
        paths.setdefault(route.path, []).append(route)
    for path, routes in paths.items():
        resource = app.router.add_resource(path)
        for route in routes:
            handler = keeper.guard(route)
            resource.add_route(route.method, handler, expect_handler=hold_expect)
            if route.method == "GET":
                resource.add_route("HEAD", handler, expect_handler=hold_expect)
        if cors is not None and not any(route.access in NOT_FOR_BROWSERS for route in routes):
            cors.add(resource)


def _cors_defaults(origins: Sequence[str]) -> dict[str, Any]:
    """Return who may call from a browser; never with cookies, which we do not take."""
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call] # has no types
        allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "If-Match"),
        expose_headers=("ETag", "Location", "Retry-After", REQUEST_ID_HEADER),
        allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        max_age=CORS_MAX_AGE_S,
    )
    return dict.fromkeys(origins, options)


async def _refuse_strangers(app: web.Application) -> None:
    """Stop the start when something was registered around the table.

    Raises:
        RuntimeError: a route has no access rule.
    """
    known = {(route.method, route.path) for route in app[ROUTES]}
    known |= {("HEAD", path) for method, path in known if method == "GET"}
    for route in app.router.routes():
        path = "" if route.resource is None else route.resource.canonical
        is_preflight = route.method == "OPTIONS" and any(path == p for _, p in known)
        if (route.method, path) not in known and not is_preflight:
            raise RuntimeError(f"{route.method} {path} has no access rule")
