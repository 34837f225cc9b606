"""The token endpoint: codes and refresh tokens in, access tokens out.

Its errors are causes, not statuses: a person's grant that ended (`InvalidGrant`) is nothing
like our client having been deleted (`DeletedClient`) or an administrator's rule
(`AdminPolicyEnforced`); only the first says something about an account.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
from prometheus_client import Counter
from pydantic import BaseModel, Field

from libs.common import clock
from libs.common.errors import AppError, Transient
from libs.common.google.roots import GoogleRoots
from libs.common.google.token_errors import (
    AdminPolicyEnforced,
    DeletedClient,
    InvalidClient,
    InvalidGrant,
    TokenRequestRefused,
    token_error,
)
from libs.common.google.wire import Answer, Outgoing, RetryPolicy, Unreachable, retrying, send

__all__ = [
    "AdminPolicyEnforced",
    "DeletedClient",
    "InvalidClient",
    "InvalidGrant",
    "OAuthClient",
    "TokenGrant",
    "TokenRequestRefused",
]

DEFAULT_LIFE_S = 3599
MAX_BYTES = 256 * 1024
T = TypeVar("T")

TOKEN_CALLS = Counter(
    "causeway_google_token_calls_total",
    "Calls of Google's token and revocation endpoints, by purpose and outcome.",
    ["purpose", "outcome"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """What the token endpoint gave.

    `scopes` is what was granted, which may be less than was asked and spelt differently.
    `refresh_token` comes with the first exchange of a grant, or when consent is asked anew.
    """

    access_token: str = field(repr=False)
    expires_at: datetime
    scopes: frozenset[str]
    refresh_token: str | None = field(default=None, repr=False)
    refresh_token_expires_at: datetime | None = None
    id_token: str | None = field(default=None, repr=False)


class OAuthClient:
    """Our OAuth client at Google's token endpoint.

    Args:
        session: shared; closed by its owner.
        roots: where Google is.
        client_id: as registered with Google.
        client_secret: likewise.
        timeout_s: seconds for one attempt.
        policy: attempts and total seconds for refresh and revoke.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        roots: GoogleRoots,
        *,
        client_id: str,
        client_secret: str,
        timeout_s: float = 10.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._session = session
        self._roots = roots
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._timeout_s = timeout_s
        self._policy = policy or RetryPolicy()

    async def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str | None = None
    ) -> TokenGrant:
        """Return the tokens for an authorization code, which works once.

        Raises:
            InvalidGrant: used, expired, foreign, or its verifier does not match.
            InvalidClient, DeletedClient, AdminPolicyEnforced, TokenRequestRefused.
            Transient: Google or the network failed. Not retried once sent: the code may be
                spent.

        Source: https://developers.google.com/identity/protocols/oauth2/web-server#exchange-authorization-code
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if code_verifier is not None:
            form["code_verifier"] = code_verifier
        return await self._grant("exchange", form, on=(Unreachable,))

    async def refresh(self, refresh_token: str) -> TokenGrant:
        """Return a new access token; `refresh_token` is None unless Google replaced it.

        Raises:
            InvalidGrant: the refresh token is dead. Google also says so in error at times:
                confirm before telling a person.
            InvalidClient, DeletedClient, AdminPolicyEnforced, TokenRequestRefused.
            Transient: Google or the network failed, also after the retries.

        Source: https://developers.google.com/identity/protocols/oauth2/web-server#offline
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._grant("refresh", form, on=(Transient,))

    async def revoke(self, token: str) -> bool:
        """End the whole grant that `token` belongs to: every scope, every token of it.

        Returns:
            Whether it was alive; False means Google did not know the token any more.

        Raises:
            TokenRequestRefused, Transient: it may still be alive.

        Source: https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
        """

        async def once(left_s: float) -> bool:
            answer = await self._post(self._roots.revoke_url, {"token": token}, left_s)
            if answer.status == 200:  # noqa: PLR2004 - OK
                return True
            error = token_error(answer, clock.now())
            if isinstance(error, TokenRequestRefused) and error.reason == "invalid_token":
                return False
            raise error

        return await self._counted("revoke", once, (Transient,))

    async def _grant(
        self, purpose: str, form: dict[str, str], *, on: tuple[type[Transient], ...]
    ) -> TokenGrant:
        async def once(left_s: float) -> TokenGrant:
            now = clock.now()
            answer = await self._post(self._roots.token_url, {**form, **self._client}, left_s)
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise token_error(answer, now)
            return _read_grant(answer.body, now)

        return await self._counted(purpose, once, on)

    async def _counted(
        self,
        purpose: str,
        once: Callable[[float], Awaitable[T]],
        on: tuple[type[Transient], ...],
    ) -> T:
        outcome = "cancelled"
        try:
            result = await retrying(self._policy, once, on=on)
            outcome = "ok"
        except AppError as exc:
            outcome = type(exc).__name__
            raise
        finally:
            TOKEN_CALLS.labels(purpose, outcome).inc()
        return result

    async def _post(self, url: str, form: Mapping[str, str], left_s: float) -> Answer:
        outgoing = Outgoing(
            method="POST",
            url=url,
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "accept": "application/json",
            },
            body=urlencode(form).encode(),
        )
        return await send(
            self._session,
            outgoing,
            timeout_s=min(self._timeout_s, left_s),
            max_bytes=MAX_BYTES,
        )


def _read_grant(body: bytes, now: datetime) -> TokenGrant:
    try:
        answer = _TokenAnswer.model_validate_json(body)
        refresh_life_s = answer.refresh_token_expires_in
        return TokenGrant(
            access_token=answer.access_token,
            expires_at=now + timedelta(seconds=answer.expires_in),
            scopes=frozenset(answer.scope.split()),
            refresh_token=answer.refresh_token,
            refresh_token_expires_at=now + timedelta(seconds=refresh_life_s)
            if refresh_life_s
            else None,
            id_token=answer.id_token,
        )
    except (ValueError, OverflowError):
        raise Transient("Google's token answer is not readable.", reason="malformed") from None


class _TokenAnswer(BaseModel):
    access_token: str = Field(min_length=1)
    expires_in: int = DEFAULT_LIFE_S
    scope: str = ""
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
    id_token: str | None = None
