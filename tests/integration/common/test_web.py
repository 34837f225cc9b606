import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import OpenAPIV31SpecValidator

from libs.common.web import Access, Health, Route
from tests.integration.common.webapp import ORIGIN, ROUTES, fail, make_app
from tests.matrix import check, unruled
from tests.support import bearer, caller_token, service_caller_token

Client = TestClient[web.Request, web.Application]
NewClient = Callable[[web.Application], Awaitable[Client]]
USER = bearer(caller_token())
SERVICE = bearer(service_caller_token())
NOTE_ID = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"


@pytest.fixture
async def client(aiohttp_client: NewClient) -> Client:
    return await aiohttp_client(make_app())


async def problem(response: Any, status: int, slug: str) -> dict[str, Any]:
    """Return the problem that `response` must be."""
    assert response.status == status
    assert response.content_type == "application/problem+json"
    document: dict[str, Any] = await response.json(content_type=None)
    assert document["type"] == f"urn:causeway:problem:{slug}"
    assert document["status"] == status
    assert document["instance"].endswith(response.headers["X-Request-Id"])
    return document


async def test_every_route_admits_exactly_whom_its_rule_names(client: Client) -> None:
    assert await check(client, service="notes") > 200


async def test_the_matrix_finds_a_rule_that_is_not_kept(aiohttp_client: NewClient) -> None:
    async def deny(_request: web.Request) -> web.Response:
        raise web.HTTPUnauthorized

    lax = Route(method="GET", path="/lax", handler=deny, access=Access.USER_OR_SERVICE, summary="")
    open_hook = Route(
        method="POST", path="/hook", handler=_welcome, access=Access.WEBHOOK, summary=""
    )
    client = await aiohttp_client(make_app(routes=(lax, open_hook)))

    with pytest.raises(AssertionError) as found:
        await check(client, service="notes", owned={"id": "1"})

    assert "POST /hook by anonymous: UNKNOWN, but it answered 200" in str(found.value)


async def _welcome(_request: web.Request) -> web.Response:
    return web.Response()


async def test_a_route_registered_around_the_table_stops_the_start() -> None:
    app = make_app()
    app.router.add_get("/back-door", fail)

    assert set(unruled(app)) == {"GET /back-door", "HEAD /back-door"}
    with pytest.raises(RuntimeError, match="/back-door has no access rule"):
        await TestServer(app).start_server()


async def test_the_root_says_what_this_is(client: Client) -> None:
    response = await client.get("/")

    facts = await response.json()
    assert facts.pop("version")
    assert facts == {
        "service": "notes",
        "roles": ["consumer", "relay", "web", "worker"],
        "docs": "/docs",
    }


async def test_without_the_role_web_only_operations_are_served(aiohttp_client: NewClient) -> None:
    client = await aiohttp_client(make_app(roles=frozenset({"relay"})))

    statuses = {
        path: (await client.get(path, headers=USER)).status
        for path in ("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/notes")
    }

    assert statuses == {
        "/": 200, "/healthz": 200, "/readyz": 200, "/metrics": 200,
        "/docs": 404, "/openapi.json": 404, "/v1/notes": 404,
    }  # fmt: skip


async def test_what_is_not_there_is_a_problem_too(client: Client) -> None:
    await problem(await client.get("/nowhere?ticket=hunter2"), 404, "not-found")
    response = await client.delete("/v1/notes")
    await problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == "GET,HEAD,OPTIONS,POST"


async def test_an_unauthenticated_caller_is_told_how(client: Client) -> None:
    missing = await client.get("/v1/notes")
    await problem(missing, 401, "unauthenticated")
    forged = await client.get("/v1/notes", headers=bearer("x.y.z"))

    assert missing.headers["WWW-Authenticate"] == "Bearer"
    assert forged.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_a_body_comes_in_as_a_model_and_goes_out_as_json(client: Client) -> None:
    response = await client.post("/v1/notes", headers=USER, json={"text": "hello"})

    assert (response.status, await response.json()) == (201, {"text": "hello", "by": "ada"})
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("raw", "content_type", "status", "slug"),
    [
        (b"{", "application/json", 400, "invalid-input"),
        (b"", "application/json", 400, "invalid-input"),
        (b'{"text": ""}', "application/json", 400, "invalid-input"),
        (b'{"text": "a", "b": 1}', "application/json; charset=utf-8", 400, "invalid-input"),
        (b'{"text": "a"}', "application/json; charset=latin-1", 415, "unsupported-media-type"),
        (b"text=a", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b'{"text": "a"}', "text/plain", 415, "unsupported-media-type"),
        (b'{"text": "' + b"a" * 100_000 + b'"}', "application/json", 413, "too-large"),
    ],
)
async def test_a_body_that_cannot_be_used_is_refused(
    client: Client, raw: bytes, content_type: str, status: int, slug: str
) -> None:
    headers = USER | {"Content-Type": content_type}

    response = await client.post("/v1/notes", headers=headers, data=raw)

    document = await problem(response, status, slug)
    assert status != 400 or document["errors"][0]["field"]


