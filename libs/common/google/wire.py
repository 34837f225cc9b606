"""One HTTP exchange with a time limit and a size limit, and the bounded retry around it.

Exceptions of the HTTP library end here. They carry the request (its headers hold the token,
its address may hold a mailbox), so only the name of their class goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
import stamina
from yarl import URL

from libs.common.errors import RateLimited, Transient, UpstreamError

MAX_ANSWER_BYTES = 64 * 1024 * 1024  # a 35 MiB attachment is 47 MiB of base64url
MAX_REFUSAL_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024
SHORTEST_S = 0.001

T = TypeVar("T")


class Unreachable(Transient):
    """No connection came about: nothing was sent, so trying again repeats nothing."""


class AnswerTooLarge(UpstreamError):
    """The answer is longer than we are willing to hold in memory."""

    slug = "upstream-answer-too-large"


class AnswerUnreadable(UpstreamError):
    """The answer came, in a form that is none of the API's."""

    slug = "google-answer-unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request ready to send; `url` is already percent-encoded."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    stream: Callable[[], AsyncIterator[bytes]] | None = field(default=None, repr=False)
    """Begins the body, of which `headers` say the length; instead of `body`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to keep trying: `attempts` in all, within `total_s` seconds, waits doubling."""

    attempts: int = 3
    total_s: float = 20.0
    wait_initial_s: float = 0.5
    wait_max_s: float = 5.0
    wait_jitter_s: float = 0.5


def client_session(*, connections: int = 100) -> aiohttp.ClientSession:
    """Return a session fit to be shared by all accounts; the caller closes it.

    It keeps no cookies (one account's must never travel with another's request) and takes no
    proxy or credentials from the environment.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=30, connect=10),
    )


async def send(
    session: aiohttp.ClientSession,
    outgoing: Outgoing,
    *,
    timeout_s: float,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Send once and return the whole answer; redirects are answers too, never followed.

    Raises:
        Unreachable: no connection within `timeout_s` seconds.
        Transient: the exchange broke off or took longer than `timeout_s` seconds.
        AnswerTooLarge: the body exceeds `max_bytes`.
    """

    async def read(response: aiohttp.ClientResponse) -> Answer:
        return Answer(response.status, response.headers, await _read(response, max_bytes))

    return await _exchange(session, outgoing, timeout_s, read)


async def send_to(
    session: aiohttp.ClientSession,
    outgoing: Outgoing,
    sink: Callable[[bytes], object],
    *,
    timeout_s: float,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Send once and give the body to `sink` in chunks of at most 64 KiB; return the rest.

    The body of a refusal (status 300 and above) is in the answer instead, as `send` has it.
    What `sink` raises ends the exchange and is raised; its OSError counts as a broken exchange.

    Raises:
        Unreachable, Transient, AnswerTooLarge: as `send` does; the sink may hold a beginning.
    """

    async def read(response: aiohttp.ClientResponse) -> Answer:
        if response.status >= 300:  # noqa: PLR2004 - we follow no redirect, so it is a refusal
            body = await _read(response, min(max_bytes, MAX_REFUSAL_BYTES))
            return Answer(response.status, response.headers, body)
        async for chunk in _chunks(response, max_bytes):
            sink(chunk)
        return Answer(response.status, response.headers, b"")

    return await _exchange(session, outgoing, timeout_s, read)


async def _exchange(
    session: aiohttp.ClientSession,
    outgoing: Outgoing,
    timeout_s: float,
    read: Callable[[aiohttp.ClientResponse], Awaitable[Answer]],
) -> Answer:
    try:
        async with session.request(
            outgoing.method,
            URL(outgoing.url, encoded=True),
            headers=outgoing.headers,
            data=outgoing.body if outgoing.stream is None else outgoing.stream(),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
        ) as response:
            return await read(response)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
        raise Unreachable("The server cannot be reached.", cause=type(exc).__name__) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise Transient("The exchange broke off.", cause=type(exc).__name__) from None


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    return b"".join([chunk async for chunk in _chunks(response, max_bytes)])


async def _chunks(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in response.content.iter_chunked(_READ_BYTES):
        size += len(chunk)
        if size > max_bytes:
            raise AnswerTooLarge("The answer is too large.", limit_bytes=max_bytes)
        yield chunk


async def retrying(
    policy: RetryPolicy,
    operation: Callable[[float], Awaitable[T]],
    *,
    on: tuple[type[Transient], ...] = (Transient,),
) -> T:
    """Return what `operation` returns, trying again on the named errors within `policy`.

    `operation` receives the seconds that are left for it. A rate limit is never retried here:
    asking before its time can push that time out, so the caller must plan around it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + policy.total_s

    def worth_it(exc: Exception) -> bool:
        return isinstance(exc, on) and not isinstance(exc, RateLimited)

    try:  # nearly always all there is to it, and the context has its price
        return await operation(policy.total_s)
    except Exception as exc:
        if not worth_it(exc) or loop.time() >= deadline:
            raise
        first: Exception | None = exc
    # A context, not stamina's decorator: that one logs the arguments, and they hold tokens.
    async for attempt in stamina.retry_context(
        on=worth_it,
        attempts=policy.attempts,
        timeout=max(deadline - loop.time(), SHORTEST_S),
        wait_initial=policy.wait_initial_s,
        wait_max=policy.wait_max_s,
        wait_jitter=policy.wait_jitter_s,
    ):
        with attempt:
            if first is not None:
                failed, first = first, None
                raise failed
            left_s = deadline - loop.time()
            if left_s <= 0:
                raise Transient("There is no time left for another attempt.")
            return await operation(left_s)
    raise AssertionError("the retry context either returns or raises")
