"""Send API requests over aiohttp: one place for tokens, limits, retries, errors and metrics."""

import binascii
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
from prometheus_client import Counter, Histogram

from libs.common import clock
from libs.common.errors import AppError, Transient
from libs.common.google.answers import decoded
from libs.common.google.discovery import ApiRequest
from libs.common.google.errors import classify
from libs.common.google.rawbody import RawBody, Sink
from libs.common.google.wire import (
    Answer,
    AnswerUnreadable,
    Outgoing,
    RetryPolicy,
    Unreachable,
    retrying,
    send,
    send_to,
)

USER_AGENT = "causeway (gzip)"  # Google compresses only for agents that say gzip here
MAX_GET_URL = 2048  # longer ones travel as a form: proxies and servers cut them off
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})

Before = Callable[[], Awaitable[None]]

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
        self,
        request: ApiRequest,
        *,
        access_token: str,
        repeatable: bool | None = None,
        timeout_s: float | None = None,
        before: Before | None = None,
    ) -> Any:
        """Return the decoded JSON answer, or None when the answer has no body.

        Args:
            request: what to ask.
            access_token: whose behalf it is asked on.
            timeout_s: seconds for one attempt, if a long upload needs more than the usual; all
                attempts together may take as long then.
            repeatable: whether sending it twice does no harm. None: as HTTP says (GET, PUT,
                DELETE). A request that never left is tried again in any case.
            before: awaited before each attempt; what it raises ends the call.

        Raises:
            RateLimited: not before `retry_after_s`; never retried here.
            AccessTokenRejected, PermissionDenied, NotFound, Conflict, CursorExpired,
            RequestRefused: see `libs.common.google.errors.classify`.
            Transient: Google or the network failed, also after the retries.
        """
        if repeatable is None:
            repeatable = request.method in _SAFE_TO_REPEAT
        outgoing = _outgoing(request, access_token)
        longest_s, policy = self._timeout_s, self._policy
        if timeout_s is not None:
            longest_s, policy = timeout_s, replace(policy, total_s=max(policy.total_s, timeout_s))

        async def once(left_s: float) -> Any:
            if before is not None:
                await before()
            sending = self._send(outgoing, min(longest_s, left_s))
            return await self._measured(request.method_id, sending)

        return await retrying(policy, once, on=(Transient,) if repeatable else (Unreachable,))

    async def execute_raw(
        self,
        request: ApiRequest,
        *,
        access_token: str,
        key: str,
        sink: Sink,
        timeout_s: float | None = None,
        before: Before | None = None,
    ) -> Any:
        """Return the decoded JSON answer without `key`, whose base64url value goes to `sink`.

        The answer is never held in memory as a whole. A request made this way only reads, so
        it is tried again as `execute` does; `sink` is emptied before each attempt.

        Args:
            request: what to ask.
            access_token: whose behalf it is asked on.
            key: name of the long value; the sink stays empty when the answer lacks it.
            sink: open for writing, seekable; afterwards it stands behind the last byte.
            timeout_s: seconds for one attempt, if a long download needs more than the usual;
                all attempts together may take as long then.
            before: see `execute`.

        Raises:
            AnswerTooLarge: the answer exceeds `wire.MAX_ANSWER_BYTES`.
            AnswerUnreadable: the value is no base64url.
            Exception: what else `execute` raises.
        """
        outgoing = _outgoing(request, access_token)
        longest_s = self._timeout_s if timeout_s is None else timeout_s
        policy = replace(self._policy, total_s=max(self._policy.total_s, longest_s))

        async def once(left_s: float) -> Any:
            if before is not None:
                await before()
            sink.seek(0)
            sink.truncate()
            sending = self._send_raw(outgoing, RawBody(key, sink), min(longest_s, left_s))
            result = await self._measured(request.method_id, sending)
            if isinstance(result, dict):
                result.pop(key, None)
            return result

        return await retrying(policy, once)

    async def _send(self, outgoing: Outgoing, timeout_s: float) -> Any:
        return _decode(await send(self._session, outgoing, timeout_s=timeout_s))

    async def _send_raw(self, outgoing: Outgoing, body: RawBody, timeout_s: float) -> Any:
        try:
            answer = await send_to(self._session, outgoing, body.feed, timeout_s=timeout_s)
            if answer.status < 300:  # noqa: PLR2004 - else it is a refusal, and has its body
                answer = replace(answer, body=body.close())
        except binascii.Error:
            raise AnswerUnreadable("Google's answer is not readable.") from None
        except ValueError:
            raise Transient("Google's answer is not JSON.", reason="malformed") from None
        return _decode(answer)

    async def _measured(self, method_id: str, sending: Awaitable[Any]) -> Any:
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            result = await sending
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
    if request.stream is not None:
        headers["content-type"] = request.stream.content_type
        headers["content-length"] = str(request.stream.size)
        return Outgoing(
            method=request.method, url=request.uri, headers=headers, stream=request.stream.open
        )
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
    return decoded(answer.body)
