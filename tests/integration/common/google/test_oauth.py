"""The token endpoint's odd answers, which the emulator does not give."""

import traceback
from datetime import timedelta
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web

from libs.common import clock
from libs.common.errors import Transient
from libs.common.google.oauth import InvalidGrant, OAuthClient, TokenGrant
from libs.common.google.roots import GoogleRoots
from libs.common.google.wire import Unreachable
from tests.integration.common.google.servers import QUICK, Serve

CLIENT_SECRET = "the-secret"
REFRESH = "1//refresh"
SCOPE = "openid https://www.googleapis.com/auth/gmail.readonly"


class TokenEndpoint:
    """Answers in order; the last one is repeated."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.forms: list[dict[str, list[str]]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.forms.append(parse_qs(await request.text()))
        status, content = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(content, bytes):
            return web.Response(status=status, body=content)
        return web.json_response(content, status=status)


async def oauth(
    endpoint: TokenEndpoint, serve: Serve, session: aiohttp.ClientSession
) -> OAuthClient:
    roots = GoogleRoots.at(await serve(endpoint))
    return OAuthClient(
        session, roots, client_id="client", client_secret=CLIENT_SECRET, policy=QUICK
    )


async def refresh(
    endpoint: TokenEndpoint, serve: Serve, session: aiohttp.ClientSession
) -> TokenGrant:
    client = await oauth(endpoint, serve, session)
    return await client.refresh(REFRESH)


async def exchange(
    endpoint: TokenEndpoint, serve: Serve, session: aiohttp.ClientSession
) -> TokenGrant:
    client = await oauth(endpoint, serve, session)
    return await client.exchange_code(
        "4/code", redirect_uri="http://localhost/cb", code_verifier="verifier"
    )


async def test_an_exchange_sends_what_google_asks_for(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    endpoint = TokenEndpoint((200, {"access_token": "ya29.access", "scope": SCOPE}))

    await exchange(endpoint, serve, session)

    assert endpoint.forms == [
        {
            "grant_type": ["authorization_code"],
            "code": ["4/code"],
            "redirect_uri": ["http://localhost/cb"],
            "code_verifier": ["verifier"],
            "client_id": ["client"],
            "client_secret": ["the-secret"],
        }
    ]


async def test_a_grant_in_a_testing_project_names_its_own_end(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    answer = {
        "access_token": "ya29.access",
        "expires_in": 3599,
        "scope": SCOPE,
        "refresh_token": REFRESH,
        "refresh_token_expires_in": 604799,
    }
    grant = await exchange(TokenEndpoint((200, answer)), serve, session)

    assert grant.refresh_token_expires_at is not None
    left = grant.refresh_token_expires_at - clock.now()
    assert timedelta(days=6) < left < timedelta(days=7)
    assert grant.scopes == set(SCOPE.split())


async def test_a_grant_does_not_show_its_tokens(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    secrets = {"access_token": "ya29.access", "refresh_token": REFRESH, "id_token": "eyJ"}
    grant = await exchange(TokenEndpoint((200, secrets)), serve, session)

    assert not [secret for secret in secrets.values() if secret in repr(grant)]


@pytest.mark.parametrize(
    "content",
    [b"<html>", b"", {}, [], {"access_token": 5}, {"access_token": "a", "expires_in": 10**30}],
)
async def test_an_unreadable_grant_is_transient_and_not_quoted(
    serve: Serve, session: aiohttp.ClientSession, content: object
) -> None:
    with pytest.raises(Transient) as caught:
        await refresh(TokenEndpoint((200, content)), serve, session)

    assert "input_value" not in "".join(traceback.format_exception(caught.value))


async def test_a_refresh_is_tried_again_when_google_is_unwell(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    endpoint = TokenEndpoint((503, b""), (200, {"access_token": "ya29.access"}))

    assert (await refresh(endpoint, serve, session)).access_token == "ya29.access"


async def test_a_code_is_not_sent_twice(serve: Serve, session: aiohttp.ClientSession) -> None:
    endpoint = TokenEndpoint((503, b""))

    with pytest.raises(Transient):
        await exchange(endpoint, serve, session)

    assert len(endpoint.forms) == 1


async def test_a_dead_grant_is_asked_about_once(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    endpoint = TokenEndpoint((400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}))

    with pytest.raises(InvalidGrant) as caught:
        await refresh(endpoint, serve, session)

    assert (caught.value.subtype, len(endpoint.forms)) == ("invalid_rapt", 1)


async def test_no_failure_shows_a_secret(
    serve: Serve, session: aiohttp.ClientSession, nowhere: str
) -> None:
    echo = TokenEndpoint((400, {"error": "invalid_grant", "error_description": REFRESH}))
    with pytest.raises(InvalidGrant) as refused:
        await refresh(echo, serve, session)
    client = OAuthClient(
        session, GoogleRoots.at(nowhere), client_id="c", client_secret=CLIENT_SECRET, policy=QUICK
    )
    with pytest.raises(Unreachable) as away:
        await client.refresh(REFRESH)

    shown = "".join(
        "".join(traceback.format_exception(error)) + repr(error.data)
        for error in (refused.value, away.value)
    )
    assert REFRESH not in shown
    assert CLIENT_SECRET not in shown


async def test_a_refused_revocation_is_not_taken_for_done(
    serve: Serve, session: aiohttp.ClientSession
) -> None:
    client = await oauth(TokenEndpoint((503, b"")), serve, session)

    with pytest.raises(Transient):
        await client.revoke(REFRESH)
