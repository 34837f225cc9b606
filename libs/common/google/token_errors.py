"""What the token endpoint's refusals mean, by cause."""

from datetime import datetime
from typing import Any

import orjson

from libs.common.errors import AppError, Transient, UpstreamError
from libs.common.google.errors import classify
from libs.common.google.wire import Answer

# Sentences Google is known to explain invalid_grant with; anything else may quote a person.
_GRANT_CAUSES = {
    "token has been expired or revoked.": "expired-or-revoked",
    "bad request": "bad-request",
    "malformed auth code.": "malformed-code",
    "account has been deleted": "account-deleted",
    "account has been disabled": "account-disabled",
    "missing code verifier.": "code-verifier",
    "invalid code verifier.": "code-verifier",
}


class InvalidGrant(UpstreamError):
    """The code or refresh token no longer works.

    `subtype` is Google's `error_subtype` (`invalid_rapt`: the administrator's session control
    asks for a new sign-in) or None; `cause` names Google's explanation where it is a known one
    (`expired-or-revoked`, `bad-request`, `account-deleted`, ...), else it is `unknown`.
    """

    slug = "google-invalid-grant"

    def __init__(self, message: str, *, subtype: str | None, cause: str) -> None:
        """Keep what is known of the why."""
        super().__init__(message, subtype=subtype, cause=cause)
        self.subtype = subtype
        self.cause = cause


class InvalidClient(UpstreamError):
    """Our own client id or secret is wrong, or the client is disabled: no account's fault."""

    slug = "google-invalid-client"


class DeletedClient(InvalidClient):
    """Our OAuth client was deleted at Google (restorable for 30 days)."""

    slug = "google-deleted-client"


class AdminPolicyEnforced(UpstreamError):
    """The person's Workspace administrator does not let this app have these scopes."""

    slug = "google-admin-policy-enforced"


class TokenRequestRefused(UpstreamError):
    """The token endpoint cannot use the request; `reason` is its error code."""

    slug = "google-token-request-refused"

    def __init__(self, message: str, *, reason: str) -> None:
        """Keep the error code, such as redirect_uri_mismatch."""
        super().__init__(message, reason=reason)
        self.reason = reason


def token_error(answer: Answer, now: datetime) -> AppError:
    """Return what a refusal of the token or revocation endpoint means. Pure; never raises.

    Source: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
        https://developers.google.com/identity/protocols/oauth2/web-server#exchange-errors-invalid-grant
    """
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        body = None
    code = body.get("error") if isinstance(body, dict) else None
    if isinstance(body, dict) and isinstance(code, str) and answer.status < 500:  # noqa: PLR2004 - a server's failure
        known = _by_code(code, body)
        if known is not None:
            return known
    general = classify(answer.status, answer.body, answer.headers, now)
    if isinstance(general, Transient):
        return general
    return TokenRequestRefused(
        "Google's token endpoint cannot use this request.", reason=_code_name(code)
    )


def _by_code(code: str, body: dict[str, Any]) -> AppError | None:
    match code:
        case "invalid_grant":
            description = str(body.get("error_description", "")).strip().lower()
            subtype = body.get("error_subtype")
            return InvalidGrant(
                "Google does not accept the grant any more.",
                subtype=_code_name(subtype) if subtype else None,
                cause=_GRANT_CAUSES.get(description, "unknown"),
            )
        case "deleted_client":
            return DeletedClient("Our OAuth client was deleted at Google.")
        case "invalid_client" | "disabled_client" | "unauthorized_client":
            return InvalidClient("Google does not accept our OAuth client.", reason=code)
        case "admin_policy_enforced" | "org_internal":
            return AdminPolicyEnforced("An administrator does not permit this app.", reason=code)
        case "internal_failure" | "server_error" | "temporarily_unavailable":
            return Transient("Google's token endpoint is not well.", reason=code)
    return None


def _code_name(code: object) -> str:
    plain = isinstance(code, str) and len(code) <= 64 and code.replace("_", "").isalnum()  # noqa: PLR2004 - longer than any code
    return str(code) if plain else "unknown"
