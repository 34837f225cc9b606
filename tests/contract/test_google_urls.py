"""Every address at the real Google that auth and mail build, as literal text.

Nothing is sent: a request is stopped as it leaves the session.
"""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from googleapiclient.http import MediaInMemoryUpload

from cli.settings import PROJECT
from libs.common.google import discovery
from libs.common.google.certs import fetch_keys
from libs.common.google.discovery import ApiRequest, GmailResources
from libs.common.google.oauth import OAuthClient
from libs.common.google.roots import GoogleRoots
from services.auth.google import Client, GoogleAuth

ROOTS = GoogleRoots()
REDIRECT = "https://auth.crm.example/v1/oauth/callback"
USERS = "https://gmail.googleapis.com/gmail/v1/users/me"
PEOPLE = ["From", "To", "Cc", "Bcc", "X-Causeway-Send"]
MEDIA = MediaInMemoryUpload(b"x", mimetype="message/rfc822")
UPLOADS = "https://gmail.googleapis.com/upload/gmail/v1/users/me"
LABELS: dict[str, list[str]] = {"addLabelIds": ["STARRED"], "removeLabelIds": ["UNREAD"]}

# Each method of Gmail's API the mail service calls, with the parameters it calls it with.
GMAIL: list[tuple[str, str, Callable[[GmailResources], Any]]] = [
    ("GET", f"{USERS}/profile?alt=json", lambda api: api.users.getProfile(userId="me")),
    (
        "POST",
        f"{USERS}/watch?alt=json",
        lambda api: api.users.watch(userId="me", body={"topicName": "projects/p/topics/t"}),
    ),
    ("POST", f"{USERS}/stop?", lambda api: api.users.stop(userId="me")),
    (
        "GET",
        f"{USERS}/history?startHistoryId=7&maxResults=500&alt=json",
        lambda api: api.history.list(userId="me", startHistoryId="7", maxResults=500),
    ),
    (
        "GET",
        f"{USERS}/history?startHistoryId=7&maxResults=500&pageToken=p2&alt=json",
        lambda api: api.history.list(
            userId="me", startHistoryId="7", maxResults=500, pageToken="p2"
        ),
    ),
    (
        "GET",
        f"{USERS}/messages/18c?format=raw&alt=json",
        lambda api: api.messages.get(userId="me", id="18c", format="raw"),
    ),
    (
        "GET",
        f"{USERS}/messages/18c?format=minimal&alt=json",
        lambda api: api.messages.get(userId="me", id="18c", format="minimal"),
    ),
    (
        "GET",
        (
            f"{USERS}/messages/18c?format=metadata&metadataHeaders=From&metadataHeaders=To"
            "&metadataHeaders=Cc&metadataHeaders=Bcc&metadataHeaders=X-Causeway-Send&alt=json"
        ),
        lambda api: api.messages.get(
            userId="me", id="18c", format="metadata", metadataHeaders=PEOPLE
        ),
    ),
    (
        "GET",
        (
            f"{USERS}/messages?maxResults=500&includeSpamTrash=true&q=after%3A1700000000"
            "&labelIds=INBOX&pageToken=p2&alt=json"
        ),
        lambda api: api.messages.list(
            userId="me",
            maxResults=500,
            includeSpamTrash=True,
            q="after:1700000000",
            labelIds="INBOX",
            pageToken="p2",
        ),
    ),
    ("GET", f"{USERS}/labels?alt=json", lambda api: api.labels.list(userId="me")),
    (
        "POST",
        f"{USERS}/messages/18c/modify?alt=json",
        lambda api: api.messages.modify(userId="me", id="18c", body=LABELS),
    ),
    (
        "POST",
        f"{USERS}/messages/batchModify?",
        lambda api: api.messages.batchModify(userId="me", body={"ids": ["18c"], **LABELS}),
    ),
    (
        "POST",
        f"{UPLOADS}/drafts?alt=json&uploadType=multipart",
        lambda api: api.drafts.create(userId="me", body={}, media_body=MEDIA),
    ),
    (
        "PUT",
        f"{UPLOADS}/drafts/r1?alt=json&uploadType=multipart",
        lambda api: api.drafts.update(userId="me", id="r1", body={}, media_body=MEDIA),
    ),
    (
        "GET",
        f"{USERS}/drafts/r1?format=minimal&alt=json",
        lambda api: api.drafts.get(userId="me", id="r1", format="minimal"),
    ),
    (
        "GET",
        f"{USERS}/drafts?maxResults=500&alt=json",
        lambda api: api.drafts.list(userId="me", maxResults=500),
    ),
    ("DELETE", f"{USERS}/drafts/r1?", lambda api: api.drafts.delete(userId="me", id="r1")),
    (
        "POST",
        f"{USERS}/drafts/send?alt=json",
        lambda api: api.drafts.send(userId="me", body={"id": "r1"}),
    ),
    ("GET", f"{USERS}/settings/sendAs?alt=json", lambda api: api.send_as.list(userId="me")),
]


