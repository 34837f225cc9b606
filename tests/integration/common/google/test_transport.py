import asyncio
import traceback
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from libs.common.errors import NotFound, RateLimited, Transient
from libs.common.google.discovery import ApiRequest, gmail
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import AnswerTooLarge, Outgoing, RetryPolicy, Unreachable, send
from tests.integration.common.google.servers import QUICK, Serve

TOKEN = "ya29.very-secret"


def a_get(origin: str) -> ApiRequest:
    request: ApiRequest = gmail(GoogleRoots.at(origin)).messages.get(userId="me", id="m1")
    return request


def a_post(origin: str) -> ApiRequest:
    resources = gmail(GoogleRoots.at(origin))
    request: ApiRequest = resources.messages.send(userId="me", body={"raw": "QQ"})
    return request


class Script:
    """A server's answers in order; the last one is repeated."""

    def __init__(self, *answers: web.Response | str) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[web.Request, bytes]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request, await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "hang up":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        assert isinstance(answer, web.Response)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


async def execute(
    session: aiohttp.ClientSession, request: ApiRequest, *, repeatable: bool | None = None
) -> object:
    client = GoogleClient(session, timeout_s=2, policy=QUICK)
    return await client.execute(request, access_token=TOKEN, repeatable=repeatable)


async def test_a_request_carries_the_token_and_returns_json(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.json_response({"id": "m1"}))

    answer = await execute(session, a_get(await serve(script)))

    assert answer == {"id": "m1"}
    assert script.requests[0][0].headers["Authorization"] == f"Bearer {TOKEN}"


async def test_an_empty_answer_is_none(serve: Serve, session: aiohttp.ClientSession) -> None:
    assert await execute(session, a_post(await serve(Script(web.Response(status=204))))) is None


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (rb'{"snippet": "so \ud83d"}', {"snippet": "so "}),
        (rb'{"na\u0000me": ["a\u0000b", {"x": "\udc00y"}]}', {"name": ["ab", {"x": "y"}]}),
        (
            rb'{"text": "\\u0000", "many": 1180591620717411303424}',
            {"text": r"\u0000", "many": 2.0**70},
        ),
    ],
    ids=["half-an-emoji", "nul", "only-alike"],
)
async def test_what_postgres_cannot_hold_is_in_no_answer(
    body: bytes, answer: object, serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.Response(body=body))

    assert await execute(session, a_get(await serve(script))) == answer


