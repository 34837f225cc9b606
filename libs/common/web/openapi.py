"""The OpenAPI 3.1 document, generated from the same models that validate requests.

Source: https://spec.openapis.org/oas/v3.1.1.html
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from aiohttp import web
from openapi_pydantic import (
    Components,
    Info,
    MediaType,
    OpenAPI,
    Operation,
    Parameter,
    PathItem,
    Reference,
    RequestBody,
    Response,
    SecurityScheme,
    schema_validate,
)
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from libs.common import errors
from libs.common.web.problems import CONTENT_TYPE, Problem, UnsupportedMediaType
from libs.common.web.routes import Access, Route

REF = "#/components/schemas/{model}"
VARIABLE = re.compile(r"\{([^}:]+)[^}]*\}")
JSON = "application/json"
IDEMPOTENCY = "Repeat the request with the same key, and it happens once."
Mode = Literal["validation", "serialization"]

SECURITY: dict[Access, list[dict[str, list[str]]]] = {
    Access.PUBLIC: [],
    Access.USER: [{"caller": []}],
    Access.SERVICE: [{"caller": []}],
    Access.USER_OR_SERVICE: [{"caller": []}],
    Access.INTERNAL: [{"internal": []}],
    Access.WEBHOOK: [{"webhook": []}],
}
WHO = {
    Access.PUBLIC: "Anybody may call.",
    Access.USER: "For users.",
    Access.SERVICE: "For services of the CRM.",
    Access.USER_OR_SERVICE: "For users and services of the CRM.",
    Access.INTERNAL: "For Causeway's own services.",
    Access.WEBHOOK: "For Google.",
}


class Document:
    """The document of one route table, made when it is first asked for."""

    def __init__(self, service: str, version: str, routes: Sequence[Route]) -> None:
        self._service = service
        self._version = version
        self._routes = routes
        self._json: bytes | None = None

    def json(self) -> bytes:
        """Return the document as JSON."""
        if self._json is None:
            made = describe(self._service, self._version, self._routes)
            text = made.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)
            self._json = text.encode()
        return self._json


DOCUMENT = web.AppKey("openapi", Document)


class _Schemas:
    """Where each model is found in the document."""

    def __init__(self, routes: Iterable[Route]) -> None:
        wanted: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
        for route in routes:
            if route.body is not None:
                wanted[route.body, "validation"] = None
            if route.query is not None:
                wanted[route.query, "validation"] = None
            if route.returns is not None:
                wanted[route.returns, "serialization"] = None
        places, definitions = models_json_schema(list(wanted), ref_template=REF)
        self._places = places
        self.definitions: dict[str, Any] = definitions.get("$defs", {})

    def ref(self, model: type[BaseModel], mode: Mode) -> Reference:
        return Reference.model_validate(self._places[model, mode])

    def resolved(self, model: type[BaseModel], mode: Mode) -> dict[str, Any]:
        name = self._places[model, mode]["$ref"].rpartition("/")[2]
        schema: dict[str, Any] = self.definitions[name]
        return schema


def describe(service: str, version: str, routes: Sequence[Route]) -> OpenAPI:
    """Return the document of a service's route table."""
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Operation]] = {}
    for route in routes:
        path = VARIABLE.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return OpenAPI(
        openapi="3.1.1",
        info=Info(title=f"Causeway {service}", version=version),
        paths={path: PathItem.model_validate(operations) for path, operations in paths.items()},
        components=Components(
            schemas={n: schema_validate(s) for n, s in schemas.definitions.items()},
            securitySchemes=_security_schemes(),
        ),
    )


def _operation(route: Route, schemas: _Schemas) -> Operation:
    words = re.findall(r"[a-z0-9]+", f"{route.method.lower()} {route.path.lower()}")
    body = None
    if route.body is not None:
        schema = schemas.ref(route.body, "validation")
        content = {JSON: MediaType(schema=schema)}
        body = RequestBody(content=content, required=not route.optional_body)
    return Operation(
        summary=route.summary,
        description=WHO[route.access],
        operationId="_".join(words),
        tags=list(route.tags) or None,
        parameters=_parameters(route, schemas) or None,
        requestBody=body,
        responses=_responses(route, schemas),
        security=SECURITY[route.access],
    )


def _parameters(route: Route, schemas: _Schemas) -> list[Parameter | Reference]:
    found: list[Parameter | Reference] = [
        _parameter("path", name, {"type": "string"}, required=True)
        for name in VARIABLE.findall(route.path)
    ]
    if route.query is not None:
        found += _query_parameters(schemas.resolved(route.query, "validation"))
    if route.idempotent:
        found.append(
            _parameter(
                "header",
                "Idempotency-Key",
                {"type": "string", "maxLength": 255, "description": IDEMPOTENCY},
                required=False,
            )
        )
    return found


def _query_parameters(schema: dict[str, Any]) -> Iterable[Parameter]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        yield _parameter("query", name, part, required=name in required)


def _parameter(place: str, name: str, schema: dict[str, Any], *, required: bool) -> Parameter:
    parts = {"in": place, "name": name, "schema": schema, "required": required}
    return Parameter.model_validate(parts | {"description": schema.get("description")})


def _responses(route: Route, schemas: _Schemas) -> dict[str, Response | Reference]:
    content = None
    if route.returns is not None:
        schema = schemas.ref(route.returns, "serialization")
        content = {JSON: MediaType(schema=schema)}
    answers: dict[str, Response | Reference] = {
        str(route.status): Response(description="Done.", content=content)
    }
    problem = {CONTENT_TYPE: MediaType(schema=schemas.ref(Problem, "serialization"))}
    by_status: dict[int, list[str]] = {}
    for error in dict.fromkeys((*_usual_errors(route), *route.errors)):
        by_status.setdefault(error.status, []).append(error.slug)
    for status, slugs in sorted(by_status.items()):
        answers[str(status)] = Response(description=", ".join(slugs), content=problem)
    return answers


def _usual_errors(route: Route) -> Iterable[type[errors.AppError]]:
    if route.access is not Access.PUBLIC:
        yield errors.Unauthenticated
    if SECURITY[route.access] == [{"caller": []}]:
        yield errors.Forbidden
    if "{" in route.path:
        yield errors.NotFound
    if route.query is not None or route.body is not None or route.idempotent:
        yield errors.InvalidInput
    if route.body is not None:
        yield errors.TooLarge
        yield UnsupportedMediaType
    if route.idempotent:
        yield errors.Conflict
    yield errors.Transient


def _security_schemes() -> dict[str, SecurityScheme | Reference]:
    described = {
        "caller": "A JWT of the CRM: `sub` and `tenant`, or `tenant` and the role `service`.",
        "internal": "A JWT of a Causeway service, valid for a minute.",
        "webhook": "A token signed by Google.",
    }
    return {
        name: SecurityScheme(type="http", scheme="bearer", bearerFormat="JWT", description=text)
        for name, text in described.items()
    }
