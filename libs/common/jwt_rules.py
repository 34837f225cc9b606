"""What every JSON Web Token we accept has in common.

Source: https://www.rfc-editor.org/rfc/rfc8725
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard

import jwt

from libs.common.errors import Unauthenticated

NOT_BEFORE_LEEWAY_S = 30
MAX_TIME = 2**53
"""Beyond it a float no longer counts seconds, and an integer may be too large to become one."""
REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.InvalidSignatureError, "signature"),
    (jwt.InvalidIssuerError, "issuer"),
    (jwt.InvalidAudienceError, "audience"),
    (jwt.MissingRequiredClaimError, "claims"),
    (jwt.InvalidAlgorithmError, "algorithm"),
)


def decode(token: str, key: Any, *, algorithm: str, audience: str, now: datetime) -> dict[str, Any]:
    """Return the claims of a token that is signed, meant for `audience`, and valid at `now`.

    Args:
        token: as it came.
        key: what verifies it: bytes, or a `jwt.PyJWK`.
        algorithm: the only one accepted.
        audience: ours; the claim may list others beside it.
        now: the present moment by the product's clock, which PyJWT would not ask.

    Raises:
        Unauthenticated: `reason` in its data is a short constant.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            options={
                "require": ["exp", "iss", "aud"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, ValueError) as exc:
        raise refused(_reason(exc)) from exc
    _check_times(claims, now)
    return claims


def refused(reason: str) -> Unauthenticated:
    """Return the refusal of a token; `reason` is a short constant for metrics."""
    return Unauthenticated("The token is not valid.", reason=reason)


def _reason(exc: Exception) -> str:
    return next((reason for kind, reason in REFUSALS if isinstance(exc, kind)), "malformed")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if not (is_time(expires) and is_time(begins)):
        raise refused("malformed")
    if expires <= now.timestamp():
        raise refused("expired")
    if begins > now.timestamp() + NOT_BEFORE_LEEWAY_S:
        raise refused("early")


def is_time(value: object) -> TypeGuard[int | float]:
    """Tell whether a claim is a NumericDate (RFC 7519, section 2); claims may be a stranger's."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -MAX_TIME <= value <= MAX_TIME  # NaN is not
