"""Development tokens."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from cli import tokens
from cli.local.process import LocalStackError

SETTINGS = {
    "CAUSEWAY_CALLER_KEY": "k" * 32,
    "CAUSEWAY_CALLER_ISSUER": "https://crm.test",
    "CAUSEWAY_CALLER_AUDIENCE": "causeway",
}


def read(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(
        token, "k" * 32, algorithms=["HS256"], audience="causeway", issuer="https://crm.test"
    )
    return claims


def test_a_users_token_names_user_and_tenant() -> None:
    now = datetime.now(UTC)
    issued = tokens.issue(
        {"auth/web": SETTINGS}, user="ada", tenant="acme", now=now, ttl=timedelta(minutes=5)
    )
    claims = read(issued)

    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("ada", "acme", [])
    assert claims["exp"] == int(now.timestamp()) + 300


def test_a_services_token_has_the_role_and_no_user() -> None:
    claims = read(
        tokens.issue({"auth/web": SETTINGS}, user=None, tenant="acme", now=datetime.now(UTC))
    )

    assert claims["roles"] == ["service"]
    assert "sub" not in claims


def test_without_a_stack_there_is_no_token() -> None:
    with pytest.raises(LocalStackError, match="make up"):
        tokens.issue({}, user="ada", tenant="acme", now=datetime.now(UTC))


def test_a_stack_with_jwks_issues_no_token() -> None:
    without_key = {k: v for k, v in SETTINGS.items() if k != "CAUSEWAY_CALLER_KEY"}

    with pytest.raises(LocalStackError, match="JWKS"):
        tokens.issue({"auth/web": without_key}, user="ada", tenant="acme", now=datetime.now(UTC))
