"""Send API requests over aiohttp: one place for tokens, limits, retries, errors and metrics."""

import json
import time
from typing import Any

import aiohttp
import orjson
from prometheus_client import Counter, Histogram

from libs.common import clock
from libs.common.errors import AppError, Transient
from libs.common.google.discovery import ApiRequest
from libs.common.google.errors import classify
from libs.common.google.wire import Answer, Outgoing, RetryPolicy, Unreachable, retrying, send

USER_AGENT = "causeway (gzip)"  # Google compresses only for agents that say gzip here
MAX_GET_URL = 2048  # longer ones travel as a form: proxies and servers cut them off
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})

REQUESTS = Counter(
    "causeway_google_requests_total",
    "Requests sent to Google's APIs, by API method and outcome (ok or the error's name).",
    ["method", "outcome"],
)
SECONDS = Histogram(
    "causeway_google_request_seconds",
    "Seconds one request to Google took, by API method.",
    ["method"],
)


class GoogleClient:
    """Executes requests made by `discovery` for any account.

    Args:
        session: shared; see `wire.client_session`. Closed by its owner.
        timeout_s: seconds for one attempt, answer included.
        policy: attempts and total seconds for requests that may be repeated.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        timeout_s: float = 10.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._session = session
        self._timeout_s = timeout_s
        self._policy = policy or RetryPolicy()

    async def execute(
        self, request: ApiRequest, *, access_token: str, repeatable: bool | None = None
    ) -> Any:
        """Return the decoded JSON answer, or None when the answer has no body.

        Args:
            request: what to ask.
            access_token: whose behalf it is asked on.
            repeatable: whether sending it twice does no harm. None: as HTTP says (GET, PUT,
                DELETE). A request that never left is tried again in any case.

        Raises:
            RateLimited: not before `retry_after_s`; never retried here.
            AccessTokenRejected, PermissionDenied, NotFound, Conflict, CursorExpired,
            RequestRefused: see `libs.common.google.errors.classify`.
            Transient: Google or the network failed, also after the retries.
        """
        if repeatable is None:
            repeatable = request.method in _SAFE_TO_REPEAT
        outgoing = _outgoing(request, access_token)

        async def once(left_s: float) -> Any:
            return await self._once(request.method_id, outgoing, min(self._timeout_s, left_s))

        return await retrying(self._policy, once, on=(Transient,) if repeatable else (Unreachable,))

    async def _once(self, method_id: str, outgoing: Outgoing, timeout_s: float) -> Any:
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            answer = await send(self._session, outgoing, timeout_s=timeout_s)
            result = _decode(answer)
            outcome = "ok"
        except AppError as exc:
            outcome = type(exc).__name__
            raise
        finally:
            REQUESTS.labels(method_id, outcome).inc()
            SECONDS.labels(method_id).observe(time.perf_counter() - started)
        return result


def _outgoing(request: ApiRequest, access_token: str) -> Outgoing:
    headers = {
        **request.headers,
        "authorization": f"Bearer {access_token}",
        "user-agent": USER_AGENT,
    }
    if request.method != "GET" or len(request.uri) <= MAX_GET_URL:
        return Outgoing(method=request.method, url=request.uri, headers=headers, body=request.body)
    url, _, query = request.uri.partition("?")
    headers["x-http-method-override"] = "GET"
    headers["content-type"] = "application/x-www-form-urlencoded"
    return Outgoing(method="POST", url=url, headers=headers, body=query.encode())


def _decode(answer: Answer) -> Any:
    if answer.status >= 300:  # noqa: PLR2004 - we follow no redirect, so it is a refusal
        raise classify(answer.status, answer.body, answer.headers, clock.now())
    if not answer.body.strip():
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return _decode_leniently(answer.body)


def _decode_leniently(body: bytes) -> Any:
    """Read JSON that orjson is too strict for: half an emoji (a lone surrogate) in a snippet."""
    try:
        return json.loads(body.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        raise Transient("Google's answer is not JSON.", reason="malformed") from None
