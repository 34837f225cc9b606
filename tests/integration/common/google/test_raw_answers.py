import base64
import io

import aiohttp
import pytest
from aiohttp import web

from libs.common.errors import NotFound, Transient
from libs.common.google.discovery import ApiRequest, gmail
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import AnswerTooLarge, Outgoing, send_to
from tests.integration.common.google.servers import QUICK, Serve

MESSAGE = b"Subject: x\r\n\r\n" + bytes(range(256)) * 1000
RAW = base64.urlsafe_b64encode(MESSAGE).decode()


class Script:
    """A server's answers in order; the last one is repeated."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        response = web.StreamResponse(status=status, headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(body)
        return response


def whole() -> bytes:
    return b'{"id": "m1", "raw": "' + RAW.encode() + b'", "sizeEstimate": 7}'


async def execute_raw(session: aiohttp.ClientSession, origin: str, sink: io.BytesIO) -> object:
    request: ApiRequest = gmail(GoogleRoots.at(origin)).messages.get(userId="me", id="m1")
    client = GoogleClient(session, timeout_s=2, policy=QUICK)
    return await client.execute_raw(request, access_token="t", key="raw", sink=sink)


async def test_the_value_is_in_the_sink_and_the_rest_is_returned(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    sink = io.BytesIO()
    answer = await execute_raw(session, await serve(Script((200, whole()))), sink)
    assert answer == {"id": "m1", "sizeEstimate": 7}
    assert sink.getvalue() == MESSAGE


@pytest.mark.parametrize("first", [(200, whole()[:9000]), (503, b"{}"), (200, b"no json")])
async def test_another_attempt_begins_with_an_empty_sink(
    serve: Serve, session: aiohttp.ClientSession, first: tuple[int, bytes]
) -> None:
    script = Script(first, (200, whole()))
    sink = io.BytesIO()
    await execute_raw(session, await serve(script), sink)
    assert script.asked == 2
    assert sink.getvalue() == MESSAGE


async def test_a_refusal_means_what_it_means_elsewhere(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    sink = io.BytesIO()
    origin = await serve(Script((404, b'{"error": {"code": 404, "status": "NOT_FOUND"}}')))
    with pytest.raises(NotFound):
        await execute_raw(session, origin, sink)
    assert sink.getvalue() == b""


async def test_an_answer_that_stays_half_is_worth_another_try_later(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    origin = await serve(Script((200, whole()[:9000])))
    with pytest.raises(Transient):
        await execute_raw(session, origin, io.BytesIO())


async def test_an_answer_beyond_the_limit_ends_the_exchange(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    outgoing = Outgoing(method="GET", url=await serve(Script((200, whole()))))
    chunks: list[bytes] = []
    with pytest.raises(AnswerTooLarge):
        await send_to(session, outgoing, chunks.append, timeout_s=2, max_bytes=1000)
    assert sum(map(len, chunks)) <= 1000
