"""The whole kernel of Google against a Google: consent, tokens, identity, requests, revocation."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from aiohttp import web

from libs.common import clock
from libs.common.errors import NotFound, Unauthenticated
from libs.common.google.discovery import gmail
from libs.common.google.errors import AccessTokenRejected, PermissionDenied
from libs.common.google.oauth import (
    AdminPolicyEnforced,
    DeletedClient,
    InvalidClient,
    InvalidGrant,
    OAuthClient,
    TokenGrant,
)
from libs.common.google.oidc import CertStore, PushVerifier, verify_id_token
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from tests.emulated import Emulated
from tests.integration.common.google.servers import QUICK, Serve

CLIENT_ID = "emulator-client.apps.googleusercontent.com"
CLIENT_SECRET = "emulator-secret"
CALLBACK = "http://127.0.0.1/callback"
READ = "https://www.googleapis.com/auth/gmail.readonly"
LABELS = "https://www.googleapis.com/auth/gmail.labels"
EMAIL = "ada@example.com"
VERIFIER = "v" * 64


@pytest.fixture
async def roots(emulator: Emulated) -> GoogleRoots:
    await emulator.add_person(EMAIL, name="Ada Lovelace")
    return GoogleRoots.at(emulator.origin)


@pytest.fixture
def oauth(roots: GoogleRoots, session: aiohttp.ClientSession) -> OAuthClient:
    return OAuthClient(
        session, roots, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, policy=QUICK
    )


@pytest.fixture
def google(session: aiohttp.ClientSession) -> GoogleClient:
    return GoogleClient(session, policy=QUICK)


async def consent(session: aiohttp.ClientSession, roots: GoogleRoots, *ticked: str) -> str:
    """Ask for mail as `EMAIL`, tick `ticked`, and return the authorization code."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    query = {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": f"openid email {READ} {LABELS}",
        "access_type": "offline",
        "prompt": "consent",
        "state": "s",
        "login_hint": EMAIL,
        "nonce": "n",
        "code_challenge": challenge.rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    async with session.get(f"{roots.authorize_url}?{urlencode(query)}") as page:
        text = await page.text()
    action = re.search(r'<form[^>]*action="([^"]+)"', text)
    held = re.search(r'name="request" value="([^"]+)"', text)
    assert action
    assert held
    form = [("request", held[1]), ("person", EMAIL), ("decision", "allow")]
    form += [("scope", scope) for scope in ticked]
    async with session.post(roots.accounts + action[1], data=form, allow_redirects=False) as answer:
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


@pytest.fixture
async def grant(
    oauth: OAuthClient, roots: GoogleRoots, session: aiohttp.ClientSession
) -> TokenGrant:
    code = await consent(session, roots, READ)
    return await oauth.exchange_code(code, redirect_uri=CALLBACK, code_verifier=VERIFIER)


async def test_consent_gives_only_the_ticked_scopes(grant: TokenGrant) -> None:
    assert READ in grant.scopes
    assert LABELS not in grant.scopes
    assert grant.refresh_token


async def test_the_id_token_names_the_person(
    grant: TokenGrant, roots: GoogleRoots, session: aiohttp.ClientSession
) -> None:
    assert grant.id_token
    for url in (roots.certs_url, f"{roots.certs}/oauth2/v3/certs"):
        identity = await verify_id_token(
            grant.id_token,
            certs=CertStore(session, url),
            client_id=CLIENT_ID,
            now=clock.now(),
            nonce="n",
        )
        assert (identity.email, identity.email_verified) == (EMAIL, True)


async def test_a_code_works_once(
    oauth: OAuthClient, roots: GoogleRoots, session: aiohttp.ClientSession
) -> None:
    code = await consent(session, roots, READ)
    await oauth.exchange_code(code, redirect_uri=CALLBACK, code_verifier=VERIFIER)

    with pytest.raises(InvalidGrant) as caught:
        await oauth.exchange_code(code, redirect_uri=CALLBACK, code_verifier=VERIFIER)

    assert caught.value.cause == "bad-request"


async def test_a_code_without_its_verifier_is_worthless(
    oauth: OAuthClient, roots: GoogleRoots, session: aiohttp.ClientSession
) -> None:
    code = await consent(session, roots, READ)

    with pytest.raises(InvalidGrant):
        await oauth.exchange_code(code, redirect_uri=CALLBACK, code_verifier="w" * 64)


async def test_a_refreshed_token_opens_the_mailbox(
    oauth: OAuthClient, google: GoogleClient, grant: TokenGrant, roots: GoogleRoots
) -> None:
    assert grant.refresh_token
    fresh = await oauth.refresh(grant.refresh_token)

    profile = await google.execute(
        gmail(roots).users.getProfile(userId="me"), access_token=fresh.access_token
    )

    assert profile["emailAddress"] == EMAIL
    assert fresh.refresh_token is None


