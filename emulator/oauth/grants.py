"""Clients, codes, tokens and the grants they hang from."""

import secrets
from dataclasses import dataclass, field, replace
from typing import TypeVar

from emulator.clock import Clock
from emulator.config import EmulatorConfig

_T = TypeVar("_T")
_PENDING_TTL_S = 600
_MOST_PENDING = 1000


@dataclass(frozen=True, slots=True)
class Client:
    """A registered OAuth client; an empty `redirect_uris` accepts any http(s) address."""

    id: str
    secret: str
    redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What the client asked for on the authorization page."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    prompt: frozenset[str]
    offline: bool
    include_granted: bool
    login_hint: str
    challenge: str | None
    challenge_method: str
    expires_s: float


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A live bearer token."""

    value: str
    client_id: str
    sub: str
    scopes: tuple[str, ...]
    expires_s: float


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A long-lived token; `expires_s` None means it lives until it is revoked."""

    value: str
    client_id: str
    sub: str
    scopes: tuple[str, ...]
    expires_s: float | None


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code; it is taken out of the store when it is used."""

    value: str
    request: AuthorizationRequest
    sub: str
    scopes: tuple[str, ...]
    expires_s: float


@dataclass(slots=True)
class Grant:
    """Everything one person has allowed one client."""

    scopes: list[str] = field(default_factory=list)
    had_refresh_token: bool = False


class OAuthState:
    """All of OAuth's memory."""

    def __init__(self, config: EmulatorConfig, clock: Clock) -> None:
        self._clock = clock
        client = Client(config.client_id, config.client_secret, config.redirect_uris)
        self.clients: dict[str, Client] = {client.id: client}
        self.pending: dict[str, AuthorizationRequest] = {}
        self.codes: dict[str, Code] = {}
        self.used_codes: set[str] = set()
        self.grants: dict[tuple[str, str], Grant] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self._refresh_of: dict[tuple[str, str], list[str]] = {}

    def hold(self, request: AuthorizationRequest) -> str:
        """Return the id under which the consent page finds `request` for ten minutes."""
        key = secrets.token_urlsafe(24)
        self.pending[key] = request
        if len(self.pending) > _MOST_PENDING:
            del self.pending[next(iter(self.pending))]
        return key

    def pending_until(self) -> float:
        """Return when an authorization request made now is forgotten."""
        return self._clock.now_s() + _PENDING_TTL_S

    def find_pending(self, key: str) -> AuthorizationRequest | None:
        """Return the request that a consent page belongs to, or None when it is too old."""
        return self._live(self.pending, key)

    def allow(
        self, request: AuthorizationRequest, sub: str, scopes: tuple[str, ...], ttl_s: int
    ) -> Code:
        """Record the person's consent and return a fresh code for it."""
        grant = self.grants.setdefault((request.client_id, sub), Grant())
        grant.scopes = list(dict.fromkeys([*grant.scopes, *scopes]))
        granted = tuple(grant.scopes) if request.include_granted else scopes
        value = "4/0A" + secrets.token_urlsafe(48)
        code = Code(value, request, sub, granted, self._clock.now_s() + ttl_s)
        self.codes[value] = code
        return code

    def issue_access(
        self, client_id: str, sub: str, scopes: tuple[str, ...], ttl_s: int
    ) -> AccessToken:
        """Return a new access token."""
        value = "ya29." + secrets.token_urlsafe(96)
        token = AccessToken(value, client_id, sub, scopes, self._clock.now_s() + ttl_s)
        self.access[value] = token
        return token

    def issue_refresh(
        self, client_id: str, sub: str, scopes: tuple[str, ...], *, ttl_s: int | None, limit: int
    ) -> RefreshToken:
        """Return a new refresh token; above `limit` live ones the oldest dies silently."""
        self.grants.setdefault((client_id, sub), Grant(list(scopes))).had_refresh_token = True
        expires_s = None if ttl_s is None else self._clock.now_s() + ttl_s
        token = RefreshToken("1//0" + secrets.token_urlsafe(64), client_id, sub, scopes, expires_s)
        self.refresh[token.value] = token
        mine = self._refresh_of.setdefault((client_id, sub), [])
        mine.append(token.value)
        while len(mine) > limit:
            self.refresh.pop(mine.pop(0), None)
        return token

    def find_access(self, value: str) -> AccessToken | None:
        """Return the live token, or None."""
        return self._live(self.access, value)

    def find_refresh(self, value: str) -> RefreshToken | None:
        """Return the live token, or None."""
        return self._live(self.refresh, value)

    def take_code(self, value: str) -> Code | None:
        """Return the code and make it useless, or None when it is unknown, used or too old."""
        code = self._live(self.codes, value)
        self.codes.pop(value, None)
        if code is not None:
            self.used_codes.add(value)
        return code

    def revoke(self, client_id: str, sub: str) -> None:
        """End the grant: every scope and every token of it, at once."""
        self.grants.pop((client_id, sub), None)
        owner = (client_id, sub)
        self.access = {k: t for k, t in self.access.items() if (t.client_id, t.sub) != owner}
        for value in self._refresh_of.pop(owner, ()):
            self.refresh.pop(value, None)
        self.codes = {k: c for k, c in self.codes.items() if (c.request.client_id, c.sub) != owner}

    def untick(self, client_id: str, sub: str, gone: frozenset[str]) -> list[str]:
        """Take scopes out of a grant and of its live tokens; return those that are left."""
        owner = (client_id, sub)
        grant = self.grants.get(owner)
        if grant is None:
            return []
        grant.scopes = [scope for scope in grant.scopes if scope not in gone]
        for key, access in self.access.items():
            if (access.client_id, access.sub) == owner:
                self.access[key] = replace(access, scopes=_without(access.scopes, gone))
        for key in self._refresh_of.get(owner, ()):
            token = self.refresh.get(key)
            if token is not None:
                self.refresh[key] = replace(token, scopes=_without(token.scopes, gone))
        return grant.scopes

    def expire_access(self, sub: str) -> int:
        """Make every access token of one person useless and return how many there were."""
        mine = [t.value for t in self.access.values() if t.sub == sub]
        for value in mine:
            del self.access[value]
        return len(mine)

    def _live(self, store: dict[str, _T], key: str) -> _T | None:
        found = store.get(key)
        expires_s = getattr(found, "expires_s", None)
        if expires_s is not None and expires_s <= self._clock.now_s():
            return None
        return found


def _without(scopes: tuple[str, ...], gone: frozenset[str]) -> tuple[str, ...]:
    return tuple(scope for scope in scopes if scope not in gone)
