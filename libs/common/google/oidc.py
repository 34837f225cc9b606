"""Identity tokens that Google signs: who signed in, and whether a push is Google's.

google-auth checks signature, times and audience. Around it stand the checks it leaves to its
caller: only RS256, the issuer, the e-mail and that Google vouches for it. Its own exceptions
quote the token, so they end here (`from None`).
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from google.auth import exceptions
from google.auth import jwt as google_jwt
from prometheus_client import Counter

from libs.common.errors import Unauthenticated
from libs.common.google.certs import CertStore
from libs.common.jwt_rules import is_time

__all__ = ["CertStore", "Identity", "PushVerifier", "verify_id_token"]

jwt: Any = google_jwt  # its functions have no annotations

CLOCK_SKEW_S = 10
ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
MAX_TOKEN_CHARS = 8192
REMEMBERED_TOKENS = 4096
MAX_REMEMBER_S = 3600.0  # Google's tokens live an hour; no claim makes us trust one longer

PUSH_TOKENS = Counter(
    "causeway_push_tokens_total",
    "Tokens presented with pushes, by verdict: verified, remembered or the reason of refusal.",
    ["verdict"],
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an ID token speaks of; `subject` never changes, the rest may."""

    subject: str
    email: str | None = field(repr=False)
    email_verified: bool
    hosted_domain: str | None = field(repr=False)  # the Workspace's domain, if any


async def verify_id_token(
    token: str, *, certs: CertStore, client_id: str, now: datetime, nonce: str | None = None
) -> Identity:
    """Return who signed in, from the ID token of a token response.

    Args:
        token: the compact JWT.
        certs: Google's keys.
        client_id: our OAuth client, the audience the token must name.
        now: against which its times are read (10 s of skew allowed).
        nonce: what the authorization request carried, if anything.

    Raises:
        Unauthenticated: not a token Google made for us; `reason` in `data`.
        Transient: Google's keys cannot be had.

    Source: https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken
    """
    claims = await _verified_claims(token, certs=certs, audience=client_id, now=now)
    if nonce is not None and claims.get("nonce") != nonce:
        _refuse("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:  # noqa: PLR2004 - Google's limit
        _refuse("subject")
    return Identity(
        subject=subject,
        email=_text(claims.get("email")),
        email_verified=claims.get("email_verified") is True,
        hosted_domain=_text(claims.get("hd")),
    )


class PushVerifier:
    """Tells Google's pushes from everybody else's.

    A token that passed is remembered by its hash until it expires: Pub/Sub sends the same one
    for up to an hour, and checking it is the dearest part of taking a push in.

    Args:
        certs: Google's keys.
        audience: what the push subscription is configured to claim.
        service_account: the e-mail address it is configured to sign as.
    """

    def __init__(self, certs: CertStore, *, audience: str, service_account: str) -> None:
        if not audience or not service_account:
            raise ValueError("a push verifier needs an audience and a service account")
        self._certs = certs
        self._audience = audience
        self._service_account = service_account.lower()
        self._remembered: OrderedDict[bytes, float] = OrderedDict()

    async def verify(self, authorization: str | None, now: datetime) -> None:
        """Return if the push is ours to believe.

        Args:
            authorization: the Authorization header as received ("Bearer <JWT>"), None if absent.
            now: against which the token's times are read (10 s of skew allowed).

        Raises:
            Unauthenticated: with `reason` in `data`: missing, malformed, algorithm, unknown_key,
                signature, issuer, audience, expired, email or email_unverified.
            Transient: Google's keys cannot be had; the push should be sent again.

        Source: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
        """
        try:
            verdict = await self._verdict(authorization, now)
        except Unauthenticated as exc:
            PUSH_TOKENS.labels(str(exc.data["reason"])).inc()
            raise
        PUSH_TOKENS.labels(verdict).inc()

    async def _verdict(self, authorization: str | None, now: datetime) -> str:
        token = _bearer(authorization)
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if now.timestamp() < self._remembered.get(digest, -math.inf):
            return "remembered"
        claims = await _verified_claims(token, certs=self._certs, audience=self._audience, now=now)
        if (_text(claims.get("email")) or "").lower() != self._service_account:
            _refuse("email")
        if claims.get("email_verified") is not True:
            _refuse("email_unverified")
        self._remember(digest, min(claims["exp"], now.timestamp() + MAX_REMEMBER_S))
        return "verified"

    def _remember(self, digest: bytes, until: float) -> None:
        self._remembered[digest] = until
        self._remembered.move_to_end(digest)
        if len(self._remembered) > REMEMBERED_TOKENS:
            self._remembered.popitem(last=False)


def _bearer(authorization: str | None) -> str:
    if not authorization:
        _refuse("missing")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        _refuse("missing")
    return token.strip()


async def _verified_claims(
    token: str, *, certs: CertStore, audience: str, now: datetime
) -> Mapping[str, Any]:
    """Return the claims of a token Google signed for `audience` and that is valid at `now`."""
    key_id = _key_id(token)
    key = await certs.key(key_id, now=now)
    if key is None:
        _refuse("unknown_key")
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            certs={key_id: key},
            audience=audience,
            clock_skew_in_seconds=_skew_for_library(now),
        )
    except exceptions.MalformedError:
        _refuse("signature")
    except exceptions.InvalidValue:
        wrong_audience = jwt.decode(token, verify=False).get("aud") != audience
        _refuse("audience" if wrong_audience else "expired")
    if not _within_times(claims, now.timestamp()):
        _refuse("expired")
    if _text(claims.get("iss")) not in ISSUERS:
        _refuse("issuer")
    return claims


def _key_id(token: str) -> str:
    """Return the id of the key that is said to have signed; refuse what cannot be checked."""
    if len(token) > MAX_TOKEN_CHARS:
        _refuse("malformed")
    try:
        header = jwt.decode_header(token)
        claims = jwt.decode(token, verify=False)
    except (exceptions.GoogleAuthError, ValueError, RecursionError):
        _refuse("malformed")
    if header.get("alg") != "RS256":
        _refuse("algorithm")
    if "crit" in header or not all(is_time(claims.get(name)) for name in ("iat", "exp")):
        _refuse("malformed")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        _refuse("unknown_key")
    return key_id


def _within_times(claims: Mapping[str, Any], now_s: float) -> bool:
    return bool(claims["iat"] - CLOCK_SKEW_S <= now_s <= claims["exp"] + CLOCK_SKEW_S)


def _skew_for_library(now: datetime) -> int:
    """Return the skew that makes google-auth, which reads the machine's clock, allow for ours.

    With our clock at the machine's time this is the plain skew. Otherwise our own check of
    the times (`_within_times`) is the strict one.
    """
    offset_s = abs((now - datetime.now(UTC)).total_seconds())
    return CLOCK_SKEW_S + (math.ceil(offset_s) if offset_s > 1 else 0)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _refuse(reason: str) -> NoReturn:
    raise Unauthenticated("The token is not valid.", reason=reason) from None
