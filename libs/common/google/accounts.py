"""Access tokens and connections, asked from the auth service.

Tokens live in this process's memory only. Many tasks that need the same one share one call.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import orjson
from prometheus_client import Counter
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from libs.common import clock, service_tokens
from libs.common.errors import (
    AccessRevoked,
    AppError,
    Conflict,
    NotFound,
    Transient,
    UpstreamError,
)
from libs.common.google.wire import Answer, Outgoing, RetryPolicy, retrying, send

AUDIENCE = "causeway-auth"
RENEW_BEFORE = timedelta(seconds=60)
MAX_BYTES = 8 * 1024 * 1024
MAX_PAGES = 10_000
REMEMBERED_TOKENS = 10_000
_REVOKED = frozenset({"reauthorization-required", AccessRevoked.slug})

TOKENS = Counter(
    "causeway_access_tokens_total",
    "Access tokens asked for, by where they came from (memory or auth) or the error's name.",
    ["source"],
)

Model = TypeVar("Model", bound=BaseModel)


class ProductAccess(BaseModel, frozen=True):
    """A product of a connection and how far it goes: read or write."""

    name: str
    access: str


class ConnectedAccount(BaseModel, frozen=True):
    """The Google account behind a connection."""

    id: UUID
    email: str = Field(repr=False)


class ConnectionInfo(BaseModel, frozen=True):
    """A connection as auth lists it to the other services."""

    id: UUID
    tenant_id: str
    user_id: str
    state: str
    account: ConnectedAccount | None
    products: tuple[ProductAccess, ...]


class _Page(BaseModel):
    items: list[ConnectionInfo]
    next_cursor: str | None = None


class _Granted(BaseModel):
    access_token: str = Field(min_length=1, repr=False)
    expires_at: AwareDatetime
    scopes: list[str] = []


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token for Google's APIs and the moment it ends."""

    token: str = field(repr=False)
    expires_at: datetime
    scopes: frozenset[str] = frozenset()


