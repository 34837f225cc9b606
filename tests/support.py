"""Small things every test may use: waiting for a condition, callers' tokens, test secrets."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

import jwt

CALLER_KEY = "caller-key-of-the-tests-0123456789abcdef"
SERVICE_KEY = "service-key-of-the-tests-0123456789abcdef"
CALLER_ISSUER = "https://crm.test"
CALLER_AUDIENCE = "causeway"
POLL_S = 0.02

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], *, timeout_s: float = ..., what: str = ...
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T], *, timeout_s: float = ..., what: str = ...
) -> T: ...


async def eventually(
    condition: Callable[[], Awaitable[T] | T], *, timeout_s: float = 30, what: str = ""
) -> T:
    """Return the first true value of `condition` (plain or async); fail after `timeout_s`.

    An AssertionError raised by `condition` means "not yet"; the last one explains a failure.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        failure: AssertionError | None = None
        value: T | None = None
        try:
            answer = condition()
            value = await answer if inspect.isawaitable(answer) else answer
        except AssertionError as exc:
            failure = exc
        if failure is None and value:
            return value
        if time.monotonic() >= deadline:
            message = f"not within {timeout_s} s: {what or inspect.getsource(condition).strip()}"
            raise AssertionError(f"{message} (last: {failure or value!r})") from failure
        await asyncio.sleep(POLL_S)


def caller_token(
    *,
    user: str | None = "ada",
    tenant: str | None = "acme",
    roles: tuple[str, ...] = (),
    issuer: str = CALLER_ISSUER,
    audience: str = CALLER_AUDIENCE,
    ttl_s: float = 3600,
    key: str = CALLER_KEY,
    algorithm: str = "HS256",
    **claims: object,
) -> str:
    """Return a CRM caller's JWT; `claims` adds or, with None, removes a claim."""
    now = time.time()
    payload: dict[str, object] = {
        "iss": issuer,
        "aud": audience,
        "sub": user,
        "tenant": tenant,
        "roles": list(roles),
        "iat": int(now),
        "exp": int(now + ttl_s),
        **claims,
    }
    present = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm)


def service_caller_token(*, tenant: str = "acme", **claims: object) -> str:
    """Return the JWT of a CRM service of `tenant` (role `service`, no user)."""
    return caller_token(user=None, tenant=tenant, roles=("service",), **claims)  # type: ignore[arg-type] # claims of any kind


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries `token`."""
    return {"Authorization": f"Bearer {token}"}