async def test_a_message_that_is_not_there_is_not_found(
    google: GoogleClient, grant: TokenGrant, roots: GoogleRoots
) -> None:
    request = gmail(roots).messages.get(userId="me", id="18c0000000000000")

    with pytest.raises(NotFound):
        await google.execute(request, access_token=grant.access_token)


async def test_a_scope_that_was_not_granted_is_a_denied_permission(
    google: GoogleClient, grant: TokenGrant, roots: GoogleRoots
) -> None:
    request = gmail(roots).messages.trash(userId="me", id="18c0000000000000")

    with pytest.raises(PermissionDenied) as caught:
        await google.execute(request, access_token=grant.access_token)

    assert caught.value.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


async def test_an_unknown_token_is_rejected(google: GoogleClient, roots: GoogleRoots) -> None:
    request = gmail(roots).users.getProfile(userId="me")

    with pytest.raises(AccessTokenRejected):
        await google.execute(request, access_token="ya29.made-up")


async def test_a_revoked_grant_is_dead(oauth: OAuthClient, grant: TokenGrant) -> None:
    assert grant.refresh_token
    assert await oauth.revoke(grant.refresh_token)

    with pytest.raises(InvalidGrant) as caught:
        await oauth.refresh(grant.refresh_token)

    assert caught.value.cause == "expired-or-revoked"
    assert not await oauth.revoke(grant.refresh_token)


async def test_a_wrong_client_secret_is_our_fault(
    roots: GoogleRoots, session: aiohttp.ClientSession, grant: TokenGrant
) -> None:
    assert grant.refresh_token
    client = OAuthClient(session, roots, client_id=CLIENT_ID, client_secret="wrong", policy=QUICK)

    with pytest.raises(InvalidClient):
        await client.refresh(grant.refresh_token)


@pytest.mark.parametrize(
    ("switch", "expected"),
    [("deleted_client", DeletedClient), ("admin_policy_enforced", AdminPolicyEnforced)],
)
async def test_causes_that_are_no_accounts_fault_have_their_own_names(
    emulator: Emulated,
    oauth: OAuthClient,
    grant: TokenGrant,
    switch: str,
    expected: type[Exception],
) -> None:
    await emulator.control("PUT", "settings", {"token_error": switch})
    assert grant.refresh_token

    with pytest.raises(expected):
        await oauth.refresh(grant.refresh_token)


PUSH_ACCOUNT = "pusher@project.iam.gserviceaccount.com"


async def verdict_on_a_push(
    emulator: Emulated, serve: Serve, session: aiohttp.ClientSession, **forged: Any
) -> str:
    """Let the emulator push once and return what the verifier makes of it."""
    certs = CertStore(session, GoogleRoots.at(emulator.origin).certs_url)
    verifier = PushVerifier(certs, audience="causeway", service_account=PUSH_ACCOUNT)
    verdicts: list[str] = []

    async def receive(request: web.Request) -> web.StreamResponse:
        try:
            await verifier.verify(request.headers.get("Authorization"), clock.now())
            verdicts.append("verified")
        except Unauthenticated as exc:
            verdicts.append(str(exc.data["reason"]))
        return web.Response(status=204)

    push = {
        "endpoint": await serve(receive),
        "audience": "causeway",
        "service_account": PUSH_ACCOUNT,
        "data": {"emailAddress": EMAIL, "historyId": 1},
        **forged,
    }
    await emulator.control("POST", "pushes", push)
    return verdicts[0]


@pytest.mark.parametrize(
    ("forged", "verdict"),
    [
        ({}, "verified"),
        ({"authorization": False}, "missing"),
        ({"alg": "none"}, "algorithm"),
        ({"key": "other"}, "signature"),
        ({"audience": "somebody-else"}, "audience"),
        ({"service_account": "mallory@example.com"}, "email"),
        ({"claims": {"email_verified": False}}, "email_unverified"),
        ({"claims": {"email_verified": None}}, "email_unverified"),
        ({"claims": {"iss": "https://evil.example"}}, "issuer"),
        ({"claims": {"exp": 1}}, "expired"),
    ],
)
async def test_a_push_over_the_wire_is_judged_by_its_token(
    emulator: Emulated,
    serve: Serve,
    session: aiohttp.ClientSession,
    forged: dict[str, Any],
    verdict: str,
) -> None:
    assert await verdict_on_a_push(emulator, serve, session, **forged) == verdict