class AuthClient:
    """The auth service, as its neighbours see it.

    Args:
        session: shared; closed by its owner.
        auth_url: where auth is reached from inside.
        service_key: the key of the short-lived tokens services show each other.
        caller: this service, which is also the product it asks for (`mail`).
        timeout_s: seconds for one attempt; auth may be waiting for Google meanwhile.
        policy: attempts and total seconds.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        auth_url: str,
        service_key: str,
        *,
        caller: str,
        timeout_s: float = 15.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._session = session
        self._url = auth_url.rstrip("/")
        self._service_key = service_key
        self._caller = caller
        self._timeout_s = timeout_s
        self._policy = policy or RetryPolicy()
        self._tokens: dict[UUID, AccessToken] = {}
        self._rejected: set[UUID] = set()
        self._asking: dict[UUID, asyncio.Task[AccessToken]] = {}

    async def access_token(self, connection_id: UUID) -> AccessToken:
        """Return a token that is good for at least a minute.

        Raises:
            AccessRevoked: only the person can give access back.
            NotFound: no such connection, or not for this product.
            Conflict: the connection is not active; its slug says how.
            Transient: auth cannot be reached or cannot reach Google.
        """
        known = self._tokens.get(connection_id)
        if known is not None and clock.now() < known.expires_at - RENEW_BEFORE:
            TOKENS.labels("memory").inc()
            return known
        task = self._asking.get(connection_id)
        if task is None:
            task = asyncio.create_task(self._ask(connection_id), name="access-token")
            self._asking[connection_id] = task
            task.add_done_callback(lambda done: self._asked(connection_id, done))
        # Shielded: whoever gives up must not take the answer away from the others.
        return await asyncio.shield(task)

    async def forget(self, connection_id: UUID, rejected: AccessToken | None = None) -> None:
        """Drop the token kept for `connection_id`; auth will be told that Google refused it.

        Args:
            connection_id: whose token it is.
            rejected: the token that was refused. If another one is kept by now, that stays.
        """
        known = self._tokens.get(connection_id)
        if rejected is not None and known is not None and known.token != rejected.token:
            return
        self._tokens.pop(connection_id, None)
        self._rejected.add(connection_id)

    async def list_connections(self, product: str | None = None) -> list[ConnectionInfo]:
        """Return every connection that has `product` (default: this service's), of all tenants.

        Raises:
            Transient: auth cannot be reached, or its pages do not end.
        """
        found: list[ConnectionInfo] = []
        query = {"product": product or self._caller}
        for _ in range(MAX_PAGES):
            path = f"/internal/v1/connections?{urlencode(query)}"
            page = _parse(await self._call("GET", path), _Page)
            found += page.items
            if page.next_cursor is None:
                return found
            query["cursor"] = page.next_cursor
        raise Transient("The list of connections does not end.")

    async def end(self, connection_id: UUID, *, purge: bool, asked_at: datetime) -> None:
        """End this service's product of a connection; ending what is over changes nothing.

        Args:
            connection_id: of which connection.
            purge: everything that was read for it is to go, too.
            asked_at: when somebody asked for it.

        Raises:
            Conflict: `consented-since`: the person wants it again.
            NotFound: no such connection, or it never had this product.
            Transient: auth cannot be reached.
        """
        wanted = {"product": self._caller, "purge": purge, "asked_at": asked_at.isoformat()}
        await self._call("POST", f"/internal/v1/connections/{connection_id}/end", wanted)

    async def close(self) -> None:
        """Give up what is being asked; call it before the session is closed."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, connection_id: UUID) -> AccessToken:
        wanted: dict[str, object] = {"product": self._caller}
        if connection_id in self._rejected:
            wanted["rejected"] = True
        path = f"/internal/v1/connections/{connection_id}/token"
        granted = _parse(await self._call("POST", path, wanted), _Granted)
        token = AccessToken(granted.access_token, granted.expires_at, frozenset(granted.scopes))
        self._rejected.discard(connection_id)
        self._tokens.pop(connection_id, None)
        self._tokens[connection_id] = token
        if len(self._tokens) > REMEMBERED_TOKENS:
            del self._tokens[next(iter(self._tokens))]  # the one asked for longest ago
        return token

    def _asked(self, connection_id: UUID, task: asyncio.Task[AccessToken]) -> None:
        self._asking.pop(connection_id, None)
        if task.cancelled():
            return
        error = task.exception()  # read in any case: the waiters may all be gone
        TOKENS.labels("auth" if error is None else type(error).__name__).inc()

    async def _call(self, method: str, path: str, content: object = None) -> bytes:
        """Return the body of auth's answer; all that is asked of it may be repeated."""

        async def once(left_s: float) -> bytes:
            now = clock.now()
            token = service_tokens.issue(
                self._service_key, caller=self._caller, audience=AUDIENCE, now=now
            )
            outgoing = Outgoing(
                method=method,
                url=self._url + path,
                headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
                body=None if content is None else orjson.dumps(content),
            )
            timeout_s = min(self._timeout_s, left_s)
            answer = await send(self._session, outgoing, timeout_s=timeout_s, max_bytes=MAX_BYTES)
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise _refusal(answer)
            return answer.body

        return await retrying(self._policy, once)


def _parse(body: bytes, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError:  # it quotes what it could not read
        raise Transient("Auth's answer is not readable.", reason="malformed") from None


def _refusal(answer: Answer) -> AppError:
    """Return what auth's problem document means to a neighbour."""
    try:
        kind = str(orjson.loads(answer.body)["type"]).rpartition(":")[2]
    except (ValueError, TypeError, KeyError):
        kind = ""
    match answer.status:
        case 404 if kind == NotFound.slug:
            return NotFound("Auth knows no such connection.")
        case 409 if kind in _REVOKED:
            return AccessRevoked("The person has to give access again.")
        case 409 if kind:
            return Conflict("The connection cannot be used now.", slug=kind)
        case 400 | 401 | 403 | 405 | 415:
            return UpstreamError("Auth does not take our request.", auth_status=answer.status)
    return Transient("Auth is not answering properly.", auth_status=answer.status)
