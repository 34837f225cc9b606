import asyncio
import io
import traceback
from datetime import timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from libs.common import clock, service_tokens
from libs.common.errors import (
    AccessRevoked,
    AppError,
    Conflict,
    NotFound,
    RateLimited,
    Transient,
    UpstreamError,
)
from libs.common.google.accounts import AccessToken, AuthClient
from libs.common.google.connected import Charge, ConnectedGoogle
from libs.common.google.discovery import gmail
from libs.common.google.errors import AccessTokenRejected
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from tests.integration.common.google.servers import QUICK, Handler, Serve
from tests.support import SERVICE_KEY, eventually

ONE = UUID("01900000-0000-7000-8000-000000000001")
TWO = UUID("01900000-0000-7000-8000-000000000002")


class Auth:
    """Auth's internal API, as its neighbours see it, with answers a test may change."""

    def __init__(self) -> None:
        self.life = timedelta(hours=1)
        self.failure: tuple[int, object] | None = None
        self.asked: list[dict[str, Any]] = []
        self.callers: list[str] = []
        self.pages: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.callers.append(
            service_tokens.verify(SERVICE_KEY, token, audience="causeway-auth", now=clock.now())
        )
        if request.method == "GET":
            return web.json_response(self.pages[int(request.query.get("cursor", "0"))])
        self.asked.append({**await request.json(), "path": request.path})
        await self.open.wait()
        if self.failure is not None:
            return web.json_response(self.failure[1], status=self.failure[0])
        expires_at = (clock.now() + self.life).isoformat()
        answer = {
            "access_token": f"ya29.{len(self.asked)}",
            "expires_at": expires_at,
            "scopes": ["https://www.googleapis.com/auth/gmail.readonly"],
        }
        return web.json_response(answer)


def problem(slug: str) -> dict[str, str]:
    return {"type": f"urn:causeway:problem:{slug}", "title": slug}


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
async def client(auth: Auth, serve: Serve, session: aiohttp.ClientSession) -> AuthClient:
    return AuthClient(session, await serve(auth), SERVICE_KEY, caller="mail", policy=QUICK)


async def test_a_token_is_asked_for_the_callers_product_under_a_service_token(
    auth: Auth, client: AuthClient
) -> None:
    token = await client.access_token(ONE)

    assert token.token == "ya29.1"
    assert auth.asked == [{"product": "mail", "path": f"/internal/v1/connections/{ONE}/token"}]
    assert auth.callers == ["mail"]


async def test_a_service_ends_its_product(auth: Auth, client: AuthClient) -> None:
    asked_at = clock.now()
    await client.end(ONE, purge=True, asked_at=asked_at)

    path = f"/internal/v1/connections/{ONE}/end"
    said = {"product": "mail", "purge": True, "asked_at": asked_at.isoformat()}
    assert auth.asked == [{**said, "path": path}]


async def test_a_token_is_kept_while_it_lives(auth: Auth, client: AuthClient) -> None:
    assert await client.access_token(ONE) == await client.access_token(ONE)
    assert len(auth.asked) == 1


async def test_a_token_about_to_end_is_replaced(auth: Auth, client: AuthClient) -> None:
    auth.life = timedelta(seconds=59)
    await client.access_token(ONE)

    assert (await client.access_token(ONE)).token == "ya29.2"


async def test_each_connection_has_its_own_token(client: AuthClient) -> None:
    assert await client.access_token(ONE) != await client.access_token(TWO)


async def test_many_tasks_share_one_question(auth: Auth, client: AuthClient) -> None:
    tokens = await asyncio.gather(*(client.access_token(ONE) for _ in range(30)))

    assert len({token.token for token in tokens}) == len(auth.asked) == 1