async def test_a_body_without_announced_length_is_cut_off_at_the_limit(client: Client) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b"x" * 5000

    headers = USER | {"Content-Type": "application/json"}
    response = await client.post("/v1/notes", headers=headers, data=endless())

    await problem(response, 413, "too-large")


async def test_a_compressed_body_is_refused_unread(client: Client) -> None:
    bomb = zlib.compress(b" " * 5_000_000)
    headers = {**USER, "Content-Type": "application/json", "Content-Encoding": "deflate"}
    response = await client.post("/v1/notes", data=bomb, headers=headers)

    await problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=abc", "text/plain; version=1.x.-"]
)
async def test_metrics_are_told_whatever_format_is_asked_for(client: Client, accept: str) -> None:
    response = await client.get("/metrics", headers={"Accept": accept})

    assert response.status == 200


async def test_no_body_may_stand_for_an_empty_one(client: Client) -> None:
    assert (await client.post("/v1/check", headers=USER)).status == 200
    assert (await client.post("/v1/check", headers=USER, json={"deep": True})).status == 200
    wrong = await client.post("/v1/check", headers=USER, json={"depth": 1})
    await problem(wrong, 400, "invalid-input")
    document = await (await client.get("/openapi.json")).json()
    needed = {path: document["paths"][path]["post"] for path in ("/v1/check", "/v1/notes")}
    assert [one["requestBody"]["required"] for one in needed.values()] == [False, True]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("size=1", "size"),
        ("tag=a%00b", "tag"),
        ("a%00=1", "a?"),
    ],
)
async def test_a_wrong_query_names_the_parameter(client: Client, query: str, field: str) -> None:
    response = await client.get(f"/v1/notes?{query}", headers=USER)

    document = await problem(response, 400, "invalid-input")
    assert [error["field"] for error in document["errors"]] == [field]


async def test_a_list_parameter_may_repeat(client: Client) -> None:
    response = await client.get("/v1/notes?tag=a&tag=b&limit=2", headers=SERVICE)

    assert await response.json() == {"limit": 2, "tag": ["a", "b"]}


@pytest.mark.parametrize("text", ["1", "{" + NOTE_ID + "}", NOTE_ID.replace("-", ""), "%00"])
async def test_what_is_no_id_is_not_found(client: Client, text: str) -> None:
    response = await client.post(f"/v1/notes/{text}/touch", headers=SERVICE)

    await problem(response, 404, "not-found")


async def test_a_webhook_reads_no_body_from_a_stranger(client: Client) -> None:
    # The announced body is never sent: an answer shows that nobody waited for it.
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"POST /webhooks/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer forged\r\n"
        b"Content-Length: 500\r\nExpect: 100-continue\r\n\r\n"
    )

    line = await asyncio.wait_for(reader.readline(), 5)

    writer.close()
    assert line == b"HTTP/1.1 401 Unauthorized\r\n"


