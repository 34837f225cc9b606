from datetime import UTC, datetime, timedelta

import jwt
import pytest

from libs.common import service_tokens
from libs.common.errors import Unauthenticated
from tests.support import CALLER_KEY, SERVICE_KEY

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AUTH = service_tokens.audience_of("auth")


def verify(token: str, *, now: datetime = NOW, audience: str = AUTH) -> str:
    return service_tokens.verify(SERVICE_KEY, token, audience=audience, now=now)


def issue() -> str:
    return service_tokens.issue(SERVICE_KEY, caller="mail", audience=AUTH, now=NOW)


def forge(key: str = SERVICE_KEY, algorithm: str = "HS256", **claims: object) -> str:
    stamp = int(NOW.timestamp())
    full = {"iss": "mail", "aud": AUTH, "iat": stamp, "exp": stamp + 60, **claims}
    given = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm)


def test_a_service_is_recognised_by_its_token() -> None:
    assert verify(issue()) == "mail"


def test_a_token_is_good_for_less_than_a_minute() -> None:
    assert verify(issue(), now=NOW + timedelta(seconds=59)) == "mail"
    with pytest.raises(Unauthenticated) as refused:
        verify(issue(), now=NOW + timedelta(seconds=60))
    assert refused.value.data["reason"] == "expired"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (forge(key=CALLER_KEY), "signature"),
        (forge(key=SERVICE_KEY * 2, algorithm="HS512"), "algorithm"),
        (forge(key="", algorithm="none"), "algorithm"),
        (forge(aud="causeway-mail"), "audience"),
        (forge(aud=None), "claims"),
        (forge(iss=None), "claims"),
        (forge(iss=""), "claims"),
        (forge(exp=None), "claims"),
        (forge(iat=None), "claims"),
        (forge(exp=int(NOW.timestamp()) + 3600), "lifetime"),
        (forge(iat=int(NOW.timestamp()) + 40), "lifetime"),
        (forge(exp="soon"), "malformed"),
        (forge(exp=True), "malformed"),
        (forge(exp=10**400), "malformed"),
        (forge(nbf=int(NOW.timestamp()) + 45), "early"),
        ("not.a.token", "malformed"),
        ("", "malformed"),
    ],
)
def test_any_other_token_is_refused_for_a_reason(token: str, reason: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        verify(token)
    assert refused.value.data["reason"] == reason
