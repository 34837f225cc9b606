"""Google's error envelope, as exceptions that carry their whole answer."""

from typing import Any

Json = dict[str, Any]

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
_NO_CREDENTIAL = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_BAD_CREDENTIAL = _NO_CREDENTIAL.replace(
    "is missing required authentication credential", "had invalid authentication credentials"
)


class ApiError(Exception):
    """An answer that is not a success.

    Args:
        status: the canonical name; the code's usual one by default, none at all when empty.

    Source: https://developers.google.com/workspace/gmail/api/guides/handle-errors
    """

    def __init__(
        self,
        code: int,
        message: str,
        reason: str,
        *,
        domain: str = "global",
        extra: Json | None = None,
        details: list[Json] | None = None,
        status: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}
        item = {"message": message, "domain": domain, "reason": reason, **(extra or {})}
        error: Json = {"code": code, "message": message, "errors": [item]}
        if status != "":
            error["status"] = status or _STATUS.get(code, "UNKNOWN")
        if details:
            error["details"] = details
        self.envelope: Json = {"error": error}

    def without_errors(self) -> "ApiError":
        """Return it as newer APIs put it: without the older list of reasons."""
        self.envelope["error"].pop("errors", None)
        return self


def invalid_argument(message: str) -> ApiError:
    """Return the 400 for a request that breaks a documented rule."""
    return ApiError(400, message, "invalidArgument")


def failed_precondition(message: str = "Precondition check failed.") -> ApiError:
    """Return the 400 for a request that the mailbox's state forbids."""
    return ApiError(400, message, "failedPrecondition", status="FAILED_PRECONDITION")


def not_found() -> ApiError:
    """Return the 404 of Gmail."""
    return ApiError(404, "Requested entity was not found.", "notFound")


def forbidden(message: str) -> ApiError:
    """Return a 403 that no waiting heals."""
    return ApiError(403, message, "forbidden")


def login_required() -> ApiError:
    """Return the 401 for a request without a token."""
    return _unauthenticated(_NO_CREDENTIAL, "Login Required.", "required", "CREDENTIALS_MISSING")


def invalid_credentials() -> ApiError:
    """Return the 401 for an unknown, expired or revoked token."""
    return _unauthenticated(
        _BAD_CREDENTIAL, "Invalid Credentials", "authError", "ACCESS_TOKEN_INVALID"
    )


def insufficient_scope(service: str, method: str) -> ApiError:
    """Return the 403 for a token without any of the method's scopes."""
    message = "Request had insufficient authentication scopes."
    info = _error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")
    info["metadata"] = {"service": service, "method": method}
    error = ApiError(403, message, "insufficientPermissions", details=[info])
    error.envelope["error"]["errors"][0]["message"] = "Insufficient Permission"
    return error


def rate_limited(retry_after: str, *, code: int = 403) -> ApiError:
    """Return Gmail's per-user quota refusal; the time stands in the text, there is no header."""
    message = f"User-rate limit exceeded.  Retry after {retry_after}"
    return ApiError(code, message, "rateLimitExceeded", domain="usageLimits")


def project_rate_limited(*, code: int = 403) -> ApiError:
    """Return the refusal of a project that has used up its minute; it names no time."""
    message = (
        "Quota exceeded for quota metric 'Quota units' and limit 'Quota units per minute' of "
        "service 'gmail.googleapis.com' for consumer 'project_number:112233445566'."
    )
    info = _error_info("RATE_LIMIT_EXCEEDED")
    info["metadata"] = {
        "service": "gmail.googleapis.com",
        "consumer": "projects/112233445566",
        "quota_unit": "1/min/{project}",
    }
    return ApiError(code, message, "rateLimitExceeded", domain="usageLimits", details=[info])


def calendar_rate_limited(reason: str, *, code: int = 403) -> ApiError:
    """Return the Calendar API's refusal; Google uses 403 and 429 for the same."""
    message = "User Rate Limit Exceeded" if reason.startswith("user") else "Rate Limit Exceeded"
    return ApiError(code, message, reason, domain="usageLimits", status="")


def _unauthenticated(message: str, short: str, reason: str, info: str) -> ApiError:
    error = ApiError(
        401,
        message,
        reason,
        extra={"location": "Authorization", "locationType": "header"},
        details=[_error_info(info)],
        headers={
            "WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'
        },
    )
    error.envelope["error"]["errors"][0]["message"] = short
    return error


def _error_info(reason: str) -> Json:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
    }
