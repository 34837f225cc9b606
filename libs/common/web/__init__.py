"""How every service speaks HTTP: a route table in, a guarded application out."""

from libs.common.web.app import ALL_ROLES, ROLES, SERVICE, build_app, version
from libs.common.web.callers import Caller, bearer, caller, internal_caller, seen_by
from libs.common.web.edge import REQUEST_ID
from libs.common.web.health import Check, Health, broker_answers, database_answers, migrated
from libs.common.web.loops import background
from libs.common.web.problems import Problem, UnsupportedMediaType
from libs.common.web.requests import (
    iter_body,
    parse_json,
    path_uuid,
    read_body,
    read_bytes,
    read_query,
    reply,
    traceparent,
)
from libs.common.web.routes import ROUTES, Access, Handler, Route
from libs.common.web.run import run

__all__ = [
    "ALL_ROLES",
    "REQUEST_ID",
    "ROLES",
    "ROUTES",
    "SERVICE",
    "Access",
    "Caller",
    "Check",
    "Handler",
    "Health",
    "Problem",
    "Route",
    "UnsupportedMediaType",
    "background",
    "bearer",
    "broker_answers",
    "build_app",
    "caller",
    "database_answers",
    "internal_caller",
    "iter_body",
    "migrated",
    "parse_json",
    "path_uuid",
    "read_body",
    "read_bytes",
    "read_query",
    "reply",
    "run",
    "seen_by",
    "traceparent",
    "version",
]
