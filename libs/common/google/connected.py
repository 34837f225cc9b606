"""Google on behalf of connections: their tokens, and what their requests cost."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import UUID

from libs.common.errors import RateLimited
from libs.common.google.accounts import AuthClient
from libs.common.google.discovery import ApiRequest
from libs.common.google.errors import AccessTokenRejected
from libs.common.google.rawbody import Sink
from libs.common.google.transport import Before, GoogleClient


class Charge(Protocol):
    """What a service wants to happen around a request: its quota, of which we know nothing."""

    async def __call__(self, method_id: str) -> None:
        """Allow a request of this API method to be sent; raise to prevent it."""
        ...

    async def refused(self, exc: RateLimited) -> None:
        """Note that Google itself refused: not again before `exc.retry_after_s` seconds."""
        ...


_Ask = Callable[[str, Before | None], Awaitable[Any]]


class ConnectedGoogle:
    """Google on behalf of connections: finds the token, and replaces it once if refused."""

    def __init__(self, google: GoogleClient, auth: AuthClient) -> None:
        self._google = google
        self._auth = auth

    async def execute(
        self,
        request: ApiRequest,
        *,
        connection_id: UUID,
        repeatable: bool | None = None,
        timeout_s: float | None = None,
        charge: Charge | None = None,
    ) -> Any:
        """Return Google's answer; see `GoogleClient.execute` and `AuthClient.access_token`.

        A refused token is the one refusal after which any request may be sent again: Google
        did nothing. A fresh token refused as well raises AccessTokenRejected.

        Args:
            request: what to ask.
            connection_id: whose behalf it is asked on.
            repeatable: see `GoogleClient.execute`.
            timeout_s: see `GoogleClient.execute`.
            charge: asked each time before the request is sent; what it raises ends the call,
                and nothing was sent.
        """

        async def ask(access_token: str, before: Before | None) -> Any:
            return await self._google.execute(
                request,
                access_token=access_token,
                repeatable=repeatable,
                timeout_s=timeout_s,
                before=before,
            )

        return await self._charged(request, connection_id, charge, ask)

    async def execute_raw(
        self,
        request: ApiRequest,
        *,
        connection_id: UUID,
        key: str,
        sink: Sink,
        timeout_s: float | None = None,
        charge: Charge | None = None,
    ) -> Any:
        """Return Google's answer without `key`, whose decoded value is in `sink` afterwards.

        See `GoogleClient.execute_raw` and `execute`.
        """

        async def ask(access_token: str, before: Before | None) -> Any:
            return await self._google.execute_raw(
                request,
                access_token=access_token,
                key=key,
                sink=sink,
                timeout_s=timeout_s,
                before=before,
            )

        return await self._charged(request, connection_id, charge, ask)

    async def _charged(
        self, request: ApiRequest, connection_id: UUID, charge: Charge | None, ask: _Ask
    ) -> Any:
        if charge is None:
            return await self._with_token(connection_id, ask, None)
        counted = charge

        async def before() -> None:
            try:
                await counted(request.method_id)
            except RateLimited as exc:
                raise _NotOurTurn(exc) from exc

        try:
            return await self._with_token(connection_id, ask, before)
        except _NotOurTurn as exc:
            raise exc.refusal from exc
        except RateLimited as exc:
            await charge.refused(exc)
            raise

    async def _with_token(self, connection_id: UUID, ask: _Ask, before: Before | None) -> Any:
        token = await self._auth.access_token(connection_id)
        try:
            return await ask(token.token, before)
        except AccessTokenRejected:
            await self._auth.forget(connection_id, token)
        token = await self._auth.access_token(connection_id)
        return await ask(token.token, before)


class _NotOurTurn(Exception):
    """Our own ledger refused: not to be told to it as if Google had."""

    def __init__(self, refusal: RateLimited) -> None:
        super().__init__()
        self.refusal = refusal
