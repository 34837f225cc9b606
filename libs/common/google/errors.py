"""What Google's refusals mean, read from the reason they give and not from the status alone.

The same 403 says "you may not", "not so fast" and "this API is switched off"; the same event
comes as 403 or 429. So the body decides. It has three shapes, alone or together: the legacy
list (`error.errors[].reason`), the newer status (`error.status`) and typed details
(`error.details[]`, of which ErrorInfo carries a `reason`).

Google's own sentences quote addresses and project numbers: none of them is kept.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from libs.common.errors import (
    AppError,
    Conflict,
    CursorExpired,
    NotFound,
    RateLimited,
    Transient,
    UpstreamError,
)

DEFAULT_WAIT_S = 15.0
DAY_QUOTA_WAIT_S = 3600.0
MAX_WAIT_S = 24 * 3600.0

_RATE = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "rate_limit_exceeded",
    }
)
_DAY_QUOTA = frozenset({"quotaExceeded", "dailyLimitExceeded", "QUOTA_EXCEEDED"})
_BAD_TOKEN = frozenset({"authError", "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED"})
_DEAD_CURSOR = frozenset({"fullSyncRequired", "updatedMinTooLongAgo", "EXPIRED_SYNC_TOKEN"})
_OUTDATED = frozenset({"conditionNotMet", "duplicate", "conflict", "ALREADY_EXISTS", "ABORTED"})
_BUSY = frozenset({"backendError", "internalError", "UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED"})
_ETAG_MISMATCH = "etag is different than the current"
_SYNC_TOKEN_EXPIRED = "sync token is expired"  # noqa: S105 - Google's sentence, not a secret
_RETRY_AFTER = re.compile(
    r"retry after (\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d))", re.IGNORECASE
)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_SAFE_REASON = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class AccessTokenRejected(UpstreamError):
    """The access token no longer works; a fresh one may."""

    slug = "google-access-token-rejected"


class PermissionDenied(UpstreamError):
    """Google will not do this for us; `reason` says why, and asking again changes nothing.

    Seen: `ACCESS_TOKEN_SCOPE_INSUFFICIENT` and `insufficientPermissions` (a box left unticked),
    `SERVICE_DISABLED` and `accessNotConfigured` (the API is off in our project),
    `domainPolicy` (an administrator forbids the app), `forbidden`, `forbiddenForNonOrganizer`.
    """

    slug = "google-permission-denied"

    def __init__(self, message: str, *, reason: str, **data: Any) -> None:
        """Keep Google's reason."""
        super().__init__(message, reason=reason, **data)
        self.reason = reason


