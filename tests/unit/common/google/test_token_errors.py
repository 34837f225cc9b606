import json
from datetime import UTC, datetime

import pytest

from libs.common.errors import AppError, RateLimited, Transient
from libs.common.google.oauth import (
    AdminPolicyEnforced,
    DeletedClient,
    InvalidClient,
    InvalidGrant,
    TokenRequestRefused,
)
from libs.common.google.token_errors import token_error
from libs.common.google.wire import Answer

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def answer(status: int, **fields: object) -> Answer:
    return Answer(status, {}, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (answer(400, error="invalid_grant"), InvalidGrant),
        (answer(401, error="invalid_client", error_description="Unauthorized"), InvalidClient),
        (answer(401, error="disabled_client"), InvalidClient),
        (answer(401, error="unauthorized_client"), InvalidClient),
        (answer(401, error="deleted_client"), DeletedClient),
        (answer(400, error="admin_policy_enforced"), AdminPolicyEnforced),
        (answer(403, error="org_internal"), AdminPolicyEnforced),
        (answer(400, error="redirect_uri_mismatch"), TokenRequestRefused),
        (answer(400, error="invalid_request"), TokenRequestRefused),
        (answer(403, error="rate_limit_exceeded"), RateLimited),
        (answer(400, error="internal_failure"), Transient),
        (answer(500, error="invalid_grant"), Transient),
        (answer(503, error={"code": 503, "status": "UNAVAILABLE"}), Transient),
        (answer(400, error={"code": 400, "status": "INVALID_ARGUMENT"}), TokenRequestRefused),
        (Answer(502, {}, b"<html>"), Transient),
        (Answer(400, {}, b""), TokenRequestRefused),
        (Answer(429, {}, b""), RateLimited),
    ],
)
def test_a_refusal_of_the_token_endpoint_names_its_cause(
    refusal: Answer, expected: type[AppError]
) -> None:
    assert type(token_error(refusal, NOW)) is expected


@pytest.mark.parametrize(
    ("description", "cause"),
    [
        ("Token has been expired or revoked.", "expired-or-revoked"),
        ("Bad Request", "bad-request"),
        ("Account has been deleted", "account-deleted"),
        ("Not a valid email: ada@example.com", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_invalid_grant_keeps_known_explanations_only(description: str, cause: str) -> None:
    error = token_error(answer(400, error="invalid_grant", error_description=description), NOW)

    assert isinstance(error, InvalidGrant)
    assert error.cause == cause


def test_session_control_is_seen_in_the_subtype() -> None:
    refusal = answer(400, error="invalid_grant", error_subtype="invalid_rapt")

    error = token_error(refusal, NOW)

    assert isinstance(error, InvalidGrant)
    assert error.subtype == "invalid_rapt"


def test_an_error_code_that_is_no_name_is_not_kept() -> None:
    error = token_error(answer(400, error="ya29.secret token"), NOW)

    assert isinstance(error, TokenRequestRefused)
    assert error.reason == "unknown"
