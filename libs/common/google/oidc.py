"""Identity tokens that Google signs: who signed in, and whether a push is Google's.

A token counts when Google's key signed it by RS256, for our audience, as Google's issuer, and at
a time it allows; a push's token when it also names our service account, and Google vouches for
that. A refusal says the reason and never quotes the token.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from prometheus_client import Counter

from libs.common.errors import Unauthenticated
from libs.common.google import jws
from libs.common.google.certs import CertStore
from libs.common.jwt_rules import is_time

__all__ = ["CertStore", "Identity", "PushVerifier", "verify_id_token"]

CLOCK_SKEW_S = 10
ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
REMEMBERED_TOKENS = 4096
MAX_REMEMBER_S = 3600.0  # Google's tokens live an hour; no claim makes us trust one longer

PUSH_TOKENS = Counter(
    "causeway_push_tokens_total",
    "Tokens presented with pushes, by verdict: verified, remembered or the reason of refusal.",
    ["verdict"],
)
VERIFIED, REMEMBERED = (PUSH_TOKENS.labels(verdict) for verdict in ("verified", "remembered"))


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
            await self._verify(_bearer(authorization), now)
        except Unauthenticated as exc:
            PUSH_TOKENS.labels(str(exc.data["reason"])).inc()
            raise

    async def _verify(self, token: str, now: datetime) -> None:
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if now.timestamp() < self._remembered.get(digest, -math.inf):
            REMEMBERED.inc()
            return
        claims = await _verified_claims(token, certs=self._certs, audience=self._audience, now=now)
        if (_text(claims.get("email")) or "").lower() != self._service_account:
            _refuse("email")
        if claims.get("email_verified") is not True:
            _refuse("email_unverified")
        self._remember(digest, min(claims["exp"], now.timestamp() + MAX_REMEMBER_S))
        VERIFIED.inc()

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
    read = _read(token)
    if read.key_id is None:
        _refuse("unknown_key")
    key = await certs.key(read.key_id, now=now)
    if key is None:
        _refuse("unknown_key")
    if not read.is_signed_by(key):
        _refuse("signature")
    if read.claims.get("aud") != audience:
        _refuse("audience")
    if not _within_times(read.claims, now.timestamp()):
        _refuse("expired")
    if _text(read.claims.get("iss")) not in ISSUERS:
        _refuse("issuer")
    return read.claims


def _read(token: str) -> jws.Token:
    """Return the token unverified; refuse what cannot be checked."""
    try:
        read = jws.Token.read(token)
    except jws.Malformed:
        _refuse("malformed")
    if read.header.get("alg") != jws.ALGORITHM:
        _refuse("algorithm")
    if "crit" in read.header or not all(is_time(read.claims.get(name)) for name in ("iat", "exp")):
        _refuse("malformed")
    return read


def _within_times(claims: Mapping[str, Any], now_s: float) -> bool:
    return bool(claims["iat"] - CLOCK_SKEW_S <= now_s <= claims["exp"] + CLOCK_SKEW_S)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _refuse(reason: str) -> NoReturn:
    raise Unauthenticated("The token is not valid.", reason=reason) from None