async def test_a_task_that_gives_up_leaves_the_answer_to_the_others(
    auth: Auth, client: AuthClient
) -> None:
    auth.open.clear()
    first = asyncio.create_task(client.access_token(ONE))
    await eventually(lambda: auth.asked)
    second = asyncio.create_task(client.access_token(ONE))
    first.cancel()
    auth.open.set()

    assert (await second).token == "ya29.1"


async def test_a_refused_token_is_replaced_and_auth_is_told(auth: Auth, client: AuthClient) -> None:
    refused = await client.access_token(ONE)

    await client.forget(ONE, refused)

    assert (await client.access_token(ONE)).token == "ya29.2"
    assert [question.get("rejected", False) for question in auth.asked] == [False, True]


async def test_auth_is_told_of_a_refusal_once(auth: Auth, client: AuthClient) -> None:
    auth.life = timedelta(0)
    await client.forget(ONE)

    for _ in range(2):
        await client.access_token(ONE)

    assert [question.get("rejected", False) for question in auth.asked] == [True, False]


async def test_a_late_refusal_does_not_drop_the_newer_token(auth: Auth, client: AuthClient) -> None:
    old = await client.access_token(ONE)
    await client.forget(ONE, old)
    new = await client.access_token(ONE)

    await client.forget(ONE, old)

    assert await client.access_token(ONE) == new
    assert len(auth.asked) == 2


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ((409, problem("reauthorization-required")), AccessRevoked),
        ((409, problem("not-connected")), Conflict),
        ((404, problem("not-found")), NotFound),
        ((404, "proxy"), Transient),
        ((409, {}), Transient),
        ((401, problem("unauthenticated")), UpstreamError),
        ((503, problem("unavailable")), Transient),
        ((200, {"access_token": ""}), Transient),
        ((200, []), Transient),
    ],
)
async def test_a_refusal_of_auth_means_what_its_problem_says(
    auth: Auth, client: AuthClient, failure: tuple[int, object], expected: type[AppError]
) -> None:
    auth.failure = failure

    with pytest.raises(AppError) as caught:
        await client.access_token(ONE)

    assert type(caught.value) is expected


async def test_a_failure_is_not_remembered(auth: Auth, client: AuthClient) -> None:
    auth.failure = (409, problem("reauthorization-required"))
    with pytest.raises(AccessRevoked):
        await client.access_token(ONE)

    auth.failure = None

    assert (await client.access_token(ONE)).expires_at > clock.now()


async def test_an_auth_that_is_away_is_transient(
    nowhere: str, session: aiohttp.ClientSession
) -> None:
    client = AuthClient(session, nowhere, SERVICE_KEY, caller="mail", policy=QUICK)

    with pytest.raises(Transient):
        await client.access_token(ONE)


async def test_closing_gives_up_what_is_being_asked(auth: Auth, client: AuthClient) -> None:
    auth.open.clear()
    asking = asyncio.create_task(client.access_token(ONE))
    await eventually(lambda: auth.asked)

    await client.close()

    with pytest.raises(asyncio.CancelledError):
        await asking


def connection(number: UUID, **changes: object) -> dict[str, object]:
    return {
        "id": str(number),
        "tenant_id": "acme",
        "user_id": "ada",
        "state": "active",
        "account": {"id": str(TWO), "email": "ada@example.com"},
        "products": [{"name": "mail", "access": "read"}],
        **changes,
    }


async def test_connections_are_listed_over_all_pages(auth: Auth, client: AuthClient) -> None:
    auth.pages = [
        {"items": [connection(ONE)], "next_cursor": "1"},
        {"items": [connection(TWO, account=None)], "next_cursor": None},
    ]

    found = await client.list_connections()

    assert [info.id for info in found] == [ONE, TWO]
    assert found[0].products[0].access == "read"
    assert "example.com" not in repr(found)


async def test_a_list_that_cannot_be_read_is_transient_and_quotes_nothing(
    auth: Auth, client: AuthClient
) -> None:
    auth.pages = [{"items": [connection(ONE, state=None)]}]

    with pytest.raises(Transient) as caught:
        await client.list_connections()

    assert "example.com" not in "".join(traceback.format_exception(caught.value))