async def test_an_answer_nested_without_end_is_no_json(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(*[web.Response(body=b"[" * 5_000 + b"]" * 5_000)] * 5)

    with pytest.raises(Transient):
        await execute(session, a_get(await serve(script)))


async def test_a_transient_failure_is_tried_again(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.Response(status=503), "hang up", web.json_response({"id": "m1"}))

    answer = await execute(session, a_get(await serve(script)))

    assert answer == {"id": "m1"}


async def test_attempts_are_bounded(serve: Serve, session: aiohttp.ClientSession) -> None:
    script = Script(web.Response(status=500))

    with pytest.raises(Transient):
        await execute(session, a_get(await serve(script)))

    assert len(script.requests) == QUICK.attempts


async def test_a_post_is_not_sent_twice(serve: Serve, session: aiohttp.ClientSession) -> None:
    script = Script(web.Response(status=503))

    with pytest.raises(Transient):
        await execute(session, a_post(await serve(script)))

    assert len(script.requests) == 1


async def test_a_post_declared_repeatable_is_tried_again(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.Response(status=503), web.json_response({"historyId": "1"}))

    answer = await execute(session, a_post(await serve(script)), repeatable=True)

    assert answer == {"historyId": "1"}


async def test_a_rate_limit_is_not_pushed_against(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.Response(status=429, headers={"Retry-After": "7"}))

    with pytest.raises(RateLimited) as caught:
        await execute(session, a_get(await serve(script)))

    assert (caught.value.retry_after_s, len(script.requests)) == (7, 1)


async def test_a_refusal_is_classified(serve: Serve, session: aiohttp.ClientSession) -> None:
    envelope = {"error": {"code": 404, "errors": [{"reason": "notFound"}]}}

    with pytest.raises(NotFound):
        await execute(session, a_get(await serve(Script(web.json_response(envelope, status=404)))))


@pytest.mark.parametrize("content", [b"<html>", b'{"id": ', b"\xff\xfe", b"[" * 200_000])
async def test_garbage_with_status_200_is_transient(
    serve: Serve, session: aiohttp.ClientSession, content: bytes
) -> None:
    with pytest.raises(Transient):
        await execute(session, a_get(await serve(Script(web.Response(body=content)))))


async def test_a_redirect_is_not_followed(serve: Serve, session: aiohttp.ClientSession) -> None:
    elsewhere = Script(web.json_response({}))
    target = await serve(elsewhere)
    script = Script(web.Response(status=307, headers={"Location": target}))

    with pytest.raises(Transient):
        await execute(session, a_get(await serve(script)))

    assert not elsewhere.requests


async def test_a_silent_server_costs_no_more_than_the_time_limit(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    client = GoogleClient(session, timeout_s=30, policy=RetryPolicy(attempts=9, total_s=0.2))
    request = a_get(await serve(silent))

    async with asyncio.timeout(5):
        with pytest.raises(Transient):
            await client.execute(request, access_token=TOKEN)


async def test_a_server_that_is_not_there_is_unreachable(
    nowhere: str, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(Unreachable):
        await execute(session, a_post(nowhere))


async def test_a_very_long_get_travels_as_a_form(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.json_response({}))
    resources = gmail(GoogleRoots.at(await serve(script)))
    headers = [f"X-Header-{number}-ä&=" for number in range(200)]

    await execute(session, resources.messages.get(userId="me", id="m", metadataHeaders=headers))

    request, body = script.requests[0]
    assert (request.method, request.headers["X-HTTP-Method-Override"]) == ("POST", "GET")
    assert parse_qs(body.decode())["metadataHeaders"] == headers
    assert request.query_string == ""


@pytest.fixture
async def babbling() -> AsyncIterator[str]:
    """A server that does not speak HTTP."""

    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_no_failure_shows_the_token_or_the_mailbox(
    serve: Serve, session: aiohttp.ClientSession, babbling: str, nowhere: str
) -> None:
    for origin in (await serve(Script("hang up")), babbling, nowhere):
        request = gmail(GoogleRoots.at(origin)).users.getProfile(userId="ada@example.com")

        with pytest.raises(Transient) as caught:
            await execute(session, request)

        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.data)
        assert TOKEN not in shown
        assert "ada%40" not in shown


async def test_an_endless_answer_is_cut_off(serve: Serve, session: aiohttp.ClientSession) -> None:
    origin = await serve(Script(web.Response(body=b"x" * 300_000)))

    with pytest.raises(AnswerTooLarge):
        await send(session, Outgoing(method="GET", url=origin), timeout_s=5, max_bytes=100_000)


async def test_cookies_do_not_travel_between_accounts(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    script = Script(web.json_response({}, headers={"Set-Cookie": "NID=1; Path=/"}))
    # By name: a cookie jar takes nothing from a bare address anyway.
    origin = (await serve(script)).replace("127.0.0.1", "localhost")

    await execute(session, a_get(origin))
    await execute(session, a_get(origin))

    assert "Cookie" not in script.requests[1][0].headers


async def test_every_attempt_is_counted_by_method_and_outcome(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    def count(outcome: str) -> float:
        labels = {"method": "gmail.users.messages.get", "outcome": outcome}
        return REGISTRY.get_sample_value("causeway_google_requests_total", labels) or 0

    before = count("ok"), count("Transient")
    script = Script(web.Response(status=503), web.json_response({}))

    await execute(session, a_get(await serve(script)))

    assert (count("ok"), count("Transient")) == (before[0] + 1, before[1] + 1)
