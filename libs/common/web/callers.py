"""Who is calling: the bearer tokens that the CRM's own identity provider issues.

HS256 is accepted only with the shared key and RS256/ES256 only with published keys, so a
public key can never be passed off as a shared secret. Expiry, issuer and audience are
required of every token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from aiohttp import web

from libs.common import jwt_rules
from libs.common.errors import Forbidden, Unauthenticated
from libs.common.web.routes import Access

MAX_NAME = 255
SERVICE_ROLE = "service"
SHARED_KEY_ALGORITHM = "HS256"
PUBLISHED_KEY_ALGORITHMS = ("RS256", "ES256")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody of a tenant: a person, or one of the CRM's services."""

    kind: Literal["user", "service"]
    tenant_id: str
    subject: str
    """Names the caller within its tenant: the user's id, or the service's name."""
    user_id: str | None = None
    """None for services."""
    roles: frozenset[str] = frozenset()


CALLER = web.RequestKey("caller", Caller)
INTERNAL_CALLER = web.RequestKey("internal_caller", str)


class Keys(Protocol):
    """Where the key that verifies a token comes from."""

    async def key_for(self, token: str) -> tuple[Any, str]:
        """Return the key and the one algorithm that may verify `token`.

        Raises:
            Unauthenticated: no key of ours can have signed it.
            Transient: the keys cannot be had at the moment.
        """
        ...


class SharedKey:
    """The HS256 key that the CRM and Causeway both hold."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    async def key_for(self, token: str) -> tuple[bytes, str]:
        """Return the one key; a token that names another algorithm fails on it."""
        del token
        return self._key, SHARED_KEY_ALGORITHM


class CallerVerifier:
    """Turns a bearer token into a `Caller`."""

    def __init__(self, keys: Keys, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def verify(self, token: str, *, now: datetime) -> Caller:
        """Return who `token` speaks for.

        Raises:
            Unauthenticated: forged, expired, foreign or incomplete; `reason` says which.
            Transient: the published keys cannot be fetched.
        Source: https://www.rfc-editor.org/rfc/rfc8725
        """
        key, algorithm = await self._keys.key_for(token)
        claims = jwt_rules.decode(token, key, algorithm=algorithm, audience=self._audience, now=now)
        if claims["iss"] != self._issuer:
            raise jwt_rules.refused("issuer")
        return _caller(claims)


def _caller(claims: Mapping[str, Any]) -> Caller:
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise jwt_rules.refused("claims")
    tenant_id = _name(claims.get("tenant"))
    if SERVICE_ROLE in roles:
        name = _name(claims.get("sub", SERVICE_ROLE))
        return Caller(kind="service", tenant_id=tenant_id, subject=name, roles=frozenset(roles))
    user_id = _name(claims.get("sub"))
    return Caller(
        kind="user",
        tenant_id=tenant_id,
        subject=user_id,
        user_id=user_id,
        roles=frozenset(roles),
    )


def _name(value: object) -> str:
    """Return a claim that will key rows: present, bounded, printable."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise jwt_rules.refused("claims")
    return value


def bearer(request: web.Request) -> str:
    """Return the bearer token of `request`.

    Raises:
        Unauthenticated: there is none, more than one, or another scheme.
    Source: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
    """
    headers = request.headers.getall("Authorization", [])
    if not headers:
        raise Unauthenticated("A bearer token is required.", reason="missing")
    scheme, _, token = headers[0].partition(" ")
    token = token.strip()
    if len(headers) > 1 or scheme.lower() != "bearer" or not token.isascii() or not token:
        raise Unauthenticated("A bearer token is required.", reason="malformed")
    return token


ALLOWED: Mapping[Access, frozenset[str]] = {
    Access.USER: frozenset({"user"}),
    Access.SERVICE: frozenset({"service"}),
    Access.USER_OR_SERVICE: frozenset({"user", "service"}),
}


def check_allowed(access: Access, who: Caller) -> None:
    """Check the route's rule against a caller we know.

    Raises:
        Forbidden: the rule says no.
    """
    if who.kind not in ALLOWED[access]:
        raise Forbidden("This endpoint is not for this kind of caller.", slug="wrong-caller")


def caller(request: web.Request) -> Caller:
    """Return who is calling; only on routes for users and services of the CRM."""
    return request[CALLER]


def seen_by(who: Caller) -> str | None:
    """Return who looks: a user, by visibility; None: a service, which sees all of its tenant."""
    return who.user_id if who.kind == "user" else None


def internal_caller(request: web.Request) -> str:
    """Return the name of the Causeway service that is calling; only on internal routes."""
    return request[INTERNAL_CALLER]
