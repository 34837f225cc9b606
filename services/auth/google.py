"""The one module that speaks to Google: consent addresses, tokens, identities, health."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

import aiohttp

from libs.common.errors import AppError, Transient, Unauthenticated, UpstreamError
from libs.common.google.certs import CertStore, fetch_keys
from libs.common.google.oauth import (
    AdminPolicyEnforced,
    DeletedClient,
    InvalidClient,
    InvalidGrant,
    OAuthClient,
    TokenGrant,
    TokenRequestRefused,
)
from libs.common.google.oidc import verify_id_token
from libs.common.google.roots import GoogleRoots
from libs.common.google.wire import RetryPolicy
from services.auth.domain import secrets
from services.auth.domain.model import Identity
from services.auth.domain.rules import Failure

TIMEOUT_S = 5.0
POLICY = RetryPolicy(attempts=3, total_s=9.0, wait_initial_s=0.2, wait_max_s=1.0, wait_jitter_s=0.3)
"""Within the lease under which the tokens of an account are changed."""

PROBE_CODE = "4/causeway-health-probe"


class RefreshFailed(UpstreamError):
    """A refresh gave no token; `failure` says whose fault it is."""

    slug = "refresh-failed"

    def __init__(self, failure: Failure, cause: str) -> None:
        """Keep the failure, and its name as precisely as Google gave it."""
        super().__init__("Google gave no access token.", failure=failure.value, cause=cause)
        self.failure = failure
        self.cause = cause


class ExchangeFailed(UpstreamError):
    """A consent could not be turned into tokens; `code` is a short constant for the browser."""

    slug = "exchange-failed"

    def __init__(self, code: str) -> None:
        """Keep the constant."""
        super().__init__("The consent could not be completed with Google.", code=code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a look at Google showed."""

    client: str
    """`accepted`, or why not: `invalid_client`, `deleted_client`, `unreachable`, ..."""
    certs: str
    """`ok`, `unreachable` or `unusable`."""
    clock_skew_s: float | None
    """Google's clock minus ours; None: it did not say."""

    @property
    def is_good(self) -> bool:
        """Return whether people can connect and pushes can be verified."""
        return self.client == "accepted" and self.certs == "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Our OAuth client, as registered with Google."""

    id: str
    secret: str = field(repr=False)
    redirect_uri: str