async def test_a_body_is_invited_only_when_it_is_wanted(client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = "POST /webhooks/push HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer the-word\r\n"
    writer.write(f"{head}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())

    invitation = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.write(b"abc")
    answer = await asyncio.wait_for(reader.readline(), 5)

    writer.close()
    assert invitation == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer == b"HTTP/1.1 200 OK\r\n"


async def test_an_oversize_push_is_refused_only_after_its_token(client: Client) -> None:
    known = await client.post("/webhooks/push", headers=bearer("the-word"), data=b"x" * 1001)
    await problem(known, 413, "too-large")
    stranger = await client.post("/webhooks/push", headers=bearer("forged"), data=b"x" * 1001)
    await problem(stranger, 401, "unauthenticated")


async def test_a_slow_handler_is_ended_with_a_problem(client: Client) -> None:
    await problem(await client.get("/v1/hang", headers=USER), 503, "timeout")


async def test_a_defect_is_a_500_that_tells_nothing(client: Client) -> None:
    with structlog.testing.capture_logs() as logs:
        response = await client.get("/v1/fail/bug", headers=USER)

    document = await problem(response, 500, "internal")
    assert "hunter2" not in json.dumps(document)
    (line,) = logs
    assert (line["log_level"], line["status"]) == ("error", 500)
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_facts_of_an_error_are_members_of_the_problem(client: Client) -> None:
    document = await problem(
        await client.get("/v1/fail/conflict", headers=USER), 409, "not-connected"
    )

    assert (document["detail"], document["connect_url"]) == ("Not now.", "https://x")


async def test_a_limited_caller_is_told_when_to_come_back(client: Client) -> None:
    response = await client.get("/v1/fail/limited", headers=USER)

    await problem(response, 503, "rate-limited")
    assert response.headers["Retry-After"] == "8"


async def test_a_dependency_that_is_away_is_a_503(client: Client) -> None:
    await problem(await client.get("/v1/fail/away", headers=USER), 503, "unavailable")


async def test_a_redirect_passes_and_leaks_no_referrer(client: Client) -> None:
    response = await client.get("/v1/fail/redirect", headers=USER, allow_redirects=False)

    assert (response.status, response.headers["Location"]) == (302, "https://crm.example/back")
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_a_request_is_one_line_by_template_without_path_or_query(client: Client) -> None:
    with structlog.testing.capture_logs() as logs:
        await client.post(f"/v1/notes/{NOTE_ID}/touch?ticket=hunter2", headers=SERVICE)

    (line,) = logs
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "POST",
        "route": "/v1/notes/{id}/touch",
        "status": 200,
        "access": "service",
        "caller": "service",
        "tenant_id": "acme",
        "subject": "service",
    }


async def test_a_request_id_is_taken_over_when_it_is_harmless(client: Client) -> None:
    kept = await client.get("/", headers={"X-Request-Id": "abc-123.DEF"})
    replaced = await client.get("/", headers={"X-Request-Id": "<script>alert(1)"})

    assert kept.headers["X-Request-Id"] == "abc-123.DEF"
    assert "script" not in replaced.headers["X-Request-Id"]


async def test_requests_and_refusals_are_counted_by_template(client: Client) -> None:
    await client.get("/v1/fail/bug", headers=bearer(caller_token(audience="other")))
    await client.get("/a-secret-path")

    text = await (await client.get("/metrics")).text()

    assert 'route="/v1/fail/{how}",status="401"' in text
    assert 'causeway_auth_refusals_total{access="user",reason="audience"}' in text
    assert "a-secret-path" not in text


async def test_allowed_origins_may_call_from_a_browser_and_others_may_not(client: Client) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    allowed = await client.options("/v1/notes", headers={"Origin": ORIGIN, **asked})
    foreign = await client.options("/v1/notes", headers={"Origin": "https://evil.example", **asked})
    answered = await client.get("/v1/notes", headers={"Origin": ORIGIN})

    assert allowed.status == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    await problem(foreign, 403, "forbidden")
    assert answered.headers["Access-Control-Allow-Origin"] == ORIGIN  # errors are readable too


@pytest.mark.parametrize("path", ["/webhooks/push", "/internal/v1/who"])
async def test_browsers_have_no_business_at_internal_doors(client: Client, path: str) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}

    await problem(await client.options(path, headers=headers), 405, "method-not-allowed")


async def test_readiness_is_the_worst_of_its_checks(aiohttp_client: NewClient) -> None:
    found = {"broker": Health.DEGRADED}

    async def broker(_app: web.Application) -> Health:
        return found["broker"]

    async def broken(_app: web.Application) -> Health:
        raise found.get("database", ConnectionRefusedError())  # type: ignore[misc] # only the default

    degraded = await aiohttp_client(make_app(checks={"broker": broker}))
    down = await aiohttp_client(make_app(checks={"broker": broker, "database": broken}))

    response = await degraded.get("/readyz")
    assert (response.status, await response.json()) == (
        200,
        {"status": "degraded", "checks": {"broker": "degraded"}},
    )
    response = await down.get("/readyz")
    assert (response.status, await response.json()) == (
        503,
        {"status": "down", "checks": {"broker": "degraded", "database": "down"}},
    )
    assert (await down.get("/healthz")).status == 200


async def test_the_document_is_valid_openapi_and_holds_every_route(client: Client) -> None:
    document = await (await client.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    listed = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert {(route.method, route.path) for route in ROUTES} <= listed


async def test_the_document_says_who_may_call_what_goes_in_and_what_comes_out(
    client: Client,
) -> None:
    document = await (await client.get("/openapi.json")).json()

    add = document["paths"]["/v1/notes"]["post"]
    assert add["security"] == [{"caller": []}]
    assert [parameter["name"] for parameter in add["parameters"]] == ["Idempotency-Key"]
    assert set(add["responses"]) == {"201", "400", "401", "403", "409", "413", "415", "503"}
    listing = document["paths"]["/v1/notes"]["get"]
    assert [parameter["name"] for parameter in listing["parameters"]] == ["limit", "tag"]
    assert document["paths"]["/"]["get"]["security"] == []
    assert document["components"]["schemas"]["Note"]["additionalProperties"] is False


async def test_the_documentation_page_needs_nothing_from_elsewhere(client: Client) -> None:
    page = await client.get("/docs")

    text = await page.text()
    assert "http" not in text.replace("http-equiv", "")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "start.js"):
        assert f"docs/{asset}" in text
        assert (await client.get(f"/docs/{asset}")).status == 200


@pytest.mark.parametrize("name", ["index.css", "..%2F__init__.py", "swagger-editor.js"])
async def test_no_other_file_can_be_had(client: Client, name: str) -> None:
    assert (await client.get(f"/docs/{name}")).status == 404