class Google:
    """An API that accepts one access token."""

    def __init__(self, accepted: str, answer: object = None) -> None:
        self.accepted = accepted
        self.answer = answer or {"id": "sent"}
        self.requests = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if request.headers["Authorization"] == f"Bearer {self.accepted}":
            return web.json_response(self.answer)
        error = {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}
        return web.json_response({"error": error}, status=401)


async def send_as(
    google: Handler,
    client: AuthClient,
    serve: Serve,
    session: aiohttp.ClientSession,
    charge: Charge | None = None,
) -> object:
    connected = ConnectedGoogle(GoogleClient(session, policy=QUICK), client)
    roots = GoogleRoots.at(await serve(google))
    request = gmail(roots).messages.send(userId="me", body={"raw": "QQ"})
    return await connected.execute(request, connection_id=ONE, charge=charge)


async def test_a_refused_token_is_replaced_within_the_call(
    client: AuthClient, serve: Serve, session: aiohttp.ClientSession
) -> None:
    assert await send_as(Google("ya29.2"), client, serve, session) == {"id": "sent"}


async def test_a_second_refusal_ends_the_call(
    client: AuthClient, serve: Serve, session: aiohttp.ClientSession
) -> None:
    google = Google("none of ours")

    with pytest.raises(AccessTokenRejected):
        await send_as(google, client, serve, session)

    assert google.requests == 2


class Purse:
    """A charge that allows so many requests, and remembers what it was told."""

    def __init__(self, requests: int = 9) -> None:
        self.requests = requests
        self.methods: list[str] = []
        self.waits: list[float] = []

    async def __call__(self, method_id: str) -> None:
        if not self.requests:
            raise RateLimited("The purse is empty.", retry_after_s=3.0)
        self.requests -= 1
        self.methods.append(method_id)

    async def refused(self, exc: RateLimited) -> None:
        self.waits.append(exc.retry_after_s)


async def test_every_request_is_charged_before_it_is_sent(
    client: AuthClient, serve: Serve, session: aiohttp.ClientSession
) -> None:
    purse = Purse()

    await send_as(Google("ya29.2"), client, serve, session, purse)

    assert purse.methods == ["gmail.users.messages.send"] * 2
    assert purse.waits == []


async def test_a_request_that_is_not_allowed_is_not_sent(
    client: AuthClient, serve: Serve, session: aiohttp.ClientSession
) -> None:
    google, purse = Google("ya29.1"), Purse(requests=0)

    with pytest.raises(RateLimited):
        await send_as(google, client, serve, session, purse)

    assert google.requests == 0
    assert purse.waits == []


async def test_the_purse_learns_of_a_refusal_by_google(
    client: AuthClient, serve: Serve, session: aiohttp.ClientSession
) -> None:
    async def busy(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"code": 429}}, status=429, headers={"Retry-After": "7"})

    purse = Purse()

    with pytest.raises(RateLimited):
        await send_as(busy, client, serve, session, purse)

    assert purse.waits == [7.0]


async def test_a_refused_token_is_replaced_before_a_raw_answer_too(
    client: AuthClient, serve: Serve, session: aiohttp.ClientSession
) -> None:
    connected = ConnectedGoogle(GoogleClient(session, policy=QUICK), client)
    roots = GoogleRoots.at(await serve(Google("ya29.2", {"id": "m", "raw": "SGk"})))
    request = gmail(roots).messages.get(userId="me", id="m", format="raw")
    sink = io.BytesIO()

    answer = await connected.execute_raw(request, connection_id=ONE, key="raw", sink=sink)

    assert (answer, sink.getvalue()) == ({"id": "m"}, b"Hi")


def test_a_token_is_not_shown() -> None:
    assert "ya29" not in repr(AccessToken("ya29.secret", clock.now()))