class StoppedError(Exception):
    """The request that was about to leave: its method and address."""


async def _stop(_session: object, _context: object, params: Any) -> None:
    raise StoppedError(f"{params.method} {params.url}")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_stop)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        yield session


@pytest.fixture
def oauth(session: aiohttp.ClientSession) -> OAuthClient:
    return OAuthClient(session, ROOTS, client_id="id", client_secret="secret")


def exactly(text: str) -> str:
    return f"^{re.escape(text)}$"


async def test_a_code_becomes_tokens_at_googles_token_endpoint(oauth: OAuthClient) -> None:
    with pytest.raises(StoppedError, match=exactly("POST https://oauth2.googleapis.com/token")):
        await oauth.exchange_code("code", redirect_uri=REDIRECT)


async def test_an_access_token_is_renewed_at_googles_token_endpoint(oauth: OAuthClient) -> None:
    with pytest.raises(StoppedError, match=exactly("POST https://oauth2.googleapis.com/token")):
        await oauth.refresh("refresh")


async def test_a_grant_ends_at_googles_revocation_endpoint(oauth: OAuthClient) -> None:
    with pytest.raises(StoppedError, match=exactly("POST https://oauth2.googleapis.com/revoke")):
        await oauth.revoke("refresh")


@pytest.mark.parametrize(
    ("built", "url"),
    [
        (ROOTS.certs_url, "https://www.googleapis.com/oauth2/v1/certs"),
        (ROOTS.jwks_url, "https://www.googleapis.com/oauth2/v3/certs"),
    ],
)
async def test_keys_are_fetched_from_google(
    session: aiohttp.ClientSession, built: str, url: str
) -> None:
    with pytest.raises(StoppedError, match=exactly(f"GET {url}")):
        await fetch_keys(session, (built,))


def test_a_browser_is_sent_to_googles_consent_page(session: aiohttp.ClientSession) -> None:
    client = Client(id="id", secret="secret", redirect_uri=REDIRECT)
    scopes = ("openid", "email", "https://www.googleapis.com/auth/gmail.readonly")

    built = GoogleAuth(session, ROOTS, client).consent_url(
        scopes, state="s", browser="b", login_hint="ada@acme.example"
    )

    parts = urlsplit(built)
    query = parse_qs(parts.query)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://accounts.google.com/o/oauth2/v2/auth"
    )
    assert len(query.pop("nonce")[0]) >= 32
    assert len(query.pop("code_challenge")[0]) == 43
    assert query == {
        "client_id": ["id"],
        "redirect_uri": [REDIRECT],
        "response_type": ["code"],
        "scope": ["openid email https://www.googleapis.com/auth/gmail.readonly"],
        "access_type": ["offline"],
        "include_granted_scopes": ["true"],
        "prompt": ["consent"],
        "state": ["s"],
        "code_challenge_method": ["S256"],
        "login_hint": ["ada@acme.example"],
    }


@pytest.mark.parametrize(("method", "url", "build"), GMAIL, ids=[url for _, url, _ in GMAIL])
def test_gmail_is_called_where_google_has_it(
    method: str, url: str, build: Callable[[GmailResources], ApiRequest]
) -> None:
    request = build(discovery.gmail(ROOTS))

    assert (request.method, request.uri) == (method, url)


def test_the_table_holds_every_method_that_mail_calls() -> None:
    source = "".join(path.read_text() for path in (PROJECT / "services/mail").rglob("*.py"))
    called = set(re.findall(r"(?:_api|resources)\.(\w+\.\w+)[(,]", source))
    listed = {build(discovery.gmail(ROOTS)).method_id for _, _, build in GMAIL}

    assert called
    short = {name.removeprefix("gmail.").removeprefix("users.") for name in listed}
    named = {name.replace("send_as", "settings.sendAs") for name in called}
    assert short == {name.removeprefix("users.") for name in named}