class RequestRefused(UpstreamError):
    """The request itself is wrong for Google; repeating it unchanged is pointless."""

    slug = "google-request-refused"

    def __init__(self, message: str, *, reason: str, **data: Any) -> None:
        """Keep Google's reason."""
        super().__init__(message, reason=reason, **data)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error body, reduced to what decisions need."""

    understood: bool  # the body is one of Google's envelopes
    reasons: tuple[str, ...] = ()  # most specific first
    message: str = ""
    retry_delay_s: float | None = None

    @property
    def reason(self) -> str:
        return self.reasons[0] if self.reasons else "unknown"

    def any_of(self, known: frozenset[str]) -> bool:
        return not known.isdisjoint(self.reasons)


def classify(status: int, body: bytes, headers: Mapping[str, str], now: datetime) -> AppError:
    """Return the error that an answer with `status` >= 300 stands for. Pure; never raises.

    Args:
        status: the HTTP status.
        body: the raw body, of any content.
        headers: the answer's headers; only Retry-After is read, in any case.
        now: against which "Retry after <time>" becomes seconds.

    Returns:
        RateLimited, AccessTokenRejected, PermissionDenied, CursorExpired, NotFound, Conflict
        (an etag no longer holds, or the thing exists), RequestRefused or Transient.
        What is absent is only believed from Google's own envelope: a proxy's page with
        status 404 must not read as "deleted", so it is Transient.

    Source: https://developers.google.com/workspace/gmail/api/guides/handle-errors
        https://developers.google.com/workspace/calendar/api/guides/errors
        https://cloud.google.com/apis/design/errors
    """
    refusal = _read(body)
    facts: dict[str, Any] = {"reason": refusal.reason, "google_status": status}
    if refusal.any_of(_RATE | _DAY_QUOTA) or status == 429:  # noqa: PLR2004 - Too Many Requests
        wait_s = _wait_s(refusal, headers, now)
        return RateLimited("Google asks us to slow down.", retry_after_s=wait_s, **facts)
    if refusal.any_of(_DEAD_CURSOR) or _SYNC_TOKEN_EXPIRED in refusal.message.lower():
        return CursorExpired("Google no longer knows the sync cursor.", **facts)
    if refusal.any_of(_OUTDATED) or _ETAG_MISMATCH in refusal.message:
        return Conflict("Google's copy is not what we thought.", **facts)
    return _by_status(status, refusal, facts)


def _by_status(status: int, refusal: _Refusal, facts: dict[str, Any]) -> AppError:
    match status:
        case 401 if not refusal.understood or refusal.any_of(_BAD_TOKEN):
            return AccessTokenRejected("Google does not accept the access token.", **facts)
        case 401 | 403 if refusal.understood and not refusal.any_of(_BUSY):
            return PermissionDenied("Google does not permit this.", **facts)
        case 404 | 410 if refusal.understood:
            return NotFound("Google has no such thing.", **facts)
        case 409 | 412:
            return Conflict("Google's copy is not what we thought.", **facts)
        case 400 | 405 | 411 | 413 | 414 | 415 | 416 | 422 | 428 | 431 | 501:
            return RequestRefused("Google cannot use this request.", **facts)
    return Transient("Google is not answering properly.", **facts)


def _read(body: bytes) -> _Refusal:
    try:
        error = orjson.loads(body)["error"]
        if isinstance(error, str):  # many servers answer {"error": "..."}: not Google's envelope
            return _Refusal(understood=False, reasons=_safe([error]))
        message = error.get("message")
    except (ValueError, TypeError, KeyError, AttributeError):
        return _Refusal(understood=False)
    details = [item for item in _items(error.get("details")) if isinstance(item, dict)]
    legacy = [item for item in _items(error.get("errors")) if isinstance(item, dict)]
    reasons = [item.get("reason") for item in (*details, *legacy)]
    return _Refusal(
        understood=isinstance(error.get("code"), int),
        reasons=_safe([*reasons, error.get("status")]),
        message=message if isinstance(message, str) else "",
        retry_delay_s=max(_delays(details), default=None),
    )


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _safe(reasons: list[Any]) -> tuple[str, ...]:
    """Keep reasons that are plain names: they become labels and log values."""
    return tuple(
        reason for reason in reasons if isinstance(reason, str) and _SAFE_REASON.fullmatch(reason)
    )


def _delays(details: list[dict[str, Any]]) -> Iterator[float]:
    """Yield the waits that google.rpc.RetryInfo details ask for, in seconds."""
    for item in details:
        found = _DURATION.fullmatch(str(item.get("retryDelay", "")))
        if found:
            yield float(found[1])


def _wait_s(refusal: _Refusal, headers: Mapping[str, str], now: datetime) -> float:
    """Return the longest wait that Google names, or a usual one; within 1 s and a day."""
    named = [
        _until_text(refusal.message, now),
        _until_header(headers, now),
        refusal.retry_delay_s,
    ]
    usual = DAY_QUOTA_WAIT_S if refusal.any_of(_DAY_QUOTA) else DEFAULT_WAIT_S
    wait_s = max((seconds for seconds in named if seconds is not None), default=usual)
    return min(max(wait_s, 1.0), MAX_WAIT_S)


def _until_text(message: str, now: datetime) -> float | None:
    found = _RETRY_AFTER.search(message)
    if not found:
        return None
    try:
        return (_aware(datetime.fromisoformat(found[1])) - now).total_seconds()
    except ValueError:
        return None


def _until_header(headers: Mapping[str, str], now: datetime) -> float | None:
    text = next((headers[name] for name in headers if name.lower() == "retry-after"), "")
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return seconds if math.isfinite(seconds) else None
    try:
        return (_aware(parsedate_to_datetime(text)) - now).total_seconds()
    except (ValueError, TypeError, IndexError):
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