class GoogleAuth:
    """Google's OAuth and OpenID Connect endpoints, in the words of this service."""

    def __init__(self, session: aiohttp.ClientSession, roots: GoogleRoots, client: Client) -> None:
        self._session = session
        self._roots = roots
        self._client = client
        self._certs = CertStore(session, roots.certs_url, roots.jwks_url)
        self._oauth = OAuthClient(
            session,
            roots,
            client_id=client.id,
            client_secret=client.secret,
            timeout_s=TIMEOUT_S,
            policy=POLICY,
        )

    def consent_url(
        self, scopes: tuple[str, ...], *, state: str, browser: str, login_hint: str | None
    ) -> str:
        """Return where to send the browser that holds the secret `browser`.

        Consent is always asked for anew, since only then does Google surely give a refresh
        token; and granted scopes are included, so that a new token never does less.

        Source: https://developers.google.com/identity/protocols/oauth2/web-server#creatingclient
        """
        query = {
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "access_type": "offline",
            "include_granted_scopes": "true",
            "prompt": "consent",
            "state": state,
            "nonce": secrets.nonce(browser, state),
            "code_challenge": secrets.challenge(secrets.verifier(browser, state)),
            "code_challenge_method": "S256",
        }
        if login_hint is not None:
            query["login_hint"] = login_hint
        return f"{self._roots.authorize_url}?{urlencode(query)}"

    async def exchange(
        self, code: str, *, state: str, browser: str, now: datetime
    ) -> tuple[TokenGrant, Identity]:
        """Return the tokens of a consent and who gave it.

        Raises:
            ExchangeFailed: the code, our client, the network or the ID token is no good.
        """
        try:
            grant = await self._oauth.exchange_code(
                code,
                redirect_uri=self._client.redirect_uri,
                code_verifier=secrets.verifier(browser, state),
            )
            return grant, await self._identity(grant, secrets.nonce(browser, state), now)
        except InvalidGrant as exc:
            raise ExchangeFailed("code_refused") from exc
        except Unauthenticated as exc:
            raise ExchangeFailed("identity_not_verified") from exc
        except ExchangeFailed:
            raise
        except UpstreamError as exc:
            raise ExchangeFailed(_failure(exc)[1]) from exc

    async def _identity(self, grant: TokenGrant, nonce: str, now: datetime) -> Identity:
        if grant.id_token is None:
            raise ExchangeFailed("identity_missing")
        identity = await verify_id_token(
            grant.id_token, certs=self._certs, client_id=self._client.id, now=now, nonce=nonce
        )
        if identity.email is None:
            raise ExchangeFailed("email_missing")
        if not identity.email_verified:  # anybody may write another's address into an account
            raise ExchangeFailed("email_unverified")
        return Identity(identity.subject, identity.email)

    async def refresh(self, refresh_token: str) -> TokenGrant:
        """Return a new access token.

        Raises:
            RefreshFailed: there is none to be had; it says whose fault it is.
        """
        try:
            return await self._oauth.refresh(refresh_token)
        except InvalidGrant as exc:
            raise RefreshFailed(Failure.INVALID_GRANT, exc.subtype or "invalid_grant") from exc
        except UpstreamError as exc:
            raise RefreshFailed(*_failure(exc)) from exc

    async def revoke(self, token: str) -> None:
        """End the grant `token` belongs to, with every scope; a dead one is as good.

        Raises:
            UpstreamError: it may still be alive.
        """
        await self._oauth.revoke(token)

    @property
    def token_url(self) -> str:
        """Return where tokens come from."""
        return self._roots.token_url

    async def look(self, *, now: datetime) -> Health:
        """Return how Google takes our client, our need for certificates, and our clock."""
        started = time.monotonic()
        certs, date = await self._look_at_certs()
        middle_s = (time.monotonic() - started) / 2
        skew_s = None if date is None else (date - now).total_seconds() - middle_s
        return Health(client=await self._look_at_client(), certs=certs, clock_skew_s=skew_s)

    async def _look_at_client(self) -> str:
        """Offer a code that cannot be good: whether *we* are accepted is told before that."""
        try:
            await self._oauth.exchange_code(PROBE_CODE, redirect_uri=self._client.redirect_uri)
        except InvalidGrant:
            return "accepted"
        except AppError as exc:
            return _failure(exc)[1]
        return "accepted"

    async def _look_at_certs(self) -> tuple[str, datetime | None]:
        urls = (self._roots.certs_url, self._roots.jwks_url)
        try:
            answer, keys = await fetch_keys(self._session, urls)
        except AppError:
            return "unreachable", None
        return "ok" if keys else "unusable", _date(answer.headers.get("Date", ""))


def _date(header: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


_FAULTS: tuple[tuple[type[AppError], Failure, str | None], ...] = (
    (Transient, Failure.UNREACHABLE, "google_unreachable"),
    (DeletedClient, Failure.CLIENT_REFUSED, "deleted_client"),
    (InvalidClient, Failure.CLIENT_REFUSED, "invalid_client"),
    (AdminPolicyEnforced, Failure.ADMIN_POLICY, "admin_policy_enforced"),
    (TokenRequestRefused, Failure.CLIENT_REFUSED, None),
)
"""Whose fault an error is, and its name; None: the name is the one Google gave."""


def _failure(exc: AppError) -> tuple[Failure, str]:
    """Return whose fault an error of the token endpoint is, and its name."""
    for kind, failure, name in _FAULTS:
        if isinstance(exc, kind):
            return failure, name or str(exc.data.get("reason", "refused"))
    return Failure.UNREACHABLE, "unexpected_answer"
