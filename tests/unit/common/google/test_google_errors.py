import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import (
    AppError,
    Conflict,
    CursorExpired,
    NotFound,
    RateLimited,
    Transient,
)
from libs.common.google.errors import (
    DAY_QUOTA_WAIT_S,
    DEFAULT_WAIT_S,
    MAX_WAIT_S,
    AccessTokenRejected,
    PermissionDenied,
    RequestRefused,
    classify,
)

NOW = datetime(2026, 9, 11, 19, 59, 30, tzinfo=UTC)
RATE_TEXT = "User-rate limit exceeded.  Retry after 2026-09-11T20:00:00.000Z"
EXPIRED_SYNC = "Sync token is expired. Clear local cache and retry call without the sync token."
OTHER_ETAG = (
    "Request person.etag is different than the current person.etag. "
    "Clear local cache and get the latest person."
)
HTML = b"<!DOCTYPE html><html lang=en><title>Error (Not Found)!!1</title></html>"


def body(
    code: int,
    message: str = "",
    *,
    reason: str | None = None,
    domain: str = "global",
    status: str | None = None,
    info: str | None = None,
    details: list[dict[str, Any]] | None = None,
) -> bytes:
    """An error body in the legacy envelope, the newer one, or both at once."""
    error: dict[str, Any] = {"code": code, "message": message}
    if reason:
        error["errors"] = [{"domain": domain, "reason": reason, "message": message}]
    if status:
        error["status"] = status
    if info:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        details = [{"@type": kind, "reason": info, "domain": "googleapis.com"}, *(details or [])]
    if details:
        error["details"] = details
    return json.dumps({"error": error}).encode()


USAGE = "usageLimits"
DOCUMENTED: list[tuple[str, int, bytes, type[AppError]]] = [
    # Gmail, legacy envelope
    ("bad token", 401, body(401, "Invalid Credentials", reason="authError"), AccessTokenRejected),
    (
        "bad token, both envelopes",
        401,
        body(401, "Invalid Credentials", reason="authError", status="UNAUTHENTICATED"),
        AccessTokenRejected,
    ),
    (
        "user rate as 403",
        403,
        body(403, RATE_TEXT, reason="userRateLimitExceeded", domain=USAGE),
        RateLimited,
    ),
    (
        "rate as 403 that calls itself a permission",
        403,
        body(403, RATE_TEXT, reason="rateLimitExceeded", status="PERMISSION_DENIED"),
        RateLimited,
    ),
    ("rate as 429", 429, body(429, RATE_TEXT, reason="rateLimitExceeded"), RateLimited),
    ("day quota", 403, body(403, reason="dailyLimitExceeded", domain=USAGE), RateLimited),
    (
        "too many at once",
        429,
        body(429, "Too many concurrent requests for user", reason="rateLimitExceeded"),
        RateLimited,
    ),
    ("domain policy", 403, body(403, reason="domainPolicy"), PermissionDenied),
    (
        "no publisher on the topic",
        403,
        body(403, "User not authorized to perform this action.", reason="forbidden"),
        PermissionDenied,
    ),
    (
        "scope missing",
        403,
        body(
            403,
            reason="insufficientPermissions",
            status="PERMISSION_DENIED",
            info="ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        ),
        PermissionDenied,
    ),
    (
        "api off",
        403,
        body(
            403, reason="accessNotConfigured", status="PERMISSION_DENIED", info="SERVICE_DISABLED"
        ),
        PermissionDenied,
    ),
    (
        "message gone",
        404,
        body(404, "Requested entity was not found.", reason="notFound", status="NOT_FOUND"),
        NotFound,
    ),
    (
        "second topic",
        400,
        body(
            400,
            "Only one user push notification client allowed per developer",
            reason="failedPrecondition",
            status="INVALID_ARGUMENT",
        ),
        RequestRefused,
    ),
    (
        "mailbox without Gmail",
        400,
        body(400, "Mail service not enabled", reason="failedPrecondition"),
        RequestRefused,
    ),
    ("backend", 500, body(500, reason="backendError"), Transient),
    ("bad gateway", 502, body(502), Transient),
    ("unavailable", 503, body(503, status="UNAVAILABLE"), Transient),
    ("gateway timeout", 504, b"", Transient),
    # Calendar
    ("sync token", 410, body(410, reason="fullSyncRequired", domain="calendar"), CursorExpired),
    ("updatedMin", 410, body(410, reason="updatedMinTooLongAgo"), CursorExpired),
    ("deleted twice", 410, body(410, "Resource has been deleted", reason="deleted"), NotFound),
    ("etag of an event", 412, body(412, reason="conditionNotMet"), Conflict),
    ("same id again", 409, body(409, reason="duplicate"), Conflict),
    ("not organiser", 403, body(403, reason="forbiddenForNonOrganizer"), PermissionDenied),
    ("calendar quota", 403, body(403, reason="quotaExceeded", domain=USAGE), RateLimited),
    ("empty time range", 400, body(400, reason="timeRangeEmpty"), RequestRefused),
    ("channel id", 400, body(400, reason="channelIdNotUnique"), RequestRefused),
    ("unverified domain", 401, body(401, reason="push.webhookUrlUnauthorized"), PermissionDenied),
    # People
    (
        "sync token as 400",
        400,
        body(400, EXPIRED_SYNC, status="INVALID_ARGUMENT", info="EXPIRED_SYNC_TOKEN"),
        CursorExpired,
    ),
    (
        "sync token as 410",
        410,
        body(410, EXPIRED_SYNC, status="FAILED_PRECONDITION", info="EXPIRED_SYNC_TOKEN"),
        CursorExpired,
    ),
    ("sync token by text", 400, body(400, EXPIRED_SYNC, status="INVALID_ARGUMENT"), CursorExpired),
    ("person's etag", 400, body(400, OTHER_ETAG, status="FAILED_PRECONDITION"), Conflict),
    (
        "critical writes",
        429,
        body(429, "Quota exceeded", status="RESOURCE_EXHAUSTED", info="RATE_LIMIT_EXCEEDED"),
        RateLimited,
    ),
    # what is not Google's
    ("proxy's 401", 401, HTML, AccessTokenRejected),
    ("proxy's 403", 403, HTML, Transient),
    ("proxy's 404", 404, HTML, Transient),
    ("proxy's 404 in JSON", 404, b'{"error": "not found"}', Transient),
    ("empty 404", 404, b"", Transient),
    ("proxy's 410", 410, HTML, Transient),
    ("front end's 400", 400, HTML, RequestRefused),
    ("empty 429", 429, b"", RateLimited),
    ("html 503", 503, HTML, Transient),
    ("redirect", 302, HTML, Transient),
    ("truncated", 404, body(404, reason="notFound")[:-5], Transient),
    ("a list", 404, b"[]", Transient),
    ("error is null", 404, b'{"error": null}', Transient),
    (
        "fields of wrong types",
        500,
        b'{"error": {"code": 1, "errors": 3, "details": {}}}',
        Transient,
    ),
]


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [case[1:] for case in DOCUMENTED],
    ids=[case[0] for case in DOCUMENTED],
)
def test_a_refusal_means_what_its_reason_says(
    status: int, content: bytes, expected: type[AppError]
) -> None:
    assert type(classify(status, content, {}, NOW)) is expected


