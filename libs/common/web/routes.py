"""The route table: what a service answers, and who may ask.

A `Route` cannot be made without an `access` rule, and an application answers nothing
that is not in its table, so there is no endpoint nobody decided about.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web
from pydantic import BaseModel

from libs.common.errors import AppError

MAX_BODY = 1_048_576
TIMEOUT_S = 30.0


class Access(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    """Anybody; no credentials are looked at."""
    USER = "user"
    """A person of a tenant, by a caller token."""
    SERVICE = "service"
    """Another service of the CRM, by a caller token with the role `service`."""
    USER_OR_SERVICE = "user_or_service"
    """Either of the two."""
    INTERNAL = "internal"
    """Another Causeway service, by its own short-lived token."""
    WEBHOOK = "webhook"
    """Somebody outside; the handler itself checks who, before it reads the body."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Route:
    """One endpoint: how it is reached, who may, and what goes in and out.

    Args:
        path: starts with `/`; variables as `{name}`.
        access: who may call; there is no default.
        summary: one line for the API's documentation.
        query: documents and types the query string (see `read_query`).
        body: documents and types the JSON body; must refuse unknown fields.
        optional_body: no body at all counts as `{}`.
        returns: documents the answer of `status`; None means it has no JSON body.
        idempotent: the endpoint honours `Idempotency-Key`.
        max_body: largest body in bytes.
        timeout_s: seconds the handler may take before the caller gets 503.
        errors: what it raises beyond what every endpoint may answer.
        tags: groups in the documentation.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    optional_body: bool = False
    returns: type[BaseModel] | None = None
    status: int = 200
    idempotent: bool = False
    max_body: int = MAX_BODY
    timeout_s: float = TIMEOUT_S
    errors: tuple[type[AppError], ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a route that would be reachable by accident or lenient by accident.

        Raises:
            TypeError: `access` is no rule, or `body` lets unknown fields through.
        """
        if not isinstance(self.access, Access):
            raise TypeError(f"{self.method} {self.path} has no access rule")
        if self.body is not None and not _refuses_unknown_fields(self.body):
            raise TypeError(f"{self.body.__name__} must be declared with extra='forbid'")


def _refuses_unknown_fields(model: type[BaseModel]) -> bool:
    return model.__pydantic_root_model__ or model.model_config.get("extra") == "forbid"


ROUTES = web.AppKey("routes", tuple[Route, ...])
"""Every route the application answers, its own ones (`/healthz`, ...) included."""

ROUTE = web.RequestKey("route", Route)
"""The route a request matched; absent when it matched none."""