def test_the_typed_detail_outranks_the_legacy_reason() -> None:
    content = body(
        403, reason="insufficientPermissions", status="PERMISSION_DENIED", info="SERVICE_DISABLED"
    )

    error = classify(403, content, {}, NOW)

    assert isinstance(error, PermissionDenied)
    assert error.reason == "SERVICE_DISABLED"


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}
WAITS: list[tuple[str, bytes, dict[str, str], float]] = [
    ("time in the text", body(403, RATE_TEXT, reason="rateLimitExceeded"), {}, 30.0),
    (
        "time gone by",
        body(403, RATE_TEXT.replace("20:00", "19:00"), reason="rateLimitExceeded"),
        {},
        1.0,
    ),
    ("time without meaning", body(429, "Retry after 2026-13-41T99:00:00Z"), {}, DEFAULT_WAIT_S),
    ("time absurdly far", body(429, "Retry after 9999-01-01T00:00:00Z"), {}, MAX_WAIT_S),
    ("header in seconds", b"", {"retry-after": "12"}, 12.0),
    ("header as a date", b"", {"Retry-After": "Fri, 11 Sep 2026 20:00:00 GMT"}, 30.0),
    ("header without meaning", b"", {"Retry-After": "soon"}, DEFAULT_WAIT_S),
    ("header not a number", b"", {"Retry-After": "nan"}, DEFAULT_WAIT_S),
    ("typed delay", body(429, details=[RETRY_INFO], status="RESOURCE_EXHAUSTED"), {}, 3.5),
    ("the longest of all", body(429, RATE_TEXT, details=[RETRY_INFO]), {"Retry-After": "90"}, 90.0),
    ("nothing named", body(429, reason="rateLimitExceeded"), {}, DEFAULT_WAIT_S),
    ("day's quota, nothing named", body(403, reason="dailyLimitExceeded"), {}, DAY_QUOTA_WAIT_S),
]


@pytest.mark.parametrize(
    ("content", "headers", "wait_s"), [case[1:] for case in WAITS], ids=[case[0] for case in WAITS]
)
def test_a_rate_limit_lasts_as_long_as_google_says(
    content: bytes, headers: dict[str, str], wait_s: float
) -> None:
    error = classify(429, content, headers, NOW)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == pytest.approx(wait_s)


def test_what_google_writes_about_people_is_not_kept() -> None:
    content = body(
        403, "ada@example.com may not", reason="ada@example.com may not", status="NO WAY"
    )

    error = classify(403, content, {}, NOW)

    assert "ada" not in f"{error!r} {error.data}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
error_like = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("code", "message", "errors", "details", "status"), json_values),
)


@given(
    st.integers(300, 599),
    st.binary(max_size=64)
    | st.builds(lambda error: json.dumps({"error": error}).encode(), error_like | json_values),
    st.dictionaries(st.sampled_from(["Retry-After", "retry-after"]), st.text(max_size=30)),
)
def test_no_answer_is_too_strange_to_classify(
    status: int, content: bytes, headers: dict[str, str]
) -> None:
    assert isinstance(classify(status, content, headers, NOW), AppError)
